#include "worker/train/batch_queue.h"

#include <chrono>
#include <utility>

namespace voxbit::train {

BatchQueue::BatchQueue(Make make, int64_t count, int64_t depth)
    : make_(std::move(make)),
      count_(count),
      depth_(static_cast<size_t>(depth)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {
  VOXBIT_CHECK(depth > 0, "a queue holds at least one batch");
}

BatchQueue::~BatchQueue() {
  thread_.request_stop();
  {
    const MutexLock lock(mutex_);
    ended_ = true;
  }
  changed_.NotifyAll();
}

BatchQueue::Item BatchQueue::MakeItem(int64_t position) const {
  Item item;
  try {
    item.batch = make_(position);
  } catch (...) {
    item.exception = std::current_exception();
  }
  return item;
}

void BatchQueue::Run(const std::stop_token& stop) {
  for (int64_t position = 0; position < count_ && !stop.stop_requested(); ++position) {
    {
      const MutexLock lock(mutex_);
      while (ready_.size() >= depth_ && !ended_) changed_.Wait(mutex_);
      if (ended_) return;
    }
    Item item = MakeItem(position);
    if (item.exception == nullptr && !item.batch.has_value()) return;
    const bool failed = item.exception != nullptr || !item.batch->ok();
    {
      const MutexLock lock(mutex_);
      ready_.push_back(std::move(item));
    }
    changed_.NotifyAll();
    if (failed) return;
  }
}

Result<Batch> BatchQueue::Next(std::stop_token stop) {
  Item item;
  {
    const MutexLock lock(mutex_);
    while (ready_.empty()) {
      if (stop.stop_requested()) return Cancelled("asked to stop");
      // The token has no way to wake this condition, hence the limit.
      changed_.WaitFor(mutex_, std::chrono::milliseconds(50));
    }
    item = std::move(ready_.front());
    ready_.pop_front();
  }
  changed_.NotifyAll();
  if (stop.stop_requested()) return Cancelled("asked to stop");
  if (item.exception != nullptr) std::rethrow_exception(item.exception);
  return std::move(*item.batch);
}

}  // namespace voxbit::train
