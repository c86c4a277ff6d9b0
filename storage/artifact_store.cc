#include "storage/artifact_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/files.h"
#include "common/uuid.h"
#include "storage/folder_guard.h"

namespace voxbit::storage {
namespace {

constexpr std::string_view kTemporaryPrefix = "incoming-";

// Removes a temporary file unless its writer, which holds a lock on it, is alive.
void RemoveIfAbandoned(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  ::close(descriptor);
}

// Creates and locks a temporary file. Between the two, a cleaner may have removed it: then its
// link count is 0 and we try again.
Result<int> CreateLocked(const std::string& path) {
  while (true) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) return WithStoreReason(FromErrno(errno, path));
    struct stat info {};
    const bool locked = ::flock(descriptor, LOCK_EX) == 0 && ::fstat(descriptor, &info) == 0;
    if (locked && info.st_nlink > 0) return descriptor;
    const int error = errno;
    ::close(descriptor);
    if (!locked && error != EINTR) return FromErrno(error, path);
  }
}

}  // namespace

Result<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(const std::string& folder) {
  const Status made = MakeFolders(folder);
  if (!made.ok()) return WithStoreReason(made);
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(kTemporaryPrefix)) RemoveIfAbandoned(it->path().string());
  }
  if (error) return WithStoreReason(FromErrno(error.value(), folder));
  return std::unique_ptr<ArtifactStore>(new ArtifactStore(folder));
}

ArtifactStore::Writer::Writer(std::string folder, std::string temporary, int descriptor)
    : folder_(std::move(folder)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

ArtifactStore::Writer::~Writer() {
  if (descriptor_ < 0) return;
  ::unlink(temporary_.c_str());
  ::close(descriptor_);
}

Status ArtifactStore::Writer::Append(std::string_view bytes) {
  VOXBIT_RETURN_IF_ERROR(failure_);
  hash_.Update(bytes);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      failure_ = WithStoreReason(FromErrno(errno, temporary_));
      return failure_;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return OkStatus();
}

Result<std::string> ArtifactStore::Writer::Commit(const std::string& expected) {
  VOXBIT_RETURN_IF_ERROR(failure_);
  failure_ = FailedPrecondition("an artifact is committed once");
  const std::string digest = hash_.Hex();
  if (!expected.empty() && expected != digest) {
    return DataLoss(
        "the artifact was announced as " + expected + ", but its bytes have SHA-256 " + digest,
        "ARTIFACT_HASH_MISMATCH");
  }
  if (::fsync(descriptor_) != 0) return WithStoreReason(FromErrno(errno, temporary_));
  const std::string shelf = folder_ + "/" + digest.substr(0, 2);
  const Status made = MakeFolders(shelf);
  if (!made.ok()) return WithStoreReason(made);
  // Replaces a file of the same name: the content is the same, or, after a damage, better.
  if (::rename(temporary_.c_str(), (shelf + "/" + digest).c_str()) != 0) {
    return WithStoreReason(FromErrno(errno, shelf));
  }
  ::close(std::exchange(descriptor_, -1));
  VOXBIT_RETURN_IF_ERROR(SyncFolder(shelf));
  VOXBIT_RETURN_IF_ERROR(SyncFolder(folder_));
  return digest;
}

Result<std::unique_ptr<ArtifactStore::Writer>> ArtifactStore::NewWriter() {
  const std::string path = folder_ + "/" + std::string(kTemporaryPrefix) + NewUuid();
  VOXBIT_ASSIGN_OR_RETURN(const int descriptor, CreateLocked(path));
  return std::unique_ptr<Writer>(new Writer(folder_, path, descriptor));
}

Result<std::string> ArtifactStore::Put(std::string_view bytes) {
  VOXBIT_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer, NewWriter());
  VOXBIT_RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Commit("");
}

Result<std::string> ArtifactStore::PutFile(const std::string& path, const std::string& expected) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) return FromErrno(errno, path);
  VOXBIT_ASSIGN_OR_RETURN(std::unique_ptr<Writer> writer, NewWriter());
  std::vector<char> buffer(size_t{1} << 20);
  size_t got = 0;
  while ((got = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    VOXBIT_RETURN_IF_ERROR(writer->Append({buffer.data(), got}));
  }
  if (std::ferror(file.get()) != 0) return FromErrno(errno, path);
  return writer->Commit(expected);
}

bool ArtifactStore::Has(const std::string& sha256) const { return Path(sha256).ok(); }

Result<std::string> ArtifactStore::Path(const std::string& sha256) const {
  // Whatever else the name holds, it must not lead out of the folder.
  if (!IsSha256(sha256)) return NotFound("\"" + sha256 + "\" is no SHA-256 of an artifact");
  std::string path = FinalPath(sha256);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return NotFound("there is no artifact " + sha256);
  }
  return path;
}

Result<int64_t> ArtifactStore::SizeBytes(const std::string& sha256) const {
  VOXBIT_ASSIGN_OR_RETURN(const std::string path, Path(sha256));
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, path);
  return int64_t{info.st_size};
}

Result<std::vector<std::string>> ArtifactStore::List() const {
  std::vector<std::string> sha256s;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    if (IsSha256(name) && it->path() == FinalPath(name)) sha256s.push_back(std::move(name));
  }
  if (error) return WithStoreReason(FromErrno(error.value(), folder_));
  std::sort(sha256s.begin(), sha256s.end());
  return sha256s;
}

Status ArtifactStore::Remove(const std::string& sha256) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string path, Path(sha256));
  if (::unlink(path.c_str()) != 0) return WithStoreReason(FromErrno(errno, path));
  return OkStatus();
}

Status ArtifactStore::KeepOnly(const std::set<std::string>& sha256s) {
  VOXBIT_ASSIGN_OR_RETURN(const auto all, List());
  for (const std::string& sha256 : all) {
    if (sha256s.contains(sha256)) continue;
    VOXBIT_RETURN_IF_ERROR(Remove(sha256));
  }
  return OkStatus();
}

std::string ArtifactStore::FinalPath(const std::string& sha256) const {
  return folder_ + "/" + sha256.substr(0, 2) + "/" + sha256;
}

}  // namespace voxbit::storage
