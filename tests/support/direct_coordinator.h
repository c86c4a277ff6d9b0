// The real dispatcher and store as a worker's Coordinator, without a network between; instead it
// can lose calls and answers, and the server can be away or restart.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/files.h"
#include "common/mutex.h"
#include "common/rng.h"
#include "server/dispatch/dispatcher.h"
#include "storage/artifact_store.h"
#include "storage/store.h"
#include "worker/loop/coordinator.h"

namespace voxbit::testing {

// A server in this process: a store in a folder and what works on it.
class DirectServer {
 public:
  DirectServer(std::string folder, const Clock& clock, server::DispatchSettings settings)
      : folder_(std::move(folder)), clock_(clock), settings_(settings) {
    Start();
  }

  // Ends the store and opens it again, as a new process would.
  void Restart() {
    dispatcher_.reset();
    store_.reset();
    Start();
    const Status refreshed = dispatcher_->RefreshLeases();
    VOXBIT_CHECK(refreshed.ok(), refreshed.ToString());
  }

  storage::Store& store() { return *store_; }
  server::Dispatcher& dispatcher() { return *dispatcher_; }
  storage::ArtifactStore& artifacts() { return *artifacts_; }

 private:
  void Start() {
    auto store = storage::Store::Open(folder_, clock_);
    VOXBIT_CHECK(store.ok(), store.status().ToString());
    store_ = *std::move(store);
    auto artifacts = storage::ArtifactStore::Open(folder_ + "/artifacts");
    VOXBIT_CHECK(artifacts.ok(), artifacts.status().ToString());
    artifacts_ = *std::move(artifacts);
    dispatcher_ = std::make_unique<server::Dispatcher>(*store_, clock_, settings_);
  }

  const std::string folder_;
  const Clock& clock_;
  const server::DispatchSettings settings_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<storage::ArtifactStore> artifacts_;
  std::unique_ptr<server::Dispatcher> dispatcher_;
};

// Thread-safe. Faults are seeded; with none set every call goes through.
class DirectCoordinator final : public worker::Coordinator {
 public:
  struct Faults {
    double lose_call = 0;    // probability that a call does not arrive
    double lose_answer = 0;  // probability that it arrives and its answer does not
    double restart = 0;      // probability that the server restarts before the call
  };

  DirectCoordinator(DirectServer& server, Mutex& server_mutex, uint64_t seed, Faults faults)
      : server_(server), mutex_(server_mutex), rng_(seed), faults_(faults) {}

  void SetFaults(const Faults& faults) {
    const MutexLock lock(mutex_);
    faults_ = faults;
  }

  Result<search::RegisterReply> Register(const search::WorkerInfo& worker,
                                         const std::string& replaces) override {
    return Call<search::RegisterReply>(
        [&] { return server_.dispatcher().Register(worker, replaces); });
  }

  Result<search::SyncReply> Sync(const search::SyncRequest& request, std::stop_token) override {
    return Call<search::SyncReply>([&]() -> Result<search::SyncReply> {
      VOXBIT_ASSIGN_OR_RETURN(std::optional<search::SyncReply> reply,
                              server_.dispatcher().Sync(request));
      return reply ? *reply : server_.dispatcher().IdleReply();
    });
  }

  Status Upload(const std::string& path, const std::string& sha256, std::stop_token) override {
    return Call<std::string>([&]() -> Result<std::string> {
             VOXBIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
             VOXBIT_CHECK(Sha256Hex(bytes) == sha256, "the cache holds what it says");
             return server_.artifacts().Put(bytes);
           })
        .status();
  }

  Status Download(const std::string& sha256, const std::string& path, std::stop_token) override {
    return Call<bool>([&]() -> Result<bool> {
             VOXBIT_ASSIGN_OR_RETURN(const std::string from, server_.artifacts().Path(sha256));
             VOXBIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(from));
             VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
             return true;
           })
        .status();
  }

 private:
  template <class T, class Body>
  Result<T> Call(Body body) {
    const MutexLock lock(mutex_);
    if (rng_.Bernoulli(faults_.restart)) server_.Restart();
    if (rng_.Bernoulli(faults_.lose_call)) return Unavailable("the call was lost");
    Result<T> answer = body();
    if (rng_.Bernoulli(faults_.lose_answer)) return Unavailable("the answer was lost");
    return answer;
  }

  DirectServer& server_;
  Mutex& mutex_;  // one for all coordinators of a server: a restart must not meet a call
  Rng rng_ VOXBIT_GUARDED_BY(mutex_);
  Faults faults_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::testing
