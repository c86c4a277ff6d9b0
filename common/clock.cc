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

int64_t SystemClock::SteadyMs() const {
  static const int64_t start_ms = NowMs() - MonotonicMs();
  return start_ms + MonotonicMs();
}

int64_t ManualClock::NowMs() const {
  MutexLock lock(mutex_);
  return steady_ms_ + step_ms_;
}

int64_t ManualClock::MonotonicMs() const { return SteadyMs(); }

int64_t ManualClock::SteadyMs() const {
  MutexLock lock(mutex_);
  return steady_ms_;
}

void ManualClock::Advance(Milliseconds span) {
  MutexLock lock(mutex_);
  steady_ms_ += span.count();
}

void ManualClock::Step(Milliseconds span) {
  MutexLock lock(mutex_);
  step_ms_ += span.count();
}

}  // namespace voxbit
