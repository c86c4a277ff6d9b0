// What the parts of the store share: transactions, connections, and the steps that several verbs
// are made of. Not for use outside this folder.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "storage/folder_guard.h"
#include "storage/sqlite/database.h"
#include "storage/store.h"

namespace voxbit::storage {

std::string DatabasePath(const std::string& folder);
// Where the large states of a study's algorithm lie.
std::string StatesFolder(const std::string& folder, int64_t study_id);

// The rules of a store that its database, and its files of large states, break; one line each.
Result<std::vector<std::string>> FindBroken(Database& database, const std::string& folder);

// A file, whatever name it has by now.
struct FileId {
  std::string path;  // where it was
  dev_t device = 0;
  ino_t inode = 0;
};

// Now, for what is recorded and for what is due.
struct Moment {
  int64_t wall_ms = 0;
  int64_t steady_ms = 0;
};

struct Store::Impl {
 public:
  Impl(std::string folder, const Clock& clock) : folder_(std::move(folder)), clock_(clock) {}
  // Connections that only read are closed first, so that the last one can empty the log.
  ~Impl();

  Status Open(const Options& options);

  const std::string& folder() const { return folder_; }
  int64_t commits() const { return commits_; }
  int64_t Now() const { return clock_.NowMs(); }
  // Leases and back-offs: no step of the system's time lengthens or ends them.
  int64_t Steady() const { return clock_.SteadyMs(); }
  Moment Present() const { return {Now(), Steady()}; }

  // Whether a live lease was granted by an earlier server process and not renewed in this one: the
  // restart, not the work or its worker, may have ended it. Inside a write transaction.
  bool IsInherited(const std::string& lease_token) const {
    return inherited_leases_.contains(lease_token);
  }
  // The worker that holds the lease has been heard of. Inside a write transaction.
  void TakeOver(const std::string& lease_token) { inherited_leases_.erase(lease_token); }

  std::string StatesFolder(int64_t study_id) const {
    return storage::StatesFolder(folder_, study_id);
  }
  // Inside a write transaction. With `may_remove` files of superseded states go, but for the one
  // that the committed row names.
  Status SaveState(Database& database, int64_t study_id, const AlgorithmState& state,
                   bool may_remove);

  // Whether this thread is inside a write transaction.
  bool InTransaction() const { return writer_ == std::this_thread::get_id(); }

  // Runs `body` in a write transaction, or in a savepoint of the one that this thread has open.
  // An error, and an exception, rolls back what `body` did.
  template <class Body>
  Status Write(const Body& body) {
    Transaction transaction(*this);
    VOXBIT_RETURN_IF_ERROR(transaction.Begin());
    VOXBIT_RETURN_IF_ERROR(body(*write_));
    return transaction.Commit();
  }
  // The same for a body with a result.
  template <class T, class Body>
  Result<T> WriteFor(const Body& body) {
    std::optional<T> value;
    VOXBIT_RETURN_IF_ERROR(Write([&](Database& database) -> Status {
      Result<T> result = body(database);
      if (!result.ok()) return result.status();
      value = std::move(result).value();
      return OkStatus();
    }));
    return *std::move(value);
  }

  // Runs `body` with a connection for reading: what is committed, or, inside a write transaction
  // of this thread, what that transaction sees.
  template <class T, class Body>
  Result<T> Read(const Body& body) {
    if (InTransaction()) {
      VOXBIT_RETURN_IF_ERROR(Usable());
      return body(*write_);
    }
    VOXBIT_ASSIGN_OR_RETURN(std::unique_ptr<Database> reader, BorrowReader());
    Result<T> result = body(*reader);
    ReturnReader(std::move(reader));
    return result;
  }

 private:
  // One level of nesting. Rolls back unless committed.
  class Transaction {
   public:
    explicit Transaction(Impl& impl) : impl_(impl) {}
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    Status Begin();
    Status Commit();

   private:
    Impl& impl_;
    bool is_outer_ = false;
    bool is_open_ = false;
  };

  // Removes the files of states that no row names: what a crash left behind.
  Status RemoveOrphanedStates();
  Status ForgetTheFuture();
  // UNAVAILABLE, reason STORE_GONE, when what is written now would be in no folder any more.
  Status IsThere() const;
  // An error when SQLite has rolled the transaction back by itself: going on would commit halves.
  Status Usable() const;
  Result<std::unique_ptr<Database>> BorrowReader();
  void ReturnReader(std::unique_ptr<Database> reader);

  const std::string folder_;
  const Clock& clock_;
  std::unique_ptr<FolderGuard> guard_;
  std::vector<FileId> files_;  // of the database, as they were opened

  // Held for the whole of an outer transaction, across functions, which clang's analysis cannot
  // follow; write_ belongs to the thread that writer_ names.
  Mutex write_mutex_;
  std::atomic<std::thread::id> writer_{};
  std::unique_ptr<Database> write_;
  std::atomic<int64_t> commits_ = 0;
  std::set<std::string> inherited_leases_;  // tokens; belongs to the writing thread like write_

  Mutex readers_mutex_;
  CondVar reader_returned_;
  std::vector<std::unique_ptr<Database>> idle_readers_ VOXBIT_GUARDED_BY(readers_mutex_);
  int num_readers_ VOXBIT_GUARDED_BY(readers_mutex_) = 0;
};

// ---- steps shared by verbs; all inside a write transaction
// ---------------------------------------

// Tasks of these kinds measure a trial for the search: it is final once they are.
inline constexpr char kGatingKinds[] =
    "('profile', 'train_supernet', 'evaluate', 'measure_latency')";
inline bool IsGating(search::TaskKind kind) {
  return kind != search::TaskKind::kFinetune && kind != search::TaskKind::kExport;
}

// Makes a trial final and gives it the study's next sequence; its queued and leased gating tasks
// are cancelled. Does nothing to a trial that is final already.
Status FinishTrial(Database& database, int64_t study_id, int64_t number, search::TrialState state,
                   const std::string& message, int64_t now_ms);

// Ends the attempt that runs, if one does.
Status EndAttempt(Database& database, int64_t task_id, const std::string& outcome,
                  const std::string& message, int64_t now_ms);

// Cancels a task that is not final.
Status CancelTask(Database& database, int64_t task_id, const std::string& message, int64_t now_ms);

// Ends the lease of a leased task without the work being at fault: queues it again with
// back-off, or, when the attempts are used up, fails it and its trial. With `is_inherited` the
// restart of the server ended it: the attempt is released and the task queued at once.
Status LoseLease(Database& database, int64_t task_id, const std::string& message, bool is_inherited,
                 const LeasePolicy& policy, const Moment& now);

Result<int64_t> InsertTask(Database& database, int64_t study_id, int64_t trial_number,
                           const search::TaskSpec& spec, int64_t now_ms);

// Removes a task and its attempts. A training on which another study's equal one rests is given to
// that study instead.
Status RemoveTask(Database& database, int64_t task_id);
// Removes all rows of a study.
Status RemoveStudy(Database& database, int64_t study_id);

// The one integer column of a row.
inline Result<int64_t> ReadId(const Statement& row) { return row.Int(0); }

// NOT_FOUND.
Result<search::Study> FindStudy(Database& database, int64_t id);
Result<search::Task> FindTask(Database& database, int64_t id);

// INVALID_ARGUMENT for a measurement that is not finite, has an unknown metric, or comes twice.
Status CheckMeasurements(const std::vector<search::Measurement>& measurements);

// All rows of a statement.
template <class T>
Result<std::vector<T>> ReadAll(Result<Statement> statement, Result<T> (*read)(const Statement&)) {
  if (!statement.ok()) return statement.status();
  std::vector<T> all;
  while (true) {
    VOXBIT_ASSIGN_OR_RETURN(const bool more, statement->Step());
    if (!more) return all;
    VOXBIT_ASSIGN_OR_RETURN(T one, read(*statement));
    all.push_back(std::move(one));
  }
}

// The first row, if there is one.
template <class T>
Result<std::optional<T>> ReadOne(Result<Statement> statement, Result<T> (*read)(const Statement&)) {
  if (!statement.ok()) return statement.status();
  VOXBIT_ASSIGN_OR_RETURN(const bool found, statement->Step());
  if (!found) return std::optional<T>();
  VOXBIT_ASSIGN_OR_RETURN(T one, read(*statement));
  return std::optional<T>(std::move(one));
}

}  // namespace voxbit::storage
