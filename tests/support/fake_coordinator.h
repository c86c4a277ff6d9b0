// A server in memory for tests of the worker: answers what the test tells it to, remembers what it
// was asked.
#pragma once

#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/mutex.h"
#include "worker/loop/coordinator.h"

namespace voxbit::testing {

// Thread-safe. Answers come from queues, in order; an empty queue gives the standing answer.
class FakeCoordinator final : public worker::Coordinator {
 public:
  using SyncAnswer = Result<search::SyncReply>;

  Result<search::RegisterReply> Register(const search::WorkerInfo& worker,
                                         const std::string& replaces) override {
    const MutexLock lock(mutex_);
    registered_.push_back(worker);
    if (!register_errors_.empty()) {
      Status error = std::move(register_errors_.front());
      register_errors_.pop_front();
      return error;
    }
    if (!register_error_.ok()) return register_error_;
    search::RegisterReply reply;
    const auto holder = holders_.find(worker.name);
    if (holder != holders_.end() && holder->second != replaces) {
      reply.taken_by = holder->second;
      return reply;
    }
    reply.session = "session-" + std::to_string(++sessions_);
    reply.sync_interval = Milliseconds(10'000);
    reply.lease_duration = Milliseconds(60'000);
    return reply;
  }

  SyncAnswer Sync(const search::SyncRequest& request, std::stop_token) override {
    const MutexLock lock(mutex_);
    requests_.push_back(request);
    changed_.NotifyAll();
    if (!sync_replies_.empty()) {
      SyncAnswer reply = std::move(sync_replies_.front());
      sync_replies_.pop_front();
      return reply;
    }
    return StandingReply(request);
  }

  Status Upload(const std::string& path, const std::string& sha256, std::stop_token) override {
    const MutexLock lock(mutex_);
    ++uploads_;
    changed_.NotifyAll();
    if (!upload_errors_.empty()) {
      Status error = std::move(upload_errors_.front());
      upload_errors_.pop_front();
      return error;
    }
    std::ifstream file(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    if (Sha256Hex(bytes) != sha256) return DataLoss("wrong bytes", "ARTIFACT_HASH_MISMATCH");
    artifacts_[sha256] = std::move(bytes);
    return OkStatus();
  }

  Status Download(const std::string& sha256, const std::string& path, std::stop_token) override {
    const MutexLock lock(mutex_);
    ++downloads_;
    if (!download_errors_.empty()) {
      Status error = std::move(download_errors_.front());
      download_errors_.pop_front();
      return error;
    }
    const auto found = artifacts_.find(sha256);
    if (found == artifacts_.end()) return NotFound("no artifact " + sha256);
    std::ofstream(path, std::ios::binary) << found->second;
    return OkStatus();
  }

  // ---- for the test --------------------------------------------------------------------------
  void FailRegister(Status error) {
    const MutexLock lock(mutex_);
    register_errors_.push_back(std::move(error));
  }
  // A living process has this name.
  void TakeName(const std::string& name, const std::string& instance) {
    const MutexLock lock(mutex_);
    holders_[name] = instance;
  }
  std::vector<search::WorkerInfo> registered() const {
    const MutexLock lock(mutex_);
    return registered_;
  }
  void RefuseRegister(Status error) {
    const MutexLock lock(mutex_);
    register_error_ = std::move(error);
  }
  void Answer(SyncAnswer reply) {
    const MutexLock lock(mutex_);
    sync_replies_.push_back(std::move(reply));
  }
  void FailUpload(Status error) {
    const MutexLock lock(mutex_);
    upload_errors_.push_back(std::move(error));
  }
  void FailDownload(Status error) {
    const MutexLock lock(mutex_);
    download_errors_.push_back(std::move(error));
  }
  std::string AddArtifact(const std::string& bytes) {
    const MutexLock lock(mutex_);
    std::string sha256 = Sha256Hex(bytes);
    artifacts_[sha256] = bytes;
    return sha256;
  }
  std::map<std::string, std::string> artifacts() const {
    const MutexLock lock(mutex_);
    return artifacts_;
  }
  std::vector<search::SyncRequest> requests() const {
    const MutexLock lock(mutex_);
    return requests_;
  }
  search::SyncRequest last() const { return requests().back(); }
  size_t registrations() const {
    const MutexLock lock(mutex_);
    return registered_.size();
  }
  int uploads() const {
    const MutexLock lock(mutex_);
    return uploads_;
  }
  int downloads() const {
    const MutexLock lock(mutex_);
    return downloads_;
  }
  // Blocks until a sync has satisfied `wanted`; the time-out of the test is the limit.
  template <class Predicate>
  search::SyncRequest WaitForSync(Predicate wanted) {
    const MutexLock lock(mutex_);
    size_t seen = 0;
    while (true) {
      for (; seen < requests_.size(); ++seen) {
        if (wanted(requests_[seen])) return requests_[seen];
      }
      changed_.Wait(mutex_);
    }
  }
  void WaitForUploads(int count) {
    const MutexLock lock(mutex_);
    while (uploads_ < count) changed_.Wait(mutex_);
  }

 private:
  static search::SyncReply StandingReply(const search::SyncRequest& request) {
    search::SyncReply reply;
    if (request.running) reply.desired = search::Desired::kKeep;
    if (request.running) reply.next_sync = Milliseconds(10'000);
    if (request.finished) reply.verdict = search::Verdict::kRecorded;
    return reply;
  }

  mutable Mutex mutex_;
  CondVar changed_;
  int sessions_ VOXBIT_GUARDED_BY(mutex_) = 0;
  int uploads_ VOXBIT_GUARDED_BY(mutex_) = 0;
  int downloads_ VOXBIT_GUARDED_BY(mutex_) = 0;
  Status register_error_ VOXBIT_GUARDED_BY(mutex_);
  std::deque<Status> register_errors_ VOXBIT_GUARDED_BY(mutex_);
  std::map<std::string, std::string> holders_ VOXBIT_GUARDED_BY(mutex_);  // instances, by name
  std::deque<Status> upload_errors_ VOXBIT_GUARDED_BY(mutex_);
  std::deque<Status> download_errors_ VOXBIT_GUARDED_BY(mutex_);
  std::deque<SyncAnswer> sync_replies_ VOXBIT_GUARDED_BY(mutex_);
  std::vector<search::WorkerInfo> registered_ VOXBIT_GUARDED_BY(mutex_);
  std::vector<search::SyncRequest> requests_ VOXBIT_GUARDED_BY(mutex_);
  std::map<std::string, std::string> artifacts_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::testing
