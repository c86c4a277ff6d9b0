// Tasks: queued, found, handed out.
#include <utility>

#include "common/uuid.h"
#include "storage/rows.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

using search::Task;
using search::TaskSpec;

const std::string kSelectTask = std::string("SELECT ") + kTaskColumns + " FROM tasks ";

// A trial's number as it is kept: NULL for a task of the study as a whole.
std::optional<int64_t> TrialColumn(int64_t trial_number) {
  return trial_number == 0 ? std::nullopt : std::optional<int64_t>(trial_number);
}

Status CheckTaskAllowed(Database& database, int64_t study_id, int64_t trial_number,
                        const TaskSpec& spec) {
  VOXBIT_ASSIGN_OR_RETURN(const search::Study study, FindStudy(database, study_id));
  if (IsFinal(study.state) && spec.kind != search::TaskKind::kExport) {
    return FailedPrecondition("study \"" + study.config.name + "\" is " +
                                  std::string(Name(study.state)) + ": it takes only exports",
                              "STUDY_NOT_ACTIVE");
  }
  if (trial_number == 0) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare("SELECT sequence IS NULL FROM trials WHERE study_id = ? AND number = ?",
                       study_id, trial_number));
  VOXBIT_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return NotFound("study \"" + study.config.name + "\" has no trial " +
                    std::to_string(trial_number));
  }
  // The algorithm was told of a final trial: what it was told must not change.
  if (row.Int(0) == 0 && IsGating(spec.kind)) {
    return FailedPrecondition("trial " + std::to_string(trial_number) + " of study \"" +
                                  study.config.name +
                                  "\" is final: it takes only finetune and "
                                  "export tasks",
                              "TRIAL_FINAL");
  }
  return OkStatus();
}

// The result of an equal training for any study. It depends on the spec alone, which names the
// content of the data; that of a profile does not, for it finds out what the content is.
Result<std::optional<std::string>> SharedResult(Database& database, const TaskSpec& spec,
                                                const std::string& digest) {
  if (spec.kind != search::TaskKind::kTrainSupernet) return std::optional<std::string>();
  return ReadOne(
      database.Prepare("SELECT result FROM tasks WHERE kind = 'train_supernet' AND "
                       "state = 'done' AND spec_digest = ? ORDER BY id LIMIT 1",
                       digest),
      +[](const Statement& row) -> Result<std::string> { return row.Text(0); });
}

// One statement finds the task, raises its attempt and gives it a new token. Two searches instead
// of one sorted by "failed by this worker": each ends at the first row that fits. Of equal
// trainings one is handed out at a time: its result will serve all. Nobody gets a task again that
// its memory was too small for, or whose failures it has used up.
#define VOXBIT_CLAIMABLE(extra)                                                                 \
  "(SELECT t.id FROM tasks t JOIN studies s ON s.id = t.study_id WHERE t.state = 'queued' "     \
  "AND t.not_before_ms <= ?5 AND (s.state = 'active' OR t.kind = 'export') "                    \
  "AND t.kind IN (SELECT value FROM json_each(?1)) "                                            \
  "AND (t.supernet_kind = '' OR t.supernet_kind IN (SELECT value FROM json_each(?2))) "         \
  "AND (t.dataset_kind = '' OR t.dataset_kind IN (SELECT value FROM json_each(?3))) "           \
  "AND (t.target = '' OR t.target IN (SELECT value FROM json_each(?4))) "                       \
  "AND (t.kind <> 'train_supernet' OR NOT EXISTS (SELECT 1 FROM tasks o WHERE "                 \
  "o.state = 'leased' AND o.kind = 'train_supernet' AND o.spec_digest = t.spec_digest)) " extra \
  " ORDER BY t.id LIMIT 1)"

#define VOXBIT_ENDED(outcomes)                                           \
  "AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.task_id = t.id AND " \
  "a.worker = ?6 AND a.outcome IN (" outcomes "))"

#define VOXBIT_BEST \
  "coalesce(" VOXBIT_CLAIMABLE("AND t.avoid_worker <> ?6 " VOXBIT_ENDED(                     \
      "'out_of_memory', 'failed'")) ", " VOXBIT_CLAIMABLE("AND t.failed_attempts < ?7 "      \
                                                          VOXBIT_ENDED("'out_of_memory'")) ")"

const std::string kClaim =
    std::string(
        "UPDATE tasks SET state = 'leased', attempt = attempt + 1, lease_token = ?8, worker = ?6, "
        "lease_expires_ms = ?9, progress = '{}' WHERE id = " VOXBIT_BEST " RETURNING ") +
    kTaskColumns;

const std::string kHasTask = "SELECT " VOXBIT_BEST " IS NOT NULL";

#undef VOXBIT_BEST
#undef VOXBIT_ENDED
#undef VOXBIT_CLAIMABLE

std::string KindsText(const search::WorkerInfo& worker) {
  std::vector<std::string> kinds;
  kinds.reserve(worker.task_kinds.size());
  for (const search::TaskKind kind : worker.task_kinds) kinds.emplace_back(Name(kind));
  return ListText(kinds);
}

}  // namespace

Result<Task> FindTask(Database& database, int64_t id) {
  VOXBIT_ASSIGN_OR_RETURN(std::optional<Task> task,
                          ReadOne(database.Prepare(kSelectTask + "WHERE id = ?", id), &ReadTask));
  if (!task.has_value()) return NotFound("there is no task " + std::to_string(id));
  return *std::move(task);
}

Result<int64_t> InsertTask(Database& database, int64_t study_id, int64_t trial_number,
                           const TaskSpec& spec, int64_t now_ms) {
  const std::string digest = TaskDigest(spec);
  VOXBIT_ASSIGN_OR_RETURN(const int64_t twin,
                          database.Number("SELECT id FROM tasks WHERE study_id = ? AND "
                                          "ifnull(trial_number, 0) = ? AND spec_digest = ?",
                                          study_id, trial_number, digest));
  if (twin > 0) return twin;
  VOXBIT_ASSIGN_OR_RETURN(const std::optional<std::string> result,
                          SharedResult(database, spec, digest));
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "INSERT INTO tasks (study_id, trial_number, kind, supernet_kind, dataset_kind, target, "
      "spec, spec_digest, state, result, created_ms, finished_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      study_id, TrialColumn(trial_number), Name(spec.kind), search::KindOf(spec.supernet),
      search::KindOf(spec.dataset), spec.target, JsonText(spec), digest, result ? "done" : "queued",
      result, now_ms, result ? now_ms : 0));
  return database.last_insert_id();
}

Result<int64_t> Store::AppendTask(int64_t study_id, int64_t trial_number, const TaskSpec& spec) {
  return impl_->WriteFor<int64_t>([&](Database& database) -> Result<int64_t> {
    VOXBIT_RETURN_IF_ERROR(CheckTaskAllowed(database, study_id, trial_number, spec));
    return InsertTask(database, study_id, trial_number, spec, impl_->Now());
  });
}

Result<Task> Store::GetTask(int64_t id) const {
  return impl_->Read<Task>([&](Database& database) { return FindTask(database, id); });
}

Result<Store::TaskHead> Store::GetTaskHead(int64_t id) const {
  return impl_->Read<TaskHead>([&](Database& database) -> Result<TaskHead> {
    VOXBIT_ASSIGN_OR_RETURN(
        Statement row,
        database.Prepare("SELECT study_id, kind, target FROM tasks WHERE id = ?", id));
    VOXBIT_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return NotFound("there is no task " + std::to_string(id));
    VOXBIT_ASSIGN_OR_RETURN(const search::TaskKind kind, search::ParseTaskKind(row.Text(1)));
    return TaskHead{row.Int(0), kind, row.Text(2)};
  });
}

Result<std::vector<Task>> Store::ListTasks(int64_t study_id, std::optional<search::TaskKind> kind,
                                           std::optional<search::TaskState> state) const {
  return impl_->Read<std::vector<Task>>([&](Database& database) {
    const std::string_view kind_name = kind.has_value() ? Name(*kind) : "";
    const std::string_view state_name = state.has_value() ? Name(*state) : "";
    // A study has a hundred thousand tasks, of which few are leased: the index on states finds
    // those. But most are done; the few of the study as a whole are found by their trial, that is
    // none. A "+" keeps a column out of the choice of an index.
    const bool is_of_study =
        kind == search::TaskKind::kProfile || kind == search::TaskKind::kTrainSupernet;
    const std::string by_trial = is_of_study ? "AND ifnull(trial_number, 0) = 0 AND +" : "AND ";
    const char* by_state = state.has_value() ? "state = ?3 " : "?3 = '' ";
    return ReadAll(
        database.Prepare(kSelectTask + "WHERE study_id = ?1 AND (?2 = '' OR kind = ?2) " +
                             by_trial + by_state + "ORDER BY id",
                         study_id, kind_name, state_name),
        &ReadTask);
  });
}

Result<std::vector<AttemptRow>> Store::ListAttempts(int64_t task_id) const {
  return impl_->Read<std::vector<AttemptRow>>([&](Database& database) {
    return ReadAll(
        database.Prepare("SELECT task_id, attempt, worker, started_ms, ended_ms, outcome, message "
                         "FROM attempts WHERE task_id = ? ORDER BY attempt",
                         task_id),
        +[](const Statement& row) -> Result<AttemptRow> {
          return AttemptRow{row.Int(0), row.Int(1),  row.Text(2), row.Int(3),
                            row.Int(4), row.Text(5), row.Text(6)};
        });
  });
}

Result<std::vector<WaitingWork>> Store::ListWaiting() const {
  return impl_->Read<std::vector<WaitingWork>>([&](Database& database) {
    return ReadAll(
        database.Prepare("SELECT t.study_id, s.name, t.kind, t.supernet_kind, t.dataset_kind, "
                         "t.target, MIN(t.created_ms) FROM tasks t JOIN studies s ON "
                         "s.id = t.study_id WHERE t.state = 'queued' AND "
                         "(s.state = 'active' OR t.kind = 'export') GROUP BY 1, 2, 3, 4, 5, 6 "
                         "ORDER BY 1, 3, 4, 5, 6"),
        +[](const Statement& row) -> Result<WaitingWork> {
          VOXBIT_ASSIGN_OR_RETURN(const search::TaskKind kind, search::ParseTaskKind(row.Text(2)));
          return WaitingWork{row.Int(0),  row.Text(1), kind,      row.Text(3),
                             row.Text(4), row.Text(5), row.Int(6)};
        });
  });
}

Result<std::optional<Task>> Store::ClaimTask(const search::WorkerInfo& worker,
                                             const LeasePolicy& policy) {
  return impl_->WriteFor<std::optional<Task>>(
      [&](Database& database) -> Result<std::optional<Task>> {
        const Moment now = impl_->Present();
        VOXBIT_ASSIGN_OR_RETURN(
            std::optional<Task> task,
            ReadOne(database.Prepare(kClaim, KindsText(worker), ListText(worker.supernets),
                                     ListText(worker.datasets), ListText(worker.targets),
                                     now.steady_ms, worker.name, policy.max_failed_attempts,
                                     NewUuid(), now.steady_ms + policy.lease_duration.count()),
                    &ReadTask));
        if (!task.has_value()) return task;
        VOXBIT_RETURN_IF_ERROR(database.Run(
            "INSERT INTO attempts (task_id, attempt, lease_token, worker, started_ms, outcome) "
            "VALUES (?, ?, ?, ?, ?, 'running')",
            task->id, task->attempt, task->lease_token, worker.name, now.wall_ms));
        VOXBIT_RETURN_IF_ERROR(database.Run(
            "UPDATE trials SET state = 'running' WHERE study_id = ? AND number = ? AND "
            "state = 'pending'",
            task->study_id, task->trial_number));
        return task;
      });
}

Result<bool> Store::HasTaskFor(const search::WorkerInfo& worker, const LeasePolicy& policy) const {
  return impl_->Read<bool>([&](Database& database) -> Result<bool> {
    VOXBIT_ASSIGN_OR_RETURN(
        const int64_t found,
        database.Number(kHasTask, KindsText(worker), ListText(worker.supernets),
                        ListText(worker.datasets), ListText(worker.targets), impl_->Steady(),
                        worker.name, policy.max_failed_attempts));
    return found != 0;
  });
}

Result<std::optional<Task>> Store::LeasedBy(const std::string& worker) const {
  return impl_->Read<std::optional<Task>>([&](Database& database) {
    return ReadOne(database.Prepare(kSelectTask + "WHERE state = 'leased' AND worker = ? AND "
                                                  "lease_expires_ms > ? ORDER BY id LIMIT 1",
                                    worker, impl_->Steady()),
                   &ReadTask);
  });
}

}  // namespace voxbit::storage
