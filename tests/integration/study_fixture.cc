#include "tests/integration/study_fixture.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

#include "common/files.h"

namespace voxbit::testing {

Json SmallStudy(const std::string& name, int64_t trials) {
  return {{"name", name},
          {"seed", 7},
          {"supernet", {{"kind", "spvnas"}, {"width", 0.125}}},
          {"dataset",
           {{"kind", "synthetic_lidar"},
            {"train_scans", 2},
            {"val_scans", 2},
            {"beams", 16},
            {"azimuth_steps", 128},
            {"voxel_m", 0.8}}},
          {"train", {{"steps", 4}, {"batch", 1}, {"lr", 0.05}}},
          {"search", {{"algorithm", "evolution"}, {"population", 8}, {"trials", trials}}},
          {"evaluate", {{"calibration_scans", 1}, {"batch", 1}}},
          {"objectives", {{{"metric", "miou"}}, {{"metric", "macs"}}}}};
}

std::string WriteConfig(const TempDir& dir, const Json& study, const std::string& grpc,
                        const Json& local_workers) {
  const Json config = {{"server",
                        {{"grpc", grpc},
                         {"store", dir.path() + "/store"},
                         {"local_workers", local_workers},
                         {"lease_duration_ms", 4000},
                         {"sync_interval_ms", 200},
                         {"first_backoff_ms", 10}}},
                       {"studies", {study}}};
  const std::string path = dir.path() + "/config.json";
  EXPECT_TRUE(WriteFileAtomically(path, config.dump(2)).ok());
  return path;
}

std::unique_ptr<Process> StartServer(const TempDir& dir, const std::string& config) {
  return std::make_unique<Process>(
      Process::Options{.arguments = {"search-server", "--config", config, "--until-done"},
                       .output = dir.path() + "/server.log",
                       .max_file_bytes = {},
                       .bound_by_modes = false});
}

std::unique_ptr<Process> StartWorker(const TempDir& dir, const std::string& address,
                                     const std::string& name) {
  return std::make_unique<Process>(
      Process::Options{.arguments = {"search-worker", "--server", address, "--device", "cpu",
                                     "--name", name, "--threads", "1", "--cache",
                                     dir.path() + "/cache-" + name, "--log-format", "json"},
                       .output = dir.path() + "/" + name + ".log",
                       .max_file_bytes = {},
                       .bound_by_modes = false});
}

std::string AddressOf(const TempDir& dir, Process& server) {
  std::string address;
  Eventually([&] {
    address = LineAfter(dir.path() + "/server.log", "listening on ");
    return !address.empty() || !server.Running();
  });
  return address;
}

StoppedStore::StoppedStore(const TempDir& dir) {
  auto store = storage::Store::Open(dir.path() + "/store", clock_);
  if (!store.ok())
    throw std::runtime_error("the store cannot be read: " + store.status().ToString());
  store_ = std::move(store).value();
}

search::Study StoppedStore::OnlyStudy() { return store_->ListStudies(0, 2).value().at(0); }

std::vector<search::Trial> StoppedStore::Trials() {
  return store_->ListTrials(OnlyStudy().id, {}).value();
}

std::vector<search::Candidate> StoppedStore::Proposed() {
  std::vector<search::Candidate> candidates;
  for (const auto& trial : Trials()) candidates.push_back(trial.candidate);
  return candidates;
}

std::map<int64_t, int64_t> StoppedStore::Attempts(const std::string& outcome) {
  std::map<int64_t, int64_t> counts;
  for (const auto& task : store_->ListTasks(OnlyStudy().id, {}, {}).value()) {
    for (const auto& attempt : store_->ListAttempts(task.id).value()) {
      counts[task.id] += attempt.outcome == outcome ? 1 : 0;
    }
  }
  return counts;
}

std::vector<int64_t> FrontByAllPairs(const std::vector<search::Trial>& trials) {
  const auto value = [](const search::Trial& trial, const char* metric) {
    return trial.measured.at({metric, ""}).value;
  };
  std::vector<int64_t> front;
  for (const auto& trial : trials) {
    if (trial.state != search::TrialState::kSucceeded) continue;
    bool dominated = false;
    for (const auto& other : trials) {
      if (other.state != search::TrialState::kSucceeded) continue;
      const double miou = value(other, "miou") - value(trial, "miou");
      const double macs = value(trial, "macs") - value(other, "macs");
      dominated = dominated || (miou >= 0 && macs >= 0 && (miou > 0 || macs > 0));
    }
    if (!dominated) front.push_back(trial.number);
  }
  return front;
}

}  // namespace voxbit::testing
