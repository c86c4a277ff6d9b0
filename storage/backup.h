// A store copied as it is at one moment, also while a server works on it, and copied back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/status.h"

namespace voxbit::storage {

// The file that tells a backup from a store.
inline constexpr char kBackupFile[] = "backup.json";

struct CopyReport {
  int64_t studies = 0;
  int64_t trials = 0;
  int64_t files_copied = 0;  // artifacts
  int64_t bytes_copied = 0;
  int64_t files_kept = 0;            // artifacts that the copy had already
  std::vector<std::string> damaged;  // digests whose file has other bytes: not copied
};
// Called after each artifact with what was done so far.
using OnCopied = std::function<void(const CopyReport&)>;

// Copies the store in folder `store` into folder `to`, which is new, empty or an earlier backup:
// then only new artifacts are copied. A killed run leaves the earlier backup whole. NOT_FOUND where
// there is no store; FAILED_PRECONDITION, reason STORE_IN_USE, while another backup into `to` runs,
// or where `to` has other files; DATA_LOSS for a broken database; the reasons of a full or
// read-only disk (see Store::Open).
Result<CopyReport> BackUp(const std::string& store, const std::string& to, const Clock& clock,
                          const OnCopied& on_copied);

// Makes a store of a backup, in a folder that has none. A killed run is begun again. NOT_FOUND
// where there is no backup; FAILED_PRECONDITION where `to` is a store or a backup.
Result<CopyReport> Restore(const std::string& backup, const std::string& to,
                           const OnCopied& on_copied);

}  // namespace voxbit::storage
