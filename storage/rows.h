// Domain objects to rows and back: the only place, with the SQL beside it, that knows columns.
#pragma once

#include <map>
#include <string>

#include "search/domain/study.h"
#include "search/domain/task.h"
#include "search/domain/trial.h"
#include "storage/sqlite/statement.h"
#include "storage/store.h"

namespace voxbit::storage {

// Column lists that the readers below expect, from column 0.
inline constexpr char kStudyColumns[] =
    "id, config, state, phase, message, created_ms, finished_ms, hypervolume_reference, resumed_ms";
inline constexpr char kTrialColumns[] =
    "study_id, number, candidate, digest, origin, state, sequence, measured, finetuned, artifacts, "
    "message, created_ms, finished_ms";
inline constexpr char kTaskColumns[] =
    "id, study_id, trial_number, spec, state, attempt, lease_token, worker, lease_expires_ms, "
    "progress, result, message, created_ms, finished_ms";
inline constexpr char kWorkerColumns[] = "info, session, draining, last_seen_ms";

// DATA_LOSS, reason STORE_CORRUPT, for a row that this program cannot have written.
Result<search::Study> ReadStudy(const Statement& row);
Result<search::Trial> ReadTrial(const Statement& row);
Result<search::Task> ReadTask(const Statement& row);
Result<Store::Worker> ReadWorker(const Statement& row);

// Canonical JSON text.
template <class T>
std::string JsonText(const T& value) {
  return CanonicalJson(Json(ToJson(value)));
}
std::string ArtifactsText(const std::map<std::string, std::string>& artifacts);
// A JSON list of texts, for `IN (SELECT value FROM json_each(?))`.
std::string ListText(const std::vector<std::string>& values);

}  // namespace voxbit::storage
