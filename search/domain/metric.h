// The one table of metric names, units and directions.
#pragma once

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
  std::string_view help;
};

// All metrics that an objective or a constraint may name.
const std::vector<Metric>& Metrics();
// INVALID_ARGUMENT listing the known names.
Result<Metric> FindMetric(std::string_view name);

}  // namespace voxbit::search
