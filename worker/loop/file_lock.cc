#include "worker/loop/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

namespace voxbit::worker {
namespace {

// A file that was unlinked between open and lock has a descriptor but no name.
bool HasName(int descriptor) {
  struct stat info {};
  return ::fstat(descriptor, &info) == 0 && info.st_nlink > 0;
}

bool Lock(int descriptor, int mode) {
  int failed = 0;
  do {
    failed = ::flock(descriptor, mode);
  } while (failed != 0 && errno == EINTR);
  return failed == 0;
}

}  // namespace

std::optional<FileLock> FileLock::Share(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  FileLock lock(descriptor);
  if (!Lock(descriptor, LOCK_SH) || !HasName(descriptor)) return std::nullopt;
  return lock;
}

bool FileLock::RemoveUnlessShared(const std::string& path) {
  // Opened for writing because network file systems want that for an exclusive lock.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT;
  const FileLock lock(descriptor);
  if (!Lock(descriptor, LOCK_EX | LOCK_NB)) return false;
  return ::unlink(path.c_str()) == 0;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void FileLock::Touch(int64_t now_ms) const {
  const timespec time{.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1'000'000};
  const std::array<timespec, 2> times{time, time};
  // A folder that cannot be written to keeps its times; the cache works all the same.
  (void)::futimens(descriptor_, times.data());
}

}  // namespace voxbit::worker
