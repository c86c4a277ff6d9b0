// What a study optimises and what it must respect.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "search/domain/measurement.h"
#include "search/domain/metric.h"

namespace voxbit::search {

// Two values of a metric between which an objective is scaled, in the metric's own unit: 0.2 and
// 0.8 of a mIoU, 2e9 and 0 multiply-accumulates.
struct ReferenceRange {
  double worst = 0;
  double best = 0;
  friend bool operator==(const ReferenceRange&, const ReferenceRange&) = default;
};

struct Objective {
  std::string metric;
  std::string target;  // hardware name for latency metrics, "" otherwise
  // Of the hypervolume, where the user gives one (server/study/reference.h).
  std::optional<ReferenceRange> reference = std::nullopt;
  friend bool operator==(const Objective&, const Objective&) = default;
};

struct Constraint {
  std::string metric;
  std::string target;
  std::optional<double> min;
  std::optional<double> max;
  friend bool operator==(const Constraint&, const Constraint&) = default;
};

// "latency_ms[local]" or "miou".
std::string MetricKey(const std::string& metric, const std::string& target);

// How far `value` is outside the constraint, relative to the bound (absolute where the bound is
// 0); 0 when it is met.
double Violation(const Constraint& constraint, double value);
// Sum over all constraints whose metric was measured.
double TotalViolation(const std::vector<Constraint>& constraints, const Measurements& measured);

// The objective values of one trial, turned so that larger is better (costs are negated).
// Empty when a measurement is missing or a metric is unknown to this version.
std::optional<std::vector<double>> Scores(const std::vector<Objective>& objectives,
                                          const Measurements& measured);

}  // namespace voxbit::search
