// One thread per study that is not at its end.
#pragma once

#include <map>
#include <thread>

#include "common/mutex.h"
#include "server/study/change_signal.h"
#include "server/study/study_plan.h"
#include "storage/store.h"

namespace voxbit::server {

// Thread-safe. The destructor stops and joins all runners; what they did is on disk.
class StudySupervisor {
 public:
  // The collaborators outlive the supervisor.
  StudySupervisor(storage::Store& store, const Plugins& plugins, ChangeSignal& changes);

  // Starts a runner for every study in the store that is not at its end.
  Status StartAll();
  // Starts a runner for this study if it has none.
  void Start(int64_t study_id);

 private:
  void Run(const std::stop_token& stop, int64_t study_id);

  storage::Store& store_;
  const Plugins& plugins_;
  ChangeSignal& changes_;
  Mutex mutex_;
  std::map<int64_t, std::jthread> runners_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::server
