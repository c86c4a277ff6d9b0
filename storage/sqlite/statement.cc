#include "storage/sqlite/statement.h"

#include <cerrno>
#include <utility>

namespace voxbit::storage {
namespace {

// SQLite copies the bytes before the call returns.
sqlite3_destructor_type Copy() {
  return SQLITE_TRANSIENT;  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast,performance-no-int-to-ptr)
}

bool IsDiskFull(int system_error) {
  return system_error == ENOSPC || system_error == EFBIG || system_error == EDQUOT;
}

}  // namespace

Status FromSqlite(sqlite3* connection, int code, std::string_view what) {
  // SQLite remembers the system's error for some failures only; for the others (a commit) errno is
  // all there is. Callers clear it before the call.
  int system_error = errno;
  if (connection != nullptr && sqlite3_system_errno(connection) != 0) {
    system_error = sqlite3_system_errno(connection);
  }
  std::string message(what);
  message += ": ";
  message += connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ResourceExhausted(message + " (no space left for the store)", "STORE_DISK_FULL");
    case SQLITE_IOERR:
      if (IsDiskFull(system_error)) {
        return ResourceExhausted(message + " (no space left for the store)", "STORE_DISK_FULL");
      }
      return Internal(message, "STORE_IO_ERROR");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      // A file that cannot be created because the disk is full shows up here, too.
      if (IsDiskFull(system_error)) return ResourceExhausted(message, "STORE_DISK_FULL");
      return {StatusCode::kPermissionDenied, message, "STORE_READ_ONLY"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DataLoss(message, "STORE_CORRUPT");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Unavailable(message, "STORE_BUSY");
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return ResourceExhausted(message);
    default:
      return Internal(message);
  }
}

Statement::Statement(sqlite3* connection, sqlite3_stmt* handle, bool* in_use)
    : connection_(connection), handle_(handle), in_use_(in_use) {
  if (in_use_ != nullptr) *in_use_ = true;
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      handle_(std::exchange(other.handle_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      bind_error_(other.bind_error_) {}

Statement::~Statement() {
  if (handle_ == nullptr) return;
  if (in_use_ == nullptr) {
    sqlite3_finalize(handle_);
    return;
  }
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  *in_use_ = false;
}

void Statement::NoteBind(int code) {
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Statement::Bind(int index, int64_t value) {
  NoteBind(sqlite3_bind_int64(handle_, index, value));
}

void Statement::Bind(int index, std::string_view value) {
  // A view without memory would be bound as NULL.
  const char* data = value.data() != nullptr ? value.data() : "";
  NoteBind(sqlite3_bind_text64(handle_, index, data, value.size(), Copy(), SQLITE_UTF8));
}

void Statement::Bind(int index, Blob value) {
  const char* data = value.bytes.data() != nullptr ? value.bytes.data() : "";
  NoteBind(sqlite3_bind_blob64(handle_, index, data, value.bytes.size(), Copy()));
}

void Statement::Bind(int index, std::nullopt_t) { NoteBind(sqlite3_bind_null(handle_, index)); }

Result<bool> Statement::Step() {
  if (bind_error_ != SQLITE_OK) return FromSqlite(connection_, bind_error_, sqlite3_sql(handle_));
  errno = 0;
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return FromSqlite(connection_, code, "the store's database");
}

Status Statement::Run() {
  while (true) {
    VOXBIT_ASSIGN_OR_RETURN(const bool more, Step());
    if (!more) return OkStatus();
  }
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(handle_, column); }

std::string Statement::Text(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_, column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

}  // namespace voxbit::storage
