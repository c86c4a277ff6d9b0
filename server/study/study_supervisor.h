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
  // may end differently; any other error ends the study as failed. A runner ends with its study, or
  // when that is deleted; a study that is tried again has to be started again.
  void Start(const search::Study& study);
  // Runners that have not ended.
  int64_t num_running() const;

 private:
  // The flags belong to mutex_.
  struct Runner {
    bool is_wanted = true;  // started since its last look; it ends only when it is not
    bool has_ended = false;
    std::jthread thread;
  };

  void Run(const std::stop_token& stop, int64_t study_id, const std::string& name, Runner& runner);
  // Steps the study until it ends or is gone.
  void RunToEnd(const std::stop_token& stop, int64_t study_id, const std::string& name);

  storage::Store& store_;
  const Plugins& plugins_;
  ChangeSignal& changes_;
  mutable Mutex mutex_;
  std::map<int64_t, Runner> runners_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::server
