#include "server/rpc/parked_calls.h"

#include <algorithm>
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
// How often work that nobody serves is looked for.
constexpr Milliseconds kUnservedCheck{10'000};
// How often kept answers that are too old are forgotten.
constexpr Milliseconds kPurge{3'600'000};

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
  const auto unserved = FindUnserved(store_, clock_, dispatcher_.settings());
  if (!unserved.ok()) {
    log::Error("work that nobody serves cannot be looked for",
               {{"why", unserved.status().ToString()}});
    return;
  }
  std::set<std::string> now;
  for (const UnservedWork& work : *unserved) {
    const std::string key = work.study + "\n" + std::string(Name(work.kind)) + "\n" + work.target;
    now.insert(key);
    if (!told_.contains(key)) log::Warning("study " + work.study + " waits: " + work.why);
  }
  told_ = std::move(now);
}

// While this process stood still (suspended, or its disk full) no worker could renew: then every
// lease begins anew instead of being swept.
void ParkedCalls::LookAtLeases() {
  const int64_t now_ms = clock_.NowMs();
  const Milliseconds half = dispatcher_.settings().lease.lease_duration / 2;
  const bool stood_still = now_ms - leases_seen_ms_ > std::max(half, kStandstill).count();
  const Status done = stood_still ? dispatcher_.RefreshLeases() : dispatcher_.Sweep().status();
  leases_seen_ms_ = done.ok() ? now_ms : 0;
  if (!done.ok()) {
    log::Error("lease sweep failed, will be tried again", {{"why", done.ToString()}});
  }
}

void ParkedCalls::Run(const std::stop_token& stop) {
  leases_seen_ms_ = clock_.NowMs();
  int64_t next_look_ms = clock_.MonotonicMs() + kUnservedCheck.count();
  int64_t next_purge_ms = clock_.MonotonicMs() + kPurge.count();
  while (!stop.stop_requested()) {
    const int64_t seen = changes_.version();
    if (clock_.MonotonicMs() >= next_look_ms) {
      next_look_ms = clock_.MonotonicMs() + kUnservedCheck.count();
      TellOfUnserved();
    }
    if (clock_.MonotonicMs() >= next_purge_ms) {
      next_purge_ms = clock_.MonotonicMs() + kPurge.count();
      if (const Status purged = store_.PurgeRequests(); !purged.ok()) {
        log::Error("old answers cannot be forgotten", {{"why", purged.ToString()}});
      }
    }
    LookAtLeases();
    std::list<Call*> calls;
    {
      MutexLock lock(mutex_);
      calls.swap(parked_);
    }
    for (Call* call : calls) {
      if (TryAnswer(*call)) continue;
      bool held = false;
      if (clock_.MonotonicMs() < call->deadline_ms && !call->context->IsCancelled()) {
        MutexLock lock(mutex_);
        held = !closed_;
        if (held) parked_.push_back(call);
      }
      if (!held) FinishIdle(*call);
    }
    changes_.Wait(seen, kTick, stop);
  }
}

}  // namespace voxbit::server
