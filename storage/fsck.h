// Whether everything in a store is there and whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/status.h"

namespace voxbit::storage {

// Artifacts that nothing names are kept for so long: a worker may be about to name one.
inline constexpr Milliseconds kUnusedAfter{24 * 3600 * 1000};

struct FsckReport {
  std::vector<std::string> broken;  // rules of the database that do not hold, with where
  int64_t artifacts = 0;            // files that are there
  int64_t bytes = 0;
  // One that has other bytes than its name says, or is needed and not there.
  struct Fault {
    std::string sha256;
    bool is_missing = false;
    std::vector<std::string> needed_by;  // "study lidar: checkpoint of train_supernet"
  };
  std::vector<Fault> faults;
  int64_t unused = 0;  // artifacts that nothing names, older than kUnusedAfter
  int64_t unused_bytes = 0;
  int64_t removed = 0;  // damaged and unused files

  bool is_sound() const { return broken.empty() && faults.empty(); }
};

// Called after each artifact that was read.
using OnChecked = std::function<void(const FsckReport&)>;

// Checks the store, or the backup, in `folder`, by default without changing anything, also while a
// server uses it. With `repair`, which a running server forbids (FAILED_PRECONDITION, reason
// STORE_IN_USE), damaged files go, so that the right ones may come again, and so do unused ones.
// NOT_FOUND where there is no store; FAILED_PRECONDITION for a schema of another version.
Result<FsckReport> Fsck(const std::string& folder, bool repair, const Clock& clock,
                        const OnChecked& on_checked);

}  // namespace voxbit::storage
