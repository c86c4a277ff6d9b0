// What the task kinds share: the device, and what is worth keeping from one task to the next.
#pragma once

#include <ATen/core/Tensor.h>
#include <oneapi/tbb/global_control.h>

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "search/domain/task.h"
#include "supernet/models/supernet.h"
#include "worker/exec/executors.h"
#include "worker/loop/task_executor.h"
#include "worker/train/loader.h"
#include "worker/train/scan_source.h"
#include "worker/train/trainer.h"

namespace voxbit::worker {

// The families of plug-ins that a task may name.
struct ExecPlugins {
  data::DatasetRegistry datasets{"dataset"};
  supernet::SupernetRegistry supernets{"supernet"};
};
ExecPlugins BuiltinExecPlugins();

// As executors.h, with other plug-ins than those of this build.
std::unique_ptr<TaskExecutor> MakeExecutor(const ExecutorSettings& settings, ExecPlugins plugins);

// One task and the ways out of it.
struct TaskCall {
  const search::TaskSpec& spec;
  ArtifactAccess& artifacts;
  const ProgressSink& progress;
  std::stop_token stop;
};

// A dataset with the evaluation sets made of it.
class OpenedDataset {
 public:
  OpenedDataset(std::unique_ptr<data::Dataset> dataset, std::shared_ptr<train::ByteBudget> budget,
                const at::Device& device)
      : source_(std::move(dataset), std::move(budget)), device_(device) {}

  train::ScanSource& source() { return source_; }
  const data::Dataset& dataset() const { return source_.dataset(); }
  const std::string& digest() const { return source_.digest(); }
  int64_t in_channels() const { return dataset().num_features(); }

  // A whole split by its name. Not null. FAILED_PRECONDITION when the dataset has no such scans.
  Result<train::EvaluationSet*> Whole(const std::string& split, int64_t batch);
  // `num` scans of the validation split, or as many as can be used, spread by size: the middles of
  // `num` equal parts of up to kSizedScans scans (chosen by a digest of their names), in the order
  // of their rows, then names. The same for every order of the split. CANCELLED once `stop` is
  // raised.
  Result<std::vector<int64_t>> SpreadBySize(int64_t num, const std::stop_token& stop);
  static constexpr int64_t kSizedScans = 32;

  // What candidates are calibrated with: `num` training samples, or as many as there are.
  train::EvaluationSet& Calibration(int64_t num);

 private:
  struct SizedScan {
    int64_t rows = 0;  // voxels, or points of a cloud
    std::string name;
    int64_t index = 0;
    friend auto operator<=>(const SizedScan&, const SizedScan&) = default;
  };
  // Fills by_size_, once.
  Status SizeScans(const std::stop_token& stop);

  train::ScanSource source_;
  const at::Device device_;
  std::vector<SizedScan> by_size_;  // of the validation split; empty: not looked for yet
  std::map<std::pair<data::Split, int64_t>, std::unique_ptr<train::EvaluationSet>> splits_;
  std::map<int64_t, std::unique_ptr<train::EvaluationSet>> calibrations_;  // by their numbers
};

// Not thread-safe.
class ExecContext {
 public:
  // `plugins` outlives the context.
  ExecContext(const ExecutorSettings& settings, const ExecPlugins& plugins);

  const ExecutorSettings& settings() const { return settings_; }
  const at::Device& device() const { return device_; }

  // Number of threads of torch and of our kernels from now on, on the calling thread.
  void SetThreads(int64_t threads);

  // From now on what is opened is for a new task, and opening ends when `stop` is raised.
  void BeginTask(std::stop_token stop) { stop_ = std::move(stop); }

  // Opens the dataset of a task, or finds it open with its files as they were then. UNAVAILABLE,
  // reason DATASET_MISMATCH, when its content is not what the task names, DATASET_UNREADABLE when
  // it cannot be opened although the task names one; DATASET_BROKEN; CANCELLED when stopped.
  Result<std::shared_ptr<OpenedDataset>> Dataset(const search::TaskSpec& spec);
  // UNAVAILABLE, reason DATASET_CHANGED, when a file changed since the dataset was opened: scans
  // are read while the task runs, so its result may rest on both.
  Status CheckDatasetUnchanged(const search::TaskSpec& spec);

  // A supernet of one's own, initialised from the task's seed. SPACE_MISMATCH (executors.h).
  Result<std::shared_ptr<supernet::Supernet>> FreshSupernet(const search::TaskSpec& spec,
                                                            const OpenedDataset& dataset);
  // The supernet with the weights of the task's checkpoint, if it names one, shared with later
  // tasks: leave its weights and statistics as they were. Checks the task's candidate against
  // the space: INVALID_ARGUMENT.
  Result<std::shared_ptr<supernet::Supernet>> Supernet(const TaskCall& call,
                                                       const OpenedDataset& dataset);

  // For the trainer and the evaluator: reports {"phase", "step", "steps", "loss", "eta_s"}.
  train::RunContext Run(const TaskCall& call, const std::string& phase) const;

 private:
  Result<std::unique_ptr<data::Dataset>> Open(const search::TaskSpec& spec) const;

  const ExecutorSettings settings_;
  const ExecPlugins& plugins_;
  const at::Device device_;
  const SystemClock clock_;
  const std::shared_ptr<train::ByteBudget> budget_;
  std::unique_ptr<oneapi::tbb::global_control> thread_limit_;
  std::stop_token stop_;  // of the task
  // Most recently used last; few, because a worker serves few studies at a time.
  std::deque<std::pair<std::string, std::shared_ptr<OpenedDataset>>> datasets_;
  std::deque<std::pair<std::string, std::shared_ptr<supernet::Supernet>>> supernets_;
};

}  // namespace voxbit::worker
