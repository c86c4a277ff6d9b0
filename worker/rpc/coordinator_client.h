// The server over gRPC, as the worker's loop sees it.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "worker/loop/coordinator.h"

namespace voxbit::worker {

// One channel for the life of the process; gRPC connects and reconnects it by itself. Thread-safe.
// Every call has a deadline. Register and Sync are repeated once, with the same request_id, after
// UNAVAILABLE or DEADLINE_EXCEEDED, which is safe because the server answers a request_id once; a
// connection that is away is waited for before (rpc::kReconnectWait).
class CoordinatorClient final : public Coordinator {
 public:
  struct Settings {
    std::string address;               // "host:port"
    Milliseconds control_deadline{0};  // 0: rpc::kControlDeadline
    Milliseconds idle_wait{-1};        // how long the server may hold an idle Sync; below 0:
                                       // rpc::kIdleWait
  };
  explicit CoordinatorClient(const Settings& settings);
  ~CoordinatorClient() override;

  Result<search::RegisterReply> Register(const search::WorkerInfo& worker,
                                         const std::string& replaces) override;
  Result<search::SyncReply> Sync(const search::SyncRequest& request, std::stop_token stop) override;
  Status Upload(const std::string& path, const std::string& sha256, std::stop_token stop) override;
  Status Download(const std::string& sha256, const std::string& path,
                  std::stop_token stop) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxbit::worker
