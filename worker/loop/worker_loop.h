// The worker's side of the conversation with the server (docs/protocol.md).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/status.h"
#include "search/domain/worker.h"
#include "worker/loop/artifact_cache.h"
#include "worker/loop/backoff.h"
#include "worker/loop/coordinator.h"
#include "worker/loop/process_id.h"
#include "worker/loop/task_executor.h"
#include "worker/loop/task_runner.h"

namespace voxbit::worker {

// A state machine: without a session it registers; with one it syncs, and restates each time what
// it has: nothing, a running task, or the outcome of one. While the server is away it goes on
// computing; an outcome is kept until the server has answered for it, over any number of restarts
// and registrations, always under the lease token it was made for.
//
// One thread calls Run, or Step and WaitForTask; the task has a thread of its own.
class WorkerLoop {
 public:
  struct Settings {
    // Between calls while the server is away: short, so that a server that is up for a second has
    // this worker and what it has to hand in.
    Backoff::Settings backoff{Milliseconds(250), Milliseconds(500)};
    Backoff::Settings register_backoff{};  // between registrations that the server soon forgets
    Milliseconds connect_timeout{0};       // for the first registration; 0: for ever
    Milliseconds min_idle_interval{100};   // between two idle calls that were not held open
    Milliseconds finish_grace{2'000};      // a leaving worker lets its task finish for this long,
    Milliseconds stop_budget{10'000};      // then waits this long for it to stop,
    Milliseconds leave_budget{5'000};      // then tries this long to hand in the outcome
    Milliseconds hung_after{600'000};      // a dropped task that runs on for this long has hung
    // The name is taken by a process of which nobody here knows whether it lives: wait for so long
    // for the server to find it silent.
    Milliseconds name_wait{10'000};
    // Take "name-2", "name-3" ... when a living process has the name; false: refuse to work.
    bool may_rename = false;
    std::function<Life(const std::string& instance)> life_of = &LifeOf;
  };

  // The references must outlive the loop.
  WorkerLoop(Coordinator& coordinator, TaskExecutor& executor, const Clock& clock,
             search::WorkerInfo info, ArtifactCache& artifacts, const Settings& settings);

  // Works until `stop` is raised, then leaves in order: OK. UNAVAILABLE: never reached the server
  // within the connect timeout. INVALID_ARGUMENT, FAILED_PRECONDITION (PROTOCOL_MISMATCH,
  // WORKER_NAME_TAKEN: a living process has the name): the server refuses this worker. INTERNAL: a
  // task that was dropped has hung.
  Status Run(const std::stop_token& stop);

  // One turn of the conversation: registers, or syncs once. Returns how long to wait for the next
  // turn; the end of a task cuts the wait short.
  Milliseconds Step(const std::stop_token& stop);
  // Waits until the running task has ended; false after `span`. True at once without a task.
  bool WaitForTask(Milliseconds span);
  // Whether a task runs still. After Run: it cannot be stopped, nor its thread joined.
  bool is_working() const { return lease_.has_value() && !runner_.HasOutcome(); }
  // Hands in or releases what there is and says good-bye. No task is accepted any more.
  void Leave();

 private:
  // The task that the runner has.
  struct Lease {
    int64_t task_id = 0;
    std::string token;
    bool dropped = false;  // nobody wants the outcome any more
    int64_t dropped_ms = 0;
  };

  void Drop();
  bool HasHung() const;
  Milliseconds RegisterStep();
  Milliseconds OnNameTaken(const std::string& holder);
  Milliseconds SyncStep(const std::stop_token& stop);
  void CollectOutcome();
  Milliseconds OnReply(const search::SyncReply& reply, int64_t asked_ms);
  Milliseconds OnSessionUnknown(const search::SyncReply& reply);
  bool OnVerdict(const search::SyncReply& reply);
  Milliseconds OnBusyReply(const search::SyncReply& reply);
  Milliseconds OnIdleReply(const search::SyncReply& reply, int64_t asked_ms);
  Milliseconds OnSyncError(const Status& status, const std::stop_token& stop);
  void Begin(const search::SyncReply& reply);
  void ReplaceRefusedOutcome(const Status& status);
  void FinishOrRelease();
  Milliseconds NoteAway(const Status& status);
  void NoteBack();
  Milliseconds BusyInterval(const search::SyncReply& reply) const;
  void Wake();
  void WaitForWake(Milliseconds span);

  Coordinator& coordinator_;
  const Clock& clock_;
  search::WorkerInfo info_;
  const std::string given_name_;
  const Settings settings_;

  std::string session_;  // "" when not registered
  Milliseconds sync_interval_{0};
  std::optional<Lease> lease_;
  std::optional<search::FinishedTask> finished_;
  Status refused_;                              // why the server does not want this worker
  std::string replaces_;                        // the ended process whose name this one has
  std::optional<int64_t> name_taken_since_ms_;  // while it waits for the name
  int64_t registered_ms_ = 0;
  int64_t away_told_ms_ = 0;    // when the log last said that the server is away
  int suffix_ = 1;              // of the name; 1: none
  bool answered_once_ = false;  // by the server
  bool away_ = false;           // the last call did not get through
  bool leaving_ = false;
  Backoff away_backoff_;
  Backoff register_backoff_;

  Mutex mutex_;
  CondVar changed_;
  bool woken_ VOXBIT_GUARDED_BY(mutex_) = false;
  // Last: its thread calls Wake.
  TaskRunner runner_;
};

}  // namespace voxbit::worker
