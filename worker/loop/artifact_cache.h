// Local files for the artifacts that tasks read and write: <folder>/<sha256>.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/status.h"
#include "worker/loop/backoff.h"
#include "worker/loop/coordinator.h"
#include "worker/loop/file_lock.h"
#include "worker/loop/task_executor.h"

namespace voxbit::worker {

// Thread-safe, and several workers of one machine may share the folder. A file with its final
// name is complete: it came there by a rename. What is used last is kept longest; what the running
// task fetched or stored is never evicted, even when that exceeds the limit.
class ArtifactCache final : public ArtifactAccess {
 public:
  struct Settings {
    std::string folder;
    int64_t max_bytes = int64_t{20} << 30;
    Backoff::Settings backoff{};  // while the server is away or its disk is full
  };

  // Creates the folder. `coordinator` and `clock` must outlive the cache.
  static Result<std::unique_ptr<ArtifactCache>> Open(const Settings& settings,
                                                     Coordinator& coordinator, const Clock& clock);

  // From now on files are used by a new task, whose waiting ends when `stop` is raised.
  void BeginTask(std::stop_token stop);

  // Waits while the server is away. CANCELLED when stopped; RESOURCE_EXHAUSTED when the local disk
  // is full although everything unused was evicted; otherwise what the server says.
  Result<std::string> Fetch(const std::string& sha256) override;
  Result<std::string> Put(std::string_view bytes) override;

  // Copies to the server those of `artifacts` (role -> SHA-256) that the task stored. Waits while
  // the server is away or full; what has arrived is not sent again. FAILED_PRECONDITION for an
  // artifact that the task neither stored nor fetched.
  Status Upload(const std::map<std::string, std::string>& artifacts);

 private:
  ArtifactCache(Settings settings, Coordinator& coordinator, const Clock& clock);

  std::string FilePath(const std::string& sha256) const { return settings_.folder + "/" + sha256; }
  std::stop_token StopOfTask() const;
  bool Pin(const std::string& sha256);
  Status DownloadInto(const std::string& sha256);
  Status UploadOne(const std::string& sha256, const std::stop_token& stop);
  void EvictDownTo(int64_t max_bytes) const;
  void RemoveOldTemporaries() const;

  const Settings settings_;
  Coordinator& coordinator_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::stop_token stop_ VOXBIT_GUARDED_BY(mutex_);
  std::map<std::string, FileLock> pins_ VOXBIT_GUARDED_BY(mutex_);  // what the task uses
  std::set<std::string> stored_ VOXBIT_GUARDED_BY(mutex_);    // by the task, still to be uploaded
  std::set<std::string> verified_ VOXBIT_GUARDED_BY(mutex_);  // digest checked by this process
};

}  // namespace voxbit::worker
