#include "worker/loop/worker_loop.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/log.h"
#include "common/uuid.h"

namespace voxbit::worker {
namespace {

// A worker whose registration is replaced again and again shares its name with another one.
constexpr int64_t kSettledAfterMs = 60'000;

// Between two questions whether a name is free.
constexpr Milliseconds kNamePause{1'000};

// Between two lines of the log about a server that stays away.
constexpr int64_t kTellAwayEveryMs = 60'000;

// Registration would end the same way however often it is tried.
bool IsRefusal(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument ||
         status.code() == StatusCode::kFailedPrecondition;
}

// The process that has this worker's name now goes on; this one must end.
constexpr char kNameTaken[] = "WORKER_NAME_TAKEN";

// The server will never take this outcome: it is wrong, or larger than a message may be (a full
// disk has a reason of its own).
bool RefusesOutcome(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument ||
         (status.code() == StatusCode::kResourceExhausted && status.reason().empty());
}

std::string OutcomeText(const search::FinishedTask& finished) {
  if (finished.result) return "done";
  return std::string(search::Name(finished.failure->kind)) + ": " + finished.failure->message;
}

uint64_t JitterSeed(const search::WorkerInfo& info) {
  return std::hash<std::string>{}(info.name + NewUuid());
}

}  // namespace

WorkerLoop::WorkerLoop(Coordinator& coordinator, TaskExecutor& executor, const Clock& clock,
                       search::WorkerInfo info, ArtifactCache& artifacts, const Settings& settings)
    : coordinator_(coordinator),
      clock_(clock),
      info_(std::move(info)),
      given_name_(info_.name),
      settings_(settings),
      away_backoff_(settings.backoff, JitterSeed(info_)),
      register_backoff_(settings.register_backoff, JitterSeed(info_)),
      runner_(executor, artifacts, [this] { Wake(); }) {}

Status WorkerLoop::Run(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] { Wake(); });
  const int64_t start_ms = clock_.MonotonicMs();
  while (!stop.stop_requested()) {
    Milliseconds wait = Step(stop);
    if (!refused_.ok()) return refused_;
    if (!answered_once_ && settings_.connect_timeout.count() > 0) {
      const Milliseconds left =
          settings_.connect_timeout - Milliseconds(clock_.MonotonicMs() - start_ms);
      if (left.count() <= 0) {
        return Unavailable("no answer from the server within " +
                           std::to_string(settings_.connect_timeout.count()) + " ms");
      }
      wait = std::min(wait, left);
    }
    WaitForWake(wait);
  }
  Leave();
  return OkStatus();
}

Milliseconds WorkerLoop::Step(const std::stop_token& stop) {
  CollectOutcome();
  if (HasHung()) {
    refused_ = Internal("task " + std::to_string(lease_->task_id) +
                        " was asked to stop long ago and runs on");
    return Milliseconds(0);
  }
  return session_.empty() ? RegisterStep() : SyncStep(stop);
}

void WorkerLoop::Drop() {
  lease_->dropped = true;
  lease_->dropped_ms = clock_.MonotonicMs();
}

bool WorkerLoop::HasHung() const {
  return lease_ && lease_->dropped &&
         clock_.MonotonicMs() - lease_->dropped_ms >= settings_.hung_after.count();
}

Milliseconds WorkerLoop::RegisterStep() {
  const Result<search::RegisterReply> reply = coordinator_.Register(info_, replaces_);
  if (!reply.ok()) {
    if (IsRefusal(reply.status())) {
      refused_ = reply.status().Annotate("the server refuses worker " + info_.name);
      return Milliseconds(0);
    }
    return NoteAway(reply.status());
  }
  NoteBack();
  answered_once_ = true;
  if (reply->taken_by.has_value()) return OnNameTaken(*reply->taken_by);
  name_taken_since_ms_.reset();
  session_ = reply->session;
  sync_interval_ = reply->sync_interval;
  registered_ms_ = clock_.MonotonicMs();
  log::Info("registered", {{"worker", info_.name}, {"session", session_}});
  return Milliseconds(0);
}

Milliseconds WorkerLoop::OnNameTaken(const std::string& holder) {
  const Life life = settings_.life_of(holder);
  if (life == Life::kEnded && replaces_ != holder) {
    replaces_ = holder;
    return Milliseconds(0);
  }
  const int64_t now_ms = clock_.MonotonicMs();
  if (!name_taken_since_ms_.has_value()) {
    name_taken_since_ms_ = now_ms;
    log::Info("another process works under this name", {{"worker", info_.name}});
  }
  const bool waits =
      life != Life::kAlive && now_ms - *name_taken_since_ms_ < settings_.name_wait.count();
  if (waits) return kNamePause;
  if (!settings_.may_rename) {
    refused_ = FailedPrecondition("another worker works as \"" + info_.name +
                                      "\"; give this one a name of its own with --name, or stop "
                                      "the other one first",
                                  kNameTaken);
    return Milliseconds(0);
  }
  info_.name = given_name_ + "-" + std::to_string(++suffix_);
  replaces_.clear();
  name_taken_since_ms_.reset();
  log::Info("taking another name", {{"worker", info_.name}});
  return Milliseconds(0);
}

Milliseconds WorkerLoop::SyncStep(const std::stop_token& stop) {
  search::SyncRequest request{.worker = info_.name,
                              .session = session_,
                              .draining = leaving_,
                              .running = std::nullopt,
                              .finished = finished_};
  // A dropped task is named until it has ended, so that the server does not hand out another.
  if (lease_ && !finished_) {
    request.running = search::RunningTask{lease_->task_id, lease_->token, runner_.progress()};
  }
  const int64_t asked_ms = clock_.MonotonicMs();
  const Result<search::SyncReply> reply = coordinator_.Sync(request, stop);
  if (!reply.ok()) return OnSyncError(reply.status(), stop);
  NoteBack();
  return OnReply(*reply, asked_ms);
}

Milliseconds WorkerLoop::OnSyncError(const Status& status, const std::stop_token& stop) {
  if (stop.stop_requested()) return Milliseconds(0);
  if (status.reason() == kNameTaken) {
    refused_ = status.Annotate("the server refuses worker " + info_.name);
    return Milliseconds(0);
  }
  if (finished_ && RefusesOutcome(status)) {
    ReplaceRefusedOutcome(status);
    return Milliseconds(0);
  }
  return NoteAway(status);
}

void WorkerLoop::ReplaceRefusedOutcome(const Status& status) {
  log::Error("the server refuses an outcome",
             {{"task", finished_->task_id}, {"why", status.ToString()}});
  if (finished_->result) {
    finished_->result.reset();
    const bool non_finite = status.reason() == "RESULT_NON_FINITE";
    finished_->failure = search::TaskFailure{
        non_finite ? search::FailureKind::kInfeasible : search::FailureKind::kFailed,
        "the server refuses the result: " + status.message()};
    return;
  }
  finished_.reset();
}

void WorkerLoop::CollectOutcome() {
  if (!lease_) return;
  std::optional<Result<search::TaskResult>> outcome = runner_.TakeOutcome();
  if (!outcome) return;
  const Lease lease = *std::exchange(lease_, std::nullopt);
  if (lease.dropped) {
    log::Info("task dropped", {{"task", lease.task_id}});
    return;
  }
  search::FinishedTask& finished = finished_.emplace();
  finished.task_id = lease.task_id;
  finished.lease_token = lease.token;
  if (outcome->ok()) {
    finished.result = **std::move(outcome);
  } else {
    finished.failure = ToFailure(outcome->status(), leaving_);
  }
  log::Info("task ended", {{"task", lease.task_id}, {"outcome", OutcomeText(finished)}});
}

Milliseconds WorkerLoop::OnReply(const search::SyncReply& reply, int64_t asked_ms) {
  const bool unanswered = finished_ && !OnVerdict(reply);
  if (reply.desired == search::Desired::kRegister) return OnSessionUnknown(reply);
  if (unanswered) return away_backoff_.Next();
  away_backoff_.Reset();
  return lease_ ? OnBusyReply(reply) : OnIdleReply(reply, asked_ms);
}

Milliseconds WorkerLoop::OnSessionUnknown(const search::SyncReply& reply) {
  session_.clear();
  const bool settled = clock_.MonotonicMs() - registered_ms_ >= kSettledAfterMs;
  if (settled) register_backoff_.Reset();
  log::Warning(settled ? "the server does not know this session; registering again"
                       : "the server does not know this session; is there another worker of this "
                         "name? Registering again",
               {{"worker", info_.name}, {"why", reply.reason}});
  return settled ? Milliseconds(0) : register_backoff_.Next();
}

// True when the server has answered for the outcome, one way or the other.
bool WorkerLoop::OnVerdict(const search::SyncReply& reply) {
  const nlohmann::json fields = {{"task", finished_->task_id},
                                 {"verdict", search::Name(reply.verdict)},
                                 {"why", reply.reason}};
  switch (reply.verdict) {
    case search::Verdict::kRecorded:
      log::Info("outcome recorded", fields);
      break;
    case search::Verdict::kDuplicate:
      log::Info("outcome was recorded before", fields);
      break;
    case search::Verdict::kSuperseded:
      log::Warning("outcome came too late", fields);
      break;
    case search::Verdict::kNone:
      if (reply.desired == search::Desired::kCancel) break;
      if (reply.desired == search::Desired::kRegister) return false;
      log::Warning("the server said nothing of the outcome; handing it in again", fields);
      return false;
  }
  finished_.reset();
  return true;
}

Milliseconds WorkerLoop::OnBusyReply(const search::SyncReply& reply) {
  const bool same_task = reply.task_id == lease_->task_id && reply.lease_token == lease_->token;
  const bool keep = reply.desired == search::Desired::kKeep ||
                    (reply.desired == search::Desired::kRun && same_task);
  if (!keep && !lease_->dropped) {
    log::Info("task cancelled by the server", {{"task", lease_->task_id}, {"why", reply.reason}});
    Drop();
    runner_.RequestStop();
  }
  return BusyInterval(reply);
}

Milliseconds WorkerLoop::OnIdleReply(const search::SyncReply& reply, int64_t asked_ms) {
  if (reply.desired == search::Desired::kRun) {
    Begin(reply);
    return lease_ ? BusyInterval(reply) : Milliseconds(0);
  }
  // A server that holds idle calls open asks for the next one at once; one that does not must not
  // be asked without a pause.
  const Milliseconds held(clock_.MonotonicMs() - asked_ms);
  return std::max(reply.next_sync, settings_.min_idle_interval - held);
}

void WorkerLoop::Begin(const search::SyncReply& reply) {
  if (leaving_) {
    // The server answered a call that was no longer waited for.
    finished_ = search::FinishedTask{
        reply.task_id, reply.lease_token, std::nullopt,
        search::TaskFailure{search::FailureKind::kReleased, "the worker is leaving"}};
    return;
  }
  log::Info("task started", {{"task", reply.task_id},
                             {"kind", search::Name(reply.spec.kind)},
                             {"attempt", reply.attempt}});
  lease_ = Lease{.task_id = reply.task_id, .token = reply.lease_token};
  runner_.Start(reply.spec);
}

bool WorkerLoop::WaitForTask(Milliseconds span) {
  const int64_t until_ms = clock_.MonotonicMs() + span.count();
  while (lease_ && !runner_.HasOutcome()) {
    const Milliseconds left(until_ms - clock_.MonotonicMs());
    if (left.count() <= 0) return false;
    WaitForWake(left);
  }
  return true;
}

void WorkerLoop::FinishOrRelease() {
  if (!lease_) return;
  WaitForTask(settings_.finish_grace);
  CollectOutcome();
  if (!lease_) return;
  runner_.RequestStop();
  WaitForTask(settings_.stop_budget);
  CollectOutcome();
  if (!lease_ || lease_->dropped) return;
  // It does not stop: let somebody else have it now rather than when the lease runs out.
  Drop();
  finished_ = search::FinishedTask{
      lease_->task_id, lease_->token, std::nullopt,
      search::TaskFailure{search::FailureKind::kReleased, "the worker is leaving"}};
}

void WorkerLoop::Leave() {
  leaving_ = true;
  FinishOrRelease();
  if (session_.empty() && !finished_) return;
  const std::stop_token never;
  const int64_t until_ms = clock_.MonotonicMs() + settings_.leave_budget.count();
  while (true) {
    const Milliseconds wait = Step(never);
    if (!finished_ || !refused_.ok()) break;
    const Milliseconds left(until_ms - clock_.MonotonicMs());
    if (left.count() <= 0) {
      log::Warning("leaving without having handed in an outcome", {{"task", finished_->task_id}});
      break;
    }
    SleepFor(std::min(wait, left), never);
  }
  log::Info("left", {{"worker", info_.name}});
}

Milliseconds WorkerLoop::NoteAway(const Status& status) {
  const int64_t now_ms = clock_.MonotonicMs();
  if (!away_ || now_ms - away_told_ms_ >= kTellAwayEveryMs) {
    log::Warning(answered_once_ ? "the server is away; going on" : "waiting for the server",
                 {{"why", status.ToString()}});
    away_told_ms_ = now_ms;
  }
  away_ = true;
  return away_backoff_.Next();
}

void WorkerLoop::NoteBack() {
  if (!away_) return;
  away_ = false;
  log::Info("the server is back");
}

Milliseconds WorkerLoop::BusyInterval(const search::SyncReply& reply) const {
  return reply.next_sync.count() > 0 ? reply.next_sync : sync_interval_;
}

void WorkerLoop::Wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void WorkerLoop::WaitForWake(Milliseconds span) {
  const int64_t until_ms = clock_.MonotonicMs() + span.count();
  const MutexLock lock(mutex_);
  while (!woken_) {
    const Milliseconds left(until_ms - clock_.MonotonicMs());
    if (left.count() <= 0) break;
    changed_.WaitFor(mutex_, left);
  }
  woken_ = false;
}

}  // namespace voxbit::worker
