#include "storage/folder_guard.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <thread>

namespace voxbit::storage {
namespace {

struct NetworkType {
  uint64_t magic;
  const char* name;
};

// From statfs(2) and linux/magic.h. On these, locks and the shared memory of the write-ahead log
// do not work reliably between machines.
constexpr std::array<NetworkType, 10> kNetworkTypes = {{
    {0x6969, "NFS"},
    {0x517B, "SMB"},
    {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},
    {0x5346414F, "AFS"},
    {0x73757245, "Coda"},
    {0x01021997, "9P"},
    {0x00C36400, "Ceph"},
    {0x0BD00BD0, "Lustre"},
    {0x47504653, "GPFS"},
}};

Status CheckLocal(const std::string& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return FromErrno(errno, folder);
  // f_type is signed on some machines; the magic numbers have 32 bits.
  const uint64_t type = static_cast<uint64_t>(info.f_type) & 0xFFFFFFFFU;
  for (const NetworkType& network : kNetworkTypes) {
    if (type == network.magic) {
      return FailedPrecondition(folder + ": lies on a network filesystem (" + network.name +
                                    "), where SQLite's locks are not reliable; use a folder on a "
                                    "local disk, or allow it explicitly",
                                "STORE_ON_NETWORK");
    }
  }
  return OkStatus();
}

// 0 once the lock is held; EWOULDBLOCK when another process still has it after `patience`.
int LockWithin(int descriptor, Milliseconds patience) {
  constexpr Milliseconds kPause{20};
  const SystemClock clock;
  const int64_t deadline = clock.MonotonicMs() + patience.count();
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || clock.MonotonicMs() >= deadline) return errno;
    std::this_thread::sleep_for(kPause);
  }
  return 0;
}

}  // namespace

Status WithStoreReason(const Status& status) {
  if (!status.reason().empty()) return status;
  switch (status.code()) {
    case StatusCode::kPermissionDenied:
      return {status.code(), status.message(), "STORE_READ_ONLY"};
    case StatusCode::kResourceExhausted:
      return {status.code(), status.message(), "STORE_DISK_FULL"};
    default:
      return status;
  }
}

Result<std::unique_ptr<FolderGuard>> FolderGuard::Lock(const std::string& folder,
                                                       bool allow_network, Milliseconds patience) {
  if (!allow_network) VOXBIT_RETURN_IF_ERROR(CheckLocal(folder));
  const std::string path = folder + "/" + kFile;
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return WithStoreReason(FromErrno(errno, path));
  std::unique_ptr<FolderGuard> guard(new FolderGuard(descriptor));
  if (const int error = LockWithin(descriptor, patience); error != 0) {
    if (error != EWOULDBLOCK) return FromErrno(error, path);
    std::array<char, 32> owner{};
    const ssize_t got = ::pread(descriptor, owner.data(), owner.size() - 1, 0);
    const std::string process = got > 0 ? " " + std::string(owner.data()) : "";
    return FailedPrecondition(folder + ": the store is in use by another process" + process,
                              "STORE_IN_USE");
  }
  // For the message above only: a full disk must not keep the store from opening.
  const std::string process = std::to_string(::getpid());
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, process.data(), process.size(), 0) < 0) {
    errno = 0;
  }
  return guard;
}

FolderGuard::~FolderGuard() { ::close(descriptor_); }

}  // namespace voxbit::storage
