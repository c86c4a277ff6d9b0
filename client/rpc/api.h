// The server as the client sees it: one method per call, with deadlines and retries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "search/domain/trial.h"
#include "search/domain/worker.h"
#include "voxbit/v1/study_service.pb.h"
#include "voxbit/v1/trial_service.pb.h"

namespace voxbit::client {

// Every call has a deadline and ends with CANCELLED soon after `stop` is raised. Only UNAVAILABLE
// is retried: four attempts with growing pauses. Calls that change state carry one request_id over
// all their attempts, so that a repeated one takes effect once.
// Statuses of the server are passed on; UNAVAILABLE "cannot reach ..." where there is none.
class Api {
 public:
  struct Options {
    std::string server;  // HOST:PORT
    std::stop_token stop;
    Milliseconds connect{3'000};  // how long the first call waits for a connection
    Milliseconds deadline{0};     // of each call; 0: that of proto/rpc/channel.h
  };

  explicit Api(Options options);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  Result<v1::Study> CreateStudy(const std::string& config_json, bool validate_only);
  Result<v1::Study> GetStudy(const std::string& name);
  Result<std::vector<v1::Study>> ListStudies();
  Result<v1::Study> PauseStudy(const std::string& name);
  Result<v1::Study> ResumeStudy(const std::string& name);
  Result<v1::Study> StopStudy(const std::string& name);
  Result<v1::Study> RetryStudy(const std::string& name);
  // What the study was.
  Result<v1::Study> DeleteStudy(const std::string& name);
  // `overrides` are POINTER=VALUE each.
  Result<v1::Study> CloneStudy(const std::string& name, const std::string& new_name,
                               const std::vector<std::string>& overrides);

  // By number; no states: all. The first `limit`, 0: all.
  Result<std::vector<search::Trial>> ListTrials(const std::string& study,
                                                const std::vector<search::TrialState>& states,
                                                int64_t limit = 0);
  struct TrialDetails {
    search::Trial trial;
    Json architecture;  // the candidate in the words of its paper
    Json layers;        // array of objects
  };
  Result<TrialDetails> GetTrial(const std::string& study, int64_t number);
  struct Front {
    std::vector<std::string> metrics;      // what was compared
    std::optional<double> hypervolume;     // empty: there is no reference yet
    std::vector<search::Trial> trials;     // best first by the first metric
    std::vector<search::Trial> dominated;  // others that can be compared; of very many a part
    int64_t num_compared = 0;              // all of both
  };
  // No metrics: the study's objectives.
  Result<Front> GetFront(const std::string& study, const std::vector<std::string>& metrics);

  Result<v1::Export> CreateExport(const std::string& study, int64_t number);
  Result<v1::Export> GetExport(int64_t export_id);
  // Hands the bytes to `sink` in order; `size_bytes` is of the whole artifact. A broken read goes
  // on where it ended. Whether the bytes have the digest is the caller's to check.
  using ChunkSink = std::function<Status(std::string_view chunk, int64_t size_bytes)>;
  Status ReadArtifact(const std::string& sha256, const ChunkSink& sink);

  Result<std::vector<search::WorkerRow>> ListWorkers();
  Result<search::WorkerRow> DrainWorker(const std::string& name);

  const std::string& server() const;

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace voxbit::client
