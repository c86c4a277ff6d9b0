// The one table of metric names, units and directions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace voxbit::search {

enum class Direction { kHigher, kLower };

// Where a metric comes from: the layer table on the server, or a worker's measurement.
enum class MetricSource { kCostModel, kEvaluation, kLatency };

struct Metric {
  std::string_view name;
  std::string_view unit;
  Direction direction;
  MetricSource source;
  std::optional<double> largest;  // possible value; empty: there is none. None is below 0
  std::string_view help;
};

// The metric whose cost model is the latency table of the study, and not one that every study has.
inline constexpr std::string_view kLatencyLut = "latency_lut_ms";

// All metrics that an objective or a constraint may name.
const std::vector<Metric>& Metrics();
// INVALID_ARGUMENT with the known names.
Result<Metric> FindMetric(std::string_view name);

}  // namespace voxbit::search
