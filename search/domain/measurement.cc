#include "search/domain/measurement.h"

#include <cmath>

#include "search/domain/json_fields.h"

namespace voxbit::search {
namespace {

constexpr char kNonFinite[] = "RESULT_NON_FINITE";

void AddFinite(Fields<Measurement>& fields, std::string name, double Measurement::*member,
               std::string help) {
  fields.Custom(
      std::move(name), "number", std::move(help),
      [member](const Json& found, const std::string& pointer, Measurement& out) -> Status {
        const bool is_finite = found.is_number() && std::isfinite(found.get<double>());
        // NaN and infinity become null when JSON is written.
        if (!is_finite && (found.is_number() || found.is_null())) {
          return InvalidArgument(pointer + ": expected a finite number, found " + Describe(found),
                                 kNonFinite);
        }
        if (!is_finite) return ExpectedError(pointer, "a finite number", found);
        out.*member = found.get<double>();
        return OkStatus();
      },
      [member](const Measurement& in) { return Json(in.*member); });
}

const Fields<Measurement>& MeasurementFields() {
  static const Fields<Measurement> fields = [] {
    Fields<Measurement> table;
    table.Text("metric", &Measurement::metric, {}, "what was measured").Required();
    table.Text("target", &Measurement::target, {}, "hardware it was measured on");
    AddFinite(table, "value", &Measurement::value, "the value, in the metric's unit");
    table.Required();
    AddFinite(table, "spread", &Measurement::spread, "half width of the middle half of repeats");
    table.Int("samples", &Measurement::samples, {.min = 0}, "", "runs or items behind the value");
    AddObject(table, "detail", &Measurement::detail, "what else is known");
    return table;
  }();
  return fields;
}

}  // namespace

Status CheckFinite(const Measurement& measurement) {
  if (std::isfinite(measurement.value) && std::isfinite(measurement.spread)) return OkStatus();
  return InvalidArgument("the measurement of " + measurement.metric + " is not a finite number",
                         kNonFinite);
}

Json ToJson(const Measurement& measurement) { return MeasurementFields().ToJson(measurement); }

Result<Measurement> ParseMeasurement(const Json& json) {
  return MeasurementFields().Parse(json, "");
}

Json ToJson(const Measurements& measurements) {
  Json list = Json::array();
  for (const auto& [key, measurement] : measurements) list.push_back(ToJson(measurement));
  return list;
}

Result<Measurements> ParseMeasurements(const Json& json) {
  VOXBIT_ASSIGN_OR_RETURN(std::vector<Measurement> list, ParseMeasurementList(json, ""));
  Measurements measurements;
  for (size_t i = 0; i < list.size(); ++i) {
    auto key = std::make_pair(list[i].metric, list[i].target);
    if (!measurements.try_emplace(std::move(key), list[i]).second) {
      return FieldError("/" + std::to_string(i), "a second measurement of \"" + list[i].metric +
                                                     "\" on \"" + list[i].target + "\"");
    }
  }
  return measurements;
}

Json ToJson(const std::vector<Measurement>& measurements) {
  Json list = Json::array();
  for (const Measurement& measurement : measurements) list.push_back(ToJson(measurement));
  return list;
}

Result<std::vector<Measurement>> ParseMeasurementList(const Json& json,
                                                      const std::string& pointer) {
  if (!json.is_array()) return ExpectedError(pointer, "a list of measurements", json);
  std::vector<Measurement> list;
  for (size_t i = 0; i < json.size(); ++i) {
    VOXBIT_ASSIGN_OR_RETURN(Measurement measurement,
                            MeasurementFields().Parse(json[i], pointer + "/" + std::to_string(i)));
    list.push_back(std::move(measurement));
  }
  return list;
}

}  // namespace voxbit::search
