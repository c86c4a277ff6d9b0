#include "server/dispatch/dispatcher.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/log.h"
#include "common/text.h"
#include "common/uuid.h"
#include "server/dispatch/judge.h"

namespace voxbit::server {
namespace {

using search::Desired;
using search::FinishedTask;
using search::RunningTask;
using search::SyncReply;
using search::SyncRequest;
using search::Verdict;

Status CheckInfo(const search::WorkerInfo& worker) {
  if (worker.protocol != search::kProtocolVersion) {
    return FailedPrecondition("worker \"" + worker.name + "\" speaks protocol version " +
                                  std::to_string(worker.protocol) + ", this server version " +
                                  std::to_string(search::kProtocolVersion) +
                                  ": use programs of the same release",
                              "PROTOCOL_MISMATCH");
  }
  VOXBIT_RETURN_IF_ERROR(CheckName("a worker's name", worker.name));
  for (const std::string& target : worker.targets) {
    VOXBIT_RETURN_IF_ERROR(CheckName("a target of worker \"" + worker.name + "\"", target));
  }
  if (worker.device.empty()) {
    return InvalidArgument("worker \"" + worker.name + "\" does not say on which device it works");
  }
  if (worker.task_kinds.empty()) {
    return InvalidArgument("worker \"" + worker.name +
                           "\" does not say which task kinds it serves");
  }
  return OkStatus();
}

Status CheckRequest(const SyncRequest& request) {
  if (request.worker.empty()) return InvalidArgument("a sync needs the worker's name");
  if (request.running.has_value() && request.finished.has_value()) {
    return InvalidArgument("a sync tells of a running or of a finished task, not of both");
  }
  if (request.finished.has_value() &&
      request.finished->result.has_value() == request.finished->failure.has_value()) {
    return InvalidArgument("a finished task has a result or a failure, exactly one of them");
  }
  return OkStatus();
}

// "evaluate spvnas-lidar/12"
std::string Label(const search::Task& task, const std::string& study) {
  std::string label = std::string(Name(task.spec.kind)) + " " + study;
  if (task.trial_number != 0) label += "/" + std::to_string(task.trial_number);
  return label;
}

// So many attempts in a row that only this worker failed at are no accident.
constexpr size_t kQuarantinedAfter = 3;

// So many studies' configurations are kept read.
constexpr size_t kMaxConfigs = 256;

std::string Seconds(Milliseconds span) { return std::to_string(span.count() / 1000) + " s"; }

// A task that the store does not know ends like one that somebody else has taken over.
Result<Verdict> UnknownIsSuperseded(Result<Verdict> verdict) {
  if (!verdict.ok() && verdict.status().code() == StatusCode::kNotFound) {
    return Verdict::kSuperseded;
  }
  return verdict;
}

// One turn of the conversation, inside one transaction of the store.
class Turn {
 public:
  Turn(Dispatcher& dispatcher, storage::Store& store, const SyncRequest& request)
      : dispatcher_(dispatcher),
        store_(store),
        settings_(dispatcher.settings()),
        request_(request) {}

  Result<std::optional<SyncReply>> Take() {
    if (request_.finished.has_value()) {
      VOXBIT_ASSIGN_OR_RETURN(reply_.verdict, Record(*request_.finished));
    }
    VOXBIT_ASSIGN_OR_RETURN(const std::optional<storage::Store::Worker> worker, Identify());
    if (!worker.has_value()) return std::optional(reply_);
    if (request_.draining && !worker->draining) {
      VOXBIT_RETURN_IF_ERROR(store_.DrainWorker(request_.worker, true));
    }
    if (request_.running.has_value()) return Keep(*request_.running);
    if (request_.draining || worker->draining) return Rest();
    return NextTask(worker->info);
  }

  // Not OK: the caller must not go on, whatever the reply says.
  const Status& refusal() const { return refusal_; }

 private:
  // The token alone decides whether a result counts: a result is not lost because its worker has
  // to register again.
  Result<Verdict> Record(const FinishedTask& finished) {
    if (finished.failure.has_value()) return Fail(finished, *finished.failure);
    Result<Verdict> verdict = Complete(finished);
    if (verdict.ok()) dispatcher_.NoteOutcome(request_.worker, finished.task_id, false);
    if (verdict.ok() || verdict.status().code() != StatusCode::kInvalidArgument) return verdict;
    // A result that no store can keep would be offered for ever: the attempt has failed.
    log::Warning("refused a result", {{"task", finished.task_id},
                                      {"worker", request_.worker},
                                      {"reason", verdict.status().message()}});
    return Fail(finished, {search::FailureKind::kFailed,
                           "its result was refused: " + verdict.status().message()});
  }

  Result<Verdict> Complete(const FinishedTask& finished) {
    const auto task = store_.GetTaskHead(finished.task_id);
    if (!task.ok()) return UnknownIsSuperseded(task.status());
    VOXBIT_ASSIGN_OR_RETURN(const auto study, dispatcher_.ConfigOf(task->study_id));
    VOXBIT_RETURN_IF_ERROR(JudgeResult(*task, *study, *finished.result));
    return store_.CompleteTask(finished.task_id, finished.lease_token, *finished.result);
  }

  Result<Verdict> Fail(const FinishedTask& finished, const search::TaskFailure& failure) {
    VOXBIT_ASSIGN_OR_RETURN(const bool has_other, HasOther(finished.task_id, failure.kind));
    Result<Verdict> verdict = UnknownIsSuperseded(store_.FailTask(
        finished.task_id, finished.lease_token, failure, settings_.lease, has_other));
    const bool is_told = verdict.ok() && *verdict == Verdict::kRecorded;
    const bool has_failed = failure.kind == search::FailureKind::kFailed ||
                            failure.kind == search::FailureKind::kTransient;
    if (is_told && has_failed) dispatcher_.NoteOutcome(request_.worker, finished.task_id, true);
    if (is_told && failure.kind == search::FailureKind::kData) {
      VOXBIT_RETURN_IF_ERROR(EndStudy(finished.task_id, failure.message));
    }
    return verdict;
  }

  // Whether it is worth while to ask another worker, which is looked for only if the answer counts.
  Result<bool> HasOther(int64_t task_id, search::FailureKind kind) const {
    if (kind != search::FailureKind::kFailed && kind != search::FailureKind::kOutOfMemory) {
      return false;
    }
    const Result<search::Task> task = store_.GetTask(task_id);
    if (!task.ok()) return false;
    return dispatcher_.HasOther(*task, request_.worker);
  }

  // Every further task would read the same broken data.
  Status EndStudy(int64_t task_id, const std::string& why) {
    VOXBIT_ASSIGN_OR_RETURN(const search::Task task, store_.GetTask(task_id));
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study, store_.GetStudy(task.study_id));
    if (search::IsFinal(study.state)) return OkStatus();  // an export
    log::Error("study failed", {{"study", study.config.name}, {"why", why}});
    return store_.MoveStudy(study.id, search::StudyState::kFailed, why).status();
  }

  // Empty when the worker has to register first, as reply_ says, or is refused. The store keeps
  // sessions: another one means that another process has registered under this name since. Telling
  // the caller to register again would make the two take each other's leases in turn.
  Result<std::optional<storage::Store::Worker>> Identify() {
    Result<storage::Store::Worker> worker = store_.GetWorker(request_.worker);
    if (worker.ok() && worker->session == request_.session) {
      return std::optional(std::move(worker).value());
    }
    if (worker.ok()) {
      refusal_ = FailedPrecondition(
          "another worker is registered as \"" + request_.worker + "\"; start this one with --name",
          "WORKER_NAME_TAKEN");
      return std::optional<storage::Store::Worker>();
    }
    if (worker.status().code() != StatusCode::kNotFound) return worker.status();
    reply_.desired = Desired::kRegister;
    reply_.reason = "no worker \"" + request_.worker + "\" is registered";
    return std::optional<storage::Store::Worker>();
  }

  Result<std::optional<SyncReply>> Keep(const RunningTask& running) {
    VOXBIT_ASSIGN_OR_RETURN(const Verdict verdict, UnknownIsSuperseded(store_.RenewLease(
                                                       running.task_id, running.lease_token,
                                                       running.progress, settings_.lease)));
    reply_.task_id = running.task_id;
    reply_.lease_token = running.lease_token;
    if (verdict == Verdict::kSuperseded) {
      reply_.desired = Desired::kCancel;
      VOXBIT_ASSIGN_OR_RETURN(reply_.reason, WhyCancelled(running.task_id));
      return std::optional(reply_);
    }
    reply_.desired = Desired::kKeep;
    reply_.lease_duration = settings_.lease.lease_duration;
    reply_.next_sync = settings_.BusyInterval();
    return std::optional(reply_);
  }

  Result<std::string> WhyCancelled(int64_t task_id) const {
    const Result<search::Task> task = store_.GetTask(task_id);
    if (!task.ok()) {
      if (task.status().code() != StatusCode::kNotFound) return task.status();
      return std::string("the server does not know this task");
    }
    switch (task->state) {
      case search::TaskState::kQueued:
        return std::string("this attempt has ended already");
      case search::TaskState::kLeased:
        return "the lease expired and worker " + task->worker + " took the task over (attempt " +
               std::to_string(task->attempt) + ")";
      case search::TaskState::kDone:
        return std::string("the task is done already");
      case search::TaskState::kFailed:
        return "the task has failed: " + task->message;
      case search::TaskState::kCancelled:
        return "the task was cancelled: " + task->message;
    }
    return std::string();
  }

  // A worker that gets nothing more. A task that was handed to it in an answer that it never saw
  // goes back to the queue at once.
  Result<std::optional<SyncReply>> Rest() {
    VOXBIT_ASSIGN_OR_RETURN(const std::optional<search::Task> held,
                            store_.LeasedBy(request_.worker));
    if (held.has_value()) {
      VOXBIT_RETURN_IF_ERROR(
          store_
              .FailTask(held->id, held->lease_token,
                        {search::FailureKind::kReleased, "the worker is leaving"}, settings_.lease)
              .status());
    }
    reply_.desired = Desired::kIdle;
    reply_.next_sync = settings_.sync_interval;
    reply_.reason = "draining";
    return std::optional(reply_);
  }

  Result<std::optional<SyncReply>> NextTask(const search::WorkerInfo& info) {
    VOXBIT_ASSIGN_OR_RETURN(std::optional<search::Task> task, store_.LeasedBy(request_.worker));
    if (task.has_value()) {
      // The answer that handed it out was lost; the lease counts from now.
      VOXBIT_RETURN_IF_ERROR(
          store_.RenewLease(task->id, task->lease_token, task->progress, settings_.lease).status());
    } else if (!dispatcher_.IsQuarantined(info.name)) {
      VOXBIT_ASSIGN_OR_RETURN(task, store_.ClaimTask(info, settings_.lease));
    }
    if (!task.has_value()) {
      // The verdict must not wait for work to come.
      if (reply_.verdict != Verdict::kNone) return std::optional(reply_);
      return std::optional<SyncReply>();
    }
    reply_.desired = Desired::kRun;
    reply_.task_id = task->id;
    reply_.lease_token = task->lease_token;
    reply_.attempt = task->attempt;
    reply_.spec = std::move(task->spec);
    reply_.lease_duration = settings_.lease.lease_duration;
    reply_.next_sync = settings_.BusyInterval();
    return std::optional(reply_);
  }

  Dispatcher& dispatcher_;
  storage::Store& store_;
  const DispatchSettings& settings_;
  const SyncRequest& request_;
  SyncReply reply_;
  Status refusal_;
};

}  // namespace

Milliseconds DispatchSettings::BusyInterval() const { return std::min(heartbeat, sync_interval); }

Dispatcher::Dispatcher(storage::Store& store, const Clock& clock, DispatchSettings settings)
    : store_(store), clock_(clock), settings_(settings), started_ms_(clock.MonotonicMs()) {}

Result<search::RegisterReply> Dispatcher::Register(const search::WorkerInfo& worker,
                                                   const std::string& replaces) {
  VOXBIT_RETURN_IF_ERROR(CheckInfo(worker));
  search::RegisterReply reply{.session = "",
                              .taken_by = std::nullopt,
                              .sync_interval = settings_.sync_interval,
                              .lease_duration = settings_.lease.lease_duration};
  // One transaction: of two newcomers the second finds the first.
  VOXBIT_RETURN_IF_ERROR(store_.Write([&]() -> Status {
    VOXBIT_ASSIGN_OR_RETURN(reply.taken_by, HolderOfName(worker, replaces));
    if (reply.taken_by.has_value()) return OkStatus();
    reply.session = NewUuid();
    VOXBIT_RETURN_IF_ERROR(store_.RegisterWorker(worker, reply.session, settings_.lease));
    NoteHeard(worker.name, false);
    const MutexLock lock(mutex_);
    failed_.erase(worker.name);
    return OkStatus();
  }));
  if (reply.taken_by.has_value()) {
    log::Info("a worker's name is taken", {{"worker", worker.name}, {"device", worker.device}});
  } else {
    log::Info("worker registered", {{"worker", worker.name}, {"device", worker.device}});
  }
  return reply;
}

Result<std::optional<std::string>> Dispatcher::HolderOfName(const search::WorkerInfo& worker,
                                                            const std::string& replaces) const {
  const std::optional<std::string> nobody;
  if (worker.instance.empty()) return nobody;
  const auto holder = store_.GetWorker(worker.name);
  if (!holder.ok() && holder.status().code() != StatusCode::kNotFound) return holder.status();
  if (!holder.ok()) return nobody;
  const std::string& instance = holder->info.instance;
  if (instance == worker.instance || (!instance.empty() && instance == replaces)) return nobody;
  return IsAlive(*holder) ? std::optional(instance) : nobody;
}

bool Dispatcher::IsAlive(const storage::Store::Worker& worker) const {
  const MutexLock lock(mutex_);
  const int64_t now_ms = clock_.MonotonicMs();
  const auto heard = heard_.find(worker.info.name);
  if (heard == heard_.end()) {
    return now_ms - started_ms_ < settings_.settle.count() &&
           clock_.NowMs() - worker.last_seen_ms <= settings_.lost_after.count();
  }
  // A drained worker calls once in a sync interval.
  const Milliseconds silence =
      settings_.alive_for + (worker.draining ? settings_.sync_interval : Milliseconds(0));
  return !heard->second.has_left && now_ms - heard->second.at_ms <= silence.count();
}

void Dispatcher::NoteHeard(const std::string& worker, bool is_leaving) {
  const MutexLock lock(mutex_);
  heard_[worker] = {clock_.MonotonicMs(), is_leaving};
}

Result<std::optional<SyncReply>> Dispatcher::Sync(const SyncRequest& request) {
  VOXBIT_RETURN_IF_ERROR(CheckRequest(request));
  if (request.running.has_value()) {
    VOXBIT_RETURN_IF_ERROR(EndIfTooLong(request.worker, *request.running));
  }
  std::optional<SyncReply> reply = Heartbeat(request);
  if (reply.has_value()) {
    NoteHeard(request.worker, false);
    return reply;
  }
  if (HasToWait(request)) {
    NoteHeard(request.worker, false);
    return std::optional<SyncReply>();
  }
  Turn turn(*this, store_, request);
  VOXBIT_RETURN_IF_ERROR(store_.Write([&]() -> Status {
    VOXBIT_ASSIGN_OR_RETURN(reply, turn.Take());
    return OkStatus();
  }));
  // Only now: what the worker handed in is recorded even if it is refused.
  if (!turn.refusal().ok()) {
    log::Warning("refused a worker",
                 {{"worker", request.worker}, {"reason", turn.refusal().message()}});
    return turn.refusal();
  }
  const bool is_unknown = reply.has_value() && reply->desired == Desired::kRegister;
  if (!is_unknown) NoteHeard(request.worker, request.draining);
  if (reply.has_value() && reply->desired == Desired::kRun) {
    log::Info("leased", {{"task", reply->task_id},
                         {"kind", std::string(Name(reply->spec.kind))},
                         {"attempt", reply->attempt},
                         {"worker", request.worker}});
  }
  if (reply.has_value() && reply->desired == Desired::kCancel) {
    log::Info("cancelled",
              {{"task", reply->task_id}, {"worker", request.worker}, {"reason", reply->reason}});
  }
  return reply;
}

std::string Dispatcher::WhyTooLong(const std::string& worker, const RunningTask& running) {
  const int64_t now_ms = clock_.MonotonicMs();
  const MutexLock lock(mutex_);
  Watch& watch = watches_[worker];
  if (watch.lease_token != running.lease_token) {
    watch = {running.lease_token, running.progress, now_ms, now_ms};
  }
  if (watch.progress != running.progress) {
    watch.progress = running.progress;
    watch.changed_ms = now_ms;
  }
  const auto exceeds = [&](int64_t since_ms, Milliseconds limit) {
    return limit.count() > 0 && now_ms - since_ms >= limit.count();
  };
  if (exceeds(watch.began_ms, settings_.attempt_limit)) {
    return "it has run for " + Seconds(settings_.attempt_limit) + ", the longest that is allowed";
  }
  if (exceeds(watch.changed_ms, settings_.stall_limit)) {
    return "its progress has stood still for " + Seconds(settings_.stall_limit);
  }
  return "";
}

// The worker learns it from the answer: its lease is gone.
Status Dispatcher::EndIfTooLong(const std::string& worker, const RunningTask& running) {
  const std::string why = WhyTooLong(worker, running);
  if (why.empty()) return OkStatus();
  const Result<Verdict> verdict =
      UnknownIsSuperseded(store_.FailTask(running.task_id, running.lease_token,
                                          {search::FailureKind::kTransient, why}, settings_.lease));
  if (verdict.ok() && *verdict == Verdict::kRecorded) {
    log::Warning("an attempt is ended",
                 {{"task", running.task_id}, {"worker", worker}, {"why", why}});
  }
  return verdict.status();
}

bool Dispatcher::HasToWait(const SyncRequest& request) const {
  if (request.running.has_value() || request.finished.has_value() || request.draining) return false;
  const auto worker = store_.GetWorker(request.worker);
  if (!worker.ok() || worker->session != request.session || worker->draining) return false;
  const auto held = store_.LeasedBy(request.worker);
  if (!held.ok() || held->has_value()) return false;
  if (IsQuarantined(request.worker)) return true;
  const auto has_task = store_.HasTaskFor(worker->info, settings_.lease);
  return has_task.ok() && !*has_task;
}

std::optional<SyncReply> Dispatcher::Heartbeat(const SyncRequest& request) const {
  if (!request.running.has_value() || request.draining) return std::nullopt;
  const auto worker = store_.GetWorker(request.worker);
  if (!worker.ok() || worker->session != request.session) return std::nullopt;
  const auto task = store_.GetTask(request.running->task_id);
  if (!task.ok() || task->state != search::TaskState::kLeased ||
      task->lease_token != request.running->lease_token) {
    return std::nullopt;
  }
  const int64_t renewed_ms = task->lease_expires_ms - settings_.lease.lease_duration.count();
  const int64_t since_ms = clock_.SteadyMs() - renewed_ms;
  if (since_ms < 0 || since_ms >= settings_.sync_interval.count()) return std::nullopt;
  SyncReply reply;
  reply.desired = Desired::kKeep;
  reply.task_id = task->id;
  reply.lease_token = task->lease_token;
  reply.lease_duration = settings_.lease.lease_duration;
  reply.next_sync = settings_.BusyInterval();
  return reply;
}

SyncReply Dispatcher::IdleReply() const { return SyncReply{}; }

Status Dispatcher::Drain(const std::string& worker) { return store_.DrainWorker(worker, true); }

Result<std::vector<storage::Store::Worker>> Dispatcher::Workers() const {
  VOXBIT_ASSIGN_OR_RETURN(std::vector<storage::Store::Worker> workers, store_.ListWorkers());
  const int64_t ahead_ms = clock_.NowMs() - clock_.MonotonicMs();
  const MutexLock lock(mutex_);
  for (storage::Store::Worker& worker : workers) {
    const auto heard = heard_.find(worker.info.name);
    if (heard != heard_.end()) worker.last_seen_ms = heard->second.at_ms + ahead_ms;
  }
  return workers;
}

Status Dispatcher::WriteSeen() {
  const int64_t ahead_ms = clock_.NowMs() - clock_.MonotonicMs();
  std::map<std::string, int64_t> seen_ms;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, heard] : heard_) {
      if (heard.at_ms > written_ms_) seen_ms[name] = heard.at_ms + ahead_ms;
    }
    written_ms_ = clock_.MonotonicMs();
  }
  return seen_ms.empty() ? OkStatus() : store_.NoteSeen(seen_ms);
}

Result<std::vector<search::WorkerRow>> Dispatcher::ListWorkers() const {
  VOXBIT_ASSIGN_OR_RETURN(std::vector<storage::Store::Worker> workers, Workers());
  return Rows(std::move(workers));
}

Result<std::vector<search::WorkerRow>> Dispatcher::Rows(
    std::vector<storage::Store::Worker> workers) const {
  const int64_t now_ms = clock_.NowMs();
  std::map<int64_t, std::string> study_names;
  std::vector<search::WorkerRow> rows;
  for (storage::Store::Worker& worker : workers) {
    search::WorkerRow row;
    VOXBIT_ASSIGN_OR_RETURN(const std::optional<search::Task> task,
                            store_.LeasedBy(worker.info.name));
    if (task.has_value()) {
      std::string& name = study_names[task->study_id];
      if (name.empty()) {
        VOXBIT_ASSIGN_OR_RETURN(const search::Study study, store_.GetStudy(task->study_id));
        name = study.config.name;
      }
      row.task_id = task->id;
      row.task_label = Label(*task, name);
    }
    row.state = task.has_value() ? "busy" : "idle";
    if (IsQuarantined(worker.info.name)) row.state = "quarantined";
    if (worker.draining) row.state = "draining";
    if (now_ms - worker.last_seen_ms > settings_.lost_after.count()) row.state = "lost";
    row.last_seen_ms = worker.last_seen_ms;
    row.info = std::move(worker.info);
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<bool> Dispatcher::HasOther(const search::Task& task, const std::string& but) const {
  VOXBIT_ASSIGN_OR_RETURN(const auto workers, Workers());
  VOXBIT_ASSIGN_OR_RETURN(const auto attempts, store_.ListAttempts(task.id));
  std::set<std::string> tried = {but};
  for (const storage::AttemptRow& attempt : attempts) {
    const bool counts = attempt.outcome == "failed" || attempt.outcome == "out_of_memory";
    if (counts) tried.insert(attempt.worker);
  }
  const int64_t now_ms = clock_.NowMs();
  return std::any_of(workers.begin(), workers.end(), [&](const storage::Store::Worker& worker) {
    return !worker.draining && now_ms - worker.last_seen_ms <= settings_.lost_after.count() &&
           !tried.contains(worker.info.name) && search::CanDo(worker.info, task.spec);
  });
}

Result<std::shared_ptr<const search::StudyConfig>> Dispatcher::ConfigOf(int64_t study_id) {
  {
    const MutexLock lock(mutex_);
    const auto known = configs_.find(study_id);
    if (known != configs_.end()) return known->second;
  }
  VOXBIT_ASSIGN_OR_RETURN(search::Study study, store_.GetStudy(study_id));
  auto config = std::make_shared<const search::StudyConfig>(std::move(study.config));
  const MutexLock lock(mutex_);
  if (configs_.size() >= kMaxConfigs) configs_.clear();
  configs_[study_id] = config;
  return config;
}

void Dispatcher::NoteOutcome(const std::string& worker, int64_t task_id, bool has_failed) {
  const MutexLock lock(mutex_);
  std::deque<int64_t>& tasks = failed_[worker];
  if (!has_failed) tasks.clear();
  if (has_failed) tasks.push_back(task_id);
  if (tasks.size() > kQuarantinedAfter) tasks.pop_front();
}

bool Dispatcher::IsQuarantined(const std::string& worker) const {
  std::deque<int64_t> tasks;
  {
    const MutexLock lock(mutex_);
    const auto failed = failed_.find(worker);
    if (failed == failed_.end() || failed->second.size() < kQuarantinedAfter) return false;
    tasks = failed->second;
  }
  return std::all_of(tasks.begin(), tasks.end(), [&](int64_t id) {
    const Result<search::Task> task = store_.GetTask(id);
    return task.ok() && task->state == search::TaskState::kDone && task->worker != worker;
  });
}

std::set<std::string> Dispatcher::Quarantined() const {
  std::set<std::string> names;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, tasks] : failed_) {
      if (tasks.size() >= kQuarantinedAfter) names.insert(name);
    }
  }
  std::erase_if(names, [this](const std::string& name) { return !IsQuarantined(name); });
  return names;
}

Status Dispatcher::GiveUpRefused() {
  VOXBIT_ASSIGN_OR_RETURN(const auto tasks, store_.ListRefused(settings_.lease));
  if (tasks.empty()) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(const auto rows, ListWorkers());
  const bool is_anybody_here = std::any_of(
      rows.begin(), rows.end(), [](const search::WorkerRow& row) { return row.state != "lost"; });
  if (!is_anybody_here) return OkStatus();
  for (const search::Task& task : tasks) {
    VOXBIT_ASSIGN_OR_RETURN(const bool has_other, HasOther(task, ""));
    if (has_other) continue;
    log::Warning("given up: no other worker may try it", {{"task", task.id}});
    VOXBIT_RETURN_IF_ERROR(store_.GiveUpRefused(task.id));
  }
  return OkStatus();
}

Result<int64_t> Dispatcher::Sweep() {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<search::Task> tasks,
                          store_.ExpireLeases(settings_.lease));
  for (const search::Task& task : tasks) {
    log::Warning(task.state == search::TaskState::kQueued ? "queued again" : "given up",
                 {{"task", task.id},
                  {"kind", std::string(Name(task.spec.kind))},
                  {"attempt", task.attempt},
                  {"worker", task.worker},
                  {"reason", task.message}});
  }
  return static_cast<int64_t>(tasks.size());
}

Status Dispatcher::RefreshLeases() { return store_.RefreshLeases(settings_.lease); }

}  // namespace voxbit::server
