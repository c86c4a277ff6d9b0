// Time as an injected dependency. Nothing else in the tree calls now().
#pragma once

#include <chrono>
#include <cstdint>

#include "common/mutex.h"

namespace voxbit {

using Milliseconds = std::chrono::milliseconds;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since the Unix epoch: for records that outlive the process.
  virtual int64_t NowMs() const = 0;
  // Milliseconds of a clock that never jumps: for measuring spans.
  virtual int64_t MonotonicMs() const = 0;
  // Milliseconds since the Unix epoch for deadlines that are written down: NowMs() when it was
  // first asked, and what MonotonicMs() has gone on since. No step of the system's time moves it
  // while the process lives.
  virtual int64_t SteadyMs() const = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t NowMs() const override;
  int64_t MonotonicMs() const override;
  int64_t SteadyMs() const override;
};

// Stands still until it is told to advance; for tests.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_ms = 1'700'000'000'000) : steady_ms_(now_ms) {}
  int64_t NowMs() const override;
  int64_t MonotonicMs() const override;
  int64_t SteadyMs() const override;
  void Advance(Milliseconds span);
  // The system's time is set: NowMs() alone goes on by `span`, or back.
  void Step(Milliseconds span);

 private:
  mutable Mutex mutex_;
  int64_t steady_ms_ VOXBIT_GUARDED_BY(mutex_);
  int64_t step_ms_ VOXBIT_GUARDED_BY(mutex_) = 0;
};

}  // namespace voxbit
