// Trials, their measurements and the front as rows, fields, JSON and a picture.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/format/scatter_plot.h"
#include "client/format/table.h"
#include "client/rpc/api.h"
#include "common/json.h"
#include "search/domain/trial.h"

namespace voxbit::client {

// Metric keys, e.g. "latency_ms[local]", of everything that was measured for any of `trials`:
// those of `first` that were measured come first, then by the order of search/domain/metric.h.
std::vector<std::string> MetricKeys(const std::vector<search::Trial>& trials,
                                    const std::vector<std::string>& first);
// The key that the user means by `name`: the key itself, or a metric that has one target only.
// INVALID_ARGUMENT lists what there is.
Result<std::string> ResolveMetric(const std::string& name, const std::vector<std::string>& keys);

// The value of the search; nullopt where it was not measured.
std::optional<double> MeasuredValue(const search::Trial& trial, const std::string& key);
// The value after fine-tuning where there is one, else that of the search.
std::optional<double> FinalValue(const search::Trial& trial, const std::string& key);
// Best final value first; trials without one last, by number.
void SortByMetric(const std::string& key, std::vector<search::Trial>& trials);
// "miou" of "miou", "latency_ms" of "latency_ms[local]".
std::string MetricName(const std::string& key);

// {"number", "state", "origin", "digest", "sequence", "choices", "measured": {key: {"value",
// "spread", "samples", "unit", "detail"}}, "finetuned": {...}, "artifacts", "message",
// "created_ms", "finished_ms"}.
Json ToJson(const search::Trial& trial);
// `keys`: the metrics that get a column.
Table TrialTable(const std::vector<search::Trial>& trials, const std::vector<std::string>& keys);
std::vector<Field> TrialFieldList(const search::Trial& trial, int64_t now_ms);
Table MeasurementTable(const search::Trial& trial);
// What evaluations say of each class, category or part that occurs, one table for each kind of
// score: "IoU of class" and its value in the search and after fine-tuning.
std::vector<Table> ClassTables(const search::Trial& trial);
// One row per layer; `layers` is an array of objects.
Table LayerTable(const Json& layers);
// "2.8 M parameters, 1.25 G MACs"; "" where no layer says.
std::string LayerTotals(const Json& layers);

Json ToJson(const Api::Front& front);
Table FrontTable(const Api::Front& front);
// "front of 5 among 23 compared trials, hypervolume 0.7312". Compared are the succeeded trials that
// meet the constraints and have all metrics of the front.
std::string FrontSummary(const Api::Front& front);
ScatterPlot FrontPlot(const std::string& study, const Api::Front& front, const std::string& x,
                      const std::string& y);

}  // namespace voxbit::client
