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
};

class SystemClock final : public Clock {
 public:
  int64_t NowMs() const override;
  int64_t MonotonicMs() const override;
};

// Stands still until it is told to advance; for tests.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_ms = 1'700'000'000'000) : now_ms_(now_ms) {}
  int64_t NowMs() const override;
  int64_t MonotonicMs() const override;
  void Advance(Milliseconds span);

 private:
  mutable Mutex mutex_;
  int64_t now_ms_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit
