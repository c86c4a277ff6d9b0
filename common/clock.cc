#include "common/clock.h"

namespace voxbit {

int64_t SystemClock::NowMs() const {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Milliseconds>(since_epoch).count();
}

int64_t SystemClock::MonotonicMs() const {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Milliseconds>(since_start).count();
}

int64_t ManualClock::NowMs() const {
  MutexLock lock(mutex_);
  return now_ms_;
}

int64_t ManualClock::MonotonicMs() const { return NowMs(); }

void ManualClock::Advance(Milliseconds span) {
  MutexLock lock(mutex_);
  now_ms_ += span.count();
}

}  // namespace voxbit
