#include "server/study/server_config.h"

#include <filesystem>
#include <set>
#include <utility>

#include "common/address.h"
#include "common/json_file.h"
#include "server/study/config_override.h"

namespace voxbit::server {
namespace {

Status ParseLocalWorkers(const Json& found, const std::string& pointer, ServerSettings& out) {
  if (found.is_string() && found.get<std::string>() == "auto") {
    out.local_workers = ServerSettings::kAutoWorkers;
    return OkStatus();
  }
  if (!found.is_number_integer() || found.get<int64_t>() < 0 || found.get<int64_t>() > 1024) {
    return ExpectedError(pointer, "\"auto\" or an integer from 0 to 1024", found);
  }
  out.local_workers = found.get<int64_t>();
  return OkStatus();
}

Json PrintLocalWorkers(const ServerSettings& in) {
  if (in.local_workers == ServerSettings::kAutoWorkers) return "auto";
  return in.local_workers;
}

// A file of one study was given where the file around it is read.
bool LooksLikeStudy(const Json& json) {
  const auto has = [&](const char* key) { return json.contains(key); };
  return json.is_object() && !has("server") && !has("studies") &&
         (has("supernet") || has("dataset") || has("objectives"));
}

// And the other way round.
bool LooksLikeServerConfig(const Json& json) {
  return json.is_object() && (json.contains("server") || json.contains("studies")) &&
         !json.contains("supernet");
}

Status StudyInPlaceOfConfig(const std::string& path) {
  const Json list = {{"studies", {std::filesystem::path(path).filename().string()}}};
  return InvalidArgument(
      path +
      ": looks like a study; this server reads a file with \"server\" and "
      "\"studies\": name the study in one beside it, as in " +
      list.dump() + ", or give it to a server that runs: search-client study create -f " + path);
}

// `study` has been checked.
bool ImpliesTarget(const Json& study) {
  for (const char* list : {"objectives", "constraints"}) {
    for (const Json& entry : study.value(list, Json::array())) {
      if (entry.at("metric") == "latency_ms" && !entry.contains("target")) return true;
    }
  }
  return false;
}

Result<StudyEntry> ReadStudy(const Json& entry, const std::string& file, const std::string& pointer,
                             const Plugins& plugins) {
  Json json = entry;
  std::string where = file;
  std::string at = pointer;
  if (entry.is_string()) {
    where = (std::filesystem::path(file).parent_path() / entry.get<std::string>()).string();
    at = "";
    auto parsed = ReadJsonFile(where);
    if (!parsed.ok()) return parsed.status().Annotate(file + ": " + pointer);
    json = std::move(parsed).value();
  }
  if (LooksLikeServerConfig(json)) {
    return InvalidArgument(where + ": " + (at.empty() ? "/" : at) +
                           ": looks like a server configuration; here one study is right, such as "
                           "an entry of its \"studies\"");
  }
  const Json::json_pointer root("/dataset/root");
  if (json.contains(root)) MakePathAbsolute(json[root]);
  if (const auto table = json.find("latency_table"); table != json.end()) {
    const Status read =
        InlineJsonFile(at + "/latency_table", search::kMaxLatencyTableBytes, *table);
    if (!read.ok()) return read.Annotate(where);
  }
  auto plan = StudyPlan::CreateNew(json, at, plugins);
  const Status as_new = plan.status().Annotate(where);
  if (!plan.ok()) plan = StudyPlan::Create(json, at, plugins);
  if (!plan.ok()) return plan.status().Annotate(where);
  VOXBIT_ASSIGN_OR_RETURN(const auto earlier,
                          StudyPlan::Create(WithEarlierDefaults(json), at, plugins));
  StudyEntry read{.file = where,
                  .where = where + ": " + (at.empty() ? "/" : at),
                  .pointer = at,
                  .name = (*plan)->config().name,
                  .config_json = (*plan)->config_json(),
                  .earlier_config_json = earlier->config_json(),
                  .as_new = as_new,
                  .notes = {},
                  .implies_target = ImpliesTarget(json)};
  const std::string before = where + ": ";
  for (const std::string& note : (*plan)->notes()) read.notes.push_back(before + note);
  return read;
}

Status CheckAddress(const std::string& pointer, const std::string& address) {
  const Status status = CheckHostPort(address, /*min_port=*/0);
  return status.ok() ? status : FieldError(pointer, status.message());
}

}  // namespace

DispatchSettings ServerSettings::Dispatch() const {
  DispatchSettings settings;
  settings.lease.lease_duration = Milliseconds(lease_duration_ms);
  settings.lease.max_lost_attempts = max_lost_attempts;
  settings.lease.max_failed_attempts = max_failed_attempts;
  settings.lease.first_backoff = Milliseconds(first_backoff_ms);
  settings.lease.max_backoff = std::max(settings.lease.max_backoff, settings.lease.first_backoff);
  settings.sync_interval = Milliseconds(sync_interval_ms);
  settings.lost_after = Milliseconds(lease_duration_ms);
  settings.attempt_limit = Milliseconds(attempt_limit_ms);
  settings.stall_limit = Milliseconds(stall_limit_ms);
  return settings;
}

Result<std::string> LookAtData(const Json& study, const std::string& pointer,
                               const Plugins& plugins, bool has_local_workers) {
  const Status seen =
      data::LookAtDataset(plugins.datasets, study.at("dataset"), pointer + "/dataset");
  if (seen.ok()) return std::string();
  if (has_local_workers) return seen;
  return seen.message() + "; this server starts no workers, so theirs is what counts";
}

Fields<ServerSettings> ServerFields() {
  Fields<ServerSettings> fields;
  fields
      .Text("grpc", &ServerSettings::grpc, {},
            "HOST:PORT where workers and clients connect; port 0 picks one and prints it")
      .Text("http", &ServerSettings::http, {},
            "HOST:PORT of the dashboard; this version has none, so nothing listens there")
      .Text("store", &ServerSettings::store, {},
            "folder of voxbit.db and artifacts/; made if it is not there")
      .Custom("local_workers", "\"auto\" or integer",
              "workers that the server starts itself; auto: one per GPU, or one for the CPU",
              ParseLocalWorkers, PrintLocalWorkers)
      .Int("lease_duration_ms", &ServerSettings::lease_duration_ms, {.min = 500, .max = 86'400'000},
           "ms", "a task whose worker is silent for this long is given to another")
      .Int("sync_interval_ms", &ServerSettings::sync_interval_ms, {.min = 50, .max = 3'600'000},
           "ms",
           "how often the report of a busy worker is written down; it calls every second at least")
      .Int("max_lost_attempts", &ServerSettings::max_lost_attempts, {.min = 1, .max = 1000},
           "attempts", "a task that lost its worker this often is given up")
      .Int("max_failed_attempts", &ServerSettings::max_failed_attempts, {.min = 1, .max = 1000},
           "attempts", "a task that failed by itself this often is given up")
      .Int("first_backoff_ms", &ServerSettings::first_backoff_ms, {.min = 0, .max = 3'600'000},
           "ms", "wait before a task is tried again; doubles each time")
      .Int("attempt_limit_ms", &ServerSettings::attempt_limit_ms, {.min = 0, .max = 31'536'000'000},
           "ms", "a task that its worker is at for this long is given to another; 0: never")
      .Int("stall_limit_ms", &ServerSettings::stall_limit_ms, {.min = 0, .max = 31'536'000'000},
           "ms",
           "a task whose progress has not changed for this long is given to another; 0: never")
      .Bool("allow_network_filesystem", &ServerSettings::allow_network_filesystem,
            "accept a store on NFS or the like, where SQLite's locks are not reliable");
  return fields;
}

namespace {

// Reads what `json`, the content of the file `path`, says.
Result<ServerConfig> ParseServerConfig(const Json& json, const std::string& path,
                                       const Plugins& plugins) {
  struct Raw {
    ServerSettings server;
    Json studies = Json::array();
  };
  Fields<Raw> fields;
  fields.Object("server", &Raw::server, ServerFields(), "the server itself")
      .Custom(
          "studies", "list", "studies to run: objects, or paths of study files",
          [](const Json& found, const std::string& pointer, Raw& out) -> Status {
            if (!found.is_array()) return ExpectedError(pointer, "a list", found);
            out.studies = found;
            return OkStatus();
          },
          [](const Raw& in) { return in.studies; });

  auto raw = fields.Parse(json, "");
  if (!raw.ok()) return raw.status().Annotate(path);

  ServerConfig config;
  config.server = raw->server;
  VOXBIT_RETURN_IF_ERROR(CheckAddress("/server/grpc", config.server.grpc).Annotate(path));
  if (!config.server.http.empty()) {
    VOXBIT_RETURN_IF_ERROR(CheckAddress("/server/http", config.server.http).Annotate(path));
  }
  if (config.server.store.empty()) {
    return ExpectedError("/server/store", "the path of a folder", config.server.store)
        .Annotate(path);
  }
  const DispatchSettings dispatch = config.server.Dispatch();
  if (dispatch.sync_interval * 2 > dispatch.lease.lease_duration) {
    return FieldError("/server/sync_interval_ms",
                      "must be at most half of lease_duration_ms (" +
                          std::to_string(config.server.lease_duration_ms) + ")")
        .Annotate(path);
  }
  std::set<std::string> names;
  for (size_t i = 0; i < raw->studies.size(); ++i) {
    const std::string pointer = "/studies/" + std::to_string(i);
    VOXBIT_ASSIGN_OR_RETURN(StudyEntry entry, ReadStudy(raw->studies[i], path, pointer, plugins));
    if (!names.insert(entry.name).second) {
      return InvalidArgument(entry.where + ": a second study named \"" + entry.name + "\"");
    }
    config.studies.push_back(std::move(entry));
  }
  return config;
}

}  // namespace

Result<ServerConfig> ReadServerConfig(const std::string& path,
                                      const std::vector<std::string>& overrides,
                                      const Plugins& plugins) {
  std::vector<ConfigOverride> parsed;
  VOXBIT_ASSIGN_OR_RETURN(Json json, ReadJsonFile(path));
  if (LooksLikeStudy(json)) return StudyInPlaceOfConfig(path);
  for (const std::string& text : overrides) {
    VOXBIT_ASSIGN_OR_RETURN(ConfigOverride change, ParseOverride(text));
    VOXBIT_RETURN_IF_ERROR(ApplyOverride(change, json));
    parsed.push_back(std::move(change));
  }
  Result<ServerConfig> config = ParseServerConfig(json, path, plugins);
  if (config.ok()) return config;
  return WithTextHint(config.status(), parsed, [&](const ConfigOverride& change) {
    Json other = json;
    VOXBIT_RETURN_IF_ERROR(ApplyOverride(change, other));
    return ParseServerConfig(other, path, plugins).status();
  });
}

}  // namespace voxbit::server
