#include "server/rpc/parked_calls.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "common/log.h"
#include "proto/convert/convert.h"
#include "proto/rpc/channel.h"
#include "proto/rpc/status.h"
#include "server/dispatch/unserved.h"

namespace voxbit::server {
namespace {

// The longest time a call is held; below the client's deadline (proto/rpc).
constexpr int64_t kMaxWaitMs = rpc::kIdleWait.count();
// How often back-offs, leases and ends of waits are looked at when nothing else happens.
constexpr Milliseconds kTick{200};
// A pause between two looks that is no busy moment any more.
constexpr Milliseconds kStandstill{1'000};
// A jump of the system's time that is no adjustment any more.
constexpr Milliseconds kClockStep{1'000};
// How often work that nobody serves is looked for.
constexpr Milliseconds kUnservedCheck{10'000};
// How often kept answers that are too old are forgotten.
constexpr Milliseconds kPurge{3'600'000};
// How often it is written down when workers were heard of.
constexpr Milliseconds kSeenWrite{30'000};

void LogError(const char* what, const Status& status) {
  if (!status.ok()) log::Error(what, {{"why", status.ToString()}});
}

}  // namespace

// Whoever takes a call out of `parked_` finishes it, and nobody else: so it is finished once, and
// alive until then.
class ParkedCalls::Call final : public grpc::ServerUnaryReactor {
 public:
  Call(ParkedCalls& parked_calls, grpc::CallbackServerContext* server_context,
       const v1::SyncRequest* sync_request, v1::SyncResponse* sync_response, int64_t hold_until_ms)
      : owner(parked_calls),
        context(server_context),
        request(sync_request),
        response(sync_response),
        deadline_ms(hold_until_ms) {}

  void OnCancel() override { owner.Cancel(this); }
  void OnDone() override { delete this; }

  ParkedCalls& owner;
  grpc::CallbackServerContext* const context;
  const v1::SyncRequest* const request;
  v1::SyncResponse* const response;
  const int64_t deadline_ms;
};

ParkedCalls::ParkedCalls(storage::Store& store, Dispatcher& dispatcher, const Clock& clock,
                         ChangeSignal& changes)
    : store_(store), dispatcher_(dispatcher), clock_(clock), changes_(changes) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

ParkedCalls::~ParkedCalls() {
  thread_.request_stop();
  changes_.Notify();
  thread_.join();
  Close();
}

void ParkedCalls::Close() {
  std::list<Call*> calls;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    calls.swap(parked_);
  }
  for (Call* call : calls) FinishIdle(*call);
}

grpc::ServerUnaryReactor* ParkedCalls::Handle(grpc::CallbackServerContext* context,
                                              const v1::SyncRequest* request,
                                              v1::SyncResponse* response) {
  const int64_t wait_ms = std::clamp<int64_t>(request->wait_ms(), 0, kMaxWaitMs);
  auto* call = new Call(*this, context, request, response, clock_.MonotonicMs() + wait_ms);
  std::list<Call*> superseded;
  {
    MutexLock lock(mutex_);
    for (auto it = parked_.begin(); it != parked_.end();) {
      const auto here = it++;
      if ((*here)->request->worker() == request->worker()) {
        superseded.splice(superseded.end(), parked_, here);
      }
    }
  }
  for (Call* old : superseded) FinishIdle(*old);

  const int64_t seen = changes_.version();
  if (TryAnswer(*call)) return call;
  bool held = false;
  {
    MutexLock lock(mutex_);
    held = !closed_ && wait_ms > 0 && !context->IsCancelled();
    if (held) parked_.push_back(call);
  }
  if (!held) FinishIdle(*call);
  // What changed between the try and the parking must not be slept through.
  if (changes_.version() != seen) changes_.Notify();
  return call;
}

// The answer is not kept: a repeated call restates everything, and is answered anew.
bool ParkedCalls::TryAnswer(Call& call) {
  const auto request = convert::FromProto(*call.request);
  if (!request.ok()) {
    call.Finish(rpc::ToGrpc(request.status(), *call.context));
    return true;
  }
  const auto reply = dispatcher_.Sync(*request);
  if (reply.ok() && !reply->has_value()) return false;
  const bool news = request->finished.has_value();
  if (reply.ok()) {
    *call.response = convert::ToProto(**reply);
    call.Finish(grpc::Status::OK);
  } else {
    call.Finish(rpc::ToGrpc(reply.status(), *call.context));
  }
  if (news) changes_.Notify();
  return true;
}

void ParkedCalls::FinishIdle(Call& call) {
  *call.response = convert::ToProto(dispatcher_.IdleReply());
  call.Finish(grpc::Status::OK);
}

void ParkedCalls::Cancel(Call* call) {
  {
    MutexLock lock(mutex_);
    const auto it = std::find(parked_.begin(), parked_.end(), call);
    if (it == parked_.end()) return;  // somebody is about to finish it
    parked_.erase(it);
  }
  call->Finish(grpc::Status::CANCELLED);
}

void ParkedCalls::TellOfUnserved() {
  const auto waiting = store_.ListWaiting();
  const auto workers = dispatcher_.Workers();
  if (!waiting.ok() || !workers.ok()) {
    const Status& why = waiting.ok() ? workers.status() : waiting.status();
    log::Error("work that nobody serves cannot be looked for", {{"why", why.ToString()}});
    return;
  }
  std::set<std::string> now;
  for (const UnservedWork& work : FindUnserved(*waiting, *workers, dispatcher_.Quarantined(),
                                               clock_.NowMs(), dispatcher_.settings())) {
    const std::string key = work.study + "\n" + std::string(Name(work.kind)) + "\n" + work.target;
    now.insert(key);
    if (!told_.contains(key)) log::Warning("study " + work.study + " waits: " + work.why);
  }
  told_ = std::move(now);
}

// The system's time was set: what was noted by it is moved, so that it stays as old as it is.
void ParkedCalls::LookAtClock() {
  const int64_t ahead_ms = clock_.NowMs() - clock_.SteadyMs();
  const Milliseconds by(ahead_ms - wall_ahead_ms_);
  if (std::abs(by.count()) < kClockStep.count()) return;
  if (const Status moved = store_.MoveClock(by); !moved.ok()) {
    log::Error("the system's clock was set, and the store cannot follow",
               {{"by_ms", by.count()}, {"why", moved.ToString()}});
    return;
  }
  log::Warning("the system's clock was set", {{"by_ms", by.count()}});
  wall_ahead_ms_ = ahead_ms;
}

// While this process stood still (stopped, or its disk full) no worker could renew: then every
// lease begins anew instead of being swept. True when a lease or a back-off has ended.
bool ParkedCalls::LookAtLeases() {
  const int64_t now_ms = clock_.MonotonicMs();
  const Milliseconds half = dispatcher_.settings().lease.lease_duration / 2;
  const bool stood_still = now_ms - leases_seen_ms_ > std::max(half, kStandstill).count();
  const bool is_due = due_ms_.has_value() && *due_ms_ <= clock_.SteadyMs();
  Status done;
  if (stood_still) done = dispatcher_.RefreshLeases();
  if (!stood_still && is_due) done = dispatcher_.Sweep().status();
  if (done.ok()) {
    const auto next = store_.NextDeadlineMs();
    done = next.status();
    if (next.ok()) due_ms_ = *next;
  }
  leases_seen_ms_ = done.ok() ? now_ms : 0;
  if (!done.ok()) {
    log::Error("lease sweep failed, will be tried again", {{"why", done.ToString()}});
  }
  return is_due;
}

// Each call of `calls` is answered, held further, or ends because its wait is over.
void ParkedCalls::GoThrough(const std::list<Call*>& calls, bool is_news) {
  for (Call* call : calls) {
    if (is_news && TryAnswer(*call)) continue;
    const std::string worker = call->request->worker();  // a held call may end at any moment
    bool held = false;
    if (clock_.MonotonicMs() < call->deadline_ms && !call->context->IsCancelled()) {
      MutexLock lock(mutex_);
      held = !closed_;
      if (held) parked_.push_back(call);
    }
    if (held) dispatcher_.NoteHeard(worker, false);
    if (!held) FinishIdle(*call);
  }
}

// A span that begins anew whenever it is over.
class ParkedCalls::Every {
 public:
  Every(const Clock& clock, Milliseconds span) : clock_(clock), span_(span) { Begin(); }
  bool IsOver() {
    if (clock_.MonotonicMs() < next_ms_) return false;
    Begin();
    return true;
  }

 private:
  void Begin() { next_ms_ = clock_.MonotonicMs() + span_.count(); }
  const Clock& clock_;
  const Milliseconds span_;
  int64_t next_ms_ = 0;
};

void ParkedCalls::Run(const std::stop_token& stop) {
  leases_seen_ms_ = clock_.MonotonicMs();
  wall_ahead_ms_ = clock_.NowMs() - clock_.SteadyMs();
  Every unserved_check(clock_, kUnservedCheck);
  Every purge(clock_, kPurge);
  Every seen_write(clock_, std::min(kSeenWrite, dispatcher_.settings().lost_after / 2));
  int64_t tried = -1;  // what held calls were tried with
  while (!stop.stop_requested()) {
    const int64_t seen = changes_.version();
    if (unserved_check.IsOver()) {
      TellOfUnserved();
      LogError("refused tasks cannot be given up", dispatcher_.GiveUpRefused());
    }
    if (purge.IsOver()) LogError("old answers cannot be forgotten", store_.PurgeRequests());
    if (seen_write.IsOver()) LogError("workers cannot be noted", dispatcher_.WriteSeen());
    LookAtClock();
    const bool is_due = LookAtLeases();
    const int64_t commits = store_.commits();
    std::list<Call*> calls;
    {
      MutexLock lock(mutex_);
      calls.swap(parked_);
    }
    GoThrough(calls, is_due || commits != tried);
    tried = commits;
    changes_.Wait(seen, kTick, stop);
  }
  LogError("workers cannot be noted", dispatcher_.WriteSeen());
}

}  // namespace voxbit::server
