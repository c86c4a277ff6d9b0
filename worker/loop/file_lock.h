// Keeps a cached file from being evicted while a task uses it, also by another process.
#pragma once

#include <optional>
#include <string>

namespace voxbit::worker {

// A lock on an existing file for the life of the object; the kernel drops it with the process.
class FileLock {
 public:
  // Waits for an evictor to decide. Empty when the file does not exist (any more).
  static std::optional<FileLock> Share(const std::string& path);
  // Removes the file unless somebody shares it. True when it is gone.
  static bool RemoveUnlessShared(const std::string& path);

  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // Sets the time of the last use, in milliseconds since the Unix epoch.
  void Touch(int64_t now_ms) const;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace voxbit::worker
