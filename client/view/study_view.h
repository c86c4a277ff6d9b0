// Studies and workers as rows, fields and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/format/table.h"
#include "common/json.h"
#include "search/domain/worker.h"
#include "voxbit/v1/types.pb.h"

namespace voxbit::client {

// The words of search/domain; "unknown" for a value of a newer server.
std::string StateName(v1::StudyState state);
std::string PhaseName(v1::StudyPhase phase);
std::string StateName(v1::TaskState state);
std::string KindName(v1::TaskKind kind);
bool IsFinal(v1::StudyState state);

// Of the front; empty until there is a reference.
std::optional<double> HypervolumeOf(const v1::StudyProgress& progress);
// Trials a minute; empty while nothing can be said.
std::optional<double> SpeedOf(const v1::StudyProgress& progress);
// Trials with a final state, at most the budget.
int64_t TrialsDone(const v1::StudyProgress& progress);
// Keys of the study's objectives in their order, e.g. "latency_ms[local]"; empty when the
// configuration cannot be read.
std::vector<std::string> ObjectiveKeys(const v1::Study& study);

// What the check of the study's data has found (client/format/data_report.h); empty before it.
Json DataOverview(const v1::Study& study);
// {"name", "state", "phase", "message", "created_ms", "finished_ms", "progress": {...}, "data",
// "config"}.
Json ToJson(const v1::Study& study);
Table StudyTable(const std::vector<v1::Study>& studies, int64_t now_ms);
std::vector<Field> StudyFieldList(const v1::Study& study, int64_t now_ms);
// Tasks under way; no rows where there are none.
Table TaskTable(const v1::StudyProgress& progress);

Json ToJson(const search::WorkerRow& worker);
Table WorkerTable(const std::vector<search::WorkerRow>& workers, int64_t now_ms);

// "step 120/300" of a task's progress; "" where it does not say.
std::string StepText(const Json& progress);

}  // namespace voxbit::client
