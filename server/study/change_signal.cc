#include "server/study/change_signal.h"

#include <chrono>

namespace voxbit::server {

void ChangeSignal::Notify() {
  MutexLock lock(mutex_);
  ++version_;
  changed_.NotifyAll();
}

int64_t ChangeSignal::version() const {
  MutexLock lock(mutex_);
  return version_;
}

void ChangeSignal::Wait(int64_t seen, Milliseconds span, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { Notify(); });
  const SystemClock clock;
  const int64_t until = clock.MonotonicMs() + span.count();
  MutexLock lock(mutex_);
  while (version_ == seen && !stop.stop_requested()) {
    const int64_t left = until - clock.MonotonicMs();
    if (left <= 0) return;
    changed_.WaitFor(mutex_, Milliseconds(left));
  }
}

}  // namespace voxbit::server
