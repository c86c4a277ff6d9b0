// One SQLite connection with the settings that the store relies on.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "storage/sqlite/statement.h"

namespace voxbit::storage {

// Thread-compatible: used by one thread at a time.
class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  // kReadWrite creates the file and sets write-ahead logging with synchronous=FULL; both check
  // foreign keys and wait up to ten seconds for a lock. Errors as in FromSqlite; a file that
  // may only be read is PERMISSION_DENIED, reason STORE_READ_ONLY, for kReadWrite.
  static Result<std::unique_ptr<Database>> Open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // `sql` is a literal: values are bound, never written into it. Statements are prepared once.
  template <class... Args>
  Result<Statement> Prepare(std::string_view sql, const Args&... args) {
    VOXBIT_ASSIGN_OR_RETURN(Statement statement, PrepareBare(sql));
    int index = 0;
    (statement.Bind(++index, args), ...);
    return statement;
  }
  // Prepares, binds and steps to the end.
  template <class... Args>
  Status Run(std::string_view sql, const Args&... args) {
    VOXBIT_ASSIGN_OR_RETURN(Statement statement, Prepare(sql, args...));
    return statement.Run();
  }
  // The first column of the only row; 0 when there is none or it is NULL.
  template <class... Args>
  Result<int64_t> Number(std::string_view sql, const Args&... args) {
    VOXBIT_ASSIGN_OR_RETURN(Statement statement, Prepare(sql, args...));
    VOXBIT_ASSIGN_OR_RETURN(const bool found, statement.Step());
    return found ? statement.Int(0) : 0;
  }

  // Several statements without parameters: migrations, pragmas, BEGIN and COMMIT.
  Status Execute(const std::string& script);

  // Rows that the last INSERT, UPDATE or DELETE changed.
  int64_t changes() const { return sqlite3_changes64(handle_); }
  int64_t last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }
  // SQLite rolls a transaction back by itself after some errors (a full disk).
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

 private:
  struct Cached {
    sqlite3_stmt* handle = nullptr;
    bool in_use = false;
  };

  explicit Database(sqlite3* handle) : handle_(handle) {}
  Result<Statement> PrepareBare(std::string_view sql);

  sqlite3* handle_;
  std::map<std::string, Cached, std::less<>> cache_;
};

}  // namespace voxbit::storage
