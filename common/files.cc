#include "common/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace voxbit {
namespace {

Status WriteAndSync(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FromErrno(errno, path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(descriptor) != 0) return FromErrno(errno, path);
  return OkStatus();
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) return FromErrno(errno, path);
  std::string bytes;
  struct stat info {};
  if (::fstat(::fileno(file.get()), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return InvalidArgument(path + ": is a folder, not a file");
    bytes.reserve(static_cast<size_t>(info.st_size));
  }
  char buffer[1 << 16];
  size_t got = 0;
  while ((got = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) bytes.append(buffer, got);
  if (std::ferror(file.get()) != 0) return FromErrno(errno, path);
  return bytes;
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  std::error_code unknown;
  const std::filesystem::file_status there = std::filesystem::symlink_status(path, unknown);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return InvalidArgument(path + ": is no regular file");
  }
  std::string temporary = path + ".XXXXXX";
  const int descriptor = ::mkstemp(temporary.data());
  if (descriptor < 0) return FromErrno(errno, path);
  Status status = WriteAndSync(descriptor, bytes, path);
  if (::fchmod(descriptor, 0644) != 0 && status.ok()) status = FromErrno(errno, path);
  if (::close(descriptor) != 0 && status.ok()) status = FromErrno(errno, path);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = FromErrno(errno, path);
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

Status SyncFolder(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return FromErrno(errno, path);
  const int failed = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  return failed == 0 ? OkStatus() : FromErrno(error, path);
}

Status CheckFolderWritable(const std::string& path) {
  std::error_code error;
  std::filesystem::path there = std::filesystem::absolute(path.empty() ? "." : path, error);
  while (there.has_relative_path() && !std::filesystem::exists(there, error)) {
    there = there.parent_path();
  }
  if (!std::filesystem::is_directory(there, error)) {
    return InvalidArgument(path + " cannot be written: " + there.string() + " is no folder");
  }
  // Only a try tells: root may write everywhere, but not in /proc or on a read-only disk.
  std::string trial = (there / ".voxbit.XXXXXX").string();
  const int descriptor = ::mkstemp(trial.data());
  if (descriptor < 0) {
    return InvalidArgument(path +
                           " cannot be written: " + FromErrno(errno, there.string()).message());
  }
  ::close(descriptor);
  ::unlink(trial.c_str());
  return OkStatus();
}

Status MakeFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FromErrno(error.value(), path);
  if (!std::filesystem::is_directory(path, error)) {
    return InvalidArgument(path + ": is not a folder");
  }
  return OkStatus();
}

}  // namespace voxbit
