#include "client/rpc/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/digest.h"
#include "common/files.h"

namespace voxbit::client {
namespace {

namespace fs = std::filesystem;

constexpr char kManifest[] = "manifest.json";
constexpr char kWeights[] = "weights.safetensors";
constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;

bool IsPlainName(const std::string& name) {
  return !name.empty() && name.front() != '.' &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

// A hidden folder beside the final one, gone at the end of the scope unless it was published.
class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
    // Only the folders that this download made; remove() leaves one that is not empty.
    for (const fs::path& folder : made_) fs::remove(folder, ignored);
  }

  Status Open(const fs::path& dir, const std::string& name) {
    std::error_code ignored;
    for (fs::path folder = fs::absolute(dir, ignored).lexically_normal();
         !folder.empty() && folder != folder.root_path() && !fs::exists(folder, ignored);
         folder = folder.parent_path()) {
      made_.push_back(folder);
    }
    VOXBIT_RETURN_IF_ERROR(MakeFolders(dir.string()));
    std::string pattern = (dir / ("." + name + ".XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr) return FromErrno(errno, dir.string());
    path_ = pattern;
    // mkdtemp makes private folders; a bundle is an ordinary one.
    if (::chmod(path_.c_str(), kFolderMode) != 0) return FromErrno(errno, path_.string());
    return OkStatus();
  }

  // Renames the folder to `target`, or its files into an existing one.
  Status Publish(const fs::path& target, const std::map<std::string, BundleFile>& files) {
    VOXBIT_RETURN_IF_ERROR(SyncFolder(path_.string()));
    std::error_code ignored;
    if (!fs::exists(target, ignored)) {
      VOXBIT_RETURN_IF_ERROR(Rename(path_, target));
      path_.clear();
    } else {
      for (const auto& [name, file] : files) {
        if (name != kManifest) VOXBIT_RETURN_IF_ERROR(Rename(path_ / name, target / name));
      }
      VOXBIT_RETURN_IF_ERROR(Rename(path_ / kManifest, target / kManifest));
      VOXBIT_RETURN_IF_ERROR(SyncFolder(target.string()));
    }
    made_.clear();
    return SyncFolder(target.parent_path().string());
  }

  const fs::path& path() const { return path_; }

 private:
  static Status Rename(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return FromErrno(errno, to.string());
    return OkStatus();
  }

  fs::path path_;
  std::vector<fs::path> made_;  // deepest first
};

// A file that is written from front to back.
class Writer {
 public:
  explicit Writer(std::string path) : path_(std::move(path)) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  Status Open() {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
    return descriptor_ < 0 ? FromErrno(errno, path_) : OkStatus();
  }

  Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) return FromErrno(errno, path_);
      if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
    }
    return OkStatus();
  }

  Status Close() {
    if (::fsync(descriptor_) != 0) return FromErrno(errno, path_);
    const int descriptor = std::exchange(descriptor_, -1);
    return ::close(descriptor) != 0 ? FromErrno(errno, path_) : OkStatus();
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

Status CheckNames(const v1::Export& exported) {
  if (!IsPlainName(exported.study())) {
    return DataLoss("the export's study name \"" + exported.study() + "\" is no file name");
  }
  for (const auto& [name, sha256] : exported.artifacts()) {
    if (!IsPlainName(name)) {
      return DataLoss("the export names a file \"" + name + "\"; a plain file name is right");
    }
    if (!IsSha256(sha256)) {
      return DataLoss(name + ": \"" + sha256 + "\" is no SHA-256 of 64 hexadecimal digits");
    }
  }
  for (const char* name : {kManifest, kWeights}) {
    if (!exported.artifacts().contains(name)) {
      return DataLoss(std::string("the export lacks ") + name);
    }
  }
  return OkStatus();
}

Result<BundleFile> DownloadFile(Api& api, const std::string& name, const std::string& sha256,
                                const fs::path& path, const DownloadProgress& progress) {
  Writer writer(path.string());
  VOXBIT_RETURN_IF_ERROR(writer.Open());
  Sha256 digest;
  int64_t received = 0;
  const Status read = api.ReadArtifact(sha256, [&](std::string_view chunk, int64_t size_bytes) {
    digest.Update(chunk);
    received += static_cast<int64_t>(chunk.size());
    progress(name, received, size_bytes);
    return writer.Write(chunk);
  });
  VOXBIT_RETURN_IF_ERROR(read.Annotate(name));
  VOXBIT_RETURN_IF_ERROR(writer.Close());
  const std::string found = digest.Hex();
  if (found != sha256) {
    return DataLoss(name + " arrived damaged: its " + std::to_string(received) +
                        " bytes have SHA-256 " + found + ", expected " + sha256,
                    "ARTIFACT_HASH_MISMATCH");
  }
  return BundleFile{sha256, received};
}

}  // namespace

Result<Bundle> DownloadBundle(Api& api, const v1::Export& exported, const std::string& dir,
                              const DownloadProgress& progress) {
  VOXBIT_RETURN_IF_ERROR(CheckNames(exported));
  const std::string name = exported.study() + "-" + std::to_string(exported.trial_number());
  Staging staging;
  VOXBIT_RETURN_IF_ERROR(staging.Open(dir, name));
  Bundle bundle;
  bundle.folder = (fs::path(dir) / name).string();
  // In the order of their names; a protobuf map has none.
  const std::map<std::string, std::string> artifacts(exported.artifacts().begin(),
                                                     exported.artifacts().end());
  for (const auto& [file, sha256] : artifacts) {
    VOXBIT_ASSIGN_OR_RETURN(bundle.files[file],
                            DownloadFile(api, file, sha256, staging.path() / file, progress));
  }
  VOXBIT_RETURN_IF_ERROR(staging.Publish(bundle.folder, bundle.files));
  return bundle;
}

}  // namespace voxbit::client
