#include "storage/sqlite/database.h"

#include <cerrno>

namespace voxbit::storage {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, Mode mode) {
  const int access =
      mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  errno = 0;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, access | SQLITE_OPEN_NOMUTEX, /*zVfs=*/nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) return FromSqlite(handle, code, path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  if (mode == Mode::kReadWrite && sqlite3_db_readonly(handle, "main") == 1) {
    return Status(StatusCode::kPermissionDenied, path + ": may only be read", "STORE_READ_ONLY");
  }
  std::string pragmas =
      "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; "
      "PRAGMA cache_size=-16384;";
  if (mode == Mode::kReadWrite) {
    pragmas +=
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
        "PRAGMA journal_size_limit=67108864;";
  }
  const Status set = database->Execute(pragmas);
  if (!set.ok()) return set.Annotate(path);
  return database;
}

Database::~Database() {
  for (auto& [sql, cached] : cache_) sqlite3_finalize(cached.handle);
  sqlite3_close_v2(handle_);
}

Status Database::Execute(const std::string& script) {
  errno = 0;
  const int code = sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? OkStatus() : FromSqlite(handle_, code, "the store's database");
}

Result<Statement> Database::PrepareBare(std::string_view sql) {
  const auto it = cache_.find(sql);
  if (it != cache_.end() && !it->second.in_use) {
    return Statement(handle_, it->second.handle, &it->second.in_use);
  }
  sqlite3_stmt* statement = nullptr;
  errno = 0;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return FromSqlite(handle_, code, sql);
  // The cached one is busy further up the stack: this one lives for its use only.
  if (it != cache_.end()) return Statement(handle_, statement, nullptr);
  Cached& cached = cache_[std::string(sql)];
  cached.handle = statement;
  return Statement(handle_, statement, &cached.in_use);
}

}  // namespace voxbit::storage
