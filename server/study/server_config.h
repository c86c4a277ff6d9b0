// The file that `search-server --config` reads.
#pragma once

#include <string>
#include <vector>

#include "common/config.h"
#include "server/dispatch/dispatcher.h"
#include "server/study/study_plan.h"

namespace voxbit::server {

struct ServerSettings {
  std::string grpc = "127.0.0.1:50051";
  std::string http;
  std::string store = "runs/voxbit";
  int64_t local_workers = kAutoWorkers;
  int64_t lease_duration_ms = 60'000;
  int64_t sync_interval_ms = 10'000;
  int64_t max_lost_attempts = 20;
  int64_t max_failed_attempts = 2;
  int64_t first_backoff_ms = 1'000;
  int64_t attempt_limit_ms = 0;
  int64_t stall_limit_ms = 7'200'000;
  bool allow_network_filesystem = false;

  static constexpr int64_t kAutoWorkers = -1;  // one per GPU, or one for the CPU

  DispatchSettings Dispatch() const;
};

Fields<ServerSettings> ServerFields();

// One entry of "studies": its JSON and where it stands, as error messages name it.
struct StudyEntry {
  std::string file;
  std::string where;    // "quickstart.json: /studies/0" or "lidar.json: /"
  std::string pointer;  // of it in that file: "/studies/0" or ""
  std::string name;
  std::string config_json;          // resolved
  std::string earlier_config_json;  // as version 0.1 would have resolved it
  // What the rules for new studies (StudyPlan::CreateNew) say; one that the store has goes on.
  Status as_new;
  std::vector<std::string> notes;  // StudyPlan::notes, each after the file's name
  bool implies_target = false;     // latency_ms stands there without a "target"
};

struct ServerConfig {
  ServerSettings server;
  std::vector<StudyEntry> studies;
};

// Whether the data of a study is where it says, as far as a look at folder and lists tells.
// `pointer` is the study's. With workers on this machine INVALID_ARGUMENT where it is not; without
// them the warning that it is not here, which is then no error; "" where all is well.
Result<std::string> LookAtData(const Json& study, const std::string& pointer,
                               const Plugins& plugins, bool has_local_workers);

// Reads and checks the file and the study files that it names (relative to its folder), all but
// what is asked of new studies only (StudyEntry::as_new).
// `overrides` are "POINTER=VALUE", such as "/studies/0/dataset/root=data" (config_override.h). A
// relative /dataset/root of a study is taken from the working directory,
// as is a /latency_table, which the table in that file replaces. INVALID_ARGUMENT names file and
// JSON pointer.
Result<ServerConfig> ReadServerConfig(const std::string& path,
                                      const std::vector<std::string>& overrides,
                                      const Plugins& plugins);

}  // namespace voxbit::server
