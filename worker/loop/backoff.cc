#include "worker/loop/backoff.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace voxbit::worker {

Backoff::Backoff(const Settings& settings, uint64_t seed)
    : settings_(settings), span_(settings.first), rng_(seed) {}

Milliseconds Backoff::Next() {
  const int64_t span = span_.count();
  span_ = std::min(settings_.max, 2 * span_);
  return Milliseconds(span - rng_.Below(span / 2 + 1));
}

bool SleepFor(Milliseconds span, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any raised;
  std::unique_lock<std::mutex> lock(mutex);
  raised.wait_for(lock, stop, span, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace voxbit::worker
