// A prepared statement borrowed from its connection's cache.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"

namespace voxbit::storage {

// Status for a failed SQLite call on `connection`: the code says what the caller can do about it
// (docs/protocol.md lists the reasons), the message is SQLite's.
Status FromSqlite(sqlite3* connection, int code, std::string_view what);

// Bytes that are bound as a BLOB, not as text.
struct Blob {
  std::string_view bytes;
};

// Thread-compatible. Resets itself when it is destroyed, so that no read transaction stays open.
class Statement {
 public:
  // `in_use`: the flag of the cache entry that owns `handle`; null: this object owns it.
  Statement(sqlite3* connection, sqlite3_stmt* handle, bool* in_use);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement& operator=(Statement&&) = delete;

  // Parameters from left to right, counted from 1. A failure shows at the next Step.
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view value);
  void Bind(int index, const std::string& value) { Bind(index, std::string_view(value)); }
  void Bind(int index, const char* value) { Bind(index, std::string_view(value)); }
  void Bind(int index, Blob value);
  void Bind(int index, std::nullopt_t);
  template <class T>
  void Bind(int index, const std::optional<T>& value) {
    if (value.has_value()) {
      Bind(index, *value);
    } else {
      Bind(index, std::nullopt);
    }
  }

  // True: there is a row to read. False: done.
  Result<bool> Step();
  // Steps to the end.
  Status Run();

  // Columns of the current row, counted from 0. NULL reads as 0 and "".
  int64_t Int(int column) const;
  std::string Text(int column) const;
  bool IsNull(int column) const;

 private:
  void NoteBind(int code);

  sqlite3* connection_;
  sqlite3_stmt* handle_;
  bool* in_use_;  // of the cache's entry; null when this object owns the handle
  int bind_error_ = SQLITE_OK;
};

}  // namespace voxbit::storage
