// Sync calls of idle workers, held open until there is work; and what has to be done from time to
// time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <list>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/mutex.h"
#include "server/dispatch/dispatcher.h"
#include "server/study/change_signal.h"
#include "storage/store.h"
#include "voxbit/v1/worker_service.pb.h"

namespace voxbit::server {

// Thread-safe. Its thread also puts tasks of expired leases back in the queue, tells of work that
// no worker serves and forgets old answers. No thread waits for any single call.
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
  class Every;

  // Tries once. True: the call is finished.
  bool TryAnswer(Call& call);
  void FinishIdle(Call& call);
  void Cancel(Call* call);
  void Run(const std::stop_token& stop);
  bool LookAtLeases();
  void GoThrough(const std::list<Call*>& calls, bool is_news);
  void LookAtClock();
  // Logs once for each study, kind and target that no worker serves (any more).
  void TellOfUnserved();

  storage::Store& store_;
  Dispatcher& dispatcher_;
  const Clock& clock_;
  ChangeSignal& changes_;
  Mutex mutex_;
  std::list<Call*> parked_ VOXBIT_GUARDED_BY(mutex_);
  bool closed_ VOXBIT_GUARDED_BY(mutex_) = false;
  int64_t leases_seen_ms_ = 0;     // monotonic; of the thread alone
  std::optional<int64_t> due_ms_;  // steady: when the next lease or back-off ends; likewise
  int64_t wall_ahead_ms_ = 0;      // how far the system's time is from the steady one; likewise
  std::set<std::string> told_;     // what nobody serves; of the thread alone
  std::jthread thread_;
};

}  // namespace voxbit::server
