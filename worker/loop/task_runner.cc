#include "worker/loop/task_runner.h"

#include <cmath>
#include <exception>
#include <string>
#include <utility>

namespace voxbit::worker {
namespace {

// Torch appends a stack trace to what(); people want the first lines.
std::string Brief(const char* what) {
  constexpr size_t kMaxBytes = 1000;
  return std::string(what).substr(0, kMaxBytes);
}

Status CheckFinite(const search::TaskResult& result) {
  for (const search::Measurement& measurement : result.measurements) {
    if (std::isfinite(measurement.value) && std::isfinite(measurement.spread)) continue;
    return Infeasible(measurement.metric + " is not a finite number", "RESULT_NON_FINITE");
  }
  return OkStatus();
}

}  // namespace

TaskRunner::TaskRunner(TaskExecutor& executor, ArtifactCache& artifacts,
                       std::function<void()> on_end)
    : executor_(executor), artifacts_(artifacts), on_end_(std::move(on_end)) {}

TaskRunner::~TaskRunner() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void TaskRunner::Start(const search::TaskSpec& spec) {
  VOXBIT_CHECK(!thread_.joinable(), "a worker runs one task at a time");
  SetProgress(Json::object());
  thread_ = std::jthread([this, spec](const std::stop_token& stop) {
    Result<search::TaskResult> outcome = Run(spec, stop);
    {
      const MutexLock lock(mutex_);
      outcome_.emplace(std::move(outcome));
    }
    on_end_();
  });
}

Result<search::TaskResult> TaskRunner::Run(const search::TaskSpec& spec,
                                           const std::stop_token& stop) {
  try {
    artifacts_.BeginTask(stop);
    Result<search::TaskResult> result = executor_.Execute(
        spec, artifacts_, [this](const Json& now) { SetProgress(now); }, stop);
    if (!result.ok()) return result;
    VOXBIT_RETURN_IF_ERROR(CheckFinite(*result));
    if (!result->artifacts.empty()) SetProgress({{"phase", "upload"}});
    VOXBIT_RETURN_IF_ERROR(artifacts_.Upload(result->artifacts));
    return result;
  } catch (const std::exception& error) {
    return Internal("the executor threw: " + Brief(error.what()));
  } catch (...) {
    return Internal("the executor threw something that is no exception");
  }
}

bool TaskRunner::HasOutcome() const {
  const MutexLock lock(mutex_);
  return outcome_.has_value();
}

std::optional<Result<search::TaskResult>> TaskRunner::TakeOutcome() {
  if (!HasOutcome()) return std::nullopt;
  thread_.join();
  const MutexLock lock(mutex_);
  return std::exchange(outcome_, std::nullopt);
}

Json TaskRunner::progress() const {
  const MutexLock lock(mutex_);
  return progress_;
}

void TaskRunner::SetProgress(const Json& progress) {
  // Only an object can travel; a mistake in a progress report must not cost the lease.
  if (!progress.is_object()) return;
  const MutexLock lock(mutex_);
  progress_ = progress;
}

search::TaskFailure ToFailure(const Status& status, bool leaving) {
  using search::FailureKind;
  if (status.reason() == "DATASET_BROKEN") return {FailureKind::kData, status.message()};
  if (status.reason() == "OUT_OF_MEMORY") return {FailureKind::kOutOfMemory, status.message()};
  switch (status.code()) {
    case StatusCode::kInfeasible:
      return {FailureKind::kInfeasible, status.message()};
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
      return {FailureKind::kTransient, status.ToString()};
    case StatusCode::kFailedPrecondition:
      // This worker's version knows another search space; one of the server's may do it.
      if (status.reason() == "SPACE_MISMATCH") return {FailureKind::kTransient, status.ToString()};
      return {FailureKind::kFailed, status.ToString()};
    case StatusCode::kCancelled:
      if (leaving) return {FailureKind::kReleased, "the worker is leaving"};
      return {FailureKind::kFailed, "gave up although nobody asked: " + status.message()};
    default:
      return {FailureKind::kFailed, status.ToString()};
  }
}

}  // namespace voxbit::worker
