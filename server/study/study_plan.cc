#include "server/study/study_plan.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <utility>

#include "common/config.h"
#include "common/digest.h"
#include "common/text.h"
#include "search/algorithm/latency_coverage.h"
#include "search/bits/bit_dimensions.h"

namespace voxbit::server {
namespace {

// How many scans of the evaluation split the kernel-map averages rest on.
constexpr int64_t kProfileScans = 32;

// train.batch where objects are classified as a whole: the batch norms behind the pooling see one
// row of each, and two rows show them little.
constexpr int64_t kObjectsOfAStep = 16;
constexpr int64_t kEarlierObjectsOfAStep = 2;

constexpr char kTrainBatch[] = "/train/batch";

Status CheckFits(const search::StudyConfig& config, const search::SupernetSpec& spec,
                 const data::DatasetTraits& traits, const std::string& pointer) {
  const data::InputForm reads = spec.input_form() == search::InputForm::kClouds
                                    ? data::InputForm::kClouds
                                    : data::InputForm::kVoxels;
  const std::string dataset = "the dataset " + config.dataset.at("kind").dump();
  if (reads != traits.input) {
    return FieldError(pointer + "/supernet/kind",
                      "the supernet " + config.supernet.at("kind").dump() + " reads " +
                          std::string(data::InputFormName(reads)) + ", but " + dataset + " gives " +
                          std::string(data::InputFormName(traits.input)));
  }
  const bool has_objects = traits.scoring == data::Scoring::kObjects;
  if (spec.classifies_clouds() == has_objects) return OkStatus();
  return FieldError(pointer + "/supernet",
                    "this supernet " +
                        std::string(has_objects ? "labels points" : "classifies clouds") +
                        ", but " + dataset + " has labels of " +
                        (has_objects ? "whole objects" : "points") + "; see its setting \"task\"");
}

// What is measured on a worker must be among the metrics of the dataset. `key` is the list's.
template <class T>
Status CheckMeasured(const std::vector<T>& entries, const std::string& key,
                     const search::StudyConfig& config, const data::DatasetTraits& traits,
                     const std::string& pointer) {
  for (size_t i = 0; i < entries.size(); ++i) {
    VOXBIT_ASSIGN_OR_RETURN(const search::Metric metric, search::FindMetric(entries[i].metric));
    if (metric.source != search::MetricSource::kEvaluation) continue;
    const auto& known = traits.metrics;
    if (std::find(known.begin(), known.end(), entries[i].metric) != known.end()) continue;
    std::string at = pointer;
    at.append("/").append(key).append("/").append(std::to_string(i)).append("/metric");
    return FieldError(at, "an evaluation on the dataset " + config.dataset.at("kind").dump() +
                              " does not measure \"" + entries[i].metric + "\"; it measures " +
                              boost::algorithm::join(known, ", "));
  }
  return OkStatus();
}

Json MetricRows(const search::Measurements& measured, const char* stage) {
  Json rows = Json::array();
  for (const auto& [key, value] : measured) {
    Json row = {{"metric", value.metric}, {"value", value.value},     {"stage", stage},
                {"spread", value.spread}, {"samples", value.samples}, {"detail", value.detail}};
    if (const auto metric = search::FindMetric(value.metric); metric.ok()) {
      row["unit"] = std::string(metric->unit);
    }
    if (!value.target.empty()) row["target"] = value.target;
    rows.push_back(std::move(row));
  }
  return rows;
}

// `pointer` is the list's, with a slash at its end.
template <class T>
Status CheckTargets(const std::vector<T>& entries, const std::string& pointer) {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].target.empty()) continue;
    const Status status = CheckName("a target", entries[i].target);
    if (!status.ok()) {
      return FieldError(pointer + std::to_string(i) + "/target", status.message());
    }
  }
  return OkStatus();
}

}  // namespace

Json WithEarlierDefaults(Json config) {
  const Json::json_pointer batch(kTrainBatch);
  const bool has_place =
      config.is_object() && (!config.contains("train") || config["train"].is_object());
  if (has_place && !config.contains(batch)) config[batch] = kEarlierObjectsOfAStep;
  return config;
}

Result<std::unique_ptr<StudyPlan>> StudyPlan::CreateNew(const Json& json,
                                                        const std::string& pointer,
                                                        const Plugins& plugins) {
  VOXBIT_ASSIGN_OR_RETURN(std::unique_ptr<StudyPlan> plan, Create(json, pointer, plugins));
  VOXBIT_RETURN_IF_ERROR(CheckTargets(plan->config().objectives, pointer + "/objectives/"));
  VOXBIT_RETURN_IF_ERROR(CheckTargets(plan->config().constraints, pointer + "/constraints/"));
  VOXBIT_RETURN_IF_ERROR(plan->CheckClouds(pointer));
  return plan;
}

Result<std::unique_ptr<StudyPlan>> StudyPlan::Create(const Json& json, const std::string& pointer,
                                                     const Plugins& plugins) {
  std::unique_ptr<StudyPlan> plan(new StudyPlan());
  VOXBIT_ASSIGN_OR_RETURN(plan->config_, search::ParseStudyConfig(json, pointer));
  search::StudyConfig& config = plan->config_;

  const auto kind = config.supernet.at("kind").get<std::string>();
  const auto make_spec = plugins.supernets.Find(kind);
  if (!make_spec.ok()) {
    return FieldError(pointer + "/supernet/kind", make_spec.status().message());
  }
  VOXBIT_ASSIGN_OR_RETURN(plan->spec_, (*make_spec)(config.supernet, pointer + "/supernet"));
  config.supernet = plan->spec_->config();
  VOXBIT_ASSIGN_OR_RETURN(config.search.agent,
                          search::ResolveAgent(plugins.algorithms, config.search,
                                               plan->spec_->space(), pointer + "/search"));
  VOXBIT_ASSIGN_OR_RETURN(const search::AlgorithmKind algorithm,
                          plugins.algorithms.Find(config.search.algorithm));
  plan->reads_quantization_error_ = algorithm.reads_quantization_error;
  plan->AddPaceNote(algorithm.pace, pointer);
  VOXBIT_ASSIGN_OR_RETURN(config.dataset, data::ParseDatasetConfig(plugins.datasets, config.dataset,
                                                                   pointer + "/dataset"));
  VOXBIT_ASSIGN_OR_RETURN(
      const data::DatasetTraits traits,
      data::ReadDatasetTraits(plugins.datasets, config.dataset, pointer + "/dataset"));
  VOXBIT_RETURN_IF_ERROR(CheckFits(config, *plan->spec_, traits, pointer));
  plan->points_ = traits.points;
  if (traits.scoring == data::Scoring::kObjects &&
      !json.contains(Json::json_pointer(kTrainBatch))) {
    config.train.batch = kObjectsOfAStep;
  }
  VOXBIT_RETURN_IF_ERROR(CheckMeasured(config.objectives, "objectives", config, traits, pointer));
  VOXBIT_RETURN_IF_ERROR(CheckMeasured(config.constraints, "constraints", config, traits, pointer));
  plan->costs_ = plugins.costs;
  VOXBIT_RETURN_IF_ERROR(plan->AddLatencyTable(pointer + "/latency_table"));
  plan->config_json_ = CanonicalJson(search::ToJson(config));

  const auto provable = plan->MakeFilter(nullptr);
  if (!provable.ok()) return provable.status().Annotate(pointer + "/constraints");
  return plan;
}

Status StudyPlan::CheckClouds(const std::string& pointer) {
  if (points_ == 0) return OkStatus();
  const std::string supernet = "the supernet " + config_.supernet.at("kind").dump();
  if (points_ < spec_->min_points()) {
    return FieldError(pointer + "/dataset/points",
                      supernet + " needs at least " + std::to_string(spec_->min_points()) +
                          " points of each cloud, found " + std::to_string(points_));
  }
  const int64_t rows = spec_->FewestNormRows(points_);
  if (rows != 1) return OkStatus();
  const auto note = [&](const std::string& key, const std::string& what) {
    notes_.push_back(pointer + key + ": a batch norm of " + supernet +
                     " sees one row of each object, and of a single row nothing can be learned: " +
                     what + "; at least 2 would be right, found 1");
  };
  if (config_.train.batch == 1) note(kTrainBatch, "every batch is left out, nothing is trained");
  if (config_.evaluate.calibration_scans == 1) {
    note("/evaluate/calibration_scans", "it keeps the statistics of the training");
  }
  return OkStatus();
}

// Whoever sets "in_flight" wants to know when it will not be kept.
void StudyPlan::AddPaceNote(search::Pace pace, const std::string& pointer) {
  const std::string why = search::WhyFewerInFlight(pace, config_.search);
  if (config_.search.in_flight == 0 || why.empty()) return;
  notes_.push_back(pointer + "/search/in_flight: " + config_.search.algorithm +
                   " does not always keep " + std::to_string(config_.search.in_flight) +
                   " trials under way: " + why);
}

Status StudyPlan::AddLatencyTable(const std::string& pointer) {
  if (config_.latency_table.is_null()) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(cost::LatencyLut parsed,
                          cost::LatencyLut::Parse(config_.latency_table, pointer));
  const auto table = std::make_shared<const cost::LatencyLut>(std::move(parsed));
  if (const Status known = search::CheckLatencyTable(*spec_, *table, nullptr); !known.ok()) {
    return FieldError(pointer + "/layers", known.message());
  }
  config_.latency_table = table->config();
  costs_.Add(
      std::string(search::kLatencyLut),
      [table] { return std::make_unique<cost::LatencyLut>(*table); }, "the study's table");
  latency_ = table;
  return OkStatus();
}

Result<std::unique_ptr<search::CostFilter>> StudyPlan::MakeFilter(
    const search::Workload* workload) const {
  if (latency_ != nullptr && workload != nullptr) {
    VOXBIT_RETURN_IF_ERROR(search::CheckLatencyTable(*spec_, *latency_, workload));
  }
  const std::string& kept = config_.search.architecture;
  search::Candidate architecture;
  if (!kept.empty()) {
    VOXBIT_ASSIGN_OR_RETURN(architecture, search::ArchitectureNamed(spec_->space(), kept));
  }
  return search::CostFilter::Create(*spec_, costs_, workload, config_.constraints,
                                    kept.empty() ? nullptr : &architecture);
}

search::TaskSpec StudyPlan::BaseTask(search::TaskKind kind, const TaskInputs& inputs) const {
  search::TaskSpec task;
  task.kind = kind;
  task.supernet = config_.supernet;
  task.dataset = config_.dataset;
  task.dataset_digest = inputs.dataset_digest;
  task.checkpoint = inputs.checkpoint;
  task.space_digest = spec_->space().digest();
  task.seed = config_.seed;
  return task;
}

search::TaskSpec StudyPlan::SharedTask(search::TaskKind kind, const TaskInputs& inputs) const {
  search::TaskSpec task = BaseTask(kind, inputs);
  task.supernet = spec_->trained().config();
  task.space_digest = spec_->trained().space().digest();
  return task;
}

search::TaskSpec StudyPlan::ProfileTask(const Json& checks) const {
  search::TaskSpec task = SharedTask(search::TaskKind::kProfile, {});
  task.settings = {{"max_scans", kProfileScans}, {"split", config_.evaluate.split}};
  // Named where there are some only, so that other tasks keep their digests.
  if (!checks.empty()) task.settings["checks"] = checks;
  return task;
}

search::TaskSpec StudyPlan::TrainTask(const TaskInputs& inputs) const {
  search::TaskSpec task = SharedTask(search::TaskKind::kTrainSupernet, inputs);
  task.settings = search::TrainFields().ToJson(config_.train);
  return task;
}

std::vector<search::TaskSpec> StudyPlan::TrialTasks(const search::Candidate& candidate,
                                                    const TaskInputs& inputs) const {
  std::vector<search::TaskSpec> tasks;
  search::TaskSpec evaluate = BaseTask(search::TaskKind::kEvaluate, inputs);
  // Recipes matter to an evaluation only where it trains.
  evaluate.settings = config_.evaluate.finetune_steps > 0
                          ? CandidateSettings()
                          : Json{{"evaluate", search::EvaluateFields().ToJson(config_.evaluate)}};
  // Named where it is wanted only, so that the tasks of other studies keep their digests.
  if (reads_quantization_error_) evaluate.settings["quantization_error"] = true;
  evaluate.candidate = candidate;
  tasks.push_back(std::move(evaluate));
  for (const std::string& target : search::LatencyTargets(config_)) {
    search::TaskSpec latency = BaseTask(search::TaskKind::kMeasureLatency, inputs);
    latency.settings = search::LatencyFields().ToJson(config_.latency);
    latency.candidate = candidate;
    latency.target = target;
    tasks.push_back(std::move(latency));
  }
  return tasks;
}

Json StudyPlan::CandidateSettings() const {
  return {{"finetune", search::FinetuneFields().ToJson(config_.finetune)},
          {"train", search::TrainFields().ToJson(config_.train)},
          {"evaluate", search::EvaluateFields().ToJson(config_.evaluate)}};
}

search::TaskSpec StudyPlan::FinetuneTask(const search::Candidate& candidate,
                                         const TaskInputs& inputs) const {
  search::TaskSpec task = BaseTask(search::TaskKind::kFinetune, inputs);
  task.settings = CandidateSettings();
  task.candidate = candidate;
  return task;
}

Json StudyPlan::LayerRows(const search::Candidate& candidate,
                          const search::Workload& workload) const {
  Json rows = Json::array();
  for (const auto& layer : spec_->Expand(candidate, workload.in_channels, workload.num_classes)) {
    Json row = search::ToJson(layer);
    row["parameters"] = layer.ParameterCount();
    if (const auto it = workload.counts.find(layer.workload); it != workload.counts.end()) {
      row["macs"] = it->second * static_cast<double>(layer.in_channels * layer.out_channels);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Json StudyPlan::Manifest(const search::Trial& trial, const search::Workload& workload,
                         const std::string& checkpoint) const {
  Json metrics = MetricRows(trial.measured, "search");
  for (Json& row : MetricRows(trial.finetuned, "finetune")) metrics.push_back(std::move(row));
  Json layers = LayerRows(trial.candidate, workload);
  const search::LayerTable table =
      spec_->Expand(trial.candidate, workload.in_channels, workload.num_classes);
  for (size_t i = 0; i < table.size(); ++i) layers[i]["tensors"] = table[i].tensors;
  return {{"format", "voxbit-export"},
          {"format_version", 1},
          {"study", config_.name},
          {"trial", trial.number},
          {"supernet", config_.supernet},
          {"candidate",
           {{"choices", trial.candidate.choices},
            {"digest", trial.digest},
            {"architecture", spec_->Describe(trial.candidate)}}},
          {"layers", std::move(layers)},
          {"metrics", std::move(metrics)},
          {"provenance",
           {{"study", config_.name},
            {"study_config", Json::parse(config_json_)},
            {"study_config_sha256", Sha256Hex(config_json_)},
            {"seed", config_.seed},
            {"space_sha256", spec_->space().digest()},
            {"supernet_checkpoint_sha256", checkpoint},
            {"origin", trial.origin},
            {"measured_unix_ms", trial.finished_ms}}}};
}

search::TaskSpec StudyPlan::ExportTask(const search::Trial& trial, const search::Workload& workload,
                                       const TaskInputs& inputs, int64_t earlier_failures) const {
  search::TaskSpec task = BaseTask(search::TaskKind::kExport, inputs);
  const auto weights = trial.artifacts.find("finetuned_weights");
  task.settings = {{"manifest", Manifest(trial, workload, inputs.checkpoint)},
                   {"weights", weights == trial.artifacts.end() ? "" : weights->second},
                   {"evaluate", search::EvaluateFields().ToJson(config_.evaluate)},
                   {"earlier_failures", earlier_failures}};
  task.candidate = trial.candidate;
  return task;
}

}  // namespace voxbit::server
