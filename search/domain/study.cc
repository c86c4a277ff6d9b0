#include "search/domain/study.h"

#include <algorithm>
#include <cmath>

#include "search/domain/json_fields.h"
#include "search/domain/name_table.h"

namespace voxbit::search {
namespace {

constexpr size_t kMaxNameLength = 100;
constexpr size_t kMaxObjectives = 4;

constexpr std::array<NameRow<StudyState>, 5> kStudyStates = {{
    {StudyState::kActive, "active"},
    {StudyState::kPaused, "paused"},
    {StudyState::kStopped, "stopped"},
    {StudyState::kCompleted, "completed"},
    {StudyState::kFailed, "failed"},
}};

constexpr std::array<NameRow<StudyPhase>, 5> kPhases = {{
    {StudyPhase::kProfile, "profile"},
    {StudyPhase::kTrain, "train"},
    {StudyPhase::kSearch, "search"},
    {StudyPhase::kFinetune, "finetune"},
    {StudyPhase::kFinished, "finished"},
}};

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Names become folders and arguments: neither "..", nor "-x", nor anything to be quoted.
Status ParseName(const Json& found, const std::string& pointer, StudyConfig& out) {
  const auto allowed = [](char c) { return IsLowerOrDigit(c) || c == '.' || c == '_' || c == '-'; };
  const std::string name = found.is_string() ? found.get<std::string>() : "";
  if (name.empty() || name.size() > kMaxNameLength || !IsLowerOrDigit(name[0]) ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return ExpectedError(pointer,
                         "1 to 100 characters of a-z, 0-9, '.', '_' and '-', the first a letter "
                         "or a digit",
                         found);
  }
  out.name = name;
  return OkStatus();
}

// A part of the study that its owner checks later; here only that it says which owner.
template <Json StudyConfig::*kMember>
Status ParseKinded(const Json& found, const std::string& pointer, StudyConfig& out) {
  if (!found.is_object()) return ExpectedError(pointer, "an object", found);
  const auto kind = found.find("kind");
  if (kind == found.end()) return FieldError(pointer + "/kind", "missing");
  if (!kind->is_string() || kind->get<std::string>().empty()) {
    return ExpectedError(pointer + "/kind", "a name", *kind);
  }
  out.*kMember = found;
  return OkStatus();
}

template <class T>
Status ParseMetric(const Json& found, const std::string& pointer, T& out) {
  if (!found.is_string()) return ExpectedError(pointer, "the name of a metric", found);
  const auto name = found.get<std::string>();
  if (const Result<Metric> metric = FindMetric(name); !metric.ok()) {
    return FieldError(pointer, metric.status().message());
  }
  out.metric = name;
  return OkStatus();
}

template <class T>
Status ParseTarget(const Json& found, const std::string& pointer, T& out) {
  if (!found.is_string() || found.get<std::string>().empty()) {
    return ExpectedError(pointer, "the name of a target", found);
  }
  out.target = found.get<std::string>();
  return OkStatus();
}

// The resolved form names a target only where the metric has one.
template <class T>
Json ObjectiveJson(const T& in) {
  Json json = {{"metric", in.metric}};
  if (!in.target.empty()) json["target"] = in.target;
  return json;
}

template <class T>
Fields<T> ObjectiveFields() {
  Fields<T> fields;
  fields.Custom("metric", "text", "what is measured or computed", &ParseMetric<T>,
                [](const T& in) { return Json(in.metric); });
  fields.Required();
  fields.Custom("target", "text", "hardware on which a latency is measured", &ParseTarget<T>,
                [](const T& in) { return Json(in.target); });
  return fields;
}

// A latency belongs to a target, everything else to none.
template <class T>
Status ResolveTarget(const std::string& pointer, T& entry) {
  const bool is_latency = FindMetric(entry.metric)->source == MetricSource::kLatency;
  if (is_latency && entry.target.empty()) entry.target = kDefaultTarget;
  if (!is_latency && !entry.target.empty()) {
    return FieldError(pointer + "/target", entry.metric +
                                               " is not measured on a target; leave the target "
                                               "out");
  }
  return OkStatus();
}

template <class T>
Status ParseEntries(const Json& found, const std::string& pointer, const Fields<T>& fields,
                    Status (*check)(const std::string&, const T&), std::vector<T>& out) {
  if (!found.is_array()) return ExpectedError(pointer, "a list of objects", found);
  out.clear();
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string at = pointer + "/" + std::to_string(i);
    VOXBIT_ASSIGN_OR_RETURN(T entry, fields.Parse(found[i], at));
    VOXBIT_RETURN_IF_ERROR(ResolveTarget(at, entry));
    VOXBIT_RETURN_IF_ERROR(check(at, entry));
    for (const T& earlier : out) {
      if (earlier.metric == entry.metric && earlier.target == entry.target) {
        return FieldError(at, MetricKey(entry.metric, entry.target) + " is listed twice");
      }
    }
    out.push_back(std::move(entry));
  }
  return OkStatus();
}

Status ParseReference(const Json& found, const std::string& pointer, Objective& out) {
  const auto is_finite = [](const Json& value) {
    return value.is_number() && std::isfinite(value.get<double>());
  };
  if (!found.is_array() || found.size() != 2 || !is_finite(found[0]) || !is_finite(found[1])) {
    return ExpectedError(pointer, "two finite numbers, the worst value and the best", found);
  }
  out.reference = ReferenceRange{found[0].get<double>(), found[1].get<double>()};
  return OkStatus();
}

Json PrintReference(const Objective& in) {
  if (!in.reference.has_value()) return {};
  return Json::array({in.reference->worst, in.reference->best});
}

Status CheckReference(const std::string& pointer, const Objective& objective) {
  if (!objective.reference.has_value()) return OkStatus();
  const auto [worst, best] = *objective.reference;
  const bool is_higher = FindMetric(objective.metric)->direction == Direction::kHigher;
  if (is_higher ? best > worst : best < worst) return OkStatus();
  return FieldError(pointer + "/reference",
                    "expected the worst value first, then a better one: of " + objective.metric +
                        (is_higher ? " a higher one" : " a lower one") + " is better");
}

Status ParseObjectives(const Json& found, const std::string& pointer, StudyConfig& out) {
  auto fields = ObjectiveFields<Objective>();
  fields.Custom("reference", "list", "worst and best value between which a hypervolume is scaled",
                &ParseReference, &PrintReference);
  VOXBIT_RETURN_IF_ERROR(
      ParseEntries<Objective>(found, pointer, fields, &CheckReference, out.objectives));
  if (out.objectives.empty() || out.objectives.size() > kMaxObjectives) {
    return ExpectedError(pointer, "a list of 1 to 4 objectives", found);
  }
  return OkStatus();
}

template <std::optional<double> Constraint::*kMember>
Status ParseBound(const Json& found, const std::string& pointer, Constraint& out) {
  if (!found.is_number() || !std::isfinite(found.get<double>())) {
    return ExpectedError(pointer, "a finite number", found);
  }
  out.*kMember = found.get<double>();
  return OkStatus();
}

Status CheckBounds(const std::string& pointer, const Constraint& constraint) {
  if (!constraint.min && !constraint.max) {
    return FieldError(pointer, "a constraint needs \"min\" or \"max\"");
  }
  if (constraint.min && constraint.max && *constraint.min > *constraint.max) {
    return FieldError(pointer + "/min", "is above \"max\"");
  }
  return OkStatus();
}

Json BoundJson(const std::optional<double>& bound) { return bound ? Json(*bound) : Json(); }

Status ParseConstraintsOf(const Json& found, const std::string& pointer, StudyConfig& out) {
  VOXBIT_ASSIGN_OR_RETURN(out.constraints, ParseConstraints(found, pointer));
  return OkStatus();
}

Json PrintObjectives(const StudyConfig& in) {
  Json list = Json::array();
  for (const Objective& objective : in.objectives) {
    list.push_back(ObjectiveJson(objective));
    if (objective.reference.has_value()) list.back()["reference"] = PrintReference(objective);
  }
  return list;
}

Json PrintConstraints(const StudyConfig& in) {
  Json list = Json::array();
  for (const Constraint& constraint : in.constraints) {
    Json json = ObjectiveJson(constraint);
    if (constraint.min) json["min"] = *constraint.min;
    if (constraint.max) json["max"] = *constraint.max;
    list.push_back(std::move(json));
  }
  return list;
}

constexpr char kLatencyTable[] = "latency_table";

Status ParseLatencyTable(const Json& found, const std::string& pointer, StudyConfig& out) {
  if (!found.is_object()) return ExpectedError(pointer, "a latency table", found);
  out.latency_table = found;
  return OkStatus();
}

// `key` is the list's.
template <class T>
Status CheckHasTable(const std::vector<T>& entries, const std::string& key,
                     const std::string& pointer) {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].metric != kLatencyLut) continue;
    std::string at = pointer;
    at.append("/").append(key).append("/").append(std::to_string(i)).append("/metric");
    return FieldError(at, "latency_lut_ms needs a \"latency_table\" in the study");
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<Constraint>> ParseConstraints(const Json& found, const std::string& pointer) {
  auto fields = ObjectiveFields<Constraint>();
  fields.Custom("min", "number", "smallest value allowed", &ParseBound<&Constraint::min>,
                [](const Constraint& in) { return BoundJson(in.min); });
  fields.Custom("max", "number", "largest value allowed", &ParseBound<&Constraint::max>,
                [](const Constraint& in) { return BoundJson(in.max); });
  std::vector<Constraint> constraints;
  VOXBIT_RETURN_IF_ERROR(
      ParseEntries<Constraint>(found, pointer, fields, &CheckBounds, constraints));
  return constraints;
}

std::string_view Name(StudyState state) { return NameIn(kStudyStates, state); }
std::string_view Name(StudyPhase phase) { return NameIn(kPhases, phase); }

Result<StudyState> ParseStudyState(std::string_view name) {
  return ParseIn(kStudyStates, "study state", name);
}
Result<StudyPhase> ParseStudyPhase(std::string_view name) {
  return ParseIn(kPhases, "study phase", name);
}

std::set<std::string> LatencyTargets(const StudyConfig& config) {
  std::set<std::string> targets;
  const auto add = [&targets](const auto& entries) {
    for (const auto& entry : entries) {
      if (FindMetric(entry.metric)->source == MetricSource::kLatency) targets.insert(entry.target);
    }
  };
  add(config.objectives);
  add(config.constraints);
  return targets;
}

bool CanMove(StudyState from, StudyState to) {
  switch (from) {
    case StudyState::kActive:
      return to != StudyState::kActive;
    case StudyState::kPaused:
      return to == StudyState::kActive || to == StudyState::kStopped || to == StudyState::kFailed;
    case StudyState::kStopped:
    case StudyState::kCompleted:
    case StudyState::kFailed:
      return false;
  }
  return false;
}

Fields<TrainSettings> TrainFields() {
  Fields<TrainSettings> fields;
  fields
      .Int("steps", &TrainSettings::steps, {1, 10'000'000}, "steps",
           "optimiser steps of the supernet's training")
      .Int("batch", &TrainSettings::batch, {1, 1024}, "scans",
           "scans of one step; 16 unless it is given where objects are classified as a whole")
      .Text("optimizer", &TrainSettings::optimizer, {"sgd", "adam"}, "how gradients move weights")
      .Number("lr", &TrainSettings::lr, {1e-9, 100}, "", "learning rate at the start of the cosine")
      .Number("momentum", &TrainSettings::momentum, {0, 1}, "",
              "momentum of sgd (Nesterov's); adam has betas of its own, 0.9 and 0.999")
      .Number("weight_decay", &TrainSettings::weight_decay, {0, 1}, "", "L2 penalty on the weights")
      .Int("warmup_steps", &TrainSettings::warmup_steps, {0, 10'000'000}, "steps",
           "steps of linear rise before the learning rate falls")
      .Text("sampling", &TrainSettings::sampling, {"sandwich", "random"},
            "which sub-networks train: largest, smallest and random ones, or only random ones as "
            "published")
      .Bool("progressive_depth", &TrainSettings::progressive_depth,
            "start at full depth and admit shallower sub-networks later")
      .Text("class_weights", &TrainSettings::class_weights, {"none", "sqrt_inverse"},
            "weights of the classes in the loss")
      .Number("label_smoothing", &TrainSettings::label_smoothing, {0, 0.5}, "",
              "probability of each label that the loss spreads evenly over the other classes");
  return fields;
}

Fields<SearchSettings> SearchFields() {
  Fields<SearchSettings> fields;
  fields
      .Text("algorithm", &SearchSettings::algorithm, {},
            "how candidates are chosen, e.g. evolution, nsga2 or random")
      .Int("trials", &SearchSettings::trials, {1, 1'000'000}, "trials", "candidates to try in all")
      .Int("population", &SearchSettings::population, {2, 10'000}, "candidates",
           "candidates of one generation; of a steady search, of the first")
      .Int("parents", &SearchSettings::parents, {0, 10'000}, "candidates",
           "best candidates that have children (evolution); 0: a quarter of the population, at "
           "least 2")
      .Number("mutation_probability", &SearchSettings::mutation_probability, {0, 1}, "",
              "probability with which a mutation re-draws each choice (evolution); nsga2 takes "
              "1 / number of dimensions")
      .Int("in_flight", &SearchSettings::in_flight, {0, 10'000}, "trials",
           "trials under way at once, each child bred from the results so far (evolution, nsga2); "
           "0: as many as the population, and the next generation when all its results are in")
      .Text("architecture", &SearchSettings::architecture, {},
            "choices that every candidate keeps, as in 3.0.12.7: those of a trial of the same "
            "supernet with or without bit-widths; only bit-widths are searched then. Empty: "
            "everything is searched");
  return AddObject(fields, "agent", &SearchSettings::agent,
                   "settings of the algorithm's own (docs/algorithms.md)");
}

Fields<EvaluateSettings> EvaluateFields() {
  Fields<EvaluateSettings> fields;
  fields
      .Int("calibration_scans", &EvaluateSettings::calibration_scans, {1, 100'000}, "scans",
           "training scans from which the batch-norm statistics of a candidate and the ranges of "
           "its quantized inputs are taken anew")
      .Int("batch", &EvaluateSettings::batch, {1, 1024}, "scans",
           "scans of one forward pass when it is scored; no score depends on it")
      .Text("split", &EvaluateSettings::split, {"val", "train", "test"},
            "what is scored. HAQ's search for weights and activations scored training data, which "
            "train repeats; test is for final numbers, never for a search")
      .Int("finetune_steps", &EvaluateSettings::finetune_steps, {0, 10'000'000}, "steps",
           "training of each candidate on its own before it is scored, with the recipe of train "
           "and the learning rate of finetune; HAQ has one pass over its training data");
  return fields;
}

Fields<LatencySettings> LatencyFields() {
  Fields<LatencySettings> fields;
  fields
      .Int("samples", &LatencySettings::samples, {1, 32}, "samples",
           "samples of the validation split, spread by size, over whose medians the mean is taken")
      .Int("warmup", &LatencySettings::warmup, {0, 1000}, "runs",
           "runs of each sample before the clock starts")
      .Int("repeats", &LatencySettings::repeats, {1, 10'000}, "runs",
           "measured runs, shared out among the samples; at least one of each")
      .Int("threads", &LatencySettings::threads, {1, 1024}, "threads", "threads of a run on a CPU");
  return fields;
}

Fields<FinetuneSettings> FinetuneFields() {
  Fields<FinetuneSettings> fields;
  fields
      .Int("top", &FinetuneSettings::top, {0, 1000}, "trials",
           "best trials that are trained further; 0: none")
      .Int("steps", &FinetuneSettings::steps, {1, 10'000'000}, "steps",
           "optimiser steps for each of them")
      .Number("lr", &FinetuneSettings::lr, {1e-9, 100}, "",
              "learning rate at the start of the cosine")
      .Text("distillation", &FinetuneSettings::distillation, {"none", "mse", "kl"},
            "whether the loss also pulls the logits towards those of the same candidate in full "
            "precision: mse: mean squared difference (the published recipe); kl: divergence of the "
            "softened classes, times temperature^2 (Hinton et al. 2015)")
      .Number("distillation_weight", &FinetuneSettings::distillation_weight, {0, 1000}, "",
              "factor of that part of the loss")
      .Number("temperature", &FinetuneSettings::temperature, {0.01, 1000}, "",
              "divides both logits before they are compared");
  return fields;
}

Fields<StudyConfig> StudyFields() {
  Fields<StudyConfig> fields;
  fields.Custom("name", "text", "unique name of the study", &ParseName,
                [](const StudyConfig& in) { return Json(in.name); });
  fields.Required();
  fields.Seed("seed", &StudyConfig::seed, "root of every random choice of the study");
  fields.Custom("supernet", "object", "\"kind\" and the settings of that supernet",
                &ParseKinded<&StudyConfig::supernet>,
                [](const StudyConfig& in) { return in.supernet; });
  fields.Required();
  fields.Custom("dataset", "object", "\"kind\" and the settings of that dataset",
                &ParseKinded<&StudyConfig::dataset>,
                [](const StudyConfig& in) { return in.dataset; });
  fields.Required();
  fields.Object("train", &StudyConfig::train, TrainFields(), "training of the supernet");
  fields.Object("search", &StudyConfig::search, SearchFields(), "the search itself");
  fields.Object("evaluate", &StudyConfig::evaluate, EvaluateFields(), "scoring of a candidate");
  fields.Object("latency", &StudyConfig::latency, LatencyFields(), "measuring of latencies");
  fields.Object("finetune", &StudyConfig::finetune, FinetuneFields(),
                "further training of the best candidates");
  fields.Custom("objectives", "list", "what is optimised: {\"metric\", \"target\"}",
                &ParseObjectives, &PrintObjectives);
  fields.Required();
  fields.Custom("constraints", "list", "what must hold: {\"metric\", \"target\", \"min\", \"max\"}",
                &ParseConstraintsOf, &PrintConstraints);
  fields.Custom(kLatencyTable, "object",
                "times behind latency_lut_ms, or the path of a file with them", &ParseLatencyTable,
                [](const StudyConfig& in) { return in.latency_table; });
  return fields;
}

Result<StudyConfig> ParseStudyConfig(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(StudyConfig config, StudyFields().Parse(json, pointer));
  if (config.search.parents > config.search.population) {
    return FieldError(pointer + "/search/parents", "expected at most the population of " +
                                                       std::to_string(config.search.population) +
                                                       ", found " +
                                                       std::to_string(config.search.parents));
  }
  if (config.train.warmup_steps > config.train.steps) {
    return FieldError(pointer + "/train/warmup_steps",
                      "expected at most the " + std::to_string(config.train.steps) +
                          " steps of the training, found " +
                          std::to_string(config.train.warmup_steps));
  }
  if (config.latency_table.is_null()) {
    VOXBIT_RETURN_IF_ERROR(CheckHasTable(config.objectives, "objectives", pointer));
    VOXBIT_RETURN_IF_ERROR(CheckHasTable(config.constraints, "constraints", pointer));
  }
  return config;
}

Json ToJson(const StudyConfig& config) {
  Json json = StudyFields().ToJson(config);
  if (config.latency_table.is_null()) json.erase(kLatencyTable);
  return json;
}

}  // namespace voxbit::search
