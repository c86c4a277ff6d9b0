// Blobs as files named by their SHA-256: <folder>/<first two digits>/<digest>.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/status.h"

namespace voxbit::storage {

// Thread-safe. A file that has its final name is complete: it was written under a temporary name,
// synced and renamed. Used by the server for its store and by the worker for its cache; several
// processes may share a folder. A full disk is RESOURCE_EXHAUSTED, reason STORE_DISK_FULL; a
// folder that may only be read is PERMISSION_DENIED, reason STORE_READ_ONLY.
class ArtifactStore {
 public:
  // Creates the folder; removes temporary files that a crash left behind, none that a living
  // process is writing.
  static Result<std::unique_ptr<ArtifactStore>> Open(const std::string& folder);

  // A folder that is only read, and may be missing.
  static ArtifactStore ReadOnly(std::string folder) { return ArtifactStore(std::move(folder)); }

  // One blob being written. Destroyed without Commit: nothing remains. Thread-compatible;
  // may outlive the store.
  class Writer {
   public:
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // After a failure every further Append and Commit fails the same way.
    Status Append(std::string_view bytes);
    // Makes the blob visible. DATA_LOSS, reason ARTIFACT_HASH_MISMATCH, if `expected` is not ""
    // and not the digest of the bytes. Returns the digest.
    Result<std::string> Commit(const std::string& expected);

   private:
    friend class ArtifactStore;
    Writer(std::string folder, std::string temporary, int descriptor);
    std::string folder_;
    std::string temporary_;
    int descriptor_;
    Sha256 hash_;
    Status failure_;
  };
  Result<std::unique_ptr<Writer>> NewWriter();

  Result<std::string> Put(std::string_view bytes);
  // Copies a file in; `expected` as for Commit. NOT_FOUND.
  Result<std::string> PutFile(const std::string& path, const std::string& expected = "");
  bool Has(const std::string& sha256) const;
  // Path of the blob; NOT_FOUND. The caller may read it, nothing else.
  Result<std::string> Path(const std::string& sha256) const;
  Result<int64_t> SizeBytes(const std::string& sha256) const;
  // The digests of all blobs, in order.
  Result<std::vector<std::string>> List() const;
  Status Remove(const std::string& sha256);
  // Removes every other blob. Only for a folder that nobody else writes to.
  Status KeepOnly(const std::set<std::string>& sha256s);

 private:
  explicit ArtifactStore(std::string folder) : folder_(std::move(folder)) {}
  std::string FinalPath(const std::string& sha256) const;
  std::string folder_;
};

}  // namespace voxbit::storage
