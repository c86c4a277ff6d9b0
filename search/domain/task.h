// One unit of work for a worker.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "search/domain/candidate.h"
#include "search/domain/measurement.h"

namespace voxbit::search {

enum class TaskKind { kProfile, kTrainSupernet, kEvaluate, kMeasureLatency, kFinetune, kExport };
enum class TaskState { kQueued, kLeased, kDone, kFailed, kCancelled };

std::string_view Name(TaskKind kind);
std::string_view Name(TaskState state);
Result<TaskKind> ParseTaskKind(std::string_view name);
Result<TaskState> ParseTaskState(std::string_view name);
const std::vector<TaskKind>& AllTaskKinds();

// Everything a worker needs to do the work: the same spec gives the same result.
struct TaskSpec {
  TaskKind kind = TaskKind::kProfile;
  Json supernet = Json::object();  // resolved settings, with "kind"
  Json dataset = Json::object();   // resolved settings, with "kind"
  std::string dataset_digest;      // a worker whose files differ refuses; "": any
  Json settings = Json::object();  // of the task kind: worker/exec says which
  std::string space_digest;        // a worker whose space differs refuses
  Candidate candidate;             // empty for profile and train_supernet
  std::string checkpoint;          // SHA-256 of the supernet's weights, "" if none is needed
  uint64_t seed = 1;
  std::string target;  // hardware that must do it, "" for any
  friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};

// One key for each field; the candidate in its text form. Every field but "kind" has a default.
Json ToJson(const TaskSpec& spec);
Result<TaskSpec> ParseTaskSpec(const Json& json);
// SHA-256 over all fields: of the canonical form of ToJson.
std::string TaskDigest(const TaskSpec& spec);

struct TaskResult {
  std::vector<Measurement> measurements;
  std::map<std::string, std::string> artifacts;  // role -> SHA-256, e.g. "checkpoint"
  Json detail = Json::object();                  // e.g. the profile's workload
  friend bool operator==(const TaskResult&, const TaskResult&) = default;
};

Json ToJson(const TaskResult& result);
// INVALID_ARGUMENT; with reason RESULT_NON_FINITE when a measurement is no finite number.
Result<TaskResult> ParseTaskResult(const Json& json);

// The "kind" of a supernet's or dataset's settings; "" when they have none, which any worker can
// serve.
std::string KindOf(const Json& settings);

// Why an attempt gave no result.
enum class FailureKind {
  kInfeasible,   // the candidate cannot work (non-finite loss): never retried
  kOutOfMemory,  // this worker has too little memory for the candidate: another one is asked
  kTransient,    // the surroundings failed (disk, peer): retried elsewhere
  kFailed,       // the work itself failed: retried once, elsewhere if possible
  kData,         // the study's data is broken: never retried, and the study ends
  kReleased,     // the worker is leaving: queued again at once, no penalty
  kCancelled,    // the server asked for it
};
std::string_view Name(FailureKind kind);
Result<FailureKind> ParseFailureKind(std::string_view name);

struct TaskFailure {
  FailureKind kind = FailureKind::kFailed;
  std::string message;
  friend bool operator==(const TaskFailure&, const TaskFailure&) = default;
};

Json ToJson(const TaskFailure& failure);
Result<TaskFailure> ParseTaskFailure(const Json& json);

struct Task {
  int64_t id = 0;
  int64_t study_id = 0;
  int64_t trial_number = 0;  // 0: of the study as a whole
  TaskSpec spec;
  TaskState state = TaskState::kQueued;
  int64_t attempt = 0;      // how many times it was leased
  std::string lease_token;  // of the last lease; a result must name it
  std::string worker;       // who holds or held it
  int64_t lease_expires_ms = 0;
  Json progress = Json::object();
  std::optional<TaskResult> result;
  std::string message;  // of the last failure
  int64_t created_ms = 0;
  int64_t finished_ms = 0;
};

}  // namespace voxbit::search
