// Chooses the function of a task's kind and turns what it throws into a status.
#include <torch/torch.h>

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "common/log.h"
#include "worker/data/fault.h"
#include "worker/exec/builtin.h"
#include "worker/exec/executors.h"

namespace voxbit::worker {
namespace {

constexpr const char* kOutOfMemory = "OUT_OF_MEMORY";

// Torch says so in words only: "DefaultCPUAllocator: can't allocate memory", "CUDA out of memory".
bool SaysOutOfMemory(std::string_view message) {
  for (const std::string_view words :
       {"out of memory", "can't allocate memory", "not enough memory"}) {
    if (message.find(words) != std::string_view::npos) return true;
  }
  return false;
}

bool IsOutOfMemory(const Status& status) { return status.reason() == kOutOfMemory; }

// The profile, which sets the digest, has read all files of the dataset. If they cannot be read
// now, it is this machine or the moment (a share that is not mounted), not the study.
bool IsMissingHere(const Status& status, const search::TaskSpec& task) {
  return !task.dataset_digest.empty() &&
         (status.code() == StatusCode::kNotFound || status.code() == StatusCode::kPermissionDenied);
}

class Executor final : public TaskExecutor {
 public:
  Executor(const ExecutorSettings& settings, ExecPlugins plugins)
      : settings_(settings), plugins_(std::move(plugins)) {}

  Result<search::TaskResult> Execute(const search::TaskSpec& task, ArtifactAccess& artifacts,
                                     const ProgressSink& progress, std::stop_token stop) override {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    const TaskCall call{task, artifacts, progress, std::move(stop)};
    Result<search::TaskResult> result = Guarded(call);
    if (IsOutOfMemory(result.status())) {
      log::Warning("out of memory; trying once more without caches",
                   {{"kind", search::Name(task.kind)}, {"why", result.status().message()}});
      context_.reset();
      result = Guarded(call);
    }
    if (result.ok()) return result;
    Status status = result.status();
    if (IsOutOfMemory(status)) context_.reset();  // the next task shall not pay for this one
    if (IsMissingHere(status, task)) status = Unavailable(status.message(), "DATASET_UNREADABLE");
    return status.Annotate(search::Name(task.kind));
  }

 private:
  Result<search::TaskResult> Guarded(const TaskCall& call) {
    try {
      return Run(call);
    } catch (const c10::Error& error) {
      return FromMessage(error.what_without_backtrace());
    } catch (const std::bad_alloc&) {
      return FromMessage("out of memory");
    } catch (const std::exception& error) {
      return FromMessage(error.what());
    }
  }

  static Status FromMessage(const std::string& message) {
    if (SaysOutOfMemory(message)) return ResourceExhausted(message, kOutOfMemory);
    // A broken GPU says nothing of the task.
    if (message.find("CUDA error") != std::string::npos) {
      return Unavailable(message, "DEVICE_FAILED");
    }
    return Internal(message);
  }

  Result<search::TaskResult> Run(const TaskCall& call) {
    if (context_ == nullptr) {
      VOXBIT_RETURN_IF_ERROR(CheckDevice(settings_.device));
      context_ = std::make_unique<ExecContext>(settings_, plugins_);
    }
    context_->SetThreads(settings_.threads);
    context_->BeginTask(call.stop);
    for (const TaskEntry& entry : BuiltinTasks()) {
      if (entry.kind != call.spec.kind) continue;
      Result<search::TaskResult> result = entry.run(*context_, call);
      // A file that is being written reads as broken.
      if (result.ok() || result.status().reason() == data::kDatasetBroken) {
        VOXBIT_RETURN_IF_ERROR(context_->CheckDatasetUnchanged(call.spec));
      }
      return result;
    }
    return InvalidArgument("this worker does no such task");
  }

  const ExecutorSettings settings_;
  const ExecPlugins plugins_;
  std::unique_ptr<ExecContext> context_;
};

}  // namespace

Status CheckDevice(const std::string& device) {
  if (device == "cpu") return OkStatus();
  const std::string digits = device.rfind("cuda:", 0) == 0 ? device.substr(5) : "";
  if (digits.empty() || digits.size() > 3 ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return InvalidArgument("device \"" + device + "\", expected \"cpu\" or \"cuda:N\"");
  }
  if (std::stoll(digits) >= static_cast<int64_t>(torch::cuda::device_count())) {
    return Unavailable("device \"" + device + "\": this build or machine has " +
                       std::to_string(torch::cuda::device_count()) + " CUDA devices");
  }
  return OkStatus();
}

std::unique_ptr<TaskExecutor> MakeExecutor(const ExecutorSettings& settings, ExecPlugins plugins) {
  return std::make_unique<Executor>(settings, std::move(plugins));
}

std::unique_ptr<TaskExecutor> MakeExecutor(const ExecutorSettings& settings) {
  return MakeExecutor(settings, BuiltinExecPlugins());
}

std::vector<search::TaskKind> SupportedKinds() {
  std::vector<search::TaskKind> kinds;
  for (const TaskEntry& entry : BuiltinTasks()) kinds.push_back(entry.kind);
  return kinds;
}

std::vector<std::string> SupportedSupernets() { return BuiltinExecPlugins().supernets.Names(); }

std::vector<std::string> SupportedDatasets() { return BuiltinExecPlugins().datasets.Names(); }

}  // namespace voxbit::worker
