#include "server/dispatch/judge.h"

#include <algorithm>
#include <optional>
#include <string>

#include "search/domain/metric.h"

namespace voxbit::server {
namespace {

using search::Measurement;
using search::MetricSource;
using search::TaskKind;

// What a task of this kind measures; empty: nothing.
std::optional<MetricSource> SourceOf(TaskKind kind) {
  switch (kind) {
    case TaskKind::kEvaluate:
    case TaskKind::kFinetune:
      return MetricSource::kEvaluation;
    case TaskKind::kMeasureLatency:
      return MetricSource::kLatency;
    case TaskKind::kProfile:
    case TaskKind::kTrainSupernet:
    case TaskKind::kExport:
      return std::nullopt;
  }
  return std::nullopt;
}

Status Refuse(const Measurement& measurement, const std::string& why) {
  return InvalidArgument(measurement.metric + " " + why);
}

Status JudgeOne(const storage::Store::TaskHead& task, const Measurement& measurement) {
  VOXBIT_ASSIGN_OR_RETURN(const search::Metric metric, search::FindMetric(measurement.metric));
  if (metric.source != SourceOf(task.kind)) {
    return Refuse(measurement,
                  "is nothing that a task " + std::string(Name(task.kind)) + " measures");
  }
  const bool is_latency = metric.source == MetricSource::kLatency;
  if (measurement.target != (is_latency ? task.target : "")) {
    return Refuse(measurement, "of target \"" + measurement.target + "\", where the task has \"" +
                                   task.target + "\"");
  }
  if (measurement.value < 0 || measurement.value > metric.largest.value_or(measurement.value)) {
    return Refuse(measurement, "cannot be " + std::to_string(measurement.value));
  }
  if (measurement.spread < 0) {
    return Refuse(measurement, "has the spread " + std::to_string(measurement.spread));
  }
  return OkStatus();
}

}  // namespace

Status JudgeResult(const storage::Store::TaskHead& task, const search::StudyConfig& study,
                   const search::TaskResult& result) {
  for (const Measurement& measurement : result.measurements) {
    VOXBIT_RETURN_IF_ERROR(JudgeOne(task, measurement));
  }
  const auto has = [&](const std::string& metric) {
    return std::any_of(result.measurements.begin(), result.measurements.end(),
                       [&](const Measurement& one) { return one.metric == metric; });
  };
  const auto needs = [&](const std::string& metric) -> Status {
    VOXBIT_ASSIGN_OR_RETURN(const search::Metric known, search::FindMetric(metric));
    if (known.source != SourceOf(task.kind) || has(metric)) return OkStatus();
    return InvalidArgument(metric + " is missing, which the study needs");
  };
  for (const search::Objective& objective : study.objectives) {
    VOXBIT_RETURN_IF_ERROR(needs(objective.metric));
  }
  for (const search::Constraint& constraint : study.constraints) {
    VOXBIT_RETURN_IF_ERROR(needs(constraint.metric));
  }
  return OkStatus();
}

}  // namespace voxbit::server
