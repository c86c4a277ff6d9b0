// Transactions and connections.
#include "storage/store_impl.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/files.h"
#include "storage/backup.h"
#include "storage/migrations/migrate.h"
#include "storage/sqlite/copy.h"

namespace voxbit::storage {
namespace {

// Enough for the server's threads; a reader that finds none free waits.
constexpr int kMaxReaders = 8;

Result<FileId> IdOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, path);
  return FileId{path, info.st_dev, info.st_ino};
}

// A database of an earlier version is copied before it changes, as voxbit.db.version-4.
Status KeepEarlier(Database& database, const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t version, database.Number("PRAGMA user_version"));
  if (version == 0 || version >= Migrations().back().version) return OkStatus();
  if (!CheckIsStore(database).ok()) return OkStatus();  // Migrate refuses it
  const Status copied = CopyDatabase(database, path + ".version-" + std::to_string(version));
  return WithStoreReason(copied).Annotate("the copy that is kept before a migration");
}

}  // namespace

std::string DatabasePath(const std::string& folder) { return folder + "/voxbit.db"; }

std::string StatesFolder(const std::string& folder, int64_t study_id) {
  return folder + "/states/" + std::to_string(study_id);
}

Store::Impl::~Impl() {
  MutexLock lock(readers_mutex_);
  idle_readers_.clear();
  write_.reset();
}

Status Store::Impl::Open(const Options& options) {
  const Status made = MakeFolders(folder_);
  if (!made.ok()) return WithStoreReason(made);
  VOXBIT_ASSIGN_OR_RETURN(
      guard_, FolderGuard::Lock(folder_, options.allow_network_filesystem, options.lock_patience));
  if (::access((folder_ + "/" + kBackupFile).c_str(), F_OK) == 0) {
    return FailedPrecondition(folder_ +
                                  " is a backup: make a store of it with search-server "
                                  "restore",
                              "STORE_IS_BACKUP");
  }
  const std::string path = DatabasePath(folder_);
  VOXBIT_ASSIGN_OR_RETURN(write_, Database::Open(path, Database::Mode::kReadWrite));
  VOXBIT_RETURN_IF_ERROR(KeepEarlier(*write_, path));
  VOXBIT_RETURN_IF_ERROR(Migrate(*write_).Annotate(path));
  VOXBIT_ASSIGN_OR_RETURN(
      const std::vector<std::string> inherited,
      ReadAll(
          write_->Prepare("SELECT lease_token FROM tasks WHERE state = 'leased'"),
          +[](const Statement& row) -> Result<std::string> { return row.Text(0); }));
  inherited_leases_.insert(inherited.begin(), inherited.end());
  VOXBIT_RETURN_IF_ERROR(ForgetTheFuture());
  VOXBIT_RETURN_IF_ERROR(RemoveOrphanedStates());
  for (const char* ending : {"", "-wal"}) {
    VOXBIT_ASSIGN_OR_RETURN(FileId file, IdOf(path + ending));
    files_.push_back(std::move(file));
  }
  // The name of a new database must survive a power cut, too.
  return WithStoreReason(SyncFolder(folder_));
}

// The system's time may have been set back since.
Status Store::Impl::ForgetTheFuture() {
  VOXBIT_RETURN_IF_ERROR(
      write_->Run("UPDATE workers SET last_seen_ms = ?1 WHERE last_seen_ms > ?1", Now()));
  return write_->Run("UPDATE requests SET created_ms = ?1 WHERE created_ms > ?1", Now());
}

Status Store::Impl::IsThere() const {
  for (const FileId& file : files_) {
    const Result<FileId> now = IdOf(file.path);
    if (now.ok() && now->device == file.device && now->inode == file.inode) continue;
    return Unavailable(file.path +
                           " was removed or replaced while it was in use: put it back, or end the "
                           "server",
                       "STORE_GONE");
  }
  return OkStatus();
}

Status Store::Impl::Usable() const {
  if (write_->in_transaction()) return OkStatus();
  return Aborted("the transaction was rolled back after an earlier error", "STORE_ROLLED_BACK");
}

Status Store::Impl::Transaction::Begin() VOXBIT_NO_THREAD_SAFETY_ANALYSIS {
  if (impl_.InTransaction()) {
    VOXBIT_RETURN_IF_ERROR(impl_.Usable());
    VOXBIT_RETURN_IF_ERROR(impl_.write_->Execute("SAVEPOINT verb"));
    is_open_ = true;
    return OkStatus();
  }
  impl_.write_mutex_.Lock();
  Status begun = impl_.write_->Execute("BEGIN IMMEDIATE");
  if (!begun.ok()) {
    impl_.write_mutex_.Unlock();
    return begun;
  }
  impl_.writer_ = std::this_thread::get_id();
  is_outer_ = true;
  is_open_ = true;
  return OkStatus();
}

Status Store::Impl::Transaction::Commit() {
  VOXBIT_RETURN_IF_ERROR(impl_.Usable());
  // On an error the destructor rolls back.
  if (is_outer_) VOXBIT_RETURN_IF_ERROR(impl_.IsThere());
  VOXBIT_RETURN_IF_ERROR(impl_.write_->Execute(is_outer_ ? "COMMIT" : "RELEASE verb"));
  if (is_outer_) ++impl_.commits_;
  is_open_ = is_outer_;
  return OkStatus();
}

// Savepoints of one name nest: ROLLBACK TO and RELEASE mean the innermost.
Store::Impl::Transaction::~Transaction() VOXBIT_NO_THREAD_SAFETY_ANALYSIS {
  if (!is_open_) return;
  if (is_outer_) {
    // After a commit there is nothing left to roll back.
    if (impl_.write_->in_transaction()) (void)impl_.write_->Execute("ROLLBACK");
    impl_.writer_ = std::thread::id();
    impl_.write_mutex_.Unlock();
    return;
  }
  if (impl_.write_->in_transaction()) {
    (void)impl_.write_->Execute("ROLLBACK TO verb; RELEASE verb");
  }
}

Result<std::unique_ptr<Database>> Store::Impl::BorrowReader() {
  {
    MutexLock lock(readers_mutex_);
    while (idle_readers_.empty() && num_readers_ >= kMaxReaders) {
      reader_returned_.Wait(readers_mutex_);
    }
    if (!idle_readers_.empty()) {
      std::unique_ptr<Database> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
    ++num_readers_;
  }
  Result<std::unique_ptr<Database>> reader =
      Database::Open(DatabasePath(folder_), Database::Mode::kReadOnly);
  if (!reader.ok()) {
    MutexLock lock(readers_mutex_);
    --num_readers_;
    reader_returned_.NotifyAll();
  }
  return reader;
}

void Store::Impl::ReturnReader(std::unique_ptr<Database> reader) {
  MutexLock lock(readers_mutex_);
  idle_readers_.push_back(std::move(reader));
  reader_returned_.NotifyAll();
}

}  // namespace voxbit::storage
