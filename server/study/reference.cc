#include "server/study/reference.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "search/pareto/pareto.h"

namespace voxbit::server {
namespace {

using search::Objective;
using search::ReferenceRange;

using Scores = std::vector<std::vector<double>>;

// A value as a score and back: costs are negated.
double Turned(const Objective& objective, double value) {
  return search::FindMetric(objective.metric)->direction == search::Direction::kHigher ? value
                                                                                       : -value;
}

// What the metric and the constraints allow, as scores. `worst` is infinite for a cost without an
// upper bound.
ReferenceRange AllowedRange(const Objective& objective,
                            const std::vector<search::Constraint>& constraints) {
  const Result<search::Metric> metric = search::FindMetric(objective.metric);
  double low = 0;
  double high = metric->largest.value_or(std::numeric_limits<double>::infinity());
  for (const search::Constraint& constraint : constraints) {
    if (constraint.metric != objective.metric || constraint.target != objective.target) continue;
    if (constraint.min.has_value()) low = std::max(low, *constraint.min);
    if (constraint.max.has_value()) high = std::min(high, *constraint.max);
  }
  if (metric->direction == search::Direction::kHigher) return {low, high};
  return {-high, -low};
}

// Of the objective at `d`; empty: it is left out.
std::optional<ReferenceRange> RangeOf(const Objective& objective, size_t d,
                                      const std::vector<search::Constraint>& constraints,
                                      const Scores& generation) {
  if (objective.reference.has_value()) return objective.reference;
  auto [worst, best] = AllowedRange(objective, constraints);
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -lowest;
  for (const auto& score : generation) {
    lowest = std::min(lowest, score[d]);
    highest = std::max(highest, score[d]);
  }
  if (worst == -std::numeric_limits<double>::infinity()) worst = lowest;
  if (highest <= worst || best <= worst) return std::nullopt;
  return ReferenceRange{Turned(objective, worst), Turned(objective, best)};
}

bool AreAllGiven(const std::vector<Objective>& objectives) {
  return std::all_of(objectives.begin(), objectives.end(),
                     [](const Objective& objective) { return objective.reference.has_value(); });
}

}  // namespace

Json ToJson(const Reference& reference) {
  Json list = Json::array();
  for (const auto& range : reference.ranges) {
    list.push_back(range.has_value() ? Json::array({range->worst, range->best}) : Json());
  }
  return list;
}

Json RangesByMetric(const std::vector<Objective>& objectives, const Reference& reference) {
  Json ranges = Json::object();
  for (size_t d = 0; d < objectives.size(); ++d) {
    const auto& range = reference.ranges[d];
    if (!range.has_value()) continue;
    ranges[search::MetricKey(objectives[d].metric, objectives[d].target)] = {range->worst,
                                                                             range->best};
  }
  return ranges;
}

Result<Reference> ParseReference(const Json& json, size_t num_objectives) {
  if (!json.is_array() || json.size() != num_objectives) {
    return InvalidArgument("a reference needs a range for each objective");
  }
  Reference reference;
  for (const Json& range : json) {
    const bool is_pair = range.is_array() && range.size() == 2 && range[0].is_number() &&
                         range[1].is_number() && range[0] != range[1];
    if (!is_pair && !range.is_null()) {
      return InvalidArgument("expected null or [worst, best], found " + Describe(range));
    }
    reference.ranges.push_back(is_pair ? std::optional(ReferenceRange{range[0], range[1]})
                                       : std::nullopt);
  }
  return reference;
}

std::optional<std::vector<double>> ComparableScores(
    const search::Trial& trial, const std::vector<Objective>& objectives,
    const std::vector<search::Constraint>& constraints) {
  if (trial.state != search::TrialState::kSucceeded) return std::nullopt;
  if (search::TotalViolation(constraints, trial.measured) > 0) return std::nullopt;
  return search::Scores(objectives, trial.measured);
}

size_t FirstGeneration(const search::StudyConfig& config) {
  return static_cast<size_t>(std::min(config.search.population, config.search.trials));
}

Scores FirstScores(const std::vector<search::Trial>& trials,
                   const std::vector<Objective>& objectives, const search::StudyConfig& config) {
  std::vector<std::pair<int64_t, std::vector<double>>> compared;
  for (const search::Trial& trial : trials) {
    auto score = ComparableScores(trial, objectives, config.constraints);
    if (score.has_value()) compared.emplace_back(trial.sequence, *std::move(score));
  }
  std::sort(compared.begin(), compared.end());
  if (compared.size() > FirstGeneration(config)) compared.resize(FirstGeneration(config));
  Scores scores;
  for (auto& [sequence, score] : compared) scores.push_back(std::move(score));
  return scores;
}

std::optional<Reference> FixReference(const std::vector<Objective>& objectives,
                                      const search::StudyConfig& config, const Scores& first,
                                      bool is_over) {
  const size_t wanted = FirstGeneration(config);
  const bool is_complete = first.size() >= wanted || (is_over && !first.empty());
  if (!is_complete && !AreAllGiven(objectives)) return std::nullopt;
  const auto end = first.begin() + static_cast<std::ptrdiff_t>(std::min(first.size(), wanted));
  const Scores generation(first.begin(), end);
  Reference reference;
  for (size_t d = 0; d < objectives.size(); ++d) {
    reference.ranges.push_back(RangeOf(objectives[d], d, config.constraints, generation));
  }
  return reference;
}

bool IsSearchOver(const search::Study& study) {
  return search::IsFinal(study.state) || study.phase == search::StudyPhase::kFinetune ||
         study.phase == search::StudyPhase::kFinished;
}

Result<std::optional<Reference>> KeepReference(storage::Store& store, const search::Study& study,
                                               const Scores& first) {
  const std::vector<Objective>& objectives = study.config.objectives;
  if (!study.hypervolume_reference.empty()) {
    VOXBIT_ASSIGN_OR_RETURN(const Json json, ParseJson(study.hypervolume_reference));
    VOXBIT_ASSIGN_OR_RETURN(Reference stored, ParseReference(json, objectives.size()));
    return std::optional(std::move(stored));
  }
  auto reference = FixReference(objectives, study.config, first, IsSearchOver(study));
  if (!reference.has_value()) return reference;
  // What is left of a generation says little of the rest of a study that is tried again.
  const bool may_go_on = search::CanRetry(study.state);
  if (may_go_on && !FixReference(objectives, study.config, first, false).has_value()) {
    return reference;
  }
  VOXBIT_RETURN_IF_ERROR(
      store.SetHypervolumeReference(study.id, CanonicalJson(ToJson(*reference))));
  return reference;
}

std::optional<double> ReferenceHypervolume(const Scores& scores,
                                           const std::vector<Objective>& objectives,
                                           const Reference& reference) {
  std::vector<size_t> kept;
  std::vector<double> worst;
  std::vector<double> best;
  for (size_t d = 0; d < objectives.size(); ++d) {
    if (!reference.ranges[d].has_value()) continue;
    kept.push_back(d);
    worst.push_back(Turned(objectives[d], reference.ranges[d]->worst));
    best.push_back(Turned(objectives[d], reference.ranges[d]->best));
  }
  if (kept.empty()) return std::nullopt;
  Scores points;
  for (const auto& score : scores) {
    std::vector<double>& point = points.emplace_back();
    for (const size_t d : kept) point.push_back(score[d]);
  }
  return search::BoxHypervolume(points, worst, best);
}

}  // namespace voxbit::server
