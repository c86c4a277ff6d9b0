// One thread per study that is not at its end.
#pragma once

#include <map>
#include <string>
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
  // Starts a runner for this study if it has none. A step that fails is repeated when another try
  // may end differently; any other error ends the study as failed.
  void Start(const search::Study& study);

 private:
  void Run(const std::stop_token& stop, int64_t study_id, const std::string& name);

  storage::Store& store_;
  const Plugins& plugins_;
  ChangeSignal& changes_;
  Mutex mutex_;
  std::map<int64_t, std::jthread> runners_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::server
