// Runs one task at a time on a thread of its own.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "common/json.h"
#include "common/mutex.h"
#include "common/status.h"
#include "search/domain/task.h"
#include "worker/loop/artifact_cache.h"
#include "worker/loop/task_executor.h"

namespace voxbit::worker {

// Execute, then upload what the result names; nothing that an executor throws gets further.
// Owned and called by one thread.
class TaskRunner {
 public:
  // `on_end` is called on the task's thread, once the outcome can be taken.
  TaskRunner(TaskExecutor& executor, ArtifactCache& artifacts, std::function<void()> on_end);
  // Stops the task and waits for it.
  ~TaskRunner();

  // Requires: no task is running, and the last outcome was taken.
  void Start(const search::TaskSpec& spec);
  void RequestStop() { thread_.request_stop(); }
  // True from the end of the task until its outcome is taken.
  bool HasOutcome() const;
  // Empty while the task runs. CANCELLED when it was stopped before it had a result; INFEASIBLE
  // for a measurement that is not finite; INTERNAL for an exception.
  std::optional<Result<search::TaskResult>> TakeOutcome();
  // What the executor reported last.
  Json progress() const;

 private:
  Result<search::TaskResult> Run(const search::TaskSpec& spec, const std::stop_token& stop);
  void SetProgress(const Json& progress);

  TaskExecutor& executor_;
  ArtifactCache& artifacts_;
  const std::function<void()> on_end_;
  mutable Mutex mutex_;
  Json progress_ VOXBIT_GUARDED_BY(mutex_) = Json::object();
  std::optional<Result<search::TaskResult>> outcome_ VOXBIT_GUARDED_BY(mutex_);
  std::jthread thread_;
};

// What the server is told for a status without a result; see task_executor.h. `leaving`: the
// worker itself asked the task to stop.
search::TaskFailure ToFailure(const Status& status, bool leaving);

}  // namespace voxbit::worker
