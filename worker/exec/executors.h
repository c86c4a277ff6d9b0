// Does the tasks of a worker on one device, and says what this build can do.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/status.h"
#include "search/domain/task.h"
#include "worker/loop/task_executor.h"

namespace voxbit::worker {

struct ExecutorSettings {
  std::string device = "cpu";  // "cpu" or "cuda:N"
  int64_t threads = 1;         // of the computation; latencies are measured with their own number
  int64_t cache_bytes = int64_t{1} << 30;  // for scans and prepared batches
  std::string version{};                   // of the program, for manifests
};

// OK when this build can compute on `device`; INVALID_ARGUMENT for another name, UNAVAILABLE for
// a GPU that is not there.
Status CheckDevice(const std::string& device);

// An executor of every kind in builtin.def. It keeps opened datasets, prepared batches and the
// supernets of the last checkpoints between tasks; a task that runs out of memory is run once more
// without them. Errors as task_executor.h says, and
//   FAILED_PRECONDITION, SPACE_MISMATCH: the task's search space is not ours, another version of
//     the program wrote it
//   INVALID_ARGUMENT, DATA_LOSS, DATASET_BROKEN: the study's files contradict their format
//   UNAVAILABLE, DATASET_MISMATCH: our files are not those of the study
//   UNAVAILABLE, DATASET_UNREADABLE: files that the study's profile has read cannot be read here
//   UNAVAILABLE, DEVICE_FAILED: the GPU has failed
//   UNAVAILABLE, DATASET_CHANGED: files were changed while the task ran
//   INFEASIBLE, OUT_OF_MEMORY: this candidate does not fit
//   RESOURCE_EXHAUSTED, OUT_OF_MEMORY: a task of no single candidate does not fit here
// Runs one task at a time.
std::unique_ptr<TaskExecutor> MakeExecutor(const ExecutorSettings& settings);

// For the worker's registration.
std::vector<search::TaskKind> SupportedKinds();
std::vector<std::string> SupportedSupernets();
std::vector<std::string> SupportedDatasets();
// Name of the processor or of the GPU, e.g. "AMD EPYC 7763"; "unknown" where the system hides it.
std::string DeviceModel(const std::string& device);

}  // namespace voxbit::worker
