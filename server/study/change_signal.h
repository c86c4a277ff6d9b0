// "Something in the store changed": wakes study runners and held worker calls.
#pragma once

#include <cstdint>
#include <stop_token>

#include "common/clock.h"
#include "common/mutex.h"

namespace voxbit::server {

// Thread-safe. Level-triggered: a waiter compares versions, so no notification is ever missed.
class ChangeSignal {
 public:
  void Notify();
  int64_t version() const;
  // Returns once the version differs from `seen`, `stop` is raised or `span` has passed.
  void Wait(int64_t seen, Milliseconds span, const std::stop_token& stop);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  int64_t version_ VOXBIT_GUARDED_BY(mutex_) = 0;
};

}  // namespace voxbit::server
