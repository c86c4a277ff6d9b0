// Source: sqlite.org, "VACUUM INTO": one read transaction; the file is not synced by SQLite.
#include "storage/sqlite/copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace voxbit::storage {

Status CopyDatabase(Database& from, const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, path);
  VOXBIT_RETURN_IF_ERROR(from.Run("VACUUM INTO ?", path).Annotate(path));
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FromErrno(errno, path);
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  return error == 0 ? OkStatus() : FromErrno(error, path);
}

Status CheckIsSound(Database& database) {
  VOXBIT_ASSIGN_OR_RETURN(Statement row, database.Prepare("PRAGMA quick_check(1)"));
  VOXBIT_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (found && row.Text(0) == "ok") return OkStatus();
  return DataLoss(found ? row.Text(0) : "no answer of the check", "STORE_CORRUPT");
}

}  // namespace voxbit::storage
