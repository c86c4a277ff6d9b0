// What the worker needs of the server. Owned here, implemented in worker/rpc and in tests.
#pragma once

#include <stop_token>
#include <string>

#include "common/status.h"
#include "search/domain/worker.h"

namespace voxbit::worker {

// Blocking; each call has a deadline. UNAVAILABLE when the server is away.
class Coordinator {
 public:
  virtual ~Coordinator() = default;
  // `replaces`: instance of an ended process whose name this one takes over; "": none is known.
  virtual Result<search::RegisterReply> Register(const search::WorkerInfo& worker,
                                                 const std::string& replaces) = 0;
  // An idle call may be held open by the server; returns early, CANCELLED, once `stop` is raised.
  virtual Result<search::SyncReply> Sync(const search::SyncRequest& request,
                                         std::stop_token stop) = 0;
  // Copies a file to the server's artifacts under its digest. Returns early, CANCELLED, once `stop`
  // is raised; so does Download.
  virtual Status Upload(const std::string& path, const std::string& sha256,
                        std::stop_token stop) = 0;
  // Fetches an artifact into a file; the digest has been checked when OK is returned. Bytes that
  // the file has already are taken as its start, so that a broken transfer can go on: call again
  // with the same path after UNAVAILABLE. After DATA_LOSS the file is gone.
  virtual Status Download(const std::string& sha256, const std::string& path,
                          std::stop_token stop) = 0;
};

}  // namespace voxbit::worker
