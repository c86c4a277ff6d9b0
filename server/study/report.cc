#include "server/study/report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/text.h"
#include "search/pareto/pareto.h"

namespace voxbit::server {
namespace {

using search::Trial;

using Points = std::vector<std::vector<double>>;

// A metric that is also an objective of the study has the range that it has there.
void UseRangesOf(const search::StudyConfig& config, const std::optional<Reference>& reference,
                 std::vector<search::Objective>& objectives) {
  for (search::Objective& objective : objectives) {
    for (size_t d = 0; reference.has_value() && d < config.objectives.size(); ++d) {
      const search::Objective& own = config.objectives[d];
      const bool is_same = own.metric == objective.metric && own.target == objective.target;
      if (is_same) objective.reference = reference->ranges[d];
    }
  }
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
  for (Trial& trial : trials) {
    auto score = ComparableScores(trial, objectives, constraints);
    if (!score.has_value()) continue;
    compared.push_back(&trial);
    scores.push_back(*std::move(score));
  }

  Front front;
  front.objectives = objectives;
  std::vector<int64_t> members = search::FrontIndices(scores);
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
    objective.target = search::kDefaultTarget;
  }
  return objective;
}

Result<Progress> Reporter::GetProgress(const search::Study& study) {
  Progress progress;
  progress.trials_total = study.config.search.trials;
  VOXBIT_ASSIGN_OR_RETURN(progress.counts, store_.CountTrials(study.id));
  VOXBIT_ASSIGN_OR_RETURN(progress.running,
                          store_.ListTasks(study.id, std::nullopt, search::TaskState::kLeased));
  MutexLock lock(mutex_);
  Summary& summary = summaries_[study.id];
  if (summary.last_sequence < progress.counts.Finals()) {
    VOXBIT_ASSIGN_OR_RETURN(const auto trials, store_.TrialsAfter(study.id, summary.last_sequence));
    Add(study, trials, summary);
  }
  progress.front_size = static_cast<int64_t>(summary.front.size());
  progress.reference = summary.reference;
  if (!progress.reference.has_value()) {
    VOXBIT_ASSIGN_OR_RETURN(progress.reference, KeepReference(store_, study, summary.first));
    // That of a study which may be tried again may not be its last.
    if (!search::CanRetry(study.state)) summary.reference = progress.reference;
  }
  if (progress.reference.has_value()) {
    progress.hypervolume =
        ReferenceHypervolume(summary.front, study.config.objectives, *progress.reference);
  }
  progress.trials_per_minute = Speed(study, summary);
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
    if (summary.began_ms == 0) summary.began_ms = trial.created_ms;
    summary.results_ms.push_back(trial.finished_ms);
    summary.last_sequence = trial.sequence;
    auto score = ComparableScores(trial, study.config.objectives, study.config.constraints);
    if (!score.has_value()) continue;
    if (summary.first.size() < FirstGeneration(study.config)) summary.first.push_back(*score);
    points.push_back(*std::move(score));
  }
  summary.front = Chosen(points, search::FrontIndices(points));
}

std::optional<double> Reporter::Speed(const search::Study& study, Summary& summary) const {
  std::deque<int64_t>& results_ms = summary.results_ms;
  // A search that was over before keeps the speed that it had.
  const bool is_of_earlier =
      IsSearchOver(study) && !results_ms.empty() && results_ms.back() < started_ms_;
  if (!is_of_earlier) summary.opens_ms = std::max(summary.opens_ms, started_ms_);
  summary.opens_ms = std::max({summary.opens_ms, study.resumed_ms, summary.began_ms});
  while (!results_ms.empty() && results_ms.front() < summary.opens_ms) results_ms.pop_front();
  if (results_ms.empty()) return std::nullopt;
  const bool is_searching = study.state == search::StudyState::kActive && !IsSearchOver(study);
  const int64_t end_ms =
      is_searching ? std::max(clock_.NowMs(), results_ms.back()) : results_ms.back();
  // The last result that is too old opens the window and is not counted.
  while (results_ms.size() > kRateTrials && results_ms.front() <= end_ms - kRateSpan.count()) {
    summary.opens_ms = results_ms.front();
    results_ms.pop_front();
  }
  const int64_t span_ms = end_ms - summary.opens_ms;
  if (span_ms < kMinRateSpan.count()) return std::nullopt;
  return static_cast<double>(results_ms.size()) * 60'000.0 / static_cast<double>(span_ms);
}

Result<Front> Reporter::GetFront(const search::Study& study,
                                 const std::vector<std::string>& metrics) {
  std::vector<search::Objective> objectives;
  for (const std::string& key : metrics) {
    VOXBIT_ASSIGN_OR_RETURN(search::Objective objective, ParseMetricKey(key));
    objectives.push_back(std::move(objective));
  }
  if (objectives.empty()) objectives = study.config.objectives;
  VOXBIT_ASSIGN_OR_RETURN(
      auto trials, store_.ListTrials(study.id, {.states = {search::TrialState::kSucceeded}}));
  const search::StudyConfig& config = study.config;
  VOXBIT_ASSIGN_OR_RETURN(
      std::optional<Reference> reference,
      KeepReference(store_, study, FirstScores(trials, config.objectives, config)));
  if (!metrics.empty()) {
    UseRangesOf(config, reference, objectives);
    reference = FixReference(objectives, config, FirstScores(trials, objectives, config),
                             IsSearchOver(study));
  }
  Front front = ComputeFront(std::move(trials), objectives, config.constraints);
  if (!reference.has_value()) return front;
  Points scores;
  for (const Trial& trial : front.trials) {
    scores.push_back(*search::Scores(objectives, trial.measured));
  }
  front.hypervolume = ReferenceHypervolume(scores, objectives, *reference);
  return front;
}

std::string FrontTable(const Front& front) {
  constexpr size_t kTrialWidth = 5;
  constexpr size_t kValueWidth = 18;
  const auto padded = [](const std::string& cell, size_t width) {
    return "  " + std::string(cell.size() < width ? width - cell.size() : 0, ' ') + cell;
  };
  std::vector<std::string> titles;
  for (const auto& objective : front.objectives) {
    titles.push_back(Printable(search::MetricKey(objective.metric, objective.target)));
  }
  std::string text = padded("trial", kTrialWidth);
  for (const std::string& title : titles) text += padded(title, kValueWidth);
  text += "\n";
  for (const Trial& trial : front.trials) {
    text += padded(std::to_string(trial.number), kTrialWidth);
    for (size_t d = 0; d < titles.size(); ++d) {
      const auto& objective = front.objectives[d];
      const auto it = trial.measured.find({objective.metric, objective.target});
      text += padded(Text(it->second.value), std::max(kValueWidth, titles[d].size()));
    }
    text += "\n";
  }
  return text;
}

}  // namespace voxbit::server
