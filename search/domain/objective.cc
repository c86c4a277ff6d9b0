#include "search/domain/objective.h"

#include <algorithm>
#include <cmath>

namespace voxbit::search {

std::string MetricKey(const std::string& metric, const std::string& target) {
  return target.empty() ? metric : metric + "[" + target + "]";
}

double Violation(const Constraint& constraint, double value) {
  const auto relative = [](double excess, double bound) {
    const double scale = std::abs(bound);
    return std::max(0.0, excess) / (scale > 0 ? scale : 1.0);
  };
  double violation = 0;
  if (constraint.max) violation += relative(value - *constraint.max, *constraint.max);
  if (constraint.min) violation += relative(*constraint.min - value, *constraint.min);
  return violation;
}

double TotalViolation(const std::vector<Constraint>& constraints, const Measurements& measured) {
  double total = 0;
  for (const Constraint& constraint : constraints) {
    const auto it = measured.find({constraint.metric, constraint.target});
    if (it != measured.end()) total += Violation(constraint, it->second.value);
  }
  return total;
}

std::optional<std::vector<double>> Scores(const std::vector<Objective>& objectives,
                                          const Measurements& measured) {
  std::vector<double> scores;
  for (const Objective& objective : objectives) {
    const auto it = measured.find({objective.metric, objective.target});
    const Result<Metric> metric = FindMetric(objective.metric);
    if (it == measured.end() || !metric.ok()) return std::nullopt;
    const double value = it->second.value;
    scores.push_back(metric->direction == Direction::kHigher ? value : -value);
  }
  return scores;
}

}  // namespace voxbit::search
