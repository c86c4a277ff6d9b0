// The seam between the worker's loop and the work itself.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "common/json.h"
#include "common/status.h"
#include "search/domain/task.h"

namespace voxbit::worker {

// Called by an executor as often as it likes; cheap, thread-safe. E.g.
// {"phase": "train", "step": 10, "steps": 300, "loss": 1.2}.
using ProgressSink = std::function<void(const Json& progress)>;

// Gives an executor local files for artifacts, and takes its files.
class ArtifactAccess {
 public:
  virtual ~ArtifactAccess() = default;
  // Path of a local copy, fetched if it is not in the cache.
  virtual Result<std::string> Fetch(const std::string& sha256) = 0;
  // Stores bytes in the cache and marks them for upload with the result; returns the digest.
  virtual Result<std::string> Put(std::string_view bytes) = 0;
};

// Executes one task on one device. Blocking. Polls `stop` at least once per batch and returns
// CANCELLED soon after it is raised. INFEASIBLE: the candidate cannot work, whatever the worker
// (non-finite loss, too large); UNAVAILABLE and RESOURCE_EXHAUSTED: the surroundings failed or are
// too small, try elsewhere; reason DATASET_BROKEN: the data is wrong, the same everywhere; anything
// else: the work failed.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;
  virtual Result<search::TaskResult> Execute(const search::TaskSpec& task,
                                             ArtifactAccess& artifacts,
                                             const ProgressSink& progress,
                                             std::stop_token stop) = 0;
};

}  // namespace voxbit::worker
