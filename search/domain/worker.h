// Workers as the server sees them, and the one conversation between the two (docs/protocol.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/json.h"
#include "search/domain/task.h"

namespace voxbit::search {

// Version of the conversation below; a server refuses another major version.
inline constexpr int64_t kProtocolVersion = 1;

// What a worker says about itself when it registers.
struct WorkerInfo {
  std::string name;    // unique and stable over restarts, e.g. "host-cpu"
  std::string device;  // "cpu", "cuda:0"
  std::string device_model;
  int64_t threads = 1;
  int64_t memory_bytes = 0;
  std::vector<TaskKind> task_kinds;
  std::vector<std::string> supernets;
  std::vector<std::string> datasets;
  std::vector<std::string> targets;
  std::string version;
  int64_t protocol = kProtocolVersion;
  // Names the process: equal in all that it says, never used again. "" for a program that does not
  // say it; such a one takes its name from whoever has it.
  std::string instance;
  friend bool operator==(const WorkerInfo&, const WorkerInfo&) = default;
};

// One key for each field; every field but "name" has a default.
Json ToJson(const WorkerInfo& info);
Result<WorkerInfo> ParseWorkerInfo(const Json& json);

// Whether the worker serves what the task asks for: its kind, supernet, dataset and target.
bool CanDo(const WorkerInfo& worker, const TaskSpec& spec);

struct RegisterReply {
  std::string session;  // names this registration in every Sync; "": it was not made
  // Instance of the living process that works under this name, if that is why it was not made.
  std::optional<std::string> taken_by;
  Milliseconds sync_interval{0};
  Milliseconds lease_duration{0};
};

// What the worker is doing now. Idle: neither is set.
struct RunningTask {
  int64_t task_id = 0;
  std::string lease_token;
  Json progress = Json::object();  // {"phase": "train", "step": 10, "steps": 300, ...}
};
struct FinishedTask {
  int64_t task_id = 0;
  std::string lease_token;
  std::optional<TaskResult> result;  // exactly one of the two
  std::optional<TaskFailure> failure;
};

struct SyncRequest {
  std::string worker;
  std::string session;
  bool draining = false;  // wants no further task
  std::optional<RunningTask> running;
  std::optional<FinishedTask> finished;
};

// What the worker should be doing.
enum class Desired { kIdle, kKeep, kRun, kCancel, kRegister };
// What became of the finished task that the request carried.
enum class Verdict { kNone, kRecorded, kDuplicate, kSuperseded };

std::string_view Name(Desired desired);
std::string_view Name(Verdict verdict);

struct SyncReply {
  Desired desired = Desired::kIdle;
  Verdict verdict = Verdict::kNone;
  // With kRun.
  int64_t task_id = 0;
  std::string lease_token;
  int64_t attempt = 0;
  TaskSpec spec;
  Milliseconds lease_duration{0};
  // When to call next; 0: at once (an idle call is held open by the server).
  Milliseconds next_sync{0};
  std::string reason;  // with kCancel and kRegister: why
};

// A worker as listed.
struct WorkerRow {
  WorkerInfo info;
  std::string state;  // "idle", "busy", "quarantined", "draining", "lost"
  int64_t task_id = 0;
  std::string task_label;  // "evaluate study/12"
  int64_t last_seen_ms = 0;
};

}  // namespace voxbit::search
