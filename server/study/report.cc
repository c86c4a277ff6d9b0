#include "server/study/report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "search/pareto/pareto.h"

namespace voxbit::server {
namespace {

using search::Trial;

// Scores divided by the range seen, so that no objective's unit outweighs another's.
double ScaledHypervolume(const std::vector<std::vector<double>>& scores,
                         const std::vector<int64_t>& front) {
  if (scores.empty()) return 0;
  const size_t dimensions = scores.front().size();
  std::vector<double> low = scores.front();
  std::vector<double> high = scores.front();
  for (const auto& score : scores) {
    for (size_t d = 0; d < dimensions; ++d) {
      low[d] = std::min(low[d], score[d]);
      high[d] = std::max(high[d], score[d]);
    }
  }
  std::vector<std::vector<double>> scaled;
  for (const int64_t index : front) {
    std::vector<double> point(dimensions);
    for (size_t d = 0; d < dimensions; ++d) {
      const double range = high[d] - low[d];
      point[d] = range > 0 ? (scores[static_cast<size_t>(index)][d] - low[d]) / range : 0;
    }
    scaled.push_back(std::move(point));
  }
  return search::Hypervolume(scaled, std::vector<double>(dimensions, 0));
}

double TrialsPerMinute(const std::vector<Trial>& trials) {
  int64_t first = 0;
  int64_t last = 0;
  int64_t finals = 0;
  for (const Trial& trial : trials) {
    if (!search::IsFinal(trial.state)) continue;
    ++finals;
    if (first == 0 || trial.created_ms < first) first = trial.created_ms;
    last = std::max(last, trial.finished_ms);
  }
  if (finals == 0 || last <= first) return 0;
  return static_cast<double>(finals) * 60'000.0 / static_cast<double>(last - first);
}

}  // namespace

Front ComputeFront(const std::vector<Trial>& trials,
                   const std::vector<search::Objective>& objectives,
                   const std::vector<search::Constraint>& constraints) {
  std::vector<const Trial*> compared;
  std::vector<std::vector<double>> scores;
  for (const Trial& trial : trials) {
    if (trial.state != search::TrialState::kSucceeded) continue;
    if (search::TotalViolation(constraints, trial.measured) > 0) continue;
    auto score = search::Scores(objectives, trial.measured);
    if (!score.has_value()) continue;
    compared.push_back(&trial);
    scores.push_back(*std::move(score));
  }

  Front front;
  front.objectives = objectives;
  std::vector<int64_t> members = search::FrontIndices(scores);
  front.hypervolume = ScaledHypervolume(scores, members);
  std::stable_sort(members.begin(), members.end(), [&](int64_t a, int64_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  std::vector<bool> is_member(compared.size(), false);
  for (const int64_t index : members) {
    is_member[static_cast<size_t>(index)] = true;
    front.trials.push_back(*compared[static_cast<size_t>(index)]);
  }
  for (size_t i = 0; i < compared.size(); ++i) {
    if (!is_member[i]) front.dominated.push_back(*compared[i]);
  }
  return front;
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
  if (summary.finals != finals) {
    VOXBIT_ASSIGN_OR_RETURN(const auto trials, store_.ListTrials(study.id, {}));
    const Front front = ComputeFront(trials, study.config.objectives, study.config.constraints);
    summary = {.finals = finals,
               .front_size = static_cast<int64_t>(front.trials.size()),
               .hypervolume = front.hypervolume,
               .trials_per_minute = TrialsPerMinute(trials)};
  }
  progress.front_size = summary.front_size;
  progress.hypervolume = summary.hypervolume;
  progress.trials_per_minute = summary.trials_per_minute;
  return progress;
}

Result<Front> Reporter::GetFront(const search::Study& study,
                                 const std::vector<std::string>& metrics) const {
  std::vector<search::Objective> objectives;
  for (const std::string& key : metrics) {
    VOXBIT_ASSIGN_OR_RETURN(search::Objective objective, ParseMetricKey(key));
    objectives.push_back(std::move(objective));
  }
  if (objectives.empty()) objectives = study.config.objectives;
  VOXBIT_ASSIGN_OR_RETURN(const auto trials, store_.ListTrials(study.id, {}));
  return ComputeFront(trials, objectives, study.config.constraints);
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
