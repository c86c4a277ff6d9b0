#include "server/study/server_config.h"

#include <filesystem>
#include <set>
#include <utility>

#include "common/address.h"
#include "common/json_file.h"

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
  const Json::json_pointer root("/dataset/root");
  if (json.contains(root)) MakePathAbsolute(json[root]);
  if (const auto table = json.find("latency_table"); table != json.end()) {
    const Status read =
        InlineJsonFile(at + "/latency_table", search::kMaxLatencyTableBytes, *table);
    if (!read.ok()) return read.Annotate(where);
  }
  const auto plan = StudyPlan::Create(json, at, plugins);
  if (!plan.ok()) return plan.status().Annotate(where);
  StudyEntry read{.where = where + ": " + (at.empty() ? "/" : at),
                  .name = (*plan)->config().name,
                  .config_json = (*plan)->config_json(),
                  .notes = {}};
  for (const std::string& note : (*plan)->notes()) read.notes.push_back(where + ": " + note);
  return read;
}

}  // namespace

Status ApplyOverride(const std::string& text, Json& config) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || text.empty() || text.front() != '/') {
    return InvalidArgument("--set " + text +
                           ": expected POINTER=VALUE, as in /server/store=runs/a");
  }
  const std::string value = text.substr(equals + 1);
  try {
    const Json::json_pointer pointer(text.substr(0, equals));
    const Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
    config[pointer] = parsed.is_discarded() ? Json(value) : parsed;
  } catch (const Json::exception&) {
    return InvalidArgument("--set " + text + ": the config has no such place");
  }
  return OkStatus();
}

DispatchSettings ServerSettings::Dispatch() const {
  DispatchSettings settings;
  settings.lease.lease_duration = Milliseconds(lease_duration_ms);
  settings.lease.max_lost_attempts = max_lost_attempts;
  settings.lease.max_failed_attempts = max_failed_attempts;
  settings.lease.first_backoff = Milliseconds(first_backoff_ms);
  settings.lease.max_backoff = std::max(settings.lease.max_backoff, settings.lease.first_backoff);
  settings.sync_interval = Milliseconds(sync_interval_ms);
  settings.lost_after = Milliseconds(lease_duration_ms);
  return settings;
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
      .Bool("allow_network_filesystem", &ServerSettings::allow_network_filesystem,
            "accept a store on NFS or the like, where SQLite's locks are not reliable");
  return fields;
}

Result<ServerConfig> ReadServerConfig(const std::string& path,
                                      const std::vector<std::string>& overrides,
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

  VOXBIT_ASSIGN_OR_RETURN(Json json, ReadJsonFile(path));
  for (const std::string& text : overrides) VOXBIT_RETURN_IF_ERROR(ApplyOverride(text, json));
  auto raw = fields.Parse(json, "");
  if (!raw.ok()) return raw.status().Annotate(path);

  ServerConfig config;
  config.server = raw->server;
  if (!IsHostPort(config.server.grpc, /*min_port=*/0)) {
    return ExpectedError("/server/grpc",
                         "HOST:PORT with a port from 0 to 65535, as in 127.0.0.1:50051",
                         config.server.grpc)
        .Annotate(path);
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

}  // namespace voxbit::server
