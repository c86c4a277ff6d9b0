// Leases: renewed, ended by a result or a failure, expired. Rules: docs/protocol.md.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "search/domain/metric.h"
#include "storage/rows.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

using search::FailureKind;
using search::TaskKind;
using search::TrialState;
using search::Verdict;

// So many workers without the memory for a candidate show that it is too large.
constexpr int64_t kTooLargeFor = 3;

// Why an attempt was released by the server and not by its worker.
constexpr char kServerRestarted[] = "the server was restarted";

// What decides about a lease, without the task's JSON.
struct Lease {
  int64_t task_id = 0;
  int64_t study_id = 0;
  int64_t trial_number = 0;
  TaskKind kind = TaskKind::kProfile;
  std::string state;
  std::string token;
  std::string worker;
  int64_t lost_attempts = 0;
  int64_t failed_attempts = 0;
};

Result<Lease> FindLease(Database& database, int64_t task_id) {
  VOXBIT_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare("SELECT study_id, trial_number, kind, state, lease_token, worker, "
                       "lost_attempts, failed_attempts FROM tasks WHERE id = ?",
                       task_id));
  VOXBIT_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NotFound("there is no task " + std::to_string(task_id));
  Lease lease;
  lease.task_id = task_id;
  lease.study_id = row.Int(0);
  lease.trial_number = row.Int(1);
  VOXBIT_ASSIGN_OR_RETURN(lease.kind, search::ParseTaskKind(row.Text(2)));
  lease.state = row.Text(3);
  lease.token = row.Text(4);
  lease.worker = row.Text(5);
  lease.lost_attempts = row.Int(6);
  lease.failed_attempts = row.Int(7);
  return lease;
}

// How the attempt that a token names stands.
enum class Standing {
  kUnknown,     // no attempt has this token
  kRunning,     // it holds the lease
  kLate,        // it lost its lease, but nobody else was given the task
  kReported,    // its worker has ended it already
  kSuperseded,  // taken over, cancelled, or given up
};

struct Attempt {
  Standing standing = Standing::kUnknown;
  std::string outcome;
};

Result<Attempt> FindAttempt(Database& database, const Lease& lease, const std::string& token) {
  VOXBIT_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare(
          "SELECT outcome, message FROM attempts WHERE task_id = ? AND lease_token = ?",
          lease.task_id, token));
  VOXBIT_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return Attempt{};
  Attempt attempt{Standing::kSuperseded, row.Text(0)};
  if (attempt.outcome == "running") {
    attempt.standing = Standing::kRunning;
  } else if (attempt.outcome == "lost" ||
             (attempt.outcome == "released" && row.Text(1) == kServerRestarted)) {
    const bool is_free = lease.state == "queued" && lease.token == token;
    attempt.standing = is_free ? Standing::kLate : Standing::kSuperseded;
  } else if (attempt.outcome != "superseded" && attempt.outcome != "cancelled") {
    attempt.standing = Standing::kReported;
  }
  return attempt;
}

// Takes back the loss of a late attempt, so that it holds the lease again.
Status Resume(Database& database, Lease& lease, const Attempt& attempt) {
  if (attempt.standing != Standing::kLate) return OkStatus();
  if (attempt.outcome == "lost") {
    lease.lost_attempts = std::max<int64_t>(lease.lost_attempts - 1, 0);
  }
  lease.state = "leased";
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE tasks SET state = 'leased', lost_attempts = ?, not_before_ms = 0, "
                   "avoid_worker = '', message = '' WHERE id = ?",
                   lease.lost_attempts, lease.task_id));
  return database.Run(
      "UPDATE attempts SET outcome = 'running', ended_ms = 0, message = '' "
      "WHERE task_id = ? AND lease_token = ?",
      lease.task_id, lease.token);
}

int64_t BackoffMs(const LeasePolicy& policy, int64_t attempts) {
  int64_t span = policy.first_backoff.count();
  const int64_t longest = policy.max_backoff.count();
  for (int64_t i = 1; i < attempts && span < longest; ++i) span *= 2;
  return std::min(span, longest);
}

// Ends a task without a result, and with it its trial if that waits for it. A trial that was to be
// fine-tuned has its results: it only says what became of that.
Status GiveUp(Database& database, const Lease& lease, TrialState trial_state,
              const std::string& message, int64_t now_ms) {
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE tasks SET state = 'failed', message = ?, finished_ms = ?, "
                   "lost_attempts = ?, failed_attempts = ? WHERE id = ?",
                   message, now_ms, lease.lost_attempts, lease.failed_attempts, lease.task_id));
  if (lease.trial_number == 0) return OkStatus();
  if (lease.kind == TaskKind::kFinetune) {
    return database.Run("UPDATE trials SET message = ? WHERE study_id = ? AND number = ?",
                        "fine-tuning failed: " + message, lease.study_id, lease.trial_number);
  }
  if (!IsGating(lease.kind)) return OkStatus();
  return FinishTrial(database, lease.study_id, lease.trial_number, trial_state, message, now_ms);
}

// How many workers ended an attempt at the task so.
Result<int64_t> CountWorkers(Database& database, int64_t task_id, const std::string& outcome) {
  return database.Number(
      "SELECT count(DISTINCT worker) FROM attempts WHERE task_id = ? AND outcome = ?", task_id,
      outcome);
}

// Queues a task again with the counts in `lease`, or gives up when they are used up.
Status Retry(Database& database, const Lease& lease, const std::string& message,
             const LeasePolicy& policy, bool has_other, const Moment& now) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t failed_by, CountWorkers(database, lease.task_id, "failed"));
  const bool has_failed =
      lease.failed_attempts >= policy.max_failed_attempts && (failed_by > 1 || !has_other);
  if (has_failed || lease.lost_attempts >= policy.max_lost_attempts) {
    const std::string why = "given up after " + std::to_string(lease.failed_attempts) +
                            " failed and " + std::to_string(lease.lost_attempts) +
                            " lost attempts; the last: " + message;
    return GiveUp(database, lease, TrialState::kFailed, why, now.wall_ms);
  }
  const int64_t delay = BackoffMs(policy, lease.failed_attempts + lease.lost_attempts);
  return database.Run(
      "UPDATE tasks SET state = 'queued', message = ?, not_before_ms = ?, "
      "avoid_worker = ?, lost_attempts = ?, failed_attempts = ? WHERE id = ?",
      message, now.steady_ms + delay, lease.worker, lease.lost_attempts, lease.failed_attempts,
      lease.task_id);
}

// Keeps what a superseded attempt delivered. The first delivery stays.
Status KeepEvidence(Database& database, const Lease& lease, const std::string& token,
                    const std::string& message, const std::optional<std::string>& result) {
  return database.Run(
      "UPDATE attempts SET result = coalesce(result, ?1), "
      "message = CASE WHEN outcome = 'lost' THEN message || '; ' || ?2 ELSE message END, "
      "outcome = CASE WHEN outcome = 'lost' THEN 'superseded' ELSE outcome END "
      "WHERE task_id = ?3 AND lease_token = ?4",
      result, message, lease.task_id, token);
}

// Adds a result's measurements and artifacts to its trial.
Status RecordInTrial(Database& database, const Lease& lease, const search::TaskResult& result) {
  std::optional<search::Trial> trial;
  VOXBIT_ASSIGN_OR_RETURN(
      trial, ReadOne(database.Prepare(std::string("SELECT ") + kTrialColumns +
                                          " FROM trials WHERE study_id = ? AND number = ?",
                                      lease.study_id, lease.trial_number),
                     &ReadTrial));
  VOXBIT_CHECK(trial.has_value(), "a task's trial is in the store (foreign key)");
  auto& measurements = lease.kind == TaskKind::kFinetune ? trial->finetuned : trial->measured;
  for (const search::Measurement& measurement : result.measurements) {
    measurements.insert_or_assign({measurement.metric, measurement.target}, measurement);
  }
  for (const auto& [role, digest] : result.artifacts) trial->artifacts[role] = digest;
  return database.Run(
      "UPDATE trials SET measured = ?, finetuned = ?, artifacts = ? "
      "WHERE study_id = ? AND number = ?",
      JsonText(trial->measured), JsonText(trial->finetuned), ArtifactsText(trial->artifacts),
      lease.study_id, lease.trial_number);
}

// The result of a training serves every other study that waits for the same.
Status ShareResult(Database& database, const Lease& lease, int64_t now_ms) {
  return database.Run(
      "UPDATE tasks SET state = 'done', message = '', finished_ms = ?1, "
      "result = (SELECT result FROM tasks WHERE id = ?2) "
      "WHERE state = 'queued' AND kind = 'train_supernet' AND "
      "spec_digest = (SELECT spec_digest FROM tasks WHERE id = ?2)",
      now_ms, lease.task_id);
}

Status RecordResult(Database& database, const Lease& lease, const search::TaskResult& result,
                    int64_t now_ms) {
  VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "done", "", now_ms));
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE tasks SET state = 'done', result = ?, message = '', finished_ms = ? "
                   "WHERE id = ?",
                   JsonText(result), now_ms, lease.task_id));
  if (lease.kind == TaskKind::kTrainSupernet) {
    VOXBIT_RETURN_IF_ERROR(ShareResult(database, lease, now_ms));
  }
  if (lease.trial_number == 0 || lease.kind == TaskKind::kExport) return OkStatus();
  VOXBIT_RETURN_IF_ERROR(RecordInTrial(database, lease, result));
  if (!IsGating(lease.kind)) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(
      const int64_t waiting,
      database.Number(std::string("SELECT count(*) FROM tasks WHERE study_id = ? AND "
                                  "ifnull(trial_number, 0) = ? AND state <> 'done' AND kind IN ") +
                          kGatingKinds,
                      lease.study_id, lease.trial_number));
  if (waiting > 0) return OkStatus();
  return FinishTrial(database, lease.study_id, lease.trial_number, TrialState::kSucceeded, "",
                     now_ms);
}

// The same attempt delivered twice: fine, unless it says something else this time.
Status NoteRepeat(Database& database, const Lease& lease, const std::string& result) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t same,
                          database.Number("SELECT count(*) FROM tasks WHERE id = ? AND result = ?",
                                          lease.task_id, result));
  if (same == 0) {
    log::Warning("an attempt delivered two different results; the first one counts",
                 {{"task", lease.task_id}, {"worker", lease.worker}});
  }
  return OkStatus();
}

// Queues a task again at once and without penalty.
Status Release(Database& database, int64_t task_id, const std::string& message, int64_t now_ms) {
  VOXBIT_RETURN_IF_ERROR(EndAttempt(database, task_id, "released", message, now_ms));
  return database.Run(
      "UPDATE tasks SET state = 'queued', message = ?, not_before_ms = 0 WHERE id = ?", message,
      task_id);
}

std::string TooLarge(int64_t workers, const std::string& message) {
  return "out of memory on " + std::to_string(workers) + (workers == 1 ? " worker" : " workers") +
         "; the last: " + message;
}

// A training says nothing of candidates: it waits for a worker that has the memory, or for this one
// to have it.
Status EndTooLarge(Database& database, Lease& lease, const std::string& why,
                   const LeasePolicy& policy, bool has_other, const Moment& now) {
  if (lease.trial_number == 0) {
    VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "transient", why, now.wall_ms));
    ++lease.lost_attempts;
    return Retry(database, lease, why, policy, has_other, now);
  }
  VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "out_of_memory", why, now.wall_ms));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t workers,
                          CountWorkers(database, lease.task_id, "out_of_memory"));
  if (workers >= kTooLargeFor || !has_other) {
    return GiveUp(database, lease, TrialState::kInfeasible, TooLarge(workers, why), now.wall_ms);
  }
  return database.Run(
      "UPDATE tasks SET state = 'queued', message = ?, not_before_ms = 0 "
      "WHERE id = ?",
      why, lease.task_id);
}

Status EndWithFailure(Database& database, Lease& lease, const search::TaskFailure& failure,
                      const LeasePolicy& policy, bool has_other, const Moment& now) {
  const std::string& why = failure.message;
  switch (failure.kind) {
    case FailureKind::kInfeasible:
      VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "infeasible", why, now.wall_ms));
      return GiveUp(database, lease, TrialState::kInfeasible, why, now.wall_ms);
    case FailureKind::kOutOfMemory:
      return EndTooLarge(database, lease, why, policy, has_other, now);
    case FailureKind::kFailed:
      VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "failed", why, now.wall_ms));
      ++lease.failed_attempts;
      return Retry(database, lease, why, policy, has_other, now);
    case FailureKind::kData:
      VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "failed", why, now.wall_ms));
      ++lease.failed_attempts;
      return GiveUp(database, lease, TrialState::kFailed, why, now.wall_ms);
    case FailureKind::kReleased:
      return Release(database, lease.task_id, why, now.wall_ms);
    case FailureKind::kTransient:
    case FailureKind::kCancelled:  // nobody asked for it: the task is live
      VOXBIT_RETURN_IF_ERROR(EndAttempt(database, lease.task_id, "transient", why, now.wall_ms));
      ++lease.lost_attempts;
      return Retry(database, lease, why, policy, has_other, now);
  }
  return Internal("a failure of no known kind");
}

}  // namespace

Status EndAttempt(Database& database, int64_t task_id, const std::string& outcome,
                  const std::string& message, int64_t now_ms) {
  return database.Run(
      "UPDATE attempts SET outcome = ?, message = ?, ended_ms = ? "
      "WHERE task_id = ? AND outcome = 'running'",
      outcome, message, now_ms, task_id);
}

Status CancelTask(Database& database, int64_t task_id, const std::string& message, int64_t now_ms) {
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE tasks SET state = 'cancelled', message = ?, finished_ms = ? "
                   "WHERE id = ? AND state IN ('queued', 'leased')",
                   message, now_ms, task_id));
  return EndAttempt(database, task_id, "cancelled", message, now_ms);
}

Status LoseLease(Database& database, int64_t task_id, const std::string& message, bool is_inherited,
                 const LeasePolicy& policy, const Moment& now) {
  if (is_inherited) return Release(database, task_id, kServerRestarted, now.wall_ms);
  VOXBIT_ASSIGN_OR_RETURN(Lease lease, FindLease(database, task_id));
  VOXBIT_RETURN_IF_ERROR(EndAttempt(database, task_id, "lost", message, now.wall_ms));
  ++lease.lost_attempts;
  return Retry(database, lease, message, policy, /*has_other=*/false, now);
}

Status CheckMeasurements(const std::vector<search::Measurement>& measurements) {
  for (auto it = measurements.begin(); it != measurements.end(); ++it) {
    VOXBIT_RETURN_IF_ERROR(CheckFinite(*it));
    VOXBIT_RETURN_IF_ERROR(search::FindMetric(it->metric).status());
    for (auto earlier = measurements.begin(); earlier != it; ++earlier) {
      if (earlier->metric == it->metric && earlier->target == it->target) {
        return InvalidArgument("two measurements of " + it->metric + " on \"" + it->target + "\"");
      }
    }
  }
  return OkStatus();
}

Result<Verdict> Store::RenewLease(int64_t task_id, const std::string& token, const Json& progress,
                                  const LeasePolicy& policy) {
  return impl_->WriteFor<Verdict>([&](Database& database) -> Result<Verdict> {
    VOXBIT_ASSIGN_OR_RETURN(Lease lease, FindLease(database, task_id));
    VOXBIT_ASSIGN_OR_RETURN(const Attempt attempt, FindAttempt(database, lease, token));
    if (attempt.standing != Standing::kRunning && attempt.standing != Standing::kLate) {
      return Verdict::kSuperseded;
    }
    VOXBIT_RETURN_IF_ERROR(Resume(database, lease, attempt));
    impl_->TakeOver(token);
    VOXBIT_RETURN_IF_ERROR(database.Run(
        "UPDATE tasks SET lease_expires_ms = ?, progress = ? WHERE id = ?",
        impl_->Steady() + policy.lease_duration.count(), CanonicalJson(progress), task_id));
    return Verdict::kNone;
  });
}

Result<Verdict> Store::CompleteTask(int64_t task_id, const std::string& token,
                                    const search::TaskResult& result) {
  VOXBIT_RETURN_IF_ERROR(CheckMeasurements(result.measurements));
  // What is written must be readable: digests, and objects where objects belong.
  VOXBIT_RETURN_IF_ERROR(search::ParseTaskResult(ToJson(result)).status());
  return impl_->WriteFor<Verdict>([&](Database& database) -> Result<Verdict> {
    VOXBIT_ASSIGN_OR_RETURN(Lease lease, FindLease(database, task_id));
    VOXBIT_ASSIGN_OR_RETURN(const Attempt attempt, FindAttempt(database, lease, token));
    switch (attempt.standing) {
      case Standing::kUnknown:
        return Verdict::kSuperseded;
      case Standing::kReported:
        if (attempt.outcome != "done") return Verdict::kSuperseded;
        VOXBIT_RETURN_IF_ERROR(NoteRepeat(database, lease, JsonText(result)));
        return Verdict::kDuplicate;
      case Standing::kSuperseded:
        VOXBIT_RETURN_IF_ERROR(
            KeepEvidence(database, lease, token, "its result came too late", JsonText(result)));
        return Verdict::kSuperseded;
      case Standing::kRunning:
      case Standing::kLate:
        break;
    }
    VOXBIT_RETURN_IF_ERROR(Resume(database, lease, attempt));
    VOXBIT_RETURN_IF_ERROR(RecordResult(database, lease, result, impl_->Now()));
    return Verdict::kRecorded;
  });
}

Result<Verdict> Store::FailTask(int64_t task_id, const std::string& token,
                                const search::TaskFailure& failure, const LeasePolicy& policy,
                                bool has_other) {
  return impl_->WriteFor<Verdict>([&](Database& database) -> Result<Verdict> {
    VOXBIT_ASSIGN_OR_RETURN(Lease lease, FindLease(database, task_id));
    VOXBIT_ASSIGN_OR_RETURN(const Attempt attempt, FindAttempt(database, lease, token));
    switch (attempt.standing) {
      case Standing::kUnknown:
        return Verdict::kSuperseded;
      case Standing::kReported:
        return attempt.outcome == "done" ? Verdict::kSuperseded : Verdict::kDuplicate;
      case Standing::kSuperseded:
        VOXBIT_RETURN_IF_ERROR(KeepEvidence(database, lease, token,
                                            "ended too late: " + failure.message, std::nullopt));
        return Verdict::kSuperseded;
      case Standing::kRunning:
      case Standing::kLate:
        break;
    }
    VOXBIT_RETURN_IF_ERROR(Resume(database, lease, attempt));
    VOXBIT_RETURN_IF_ERROR(
        EndWithFailure(database, lease, failure, policy, has_other, impl_->Present()));
    return Verdict::kRecorded;
  });
}

Result<std::vector<search::Task>> Store::ListRefused(const LeasePolicy& policy) const {
  return impl_->Read<std::vector<search::Task>>([&](Database& database) {
    return ReadAll(
        database.Prepare(std::string("SELECT ") + kTaskColumns +
                             " FROM tasks WHERE state = 'queued' AND (failed_attempts >= ? OR "
                             "EXISTS (SELECT 1 FROM attempts WHERE task_id = tasks.id AND "
                             "outcome = 'out_of_memory')) ORDER BY id",
                         policy.max_failed_attempts),
        &ReadTask);
  });
}

Status Store::GiveUpRefused(int64_t task_id) {
  return impl_->Write([&](Database& database) -> Status {
    VOXBIT_ASSIGN_OR_RETURN(const search::Task task, FindTask(database, task_id));
    if (task.state != search::TaskState::kQueued) return OkStatus();
    VOXBIT_ASSIGN_OR_RETURN(const Lease lease, FindLease(database, task_id));
    VOXBIT_ASSIGN_OR_RETURN(const int64_t workers,
                            CountWorkers(database, task_id, "out_of_memory"));
    if (workers == 0) {
      return GiveUp(database, lease, TrialState::kFailed,
                    "given up: no other worker is there to try it; the last: " + task.message,
                    impl_->Now());
    }
    return GiveUp(database, lease, TrialState::kInfeasible, TooLarge(workers, task.message),
                  impl_->Now());
  });
}

Result<std::vector<search::Task>> Store::ExpireLeases(const LeasePolicy& policy) {
  return impl_->WriteFor<std::vector<search::Task>>(
      [&](Database& database) -> Result<std::vector<search::Task>> {
        const Moment now = impl_->Present();
        VOXBIT_ASSIGN_OR_RETURN(
            const std::vector<int64_t> expired,
            ReadAll(
                database.Prepare("SELECT id FROM tasks WHERE state = 'leased' AND "
                                 "lease_expires_ms <= ? ORDER BY id",
                                 now.steady_ms),
                +[](const Statement& row) -> Result<int64_t> { return row.Int(0); }));
        std::vector<search::Task> tasks;
        for (const int64_t id : expired) {
          VOXBIT_ASSIGN_OR_RETURN(const search::Task before, FindTask(database, id));
          VOXBIT_RETURN_IF_ERROR(LoseLease(database, id,
                                           "the lease of worker " + before.worker + " expired",
                                           impl_->IsInherited(before.lease_token), policy, now));
          VOXBIT_ASSIGN_OR_RETURN(search::Task after, FindTask(database, id));
          tasks.push_back(std::move(after));
        }
        return tasks;
      });
}

Status Store::RefreshLeases(const LeasePolicy& policy) {
  return impl_->Write([&](Database& database) -> Status {
    const int64_t now_ms = impl_->Steady();
    VOXBIT_RETURN_IF_ERROR(
        database.Run("UPDATE tasks SET lease_expires_ms = ? WHERE state = 'leased'",
                     now_ms + policy.lease_duration.count()));
    const int64_t longest_ms = now_ms + policy.max_backoff.count();
    return database.Run(
        "UPDATE tasks SET not_before_ms = ?1 WHERE state = 'queued' AND not_before_ms > ?1",
        longest_ms);
  });
}

Status Store::MoveClock(Milliseconds by) {
  return impl_->Write([&](Database& database) -> Status {
    VOXBIT_RETURN_IF_ERROR(
        database.Run("UPDATE workers SET last_seen_ms = last_seen_ms + ?", by.count()));
    return database.Run("UPDATE requests SET created_ms = created_ms + ?", by.count());
  });
}

Result<std::optional<int64_t>> Store::NextDeadlineMs() const {
  return impl_->Read<std::optional<int64_t>>(
      [&](Database& database) -> Result<std::optional<int64_t>> {
        VOXBIT_ASSIGN_OR_RETURN(
            Statement row,
            database.Prepare("SELECT min(at) FROM ("
                             "SELECT min(lease_expires_ms) AS at FROM tasks WHERE state = 'leased' "
                             "UNION ALL SELECT min(not_before_ms) FROM tasks "
                             "WHERE state = 'queued' AND not_before_ms > ?)",
                             impl_->Steady()));
        VOXBIT_RETURN_IF_ERROR(row.Step().status());
        return row.IsNull(0) ? std::nullopt : std::optional<int64_t>(row.Int(0));
      });
}

}  // namespace voxbit::storage
