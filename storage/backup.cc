#include "storage/backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "common/files.h"
#include "common/json.h"
#include "storage/artifact_store.h"
#include "storage/folder_guard.h"
#include "storage/migrations/migrate.h"
#include "storage/sqlite/copy.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

// A state may be superseded, and its file removed, between the snapshot and the copy.
constexpr int kSnapshots = 20;
// The schema version from which on large states are files.
constexpr int64_t kLargeStatesVersion = 3;

std::string Incoming(const std::string& folder) { return folder + "/incoming.db"; }

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

// Copies one blob. False: it is not there (any more).
Result<bool> CopyBlob(const ArtifactStore& from, const std::string& sha256, ArtifactStore& to) {
  const auto path = from.Path(sha256);
  if (!path.ok()) return false;
  const Status copied = to.PutFile(*path, sha256).status();
  if (copied.code() == StatusCode::kNotFound) return false;
  VOXBIT_RETURN_IF_ERROR(copied);
  return true;
}

// The files of large algorithm states, by study.
Result<std::map<int64_t, std::string>> LargeStates(Database& database) {
  std::map<int64_t, std::string> states;
  VOXBIT_ASSIGN_OR_RETURN(Statement row, database.Prepare("SELECT study_id, artifact FROM "
                                                          "algorithm_states WHERE artifact <> ''"));
  while (true) {
    VOXBIT_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return states;
    states[row.Int(0)] = row.Text(1);
  }
}

class StoreCopy {
 public:
  StoreCopy(std::string from, std::string to, const OnCopied& on_copied)
      : from_(std::move(from)), to_(std::move(to)), on_copied_(on_copied) {}

  // Everything but the database's final name, which makes the copy count.
  Status Take() {
    bool is_whole = false;
    for (int i = 0; !is_whole; ++i) {
      if (i == kSnapshots) {
        return DataLoss("a file in " + from_ + "/states is gone", "STORE_CORRUPT");
      }
      VOXBIT_RETURN_IF_ERROR(TakeSnapshot());
      VOXBIT_ASSIGN_OR_RETURN(is_whole, CopyStates());
    }
    return CopyArtifacts();
  }

  Status Finish() {
    const std::string path = DatabasePath(to_);
    if (::rename(Incoming(to_).c_str(), path.c_str()) != 0) return FromErrno(errno, path);
    VOXBIT_RETURN_IF_ERROR(SyncFolder(to_));
    for (const auto& [study, artifact] : states_) {
      VOXBIT_ASSIGN_OR_RETURN(const auto there, ArtifactStore::Open(StatesFolder(to_, study)));
      VOXBIT_RETURN_IF_ERROR(there->KeepOnly({artifact}));
    }
    return OkStatus();
  }

  const CopyReport& report() const { return report_; }

 private:
  Status TakeSnapshot() {
    {
      VOXBIT_ASSIGN_OR_RETURN(const auto source,
                              Database::Open(DatabasePath(from_), Database::Mode::kReadOnly));
      VOXBIT_RETURN_IF_ERROR(CheckIsStore(*source).Annotate(DatabasePath(from_)));
      VOXBIT_RETURN_IF_ERROR(CopyDatabase(*source, Incoming(to_)));
    }
    VOXBIT_ASSIGN_OR_RETURN(const auto taken,
                            Database::Open(Incoming(to_), Database::Mode::kReadOnly));
    VOXBIT_RETURN_IF_ERROR(CheckIsSound(*taken).Annotate(DatabasePath(from_)));
    VOXBIT_ASSIGN_OR_RETURN(report_.studies, taken->Number("SELECT count(*) FROM studies"));
    VOXBIT_ASSIGN_OR_RETURN(report_.trials, taken->Number("SELECT count(*) FROM trials"));
    states_.clear();
    VOXBIT_ASSIGN_OR_RETURN(const int64_t version, taken->Number("PRAGMA user_version"));
    if (version < kLargeStatesVersion) return OkStatus();
    VOXBIT_ASSIGN_OR_RETURN(states_, LargeStates(*taken));
    return OkStatus();
  }

  // False: a file was superseded meanwhile.
  Result<bool> CopyStates() {
    for (const auto& [study, artifact] : states_) {
      const ArtifactStore source = ArtifactStore::ReadOnly(StatesFolder(from_, study));
      VOXBIT_ASSIGN_OR_RETURN(const auto target, ArtifactStore::Open(StatesFolder(to_, study)));
      if (target->Has(artifact)) continue;
      VOXBIT_ASSIGN_OR_RETURN(const bool is_there, CopyBlob(source, artifact, *target));
      if (!is_there) return false;
    }
    return true;
  }

  // All that are there, which are no fewer than the snapshot knows of: none is ever removed.
  Status CopyArtifacts() {
    const std::string folder = from_ + "/artifacts";
    VOXBIT_ASSIGN_OR_RETURN(const auto target, ArtifactStore::Open(to_ + "/artifacts"));
    if (!Exists(folder)) return OkStatus();
    const ArtifactStore source = ArtifactStore::ReadOnly(folder);
    VOXBIT_ASSIGN_OR_RETURN(const auto digests, source.List());
    for (const std::string& sha256 : digests) {
      VOXBIT_RETURN_IF_ERROR(CopyArtifact(source, sha256, *target));
      on_copied_(report_);
    }
    return OkStatus();
  }

  Status CopyArtifact(const ArtifactStore& source, const std::string& sha256,
                      ArtifactStore& target) {
    const Result<int64_t> size = source.SizeBytes(sha256);
    const Result<int64_t> there = target.SizeBytes(sha256);
    if (size.ok() && there.ok() && *size == *there) {
      ++report_.files_kept;
      return OkStatus();
    }
    const Result<bool> copied = CopyBlob(source, sha256, target);
    if (copied.status().code() == StatusCode::kDataLoss) {
      report_.damaged.push_back(sha256);
      return OkStatus();
    }
    VOXBIT_RETURN_IF_ERROR(copied.status());
    if (!*copied) return OkStatus();
    ++report_.files_copied;
    report_.bytes_copied += size.ok() ? *size : 0;
    return OkStatus();
  }

  const std::string from_;
  const std::string to_;
  const OnCopied& on_copied_;
  std::map<int64_t, std::string> states_;
  CopyReport report_;
};

// Whether the folder has anything but the lock that we hold on it.
Result<bool> HasFiles(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename() != FolderGuard::kFile) return true;
  }
  if (error) return FromErrno(error.value(), folder);
  return false;
}

Status WriteMark(const std::string& to, const std::string& store, int64_t made_ms) {
  const Json mark = {{"made_ms", made_ms}, {"store", store}};
  return WriteFileAtomically(to + "/" + kBackupFile, mark.dump(2) + "\n");
}

Result<std::unique_ptr<FolderGuard>> LockNew(const std::string& folder) {
  const Status made = MakeFolders(folder);
  if (!made.ok()) return WithStoreReason(made);
  return FolderGuard::Lock(folder, /*allow_network=*/true, Milliseconds(0));
}

}  // namespace

Result<CopyReport> BackUp(const std::string& store, const std::string& to, const Clock& clock,
                          const OnCopied& on_copied) {
  if (!Exists(DatabasePath(store))) return NotFound("there is no store in " + store);
  VOXBIT_ASSIGN_OR_RETURN(const auto guard, LockNew(to));
  if (!Exists(to + "/" + kBackupFile)) {
    VOXBIT_ASSIGN_OR_RETURN(const bool has_files, HasFiles(to));
    if (has_files) return FailedPrecondition(to + " is not empty, and no earlier backup");
    VOXBIT_RETURN_IF_ERROR(WriteMark(to, store, 0));
  }
  const int64_t now_ms = clock.NowMs();
  StoreCopy copy(store, to, on_copied);
  VOXBIT_RETURN_IF_ERROR(copy.Take());
  VOXBIT_RETURN_IF_ERROR(copy.Finish());
  VOXBIT_RETURN_IF_ERROR(WriteMark(to, store, now_ms));
  return copy.report();
}

Result<CopyReport> Restore(const std::string& backup, const std::string& to,
                           const OnCopied& on_copied) {
  if (!Exists(backup + "/" + kBackupFile)) return NotFound("there is no backup in " + backup);
  if (!Exists(DatabasePath(backup))) {
    return NotFound("the first backup into " + backup + " has not come to its end");
  }
  VOXBIT_ASSIGN_OR_RETURN(const auto guard, LockNew(to));
  if (Exists(DatabasePath(to)) || Exists(to + "/" + kBackupFile)) {
    return FailedPrecondition(to + " has a store or a backup already; restore into a new folder");
  }
  StoreCopy copy(backup, to, on_copied);
  VOXBIT_RETURN_IF_ERROR(copy.Take());
  VOXBIT_RETURN_IF_ERROR(copy.Finish());
  return copy.report();
}

}  // namespace voxbit::storage
