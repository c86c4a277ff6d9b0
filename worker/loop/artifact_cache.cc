#include "worker/loop/artifact_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/files.h"
#include "common/log.h"
#include "common/uuid.h"

namespace voxbit::worker {
namespace {

namespace fs = std::filesystem;

// Any transfer ends long before; what is older was left by a process that died.
constexpr auto kTemporaryLife = std::chrono::hours(24);
// Another process may evict a file between its arrival and its use; three times in a row it does
// not.
constexpr int kFetchRounds = 3;

bool ServerIsAway(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kDeadlineExceeded;
}

// Gives a complete file its final name. When another worker was faster its file stays, because that
// worker may hold a lock on it.
Status Adopt(const std::string& temporary, const std::string& path) {
  const char* from = temporary.c_str();
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return OkStatus();
  if (errno == EEXIST) return OkStatus();
  // Some file systems cannot rename without replacing.
  if (errno == EINVAL && ::rename(from, path.c_str()) == 0) return OkStatus();
  return FromErrno(errno, temporary);
}

// Repeats `call` while `again` holds for its status, with growing pauses. One log line when it
// starts to wait and one when it went through.
Status Insist(const std::function<Status()>& call, const std::function<bool(const Status&)>& again,
              const Backoff::Settings& settings, const std::stop_token& stop,
              const nlohmann::json& fields) {
  Backoff backoff(settings, std::hash<std::string>{}(fields.dump()));
  bool waited = false;
  while (true) {
    Status status = call();
    if (!again(status)) {
      if (status.ok() && waited) log::Info("transfer went through", fields);
      return status;
    }
    if (!waited) {
      nlohmann::json why = fields;
      why["why"] = status.ToString();
      log::Warning("transfer waits for the server", why);
    }
    waited = true;
    if (!SleepFor(backoff.Next(), stop)) return Cancelled("stopped: " + status.message());
  }
}

}  // namespace

ArtifactCache::ArtifactCache(Settings settings, Coordinator& coordinator, const Clock& clock)
    : settings_(std::move(settings)), coordinator_(coordinator), clock_(clock) {}

Result<std::unique_ptr<ArtifactCache>> ArtifactCache::Open(const Settings& settings,
                                                           Coordinator& coordinator,
                                                           const Clock& clock) {
  VOXBIT_RETURN_IF_ERROR(MakeFolders(settings.folder).Annotate("cache folder"));
  if (::access(settings.folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return FromErrno(errno, "cache folder " + settings.folder);
  }
  std::unique_ptr<ArtifactCache> cache(new ArtifactCache(settings, coordinator, clock));
  cache->RemoveOldTemporaries();
  cache->EvictDownTo(settings.max_bytes);
  return cache;
}

void ArtifactCache::BeginTask(std::stop_token stop) {
  const MutexLock lock(mutex_);
  stop_ = std::move(stop);
  pins_.clear();
  stored_.clear();
}

std::stop_token ArtifactCache::StopOfTask() const {
  const MutexLock lock(mutex_);
  return stop_;
}

bool ArtifactCache::Pin(const std::string& sha256) {
  std::optional<FileLock> file = FileLock::Share(FilePath(sha256));
  if (!file) return false;
  bool verified = false;
  {
    const MutexLock lock(mutex_);
    verified = verified_.count(sha256) > 0;
  }
  if (!verified) {
    // A power cut can leave a renamed file without its bytes: hash it once per process.
    const Result<std::string> digest = Sha256OfFile(FilePath(sha256));
    if (!digest.ok() || *digest != sha256) {
      log::Warning("damaged file in the cache, removed", {{"artifact", sha256}});
      ::unlink(FilePath(sha256).c_str());
      return false;
    }
  }
  file->Touch(clock_.NowMs());
  const MutexLock lock(mutex_);
  verified_.insert(sha256);
  pins_.insert_or_assign(sha256, *std::move(file));
  return true;
}

Status ArtifactCache::DownloadInto(const std::string& sha256) {
  const std::string temporary = FilePath(sha256) + "." + NewUuid() + ".part";
  bool made_room = false;
  const auto again = [&](const Status& status) {
    if (status.code() != StatusCode::kResourceExhausted || made_room) return ServerIsAway(status);
    made_room = true;
    EvictDownTo(0);
    return true;
  };
  const std::stop_token stop = StopOfTask();
  Status status = Insist([&] { return coordinator_.Download(sha256, temporary, stop); }, again,
                         settings_.backoff, stop, {{"fetch", sha256}});
  if (status.ok()) status = Adopt(temporary, FilePath(sha256));
  ::unlink(temporary.c_str());
  return status;
}

Result<std::string> ArtifactCache::Fetch(const std::string& sha256) {
  if (!IsSha256(sha256)) return InvalidArgument("not the name of an artifact: \"" + sha256 + "\"");
  for (int round = 0; round < kFetchRounds; ++round) {
    if (Pin(sha256)) return FilePath(sha256);
    VOXBIT_RETURN_IF_ERROR(DownloadInto(sha256).Annotate("artifact " + sha256));
    const bool pinned = Pin(sha256);
    EvictDownTo(settings_.max_bytes);
    if (pinned) return FilePath(sha256);
  }
  return Unavailable("artifact " + sha256 + " disappears from the cache folder " +
                     settings_.folder);
}

Result<std::string> ArtifactCache::Put(std::string_view bytes) {
  std::string sha256 = Sha256Hex(bytes);
  for (int round = 0; round < kFetchRounds; ++round) {
    if (Pin(sha256)) {
      const MutexLock lock(mutex_);
      stored_.insert(sha256);
      return sha256;
    }
    Status written = WriteFileAtomically(FilePath(sha256), bytes);
    if (written.code() == StatusCode::kResourceExhausted) {
      EvictDownTo(0);
      written = WriteFileAtomically(FilePath(sha256), bytes);
    }
    VOXBIT_RETURN_IF_ERROR(written);
    const bool pinned = Pin(sha256);
    EvictDownTo(settings_.max_bytes);
    if (!pinned) continue;
    const MutexLock lock(mutex_);
    stored_.insert(sha256);
    return sha256;
  }
  return Unavailable("artifact " + sha256 + " disappears from the cache folder " +
                     settings_.folder);
}

Status ArtifactCache::UploadOne(const std::string& sha256, const std::stop_token& stop) {
  // A result may be hours of work: whatever the server's disk has is waited for. Only what another
  // try cannot mend ends it.
  const auto again = [](const Status& status) {
    switch (status.code()) {
      case StatusCode::kOk:
      case StatusCode::kCancelled:
      case StatusCode::kInvalidArgument:
      case StatusCode::kNotFound:
      case StatusCode::kFailedPrecondition:
      case StatusCode::kDataLoss:
        return false;
      default:
        return true;
    }
  };
  return Insist([&] { return coordinator_.Upload(FilePath(sha256), sha256, stop); }, again,
                settings_.backoff, stop, {{"upload", sha256}});
}

Status ArtifactCache::Upload(const std::map<std::string, std::string>& artifacts) {
  const std::stop_token stop = StopOfTask();
  for (const auto& [role, sha256] : artifacts) {
    bool known = false;
    bool stored = false;
    {
      const MutexLock lock(mutex_);
      known = pins_.count(sha256) > 0;
      stored = stored_.count(sha256) > 0;
    }
    if (!known) {
      std::string why = "the result names ";
      why.append(role).append(" \"").append(sha256);
      return FailedPrecondition(why.append("\", which the task neither stored nor fetched"));
    }
    if (!stored) continue;
    VOXBIT_RETURN_IF_ERROR(UploadOne(sha256, stop).Annotate("artifact " + role));
    const MutexLock lock(mutex_);
    stored_.erase(sha256);
  }
  return OkStatus();
}

void ArtifactCache::EvictDownTo(int64_t max_bytes) const {
  std::vector<std::tuple<fs::file_time_type, int64_t, std::string>> files;
  int64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator it(settings_.folder, error), end; !error && it != end;
       it.increment(error)) {
    if (!IsSha256(it->path().filename().string())) continue;
    std::error_code gone;  // another process may evict at the same time
    const auto bytes = static_cast<int64_t>(it->file_size(gone));
    if (gone) continue;
    const auto time = it->last_write_time(gone);
    if (gone) continue;
    files.emplace_back(time, bytes, it->path().string());
    total += bytes;
  }
  if (total <= max_bytes) return;
  std::sort(files.begin(), files.end());
  for (const auto& [time, bytes, path] : files) {
    if (total <= max_bytes) return;
    if (FileLock::RemoveUnlessShared(path)) total -= bytes;
  }
}

void ArtifactCache::RemoveOldTemporaries() const {
  const auto now = fs::file_time_type::clock::from_sys(
      std::chrono::sys_time<Milliseconds>(Milliseconds(clock_.NowMs())));
  std::error_code error;
  for (fs::directory_iterator it(settings_.folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (IsSha256(name) || !IsSha256(std::string_view(name).substr(0, 64))) continue;
    std::error_code gone;
    const auto time = it->last_write_time(gone);
    if (!gone && now - time > kTemporaryLife) fs::remove(it->path(), gone);
  }
}

}  // namespace voxbit::worker
