// A small study on real processes, and what tests ask about its store afterwards.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "search/domain/trial.h"
#include "storage/store.h"
#include "tests/integration/process.h"
#include "tests/support/temp_dir.h"

namespace voxbit::testing {

// Finishes in seconds: few synthetic scans, a narrow supernet, no fine-tuning. The objectives do
// not depend on time, so that equal seeds give equal results.
Json SmallStudy(const std::string& name, int64_t trials);

// Writes {"server": ..., "studies": [study]} and returns the path. Leases are short, so that a
// lost worker is noticed within a test.
std::string WriteConfig(const TempDir& dir, const Json& study, const std::string& grpc,
                        const Json& local_workers);

std::unique_ptr<Process> StartServer(const TempDir& dir, const std::string& config);
std::unique_ptr<Process> StartWorker(const TempDir& dir, const std::string& address,
                                     const std::string& name);

// The address that the server's output names, once it does; "" if it ends before.
std::string AddressOf(const TempDir& dir, Process& server);

// The store of a server that has ended.
class StoppedStore {
 public:
  explicit StoppedStore(const TempDir& dir);

  storage::Store& store() { return *store_; }
  search::Study OnlyStudy();
  std::vector<search::Trial> Trials();
  // Candidates in the order in which they were proposed.
  std::vector<search::Candidate> Proposed();
  // How many attempts of each task ended with this outcome.
  std::map<int64_t, int64_t> Attempts(const std::string& outcome);

 private:
  SystemClock clock_;
  std::unique_ptr<storage::Store> store_;
};

// Non-dominated trials by (miou up, macs down), recomputed by comparing all pairs.
std::vector<int64_t> FrontByAllPairs(const std::vector<search::Trial>& trials);

}  // namespace voxbit::testing
