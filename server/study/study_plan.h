// What a study's configuration means: its space, its costs and the task of every step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "search/algorithm/algorithm.h"
#include "search/algorithm/feasibility.h"
#include "search/cost/cost_model.h"
#include "search/cost/latency_lut.h"
#include "search/domain/study.h"
#include "search/domain/task.h"
#include "search/domain/trial.h"
#include "search/space/supernet_spec.h"
#include "worker/data/dataset.h"

namespace voxbit::server {

// The families of plug-ins that a study may name.
struct Plugins {
  search::SupernetSpecRegistry supernets{"supernet"};
  data::DatasetRegistry datasets{"dataset"};
  search::AlgorithmRegistry algorithms{"algorithm"};
  cost::CostModelRegistry costs{"cost model"};
};

// The settings of a study with what version 0.1 filled in where it and this version differ: the
// store may have a study of this kind from then.
Json WithEarlierDefaults(Json config);

// What later tasks take from the results of earlier ones.
struct TaskInputs {
  std::string dataset_digest;  // found by the profile; "": any
  std::string checkpoint;      // made by the training; "" before it
};

// Immutable; thread-safe.
class StudyPlan {
 public:
  // Checks everything that can be checked without data: the owners' settings, the algorithm and
  // its own, that the supernet can read the dataset, that an evaluation measures the metrics that
  // are asked for, that the latency table knows the layers, and the constraints on costs that need
  // no profile. INVALID_ARGUMENT names the JSON pointer; FAILED_PRECONDITION, reason
  // CONSTRAINTS_INFEASIBLE, names the bound found. Reads no file.
  static Result<std::unique_ptr<StudyPlan>> Create(const Json& config, const std::string& pointer,
                                                   const Plugins& plugins);
  // As Create, for a study that no store has yet. What an earlier version has begun goes on, but a
  // new study has targets as CheckName of common/text.h wants names, and may not have clouds with
  // fewer points than the supernet needs: INVALID_ARGUMENT names the JSON pointer. Batches that
  // give a batch norm a single row are a note.
  static Result<std::unique_ptr<StudyPlan>> CreateNew(const Json& config,
                                                      const std::string& pointer,
                                                      const Plugins& plugins);

  // With every default filled in, those of the owners too.
  const search::StudyConfig& config() const { return config_; }
  const std::string& config_json() const { return config_json_; }
  // What the settings bring that one may not expect, each with its JSON pointer.
  const std::vector<std::string>& notes() const { return notes_; }
  const search::SupernetSpec& spec() const { return *spec_; }
  // The costs of candidates, that of the latency table included, and the constraints on them.
  // `workload` null: what can be known before the profile. Errors of CostFilter and
  // CheckLatencyTable. The filter refers to this.
  Result<std::unique_ptr<search::CostFilter>> MakeFilter(const search::Workload* workload) const;

  // `checks`: overviews of checks of equal data, which need not be done again
  // (worker/data/check.h).
  search::TaskSpec ProfileTask(const Json& checks = Json::array()) const;
  search::TaskSpec TrainTask(const TaskInputs& inputs) const;
  // The tasks that give a trial its measurements: one evaluation, and one latency measurement for
  // each target that the objectives and constraints name.
  std::vector<search::TaskSpec> TrialTasks(const search::Candidate& candidate,
                                           const TaskInputs& inputs) const;
  search::TaskSpec FinetuneTask(const search::Candidate& candidate, const TaskInputs& inputs) const;
  // `earlier_failures` makes another task of one that has failed or was cancelled that often.
  search::TaskSpec ExportTask(const search::Trial& trial, const search::Workload& workload,
                              const TaskInputs& inputs, int64_t earlier_failures) const;

  // Per-layer table with parameters and MACs, for people and manifests.
  Json LayerRows(const search::Candidate& candidate, const search::Workload& workload) const;

 private:
  StudyPlan() = default;
  Status CheckClouds(const std::string& pointer);
  void AddPaceNote(search::Pace pace, const std::string& pointer);
  Status AddLatencyTable(const std::string& pointer);
  search::TaskSpec BaseTask(search::TaskKind kind, const TaskInputs& inputs) const;
  // A task on the supernet as it is trained: the same for all studies that share it.
  search::TaskSpec SharedTask(search::TaskKind kind, const TaskInputs& inputs) const;
  Json CandidateSettings() const;
  // The worker adds what it knows: contracts, tensors, dataset, version and date.
  Json Manifest(const search::Trial& trial, const search::Workload& workload,
                const std::string& checkpoint) const;

  search::StudyConfig config_;
  std::string config_json_;
  std::vector<std::string> notes_;
  std::unique_ptr<search::SupernetSpec> spec_;
  int64_t points_ = 0;  // of each cloud; 0: not known, or voxels
  cost::CostModelRegistry costs_{"cost model"};
  std::shared_ptr<const cost::LatencyLut> latency_;  // null: no table
  bool reads_quantization_error_ = false;            // of the study's algorithm
};

}  // namespace voxbit::server
