// Matches tasks to workers and keeps the leases: the server's side of the worker conversation.
// Rules: docs/protocol.md.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/status.h"
#include "search/domain/worker.h"
#include "storage/store.h"

namespace voxbit::server {

struct DispatchSettings {
  storage::LeasePolicy lease;
  // Between two calls of a busy worker: how soon it learns that its task was cancelled.
  Milliseconds heartbeat{1'000};
  // Between two of these calls that are written down: lease, progress, when it was seen.
  Milliseconds sync_interval{10'000};
  // A worker silent for this long is listed as lost; its lease expires on its own.
  Milliseconds lost_after{60'000};
  // Nobody else gets the name of a worker that was heard of within this time: several heartbeats.
  Milliseconds alive_for{5'000};
  // For so long after its start a server that has not heard of a worker yet thinks it alive:
  // workers need up to 5 s to find a server again.
  Milliseconds settle{10'000};

  // An attempt is taken from its worker, who answers still, after this long (0: never), and when
  // its progress has not changed for so long.
  Milliseconds attempt_limit{0};
  Milliseconds stall_limit{7'200'000};

  // The shorter of the two: when a busy worker is to call again.
  Milliseconds BusyInterval() const;
};

// Thread-safe. Everything that must outlive the process is in the store, so a restart changes
// nothing; only who was heard of lately is known here alone.
class Dispatcher {
 public:
  Dispatcher(storage::Store& store, const Clock& clock, DispatchSettings settings);

  // A living process of another instance keeps its name: the reply then has `taken_by` and no
  // session. `replaces` is an instance that the caller knows to have ended. FAILED_PRECONDITION,
  // reason PROTOCOL_MISMATCH; INVALID_ARGUMENT for an incomplete info and for a name or target that
  // CheckName (common/text.h) refuses.
  Result<search::RegisterReply> Register(const search::WorkerInfo& worker,
                                         const std::string& replaces = "");

  // One turn of the conversation. Empty: the worker is idle and there is nothing to do, so the
  // caller may hold the call open and ask again after a change. A worker that says idle although
  // it holds a lease is handed that task again (the answer to it was lost). A result that the
  // store refuses (not finite, unknown metric) counts as a failed attempt. INVALID_ARGUMENT for a
  // request that contradicts itself; FAILED_PRECONDITION, reason WORKER_NAME_TAKEN, when another
  // worker has registered under this name since (a finished task is recorded nevertheless).
  Result<std::optional<search::SyncReply>> Sync(const search::SyncRequest& request);
  // The worker has called with its present session, or its call is still held; one that leaves
  // gives its name up.
  void NoteHeard(const std::string& worker, bool is_leaving);
  // What to answer when the wait is over: idle.
  search::SyncReply IdleReply() const;

  Status Drain(const std::string& worker);
  // Those of the store, last seen when they were last heard of.
  Result<std::vector<storage::Store::Worker>> Workers() const;
  // Writes down when workers were heard of, in one transaction, so that a restarted server knows
  // whom to expect. To be called now and then: idle workers write nothing else.
  Status WriteSeen();
  Result<std::vector<search::WorkerRow>> ListWorkers() const;
  // The same for those who have asked already: `workers` are those of Workers().
  Result<std::vector<search::WorkerRow>> Rows(std::vector<storage::Store::Worker> workers) const;

  // Whether a living worker other than `but` can do the task and has neither failed at it nor had
  // too little memory for it.
  Result<bool> HasOther(const search::Task& task, const std::string& but) const;
  // A worker whose last three attempts failed at tasks that others have done since gets no further
  // one until it registers again.
  bool IsQuarantined(const std::string& worker) const;
  std::set<std::string> Quarantined() const;  // names
  // The configuration of a study, which never changes.
  Result<std::shared_ptr<const search::StudyConfig>> ConfigOf(int64_t study_id);
  // How an attempt of the worker ended: with a result, or failed (other than by the candidate).
  void NoteOutcome(const std::string& worker, int64_t task_id, bool has_failed);

  // Ends queued tasks that nobody who is here may claim any more. To be called now and then.
  Status GiveUpRefused();

  // Puts tasks of expired leases back in the queue. Returns how many; logs each with its reason.
  Result<int64_t> Sweep();
  // At start: every live lease gets a full duration.
  Status RefreshLeases();

  const DispatchSettings& settings() const { return settings_; }

 private:
  // The answer to a worker that goes on with its task, found without writing anything. Empty when
  // something has changed or a sync interval has passed since the lease was renewed.
  std::optional<search::SyncReply> Heartbeat(const search::SyncRequest& request) const;

  // Why the attempt that the worker is at has to end although it goes on; empty: it may. Remembers
  // its progress.
  std::string WhyTooLong(const std::string& worker, const search::RunningTask& running);
  Status EndIfTooLong(const std::string& worker, const search::RunningTask& running);
  // Whether an idle worker gets nothing now, found without writing anything. False also where only
  // a turn can tell.
  bool HasToWait(const search::SyncRequest& request) const;

  // Instance of the living process that has the name of `worker`; empty if that may have it.
  Result<std::optional<std::string>> HolderOfName(const search::WorkerInfo& worker,
                                                  const std::string& replaces) const;
  bool IsAlive(const storage::Store::Worker& worker) const;
  storage::Store& store_;
  const Clock& clock_;
  DispatchSettings settings_;
  const int64_t started_ms_;  // monotonic, as the moments below
  mutable Mutex mutex_;
  struct Heard {
    int64_t at_ms = 0;
    bool has_left = false;
  };
  std::map<std::string, Heard> heard_ VOXBIT_GUARDED_BY(mutex_);  // by name, since the start
  std::map<int64_t, std::shared_ptr<const search::StudyConfig>> configs_ VOXBIT_GUARDED_BY(mutex_);
  // The tasks of its last attempts, by worker, as long as each of them has failed.
  std::map<std::string, std::deque<int64_t>> failed_ VOXBIT_GUARDED_BY(mutex_);
  // What a worker is at, as this process has seen it.
  struct Watch {
    std::string lease_token;
    Json progress = Json::object();
    int64_t began_ms = 0;
    int64_t changed_ms = 0;  // the progress
  };
  std::map<std::string, Watch> watches_ VOXBIT_GUARDED_BY(mutex_);  // by worker
  int64_t written_ms_ VOXBIT_GUARDED_BY(mutex_) = 0;                // by WriteSeen
};

}  // namespace voxbit::server
