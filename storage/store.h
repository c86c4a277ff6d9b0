// The results store: every fact that must survive a crash. Verbs of the product, no SQL outside.
//
// Acknowledged means committed: a verb that returns OK has its change on disk (WAL with
// synchronous=FULL). There is one write connection, behind one lock; every write transaction is
// BEGIN IMMEDIATE. Reads use a connection of their own and never block a write.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "search/domain/study.h"
#include "search/domain/task.h"
#include "search/domain/trial.h"
#include "search/domain/worker.h"

namespace voxbit::storage {

// Identity of one mutating call.
struct RequestKey {
  std::string id;           // UUID chosen by the caller
  std::string method;       // "StudyService/CreateStudy"
  std::string body_sha256;  // of the request without its id
};

// How long leases live and how often work is tried again.
struct LeasePolicy {
  Milliseconds lease_duration{60'000};
  // Attempts that ended without the work being at fault: worker lost, transient failure.
  int64_t max_lost_attempts = 20;
  // Attempts in which the work itself failed.
  int64_t max_failed_attempts = 2;
  Milliseconds first_backoff{1'000};  // doubles with each lost or failed attempt
  Milliseconds max_backoff{60'000};
};

struct NewTask {
  search::TaskSpec spec;
};

struct NewTrial {
  search::Candidate candidate;
  std::string digest;
  std::string origin;
  search::Measurements costs;  // what needs no worker
  std::vector<NewTask> tasks;  // the trial is final once all of them are
};

// Above this size the state of an algorithm is a file beside the database, and its row names it.
inline constexpr size_t kLargeStateBytes = size_t{1} << 20;

// The algorithm's state as of the trials told so far.
struct AlgorithmState {
  std::string blob;           // of any size
  int64_t told_sequence = 0;  // trials with a larger sequence are still to be told
};

struct TrialFilter {
  std::vector<search::TrialState> states;  // empty: all
  int64_t after_number = 0;                // keyset paging: trials with a larger number
  int64_t limit = 1'000'000;
};

struct TrialCounts {
  int64_t proposed = 0;
  int64_t succeeded = 0;
  int64_t infeasible = 0;
  int64_t failed = 0;
  int64_t cancelled = 0;

  int64_t Finals() const { return succeeded + infeasible + failed + cancelled; }
};

// What queued tasks ask of the worker that is to do them; "" where any will do.
struct WaitingWork {
  int64_t study_id = 0;
  std::string study;
  search::TaskKind kind = search::TaskKind::kProfile;
  std::string supernet_kind;
  std::string dataset_kind;
  std::string target;
  int64_t since_ms = 0;  // when the oldest of these tasks was made
};

// One attempt at a task, for people who ask why something was repeated.
struct AttemptRow {
  int64_t task_id = 0;
  int64_t attempt = 0;
  std::string worker;
  int64_t started_ms = 0;
  int64_t ended_ms = 0;
  std::string outcome;  // running, done, failed, infeasible, out_of_memory, transient, released,
                        // lost, superseded, cancelled
  std::string message;
};

// Thread-safe.
class Store {
 public:
  struct Options {
    bool allow_network_filesystem = false;  // SQLite's locks are not reliable there
    // How long to wait for a process that has the store: one that was killed may still be ending.
    Milliseconds lock_patience{5'000};
  };

  // Opens or creates `folder`/voxbit.db, takes an exclusive lock on the folder for the life of
  // the object (FAILED_PRECONDITION, reason STORE_IN_USE, when another process has it), migrates
  // the schema (FAILED_PRECONDITION, reason SCHEMA_TOO_NEW, for a database of a later version).
  // PERMISSION_DENIED, reason STORE_READ_ONLY; RESOURCE_EXHAUSTED, reason STORE_DISK_FULL;
  // DATA_LOSS, reason STORE_CORRUPT, for a file that is no Voxbit store; FAILED_PRECONDITION,
  // reasons STORE_ON_NETWORK and STORE_IS_BACKUP. Later, every write is UNAVAILABLE, reason
  // STORE_GONE, while its files are not where they were. A program must ignore SIGXFSZ, so that a
  // file-size limit is an error and not its end.
  static Result<std::unique_ptr<Store>> Open(const std::string& folder, const Clock& clock,
                                             const Options& options);
  static Result<std::unique_ptr<Store>> Open(const std::string& folder, const Clock& clock) {
    return Open(folder, clock, Options{});
  }
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // How many transactions were committed: while it stays, nothing has changed.
  int64_t commits() const;

  // Runs `body` in one write transaction; verbs that it calls join it. An error rolls back all.
  Status Write(const std::function<Status()>& body);

  // Runs `body` at most once for a request: its answer is committed together with its changes,
  // and the same request gets the same answer for 24 hours. An error is not kept, nor is an
  // empty answer (nothing was decided; what was written is committed).
  // INVALID_ARGUMENT, reason REQUEST_ID_REUSED, for another body or method under the same id, and
  // for an id that is no UUID.
  Result<std::optional<std::string>> RunOnce(
      const RequestKey& key, const std::function<Result<std::optional<std::string>>()>& body);

  // ---- studies -------------------------------------------------------------------------------
  // ALREADY_EXISTS for a taken name. A study that failed before its first trial does not take it:
  // it is replaced, and a training that it has finished is there for the new one.
  Result<search::Study> CreateStudy(const search::StudyConfig& config,
                                    const std::string& config_json);
  Result<search::Study> GetStudy(const std::string& name) const;  // NOT_FOUND
  Result<search::Study> GetStudy(int64_t id) const;
  // By id, those above `after_id`.
  Result<std::vector<search::Study>> ListStudies(int64_t after_id, int64_t limit) const;
  // FAILED_PRECONDITION, reason STUDY_NOT_ACTIVE, for a move that search::CanMove forbids; a move
  // to the state that it has is fine and changes nothing. A final state cancels all tasks and
  // trials that are not final (exports stay). Here and below an empty message leaves the old one.
  Result<search::Study> MoveStudy(int64_t id, search::StudyState to, const std::string& message);
  // A failed or stopped study (search::CanRetry) becomes active again: its failed and cancelled
  // tasks are queued, but for exports, with budgets as if they were new; their trials are pending,
  // and the sequences of the others close up. One without trials begins anew, but for a finished
  // training. FAILED_PRECONDITION, reason STUDY_NOT_ACTIVE, for any other study.
  Result<search::Study> RetryStudy(int64_t id);
  // Removes the study, its trials, tasks and algorithm's state, and returns what it was. What equal
  // trainings of other studies share stays with them. Leases on its tasks are superseded. Files of
  // large states are removed by DropStates, or when the store is opened.
  Result<search::Study> DeleteStudy(int64_t id);
  // Removes the files that DeleteStudy left. Outside of Write: what it did is committed.
  Status DropStates(int64_t deleted_study_id);
  Status SetPhase(int64_t id, search::StudyPhase phase, const std::string& message = "");
  // Once for each study: what is there already stays. NOT_FOUND.
  Status SetHypervolumeReference(int64_t id, const std::string& json);

  // ---- trials --------------------------------------------------------------------------------
  // Numbers follow the last one; trials, tasks and the algorithm's state are one transaction.
  // ALREADY_EXISTS, reason CANDIDATE_DUPLICATE, when a digest is in the study already. A trial
  // without tasks that measure it is final (succeeded) at once. FAILED_PRECONDITION, reason
  // STUDY_NOT_ACTIVE, for a final study.
  Result<std::vector<int64_t>> AppendTrials(int64_t study_id, const std::vector<NewTrial>& trials,
                                            const AlgorithmState& state);
  Status SaveAlgorithmState(int64_t study_id, const AlgorithmState& state);
  // DATA_LOSS, reason STORE_CORRUPT, when the file of a large state is gone or damaged.
  Result<std::optional<AlgorithmState>> LoadAlgorithmState(int64_t study_id) const;
  Result<search::Trial> GetTrial(int64_t study_id, int64_t number) const;  // NOT_FOUND
  Result<std::vector<search::Trial>> ListTrials(int64_t study_id, const TrialFilter& filter) const;
  // Final trials with a sequence above `sequence`, in that order.
  Result<std::vector<search::Trial>> TrialsAfter(int64_t study_id, int64_t sequence) const;
  Result<TrialCounts> CountTrials(int64_t study_id) const;

  // ---- tasks ---------------------------------------------------------------------------------
  // `trial_number` 0: of the study. The same spec digest for the same study and trial is the same
  // task: its id is returned and nothing is added. Equal trainings of several studies
  // share one result: one is done at once if another is, and else ends with it.
  // NOT_FOUND for an unknown study or trial; FAILED_PRECONDITION, reason STUDY_NOT_ACTIVE, for a
  // final study (but it takes exports), reason TRIAL_FINAL for a final trial (but it takes finetune
  // and export tasks).
  Result<int64_t> AppendTask(int64_t study_id, int64_t trial_number, const search::TaskSpec& spec);
  // Removes the other tasks that the task's study has of its kind, and of no trial: remains of an
  // earlier try with other settings.
  Status RemoveRivals(int64_t task_id);
  Result<search::Task> GetTask(int64_t id) const;  // NOT_FOUND
  // What a task is, without its JSON.
  struct TaskHead {
    int64_t study_id = 0;
    search::TaskKind kind = search::TaskKind::kProfile;
    std::string target;
  };
  Result<TaskHead> GetTaskHead(int64_t id) const;  // NOT_FOUND
  Result<std::vector<search::Task>> ListTasks(int64_t study_id,
                                              std::optional<search::TaskKind> kind,
                                              std::optional<search::TaskState> state) const;
  Result<std::vector<AttemptRow>> ListAttempts(int64_t task_id) const;
  // What the queued tasks that ClaimTask may hand out (back-off aside) ask for, each demand once,
  // by study.
  Result<std::vector<WaitingWork>> ListWaiting() const;

  // Hands the oldest queued task that `worker` can do: kind, supernet, dataset and target match,
  // its study is active (exports: any study), its back-off has passed, and no equal training
  // is under way. Prefers a task that this
  // worker did not fail last. One UPDATE ... RETURNING raises attempt and lease token.
  Result<std::optional<search::Task>> ClaimTask(const search::WorkerInfo& worker,
                                                const LeasePolicy& policy);
  // Whether ClaimTask has a task for the worker; takes and writes nothing.
  Result<bool> HasTaskFor(const search::WorkerInfo& worker, const LeasePolicy& policy) const;
  // The task that the worker holds a live lease on, if any.
  Result<std::optional<search::Task>> LeasedBy(const std::string& worker) const;
  // Extends the lease and keeps the progress. kSuperseded when the token is not the current one
  // or the task is final; an expired lease that nobody took over is simply taken up again.
  Result<search::Verdict> RenewLease(int64_t task_id, const std::string& token,
                                     const Json& progress, const LeasePolicy& policy);
  // Records a result exactly once. kRecorded: counted (also after the lease expired, if nobody
  // took over); kDuplicate: this attempt's result was recorded before; kSuperseded: kept with the
  // attempt as evidence, not counted. For a trial's task: measurements and artifacts go to the
  // trial, and the last task makes it succeeded and gives it its sequence, all in one
  // transaction. INVALID_ARGUMENT changes nothing: reason RESULT_NON_FINITE, or an unknown metric,
  // the same metric twice, an artifact that is no SHA-256. NOT_FOUND for an unknown task.
  Result<search::Verdict> CompleteTask(int64_t task_id, const std::string& token,
                                       const search::TaskResult& result);
  // As CompleteTask, for an attempt without a result: queues the task again with back-off, or,
  // when the policy's attempts are used up or the failure is final, ends it, and with it its
  // trial (infeasible, failed). Broken data is final for the task; that it is final for the study
  // is for the caller to say. With `has_other`, another living worker may still try: then one
  // worker's failures do not use up the task, and one worker's memory does not decide for all. A
  // candidate is infeasible when three workers had too little memory for it.
  Result<search::Verdict> FailTask(int64_t task_id, const std::string& token,
                                   const search::TaskFailure& failure, const LeasePolicy& policy,
                                   bool has_other = false);
  // Queued tasks that some workers may not claim any more: they ran out of memory, or used up its
  // failures. By id.
  Result<std::vector<search::Task>> ListRefused(const LeasePolicy& policy) const;
  // Ends such a task, and its trial, when nobody is left who may claim it.
  Status GiveUpRefused(int64_t task_id);
  // Queues again every task whose lease has expired; returns them. A lease that was granted before
  // this object opened the store and not renewed since is not charged: its attempt ends as
  // released.
  Result<std::vector<search::Task>> ExpireLeases(const LeasePolicy& policy);
  // After a restart of the server: every live lease gets a full duration from now, and no back-off
  // is longer than the longest one, whatever the clock said when it began.
  Status RefreshLeases(const LeasePolicy& policy);
  // The system's time was set by this much: when workers were last seen and answers kept moves with
  // it. Leases and back-offs need nothing, they are counted by Clock::SteadyMs.
  Status MoveClock(Milliseconds by);
  // Earliest moment at which ExpireLeases or a back-off has something to do.
  Result<std::optional<int64_t>> NextDeadlineMs() const;

  // ---- workers -------------------------------------------------------------------------------
  // A new session replaces the old one of the same name; a lease that the old session holds is
  // treated as lost at once (the process that held it is gone), or, under the same condition as in
  // ExpireLeases, as released. Ends draining.
  Status RegisterWorker(const search::WorkerInfo& worker, const std::string& session,
                        const LeasePolicy& policy);
  struct Worker {
    search::WorkerInfo info;
    std::string session;
    bool draining = false;
    int64_t last_seen_ms = 0;
  };
  Result<Worker> GetWorker(const std::string& name) const;  // NOT_FOUND
  Result<std::vector<Worker>> ListWorkers() const;
  // When workers were last heard of, by name. Names that are not registered are passed over.
  Status NoteSeen(const std::map<std::string, int64_t>& last_seen_ms);
  Status DrainWorker(const std::string& name, bool draining);  // NOT_FOUND

  // Forgets answers of RunOnce that are older than 24 hours.
  Status PurgeRequests();

  // Checks the invariants (docs/protocol.md); one line for each violation found.
  Result<std::vector<std::string>> CheckInvariants() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxbit::storage
