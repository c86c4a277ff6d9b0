// An executor whose work is a function of the test.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <utility>

#include "common/mutex.h"
#include "worker/loop/task_executor.h"

namespace voxbit::testing {

// Opens once, for any number of threads.
class Gate {
 public:
  void Open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Wait() {
    const MutexLock lock(mutex_);
    while (!open_) changed_.Wait(mutex_);
  }
  // False when `stop` was raised first.
  bool Wait(const std::stop_token& stop) {
    const std::stop_callback on_stop(stop, [this] {
      const MutexLock lock(mutex_);
      changed_.NotifyAll();
    });
    const MutexLock lock(mutex_);
    while (!open_ && !stop.stop_requested()) changed_.Wait(mutex_);
    return open_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ VOXBIT_GUARDED_BY(mutex_) = false;
};

class FakeExecutor final : public worker::TaskExecutor {
 public:
  using Work = std::function<Result<search::TaskResult>(
      const search::TaskSpec&, worker::ArtifactAccess&, const worker::ProgressSink&,
      const std::stop_token&)>;

  explicit FakeExecutor(Work work) : work_(std::move(work)) {}

  Result<search::TaskResult> Execute(const search::TaskSpec& task,
                                     worker::ArtifactAccess& artifacts,
                                     const worker::ProgressSink& progress,
                                     std::stop_token stop) override {
    {
      const MutexLock lock(mutex_);
      ++executions_;
    }
    return work_(task, artifacts, progress, stop);
  }

  int executions() const {
    const MutexLock lock(mutex_);
    return executions_;
  }

 private:
  const Work work_;
  mutable Mutex mutex_;
  int executions_ VOXBIT_GUARDED_BY(mutex_) = 0;
};

inline search::TaskResult ResultWithMiou(double value) {
  search::TaskResult result;
  result.measurements.push_back({.metric = "miou", .target = "", .value = value});
  return result;
}

// `work`, and an artifact beside what it measures: the text "weights".
inline FakeExecutor::Work Stores(const std::string& artifact, FakeExecutor::Work work) {
  return [artifact, work = std::move(work)](
             const search::TaskSpec& task, worker::ArtifactAccess& artifacts,
             const worker::ProgressSink& progress,
             const std::stop_token& stop) -> Result<search::TaskResult> {
    VOXBIT_ASSIGN_OR_RETURN(search::TaskResult result, work(task, artifacts, progress, stop));
    VOXBIT_ASSIGN_OR_RETURN(result.artifacts[artifact], artifacts.Put("weights"));
    return result;
  };
}

}  // namespace voxbit::testing
