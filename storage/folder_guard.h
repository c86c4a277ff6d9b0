// Makes sure that a store's folder is used by one process and lies on a disk of this machine.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/status.h"

namespace voxbit::storage {

// Holds an exclusive lock on a folder for its own life. The operating system drops the lock when
// the process ends, however it ends.
class FolderGuard {
 public:
  static constexpr char kFile[] = "voxbit.lock";  // in the folder, for as long as it is there

  // Waits up to `patience` for a process that has the lock: one that was killed may still be
  // ending. FAILED_PRECONDITION, reason STORE_IN_USE, naming the process that has it;
  // FAILED_PRECONDITION, reason STORE_ON_NETWORK, unless `allow_network`;
  // PERMISSION_DENIED, reason STORE_READ_ONLY.
  static Result<std::unique_ptr<FolderGuard>> Lock(const std::string& folder, bool allow_network,
                                                   Milliseconds patience);
  ~FolderGuard();
  FolderGuard(const FolderGuard&) = delete;
  FolderGuard& operator=(const FolderGuard&) = delete;

 private:
  explicit FolderGuard(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// `status` with the reason that the store documents for its code.
Status WithStoreReason(const Status& status);

}  // namespace voxbit::storage
