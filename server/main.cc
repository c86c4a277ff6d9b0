// search-server: wires store, dispatcher, study runners and gRPC together.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/log.h"
#include "common/shutdown.h"
#include "search/agents/agents.h"
#include "server/local_workers.h"
#include "server/rpc/services.h"
#include "server/study/report.h"
#include "server/study/server_config.h"
#include "server/study/study_supervisor.h"
#include "storage/artifact_store.h"
#include "storage/store.h"
#include "supernet/models/specs.h"

namespace voxbit::server {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

// After the end of its studies a server answers for this long, so that who watches them sees it.
constexpr Milliseconds kLinger{3'000};

struct Flags {
  std::string config;
  std::vector<std::string> overrides;
  bool until_done = false;
  bool check = false;
  std::string log_format = "text";
};

int Report(const Flags& flags, const Status& status) {
  if (flags.log_format == "json") {
    log::Error(status.message(), {{"reason", status.reason()}});
  } else {
    std::cerr << "search-server: " << status.message() << "\n";
  }
  return status.code() == StatusCode::kInvalidArgument ||
                 status.code() == StatusCode::kFailedPrecondition ||
                 status.code() == StatusCode::kNotFound
             ? kUsage
             : kFailed;
}

Plugins BuiltinPlugins() {
  Plugins plugins;
  supernet::RegisterBuiltinSpecs(plugins.supernets);
  data::RegisterBuiltins(plugins.datasets);
  search::RegisterBuiltins(plugins.algorithms);
  rl::RegisterBuiltins(plugins.algorithms);
  cost::RegisterBuiltins(plugins.costs);
  return plugins;
}

// A study that ended without its results stays so: say it, for who starts it again means otherwise.
void WarnOfEnded(const search::Study& study) {
  const bool failed = study.state == search::StudyState::kFailed;
  if (!failed && study.state != search::StudyState::kStopped) return;
  log::Warning("study " + study.config.name + (failed ? " failed" : " was stopped") +
               " in an earlier run and is not run again" +
               (study.message.empty() ? "" : ": " + study.message) +
               "; go on with it by: search-client study retry " + study.config.name +
               ", or give this one another name or another /server/store");
}

// The stored study with what this version fills in: an older one knew fewer settings.
bool IsSameStudy(const std::string& stored, const std::string& wanted, const Plugins& plugins) {
  if (stored == wanted) return true;
  const auto json = ParseJson(stored);
  if (!json.ok()) return false;
  const auto plan = StudyPlan::Create(*json, "", plugins);
  return plan.ok() && (*plan)->config_json() == wanted;
}

// A study of the file that the store has already goes on, but one that failed before its first
// trial begins anew. Other settings under the name of any other are an error, because its trials
// would not be comparable.
Status AdoptStudies(const ServerConfig& config, const Plugins& plugins, storage::Store& store) {
  for (const StudyEntry& entry : config.studies) {
    VOXBIT_ASSIGN_OR_RETURN(const Json json, ParseJson(entry.config_json));
    VOXBIT_ASSIGN_OR_RETURN(const auto plan, StudyPlan::Create(json, "", plugins));
    const auto existing = store.GetStudy(entry.name);
    const auto created = store.CreateStudy(plan->config(), plan->config_json());
    if (created.ok() && existing.ok()) {
      log::Info("study " + entry.name + " failed before its first trial and begins anew",
                {{"failure", existing->message}});
    }
    if (created.ok()) continue;
    if (created.status().code() != StatusCode::kAlreadyExists) return created.status();
    if (!existing.ok()) return existing.status();
    if (!IsSameStudy(existing->config_json, entry.config_json, plugins)) {
      return FailedPrecondition(entry.where + ": the store " + config.server.store +
                                " has a study \"" + entry.name +
                                "\" with other settings; give this one another name or store");
    }
    WarnOfEnded(*existing);
  }
  return OkStatus();
}

// The studies that the file names; all of the store if it names none.
Result<std::vector<search::Study>> OwnStudies(const ServerConfig& config, storage::Store& store) {
  VOXBIT_ASSIGN_OR_RETURN(auto studies, store.ListStudies(0, 1'000'000));
  if (config.studies.empty()) return studies;
  std::set<std::string> names;
  for (const StudyEntry& entry : config.studies) names.insert(entry.name);
  std::erase_if(studies,
                [&](const search::Study& study) { return !names.contains(study.config.name); });
  return studies;
}

// Whether a worker that this server did not start was heard of lately.
Result<bool> HasOtherWorker(const Dispatcher& dispatcher) {
  VOXBIT_ASSIGN_OR_RETURN(const auto workers, dispatcher.ListWorkers());
  return std::any_of(workers.begin(), workers.end(), [](const search::WorkerRow& worker) {
    return worker.state != "lost" && worker.info.name.rfind(kLocalWorkerPrefix, 0) != 0;
  });
}

// Waits for a signal, or with `until_done` for the end of the file's studies; an error when that
// cannot come because no local worker works, nor one elsewhere. `workers` may be null.
Status WaitForEnd(const Flags& flags, const ServerConfig& config, const ServiceContext& context,
                  const LocalWorkers* workers, const std::stop_token& stop) {
  ChangeSignal& changes = context.changes;
  while (!stop.stop_requested()) {
    const int64_t seen = changes.version();
    if (flags.until_done) {
      VOXBIT_ASSIGN_OR_RETURN(const auto studies, OwnStudies(config, context.store));
      bool all_ended = true;
      for (const auto& study : studies) all_ended = all_ended && search::IsFinal(study.state);
      if (all_ended) return OkStatus();
      if (workers != nullptr && workers->AllFailing()) {
        VOXBIT_ASSIGN_OR_RETURN(const bool helped, HasOtherWorker(context.dispatcher));
        if (!helped) {
          return Internal("every local worker ends right after its start; the log says why");
        }
      }
    }
    changes.Wait(seen, Milliseconds(500), stop);
  }
  return OkStatus();
}

// Prints how each study ended. kFailed if one failed.
Result<int> PrintResults(const ServerConfig& config, storage::Store& store, Reporter& reporter) {
  int code = kDone;
  VOXBIT_ASSIGN_OR_RETURN(const auto studies, OwnStudies(config, store));
  for (const auto& study : studies) {
    std::cout << "study " << study.config.name << ": " << search::Name(study.state);
    if (!study.message.empty()) std::cout << ": " << study.message;
    std::cout << "\n";
    if (study.state == search::StudyState::kFailed) code = kFailed;
    VOXBIT_ASSIGN_OR_RETURN(const Front front, reporter.GetFront(study, {}));
    if (!front.trials.empty()) {
      std::cout << "front of " << front.trials.size() << " trials:\n" << FrontTable(front);
    }
  }
  std::cout << std::flush;
  return code;
}

// Waits until the moment (of Clock::MonotonicMs) or a signal.
void WaitUntil(int64_t moment_ms, const Clock& clock, ChangeSignal& changes,
               const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Milliseconds left(moment_ms - clock.MonotonicMs());
    if (left.count() <= 0) return;
    changes.Wait(changes.version(), left, stop);
  }
}

Result<int> Serve(const Flags& flags, const ServerConfig& config, const Plugins& plugins,
                  ShutdownSignals& signals) {
  const SystemClock clock;
  const ServerSettings& settings = config.server;
  VOXBIT_ASSIGN_OR_RETURN(
      const auto store,
      storage::Store::Open(settings.store, clock,
                           {.allow_network_filesystem = settings.allow_network_filesystem}));
  VOXBIT_ASSIGN_OR_RETURN(const auto artifacts,
                          storage::ArtifactStore::Open(settings.store + "/artifacts"));
  VOXBIT_RETURN_IF_ERROR(AdoptStudies(config, plugins, *store));
  VOXBIT_RETURN_IF_ERROR(store->PurgeRequests());

  ChangeSignal changes;
  Dispatcher dispatcher(*store, clock, settings.Dispatch());
  VOXBIT_RETURN_IF_ERROR(dispatcher.RefreshLeases());
  StudySupervisor supervisor(*store, plugins, changes);
  Reporter reporter(*store);
  const ServiceContext context{*store,   *artifacts, dispatcher, supervisor,
                               reporter, plugins,    changes,    clock};
  VOXBIT_ASSIGN_OR_RETURN(const auto rpc, RpcServer::Start(settings.grpc, context));
  if (!settings.http.empty()) {
    log::Warning("this version has no dashboard: nothing listens on /server/http",
                 {{"http", settings.http}});
  }
  log::Info("listening", {{"grpc", rpc->address()}, {"store", settings.store}});
  std::cout << "listening on " << rpc->address() << std::endl;

  std::unique_ptr<LocalWorkers> workers;
  if (settings.local_workers != 0) {
    const std::string program = SiblingProgram("search-worker");
    VOXBIT_ASSIGN_OR_RETURN(const auto devices,
                            LocalWorkers::Devices(program, settings.local_workers));
    const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
    const auto count = static_cast<int64_t>(devices.size());
    workers = std::make_unique<LocalWorkers>(
        LocalWorkers::Settings{.program = program,
                               .server = rpc->address(),
                               .log_format = flags.log_format,
                               .devices = devices,
                               .threads = std::max<int64_t>(1, cores / count),
                               .cache = settings.store + "/cache"});
  }

  VOXBIT_RETURN_IF_ERROR(supervisor.StartAll());
  VOXBIT_RETURN_IF_ERROR(WaitForEnd(flags, config, context, workers.get(), signals.token()));
  if (signals.signal() != 0) {
    log::Info("stopping: running tasks are handed back");
    workers.reset();  // while the server still answers, so that tasks are handed back
    rpc->Shutdown();
    return kInterrupted;
  }
  const int64_t close_ms = clock.MonotonicMs() + kLinger.count();
  VOXBIT_ASSIGN_OR_RETURN(const int code, PrintResults(config, *store, reporter));
  workers.reset();
  WaitUntil(close_ms, clock, changes, signals.token());
  rpc->Shutdown();
  return code;
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Voxbit coordinator: runs studies, hands tasks to workers, keeps the results."};
  app.set_version_flag("--version", "search-server " VOXBIT_VERSION);
  app.add_option("--config", flags.config, "JSON file with the server and its studies")
      ->required()
      ->type_name("FILE");
  app.add_option(
         "--set", flags.overrides,
         "overrides one value of the config, as in /studies/0/search/trials=100; repeatable")
      ->type_name("POINTER=VALUE")
      ->expected(1)
      ->take_all();
  app.add_flag("--until-done", flags.until_done,
               "end when the config's studies have (all of the store if it names none); exit 0, "
               "or 1 if one failed; prints the fronts");
  app.add_flag("--check", flags.check, "check the config, print what it resolves to, and end");
  app.add_option("--log-format", flags.log_format, "text or json; logs go to standard error")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.footer("Keys of \"server\" in the config:\n" + HelpTable(ServerFields().Help()) +
             "Exit codes: 0 done, 1 failed, 2 wrong usage or config, 130 interrupted.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }

  // gRPC reports a port in use by itself; the server says it better. A value that the user has set
  // wins.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::signal(SIGPIPE, SIG_IGN);  // who reads the log may go; the work stays
  ShutdownSignals signals;
  log::Configure(flags.log_format == "json" ? log::Format::kJson : log::Format::kText,
                 log::Level::kInfo, "search-server");
  rl::UseOneThread();  // the other cores are the workers'
  const Plugins plugins = BuiltinPlugins();
  const auto config = ReadServerConfig(flags.config, flags.overrides, plugins);
  if (!config.ok()) return Report(flags, config.status());
  for (const StudyEntry& entry : config->studies) {
    for (const std::string& note : entry.notes) log::Warning(note);
  }
  if (flags.check) {
    Json resolved = {{"server", ServerFields().ToJson(config->server)}, {"studies", Json::array()}};
    for (const auto& entry : config->studies) {
      resolved["studies"].push_back(Json::parse(entry.config_json));
    }
    std::cout << resolved.dump(2) << "\n";
    return kDone;
  }
  const auto code = Serve(flags, *config, plugins, signals);
  return code.ok() ? *code : Report(flags, code.status());
}

}  // namespace
}  // namespace voxbit::server

int main(int argc, char** argv) { return voxbit::server::Main(argc, argv); }
