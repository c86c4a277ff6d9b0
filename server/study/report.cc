#include "server/study/report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "search/pareto/pareto.h"

namespace voxbit::server {
namespace {

using search::Trial;

using Points = std::vector<std::vector<double>>;

// Widens the range by one more point; empty vectors are no range yet.
void Widen(const std::vector<double>& point, std::vector<double>& low, std::vector<double>& high) {
  if (low.empty()) low = high = point;
  for (size_t d = 0; d < point.size(); ++d) {
    low[d] = std::min(low[d], point[d]);
    high[d] = std::max(high[d], point[d]);
  }
}

// Scores divided by the range seen, so that no objective's unit outweighs another's.
double ScaledHypervolume(const Points& front, const std::vector<double>& low,
                         const std::vector<double>& high) {
  if (front.empty()) return 0;
  const size_t dimensions = low.size();
  Points scaled;
  for (const auto& score : front) {
    std::vector<double> point(dimensions);
    for (size_t d = 0; d < dimensions; ++d) {
      const double range = high[d] - low[d];
      point[d] = range > 0 ? (score[d] - low[d]) / range : 0;
    }
    scaled.push_back(std::move(point));
  }
  return search::Hypervolume(scaled, std::vector<double>(dimensions, 0));
}

// The scores of a trial that can be compared with others.
std::optional<std::vector<double>> ComparableScores(
    const Trial& trial, const std::vector<search::Objective>& objectives,
    const std::vector<search::Constraint>& constraints) {
  if (trial.state != search::TrialState::kSucceeded) return std::nullopt;
  if (search::TotalViolation(constraints, trial.measured) > 0) return std::nullopt;
  return search::Scores(objectives, trial.measured);
}

Points Chosen(const Points& points, const std::vector<int64_t>& indices) {
  Points chosen;
  for (const int64_t index : indices) chosen.push_back(points[static_cast<size_t>(index)]);
  return chosen;
}

std::string Text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

// "latency_ms[local] <= 1"
std::string BoundText(const search::Constraint& constraint) {
  std::string text = search::MetricKey(constraint.metric, constraint.target);
  if (constraint.min && constraint.max) text = Text(*constraint.min) + " <= " + text;
  if (constraint.max) return text + " <= " + Text(*constraint.max);
  return text + " >= " + Text(*constraint.min);
}

// The value that is nearest to meeting the constraint; empty when nobody has one.
std::optional<double> Nearest(const search::Constraint& constraint,
                              const std::vector<const Trial*>& trials) {
  std::optional<double> nearest;
  for (const Trial* trial : trials) {
    const auto it = trial->measured.find({constraint.metric, constraint.target});
    if (it == trial->measured.end()) continue;
    const double value = it->second.value;
    if (!nearest.has_value() ||
        search::Violation(constraint, value) < search::Violation(constraint, *nearest)) {
      nearest = value;
    }
  }
  return nearest;
}

}  // namespace

std::string WhyNoFront(const std::vector<Trial>& trials,
                       const std::vector<search::Objective>& objectives,
                       const std::vector<search::Constraint>& constraints) {
  std::vector<const Trial*> succeeded;
  bool has_allowed = false;
  for (const Trial& trial : trials) {
    if (trial.state != search::TrialState::kSucceeded) continue;
    if (ComparableScores(trial, objectives, constraints).has_value()) return "";
    has_allowed = has_allowed || search::TotalViolation(constraints, trial.measured) == 0;
    succeeded.push_back(&trial);
  }
  if (succeeded.empty()) return "";
  if (has_allowed) return "no trial has a value of every objective";
  std::string text;
  std::string all;
  for (const search::Constraint& constraint : constraints) {
    all += (all.empty() ? "" : " and ") + BoundText(constraint);
    const std::optional<double> nearest = Nearest(constraint, succeeded);
    if (!nearest.has_value() || search::Violation(constraint, *nearest) == 0) continue;
    text += text.empty() ? "no trial meets " : "; none meets ";
    text += BoundText(constraint) + "; the best has " + Text(*nearest);
  }
  return text.empty() ? "no trial meets " + all + " together" : text;
}

Front ComputeFront(std::vector<Trial> trials, const std::vector<search::Objective>& objectives,
                   const std::vector<search::Constraint>& constraints) {
  std::vector<Trial*> compared;
  Points scores;
  std::vector<double> low;
  std::vector<double> high;
  for (Trial& trial : trials) {
    auto score = ComparableScores(trial, objectives, constraints);
    if (!score.has_value()) continue;
    Widen(*score, low, high);
    compared.push_back(&trial);
    scores.push_back(*std::move(score));
  }

  Front front;
  front.objectives = objectives;
  std::vector<int64_t> members = search::FrontIndices(scores);
  front.hypervolume = ScaledHypervolume(Chosen(scores, members), low, high);
  std::stable_sort(members.begin(), members.end(), [&](int64_t a, int64_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  std::vector<bool> is_member(compared.size(), false);
  for (const int64_t index : members) {
    is_member[static_cast<size_t>(index)] = true;
    front.trials.push_back(std::move(*compared[static_cast<size_t>(index)]));
  }
  for (size_t i = 0; i < compared.size(); ++i) {
    if (!is_member[i]) front.dominated.push_back(std::move(*compared[i]));
  }
  return front;
}

std::vector<Trial> BestTrials(std::vector<Trial> trials,
                              const std::vector<search::Objective>& objectives,
                              const std::vector<search::Constraint>& constraints, size_t count) {
  std::vector<Trial> best;
  while (best.size() < count) {
    Front front = ComputeFront(std::move(trials), objectives, constraints);
    if (front.trials.empty()) break;
    for (Trial& trial : front.trials) {
      if (best.size() < count) best.push_back(std::move(trial));
    }
    trials = std::move(front.dominated);
  }
  return best;
}

Result<search::Objective> ParseMetricKey(const std::string& key) {
  search::Objective objective{.metric = key, .target = ""};
  if (const size_t bracket = key.find('['); bracket != std::string::npos && key.back() == ']') {
    objective.metric = key.substr(0, bracket);
    objective.target = key.substr(bracket + 1, key.size() - bracket - 2);
  }
  VOXBIT_ASSIGN_OR_RETURN(const search::Metric metric, search::FindMetric(objective.metric));
  if (metric.source == search::MetricSource::kLatency && objective.target.empty()) {
    objective.target = "local";
  }
  return objective;
}

Result<Progress> Reporter::GetProgress(const search::Study& study) {
  Progress progress;
  progress.trials_total = study.config.search.trials;
  VOXBIT_ASSIGN_OR_RETURN(progress.counts, store_.CountTrials(study.id));
  VOXBIT_ASSIGN_OR_RETURN(progress.running,
                          store_.ListTasks(study.id, std::nullopt, search::TaskState::kLeased));
  const auto& counts = progress.counts;
  const int64_t finals = counts.succeeded + counts.infeasible + counts.failed + counts.cancelled;
  MutexLock lock(mutex_);
  Summary& summary = summaries_[study.id];
  if (summary.last_sequence < finals) {
    VOXBIT_ASSIGN_OR_RETURN(const auto trials, store_.TrialsAfter(study.id, summary.last_sequence));
    Add(study, trials, summary);
  }
  progress.front_size = static_cast<int64_t>(summary.front.size());
  progress.hypervolume = summary.hypervolume;
  if (summary.recent_ms.size() < 2) return progress;
  const auto [first, last] =
      std::minmax_element(summary.recent_ms.begin(), summary.recent_ms.end());
  if (*last > *first) {
    progress.trials_per_minute = static_cast<double>(summary.recent_ms.size() - 1) * 60'000.0 /
                                 static_cast<double>(*last - *first);
  }
  return progress;
}

void Reporter::Forget(int64_t study_id) {
  MutexLock lock(mutex_);
  summaries_.erase(study_id);
}

// A point that was dominated once stays so: only the front and the new points are compared.
void Reporter::Add(const search::Study& study, const std::vector<Trial>& trials, Summary& summary) {
  Points points = std::move(summary.front);
  for (const Trial& trial : trials) {
    if (summary.recent_ms.empty()) summary.recent_ms.push_back(trial.created_ms);
    summary.recent_ms.push_back(trial.finished_ms);
    if (summary.recent_ms.size() > kRateTrials + 1) summary.recent_ms.pop_front();
    summary.last_sequence = trial.sequence;
    auto score = ComparableScores(trial, study.config.objectives, study.config.constraints);
    if (!score.has_value()) continue;
    Widen(*score, summary.low, summary.high);
    points.push_back(*std::move(score));
  }
  summary.front = Chosen(points, search::FrontIndices(points));
  summary.hypervolume = ScaledHypervolume(summary.front, summary.low, summary.high);
}

Result<Front> Reporter::GetFront(const search::Study& study,
                                 const std::vector<std::string>& metrics) const {
  std::vector<search::Objective> objectives;
  for (const std::string& key : metrics) {
    VOXBIT_ASSIGN_OR_RETURN(search::Objective objective, ParseMetricKey(key));
    objectives.push_back(std::move(objective));
  }
  if (objectives.empty()) objectives = study.config.objectives;
  VOXBIT_ASSIGN_OR_RETURN(
      auto trials, store_.ListTrials(study.id, {.states = {search::TrialState::kSucceeded}}));
  return ComputeFront(std::move(trials), objectives, study.config.constraints);
}

std::string FrontTable(const Front& front) {
  std::string text = "  trial";
  char cell[64];
  for (const auto& objective : front.objectives) {
    std::snprintf(cell, sizeof(cell), "  %18s",
                  search::MetricKey(objective.metric, objective.target).c_str());
    text += cell;
  }
  text += "\n";
  for (const Trial& trial : front.trials) {
    std::snprintf(
        cell, sizeof(cell), "  %5lld",
        static_cast<long long>(trial.number));  // NOLINT(google-runtime-int): printf's type
    text += cell;
    for (const auto& objective : front.objectives) {
      const auto it = trial.measured.find({objective.metric, objective.target});
      std::snprintf(cell, sizeof(cell), "  %18.6g", it->second.value);
      text += cell;
    }
    text += "\n";
  }
  return text;
}

}  // namespace voxbit::server
