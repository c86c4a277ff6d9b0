// Batches made ahead of time on a thread of their own.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "common/mutex.h"
#include "common/status.h"
#include "worker/train/batch.h"

namespace voxbit::train {

// Calls make(0), make(1), ... make(count - 1) in order on one background thread, at most `depth`
// results ahead of the consumer, and ends early once there are no more (nullopt). The thread ends
// with the queue.
class BatchQueue {
 public:
  using Make = std::function<std::optional<Result<Batch>>(int64_t position)>;

  BatchQueue(Make make, int64_t count, int64_t depth);
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  // The next batch, waited for; the error of make, or CANCELLED once `stop` is raised. An
  // exception in make is thrown here. After an error there is nothing more.
  // Requires: called at most as often as there are batches.
  Result<Batch> Next(std::stop_token stop);

 private:
  struct Item {
    std::optional<Result<Batch>> batch;
    std::exception_ptr exception;
  };

  void Run(const std::stop_token& stop);
  Item MakeItem(int64_t position) const;

  const Make make_;
  const int64_t count_;
  const size_t depth_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Item> ready_ VOXBIT_GUARDED_BY(mutex_);
  bool ended_ VOXBIT_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace voxbit::train
