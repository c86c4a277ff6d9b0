// Studies that are tried again, and studies that go.
#include <filesystem>
#include <string>
#include <vector>

#include "storage/rows.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

using search::Study;

using Ids = std::vector<int64_t>;

// Queues a failed or cancelled task as if it were new. Its attempts stay; what they took from the
// budgets is given back.
Status QueueAgain(Database& database, int64_t task_id) {
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "UPDATE attempts SET outcome = 'released', message = 'forgiven when the study was tried "
      "again; was ' || outcome || ': ' || message WHERE task_id = ? AND "
      "outcome IN ('failed', 'out_of_memory', 'transient', 'lost', 'superseded')",
      task_id));
  return database.Run(
      "UPDATE tasks SET state = 'queued', message = '', finished_ms = 0, not_before_ms = 0, "
      "avoid_worker = '', lost_attempts = 0, failed_attempts = 0, progress = '{}' WHERE id = ?",
      task_id);
}

// A training that another study has finished meanwhile is done.
Status TakeSharedTrainings(Database& database, int64_t study_id, int64_t now_ms) {
  return database.Run(
      "UPDATE tasks SET state = 'done', finished_ms = ?1, result = (SELECT o.result FROM tasks o "
      "WHERE o.kind = 'train_supernet' AND o.state = 'done' AND o.spec_digest = tasks.spec_digest "
      "ORDER BY o.id LIMIT 1) WHERE study_id = ?2 AND kind = 'train_supernet' AND "
      "state = 'queued' AND EXISTS (SELECT 1 FROM tasks o WHERE o.kind = 'train_supernet' AND "
      "o.state = 'done' AND o.spec_digest = tasks.spec_digest)",
      now_ms, study_id);
}

// Gives the final trials the sequences 1, 2, 3 ... in their order.
Status CloseSequences(Database& database, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(
      const Ids numbers,
      ReadAll(database.Prepare("SELECT number FROM trials WHERE study_id = ? AND "
                               "sequence IS NOT NULL ORDER BY sequence",
                               study_id),
              &ReadId));
  int64_t sequence = 0;
  for (const int64_t number : numbers) {
    // Never above the one before, so that no two trials have the same one in between.
    VOXBIT_RETURN_IF_ERROR(
        database.Run("UPDATE trials SET sequence = ?1 WHERE study_id = ?2 AND number = ?3 AND "
                     "sequence <> ?1",
                     ++sequence, study_id, number));
  }
  return database.Run("UPDATE studies SET last_sequence = ? WHERE id = ?", sequence, study_id);
}

// Trials that gave nothing are pending again, with what of their work is missing.
Status ReopenTrials(Database& database, int64_t study_id, int64_t now_ms) {
  // The algorithm was told of so many that stay.
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "UPDATE algorithm_states SET told_sequence = (SELECT count(*) FROM trials t WHERE "
      "t.study_id = ?1 AND t.sequence <= algorithm_states.told_sequence AND "
      "t.state NOT IN ('failed', 'cancelled')) WHERE study_id = ?1",
      study_id));
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "UPDATE trials SET state = 'pending', sequence = NULL, message = '', finished_ms = 0 "
      "WHERE study_id = ? AND state IN ('failed', 'cancelled')",
      study_id));
  // Those that have their results say why their fine-tuning failed, which is tried again.
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "UPDATE trials SET message = '' WHERE study_id = ?1 AND state = 'succeeded' AND number IN "
      "(SELECT trial_number FROM tasks WHERE study_id = ?1 AND kind = 'finetune' AND "
      "state = 'failed')",
      study_id));
  VOXBIT_RETURN_IF_ERROR(CloseSequences(database, study_id));
  VOXBIT_ASSIGN_OR_RETURN(
      const Ids tasks,
      ReadAll(database.Prepare(
                  "SELECT t.id FROM tasks t LEFT JOIN trials r ON r.study_id = t.study_id AND "
                  "r.number = t.trial_number WHERE t.study_id = ? AND "
                  "t.state IN ('failed', 'cancelled') AND t.kind <> 'export' AND "
                  "(t.trial_number IS NULL OR r.sequence IS NULL OR t.kind = 'finetune') "
                  "ORDER BY t.id",
                  study_id),
              &ReadId));
  for (const int64_t task : tasks) VOXBIT_RETURN_IF_ERROR(QueueAgain(database, task));
  return TakeSharedTrainings(database, study_id, now_ms);
}

// Back to the first step: what the data is may have changed. A finished training serves if it is
// asked for again.
Status BeginAnew(Database& database, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(
      const Ids tasks, ReadAll(database.Prepare("SELECT id FROM tasks WHERE study_id = ? AND NOT "
                                                "(kind = 'train_supernet' AND state = 'done')",
                                                study_id),
                               &ReadId));
  for (const int64_t task : tasks) VOXBIT_RETURN_IF_ERROR(RemoveTask(database, task));
  return database.Run("UPDATE studies SET phase = ? WHERE id = ?",
                      Name(search::StudyPhase::kProfile), study_id);
}

// The first task of another study whose result is this training's, and which has none of its own.
Result<std::optional<search::Task>> FindHeir(Database& database, int64_t task_id) {
  std::string query = "SELECT ";
  query.append(kTaskColumns)
      .append(
          " FROM tasks WHERE kind = 'train_supernet' AND state = 'done' AND id <> ?1 AND "
          "spec_digest = (SELECT spec_digest FROM tasks WHERE id = ?1) AND "
          "result = (SELECT result FROM tasks WHERE id = ?1 AND kind = 'train_supernet') AND "
          "EXISTS (SELECT 1 FROM attempts WHERE task_id = ?1 AND outcome = 'done') AND "
          "NOT EXISTS (SELECT 1 FROM attempts WHERE task_id = tasks.id AND outcome = 'done') "
          "ORDER BY id LIMIT 1");
  return ReadOne(database.Prepare(query, task_id), &ReadTask);
}

Status DeleteTask(Database& database, int64_t task_id) {
  VOXBIT_RETURN_IF_ERROR(database.Run("DELETE FROM attempts WHERE task_id = ?", task_id));
  return database.Run("DELETE FROM tasks WHERE id = ?", task_id);
}

}  // namespace

Status RemoveTask(Database& database, int64_t task_id) {
  VOXBIT_ASSIGN_OR_RETURN(const std::optional<search::Task> heir, FindHeir(database, task_id));
  if (!heir.has_value()) return DeleteTask(database, task_id);
  VOXBIT_RETURN_IF_ERROR(DeleteTask(database, heir->id));
  return database.Run("UPDATE tasks SET study_id = ? WHERE id = ?", heir->study_id, task_id);
}

Status RemoveStudy(Database& database, int64_t study_id) {
  VOXBIT_ASSIGN_OR_RETURN(const Ids trainings,
                          ReadAll(database.Prepare("SELECT id FROM tasks WHERE study_id = ? AND "
                                                   "kind = 'train_supernet'",
                                                   study_id),
                                  &ReadId));
  for (const int64_t task : trainings) VOXBIT_RETURN_IF_ERROR(RemoveTask(database, task));
  for (const char* statement :
       {"DELETE FROM attempts WHERE task_id IN (SELECT id FROM tasks WHERE study_id = ?)",
        "DELETE FROM tasks WHERE study_id = ?", "DELETE FROM trials WHERE study_id = ?",
        "DELETE FROM algorithm_states WHERE study_id = ?", "DELETE FROM studies WHERE id = ?"}) {
    VOXBIT_RETURN_IF_ERROR(database.Run(statement, study_id));
  }
  return OkStatus();
}

Result<Study> Store::RetryStudy(int64_t id) {
  return impl_->WriteFor<Study>([&](Database& database) -> Result<Study> {
    VOXBIT_ASSIGN_OR_RETURN(const Study study, FindStudy(database, id));
    if (!CanRetry(study.state)) {
      return FailedPrecondition("study \"" + study.config.name + "\" is " +
                                    std::string(Name(study.state)) +
                                    "; only one that failed or was stopped can be tried again",
                                "STUDY_NOT_ACTIVE");
    }
    VOXBIT_ASSIGN_OR_RETURN(const int64_t trials,
                            database.Number("SELECT count(*) FROM trials WHERE study_id = ?", id));
    VOXBIT_RETURN_IF_ERROR(trials == 0 ? BeginAnew(database, id)
                                       : ReopenTrials(database, id, impl_->Now()));
    VOXBIT_RETURN_IF_ERROR(
        database.Run("UPDATE studies SET state = ?, message = '', finished_ms = 0, resumed_ms = ? "
                     "WHERE id = ?",
                     Name(search::StudyState::kActive), impl_->Now(), id));
    return FindStudy(database, id);
  });
}

Result<Study> Store::DeleteStudy(int64_t id) {
  return impl_->WriteFor<Study>([&](Database& database) -> Result<Study> {
    VOXBIT_ASSIGN_OR_RETURN(Study study, FindStudy(database, id));
    VOXBIT_RETURN_IF_ERROR(RemoveStudy(database, id));
    return study;
  });
}

Status Store::DropStates(int64_t deleted_study_id) {
  std::error_code error;
  const std::string folder = impl_->StatesFolder(deleted_study_id);
  std::filesystem::remove_all(folder, error);
  return error ? FromErrno(error.value(), folder) : OkStatus();
}

Status Store::RemoveRivals(int64_t task_id) {
  return impl_->Write([&](Database& database) -> Status {
    VOXBIT_ASSIGN_OR_RETURN(
        const Ids rivals,
        ReadAll(database.Prepare(
                    "SELECT o.id FROM tasks o JOIN tasks t ON t.id = ? WHERE o.id <> t.id AND "
                    "o.study_id = t.study_id AND o.kind = t.kind AND o.trial_number IS NULL",
                    task_id),
                &ReadId));
    for (const int64_t rival : rivals) VOXBIT_RETURN_IF_ERROR(RemoveTask(database, rival));
    return OkStatus();
  });
}

}  // namespace voxbit::storage
