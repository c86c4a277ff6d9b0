// Values measured for a trial.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::search {

// One number with what is needed to read it later. Always finite.
struct Measurement {
  std::string metric;  // a name of metric.h
  std::string target;  // hardware name, "" where the value does not depend on it
  double value = 0;
  double spread = 0;    // half width of the middle half of the repeats; 0 for a single value
  int64_t samples = 1;  // how many runs or items the value rests on
  Json detail = Json::object();  // device, threads, per-class values ...
  friend bool operator==(const Measurement&, const Measurement&) = default;
};

// By (metric, target).
using Measurements = std::map<std::pair<std::string, std::string>, Measurement>;

// INVALID_ARGUMENT with reason RESULT_NON_FINITE when value or spread is NaN or infinite.
Status CheckFinite(const Measurement& measurement);

// {"metric", "target", "value", "spread", "samples", "detail"}. Only "metric" and "value" must be
// there to be read. A value that is no finite number (JSON writes NaN as null) is refused like
// CheckFinite does.
Json ToJson(const Measurement& measurement);
Result<Measurement> ParseMeasurement(const Json& json);

// A list, in the order of the map. INVALID_ARGUMENT when a (metric, target) comes twice.
Json ToJson(const Measurements& measurements);
Result<Measurements> ParseMeasurements(const Json& json);

// A list in the given order, repeats included: as a worker reports them.
Json ToJson(const std::vector<Measurement>& measurements);
Result<std::vector<Measurement>> ParseMeasurementList(const Json& json, const std::string& pointer);

}  // namespace voxbit::search
