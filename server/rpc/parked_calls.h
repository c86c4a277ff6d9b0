// Sync calls of idle workers, held open until there is work.
#pragma once

#include <grpcpp/grpcpp.h>

#include <list>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"
#include "server/dispatch/dispatcher.h"
#include "server/study/change_signal.h"
#include "storage/store.h"
#include "voxbit/v1/worker_service.pb.h"

namespace voxbit::server {

// Thread-safe. Its thread also puts tasks of expired leases back in the queue. No thread waits for
// any single call.
class ParkedCalls {
 public:
  ParkedCalls(storage::Store& store, Dispatcher& dispatcher, const Clock& clock,
              ChangeSignal& changes);
  // Answers every held call with "idle".
  ~ParkedCalls();

  // Answers the call now or holds it. The reactor finishes exactly once, whatever comes first:
  // work, the end of the wait, the caller's cancellation, or a newer call of the same worker.
  grpc::ServerUnaryReactor* Handle(grpc::CallbackServerContext* context,
                                   const v1::SyncRequest* request, v1::SyncResponse* response);

  // Held calls are answered "idle" at once and new ones are no longer held.
  void Close();

 private:
  class Call;

  // Tries once. True: the call is finished.
  bool TryAnswer(Call& call);
  void FinishIdle(Call& call);
  void Cancel(Call* call);
  void Run(const std::stop_token& stop);

  storage::Store& store_;
  Dispatcher& dispatcher_;
  const Clock& clock_;
  ChangeSignal& changes_;
  Mutex mutex_;
  std::list<Call*> parked_ VOXBIT_GUARDED_BY(mutex_);
  bool closed_ VOXBIT_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace voxbit::server
