#include "server/rpc/parked_calls.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/log.h"
#include "proto/convert/convert.h"
#include "proto/rpc/channel.h"
#include "server/rpc/answer.h"

namespace voxbit::server {
namespace {

// The longest time a call is held; below the client's deadline (proto/rpc).
constexpr int64_t kMaxWaitMs = rpc::kIdleWait.count();
// How often back-offs, leases and ends of waits are looked at when nothing else happens.
constexpr Milliseconds kTick{200};

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

bool ParkedCalls::TryAnswer(Call& call) {
  const auto turn = [&]() -> Result<std::optional<v1::SyncResponse>> {
    VOXBIT_ASSIGN_OR_RETURN(const search::SyncRequest request, convert::FromProto(*call.request));
    VOXBIT_ASSIGN_OR_RETURN(const auto reply, dispatcher_.Sync(request));
    if (!reply.has_value()) return std::optional<v1::SyncResponse>();
    return std::optional<v1::SyncResponse>(convert::ToProto(*reply));
  };
  const auto answer =
      AnswerOnce<v1::SyncResponse>(store_, "WorkerService/Sync", *call.request, turn);
  if (!answer.ok()) {
    call.Finish(rpc::ToGrpc(answer.status(), *call.context));
    return true;
  }
  if (!answer->has_value()) return false;
  *call.response = **answer;
  const bool news = call.response->verdict() != v1::VERDICT_NONE;
  call.Finish(grpc::Status::OK);
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

void ParkedCalls::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int64_t seen = changes_.version();
    if (const auto swept = dispatcher_.Sweep(); !swept.ok()) {
      log::Error("lease sweep failed, will be tried again", {{"why", swept.status().ToString()}});
    }
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
