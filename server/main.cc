// search-server: wires store, dispatcher, study runners and gRPC together.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/file_limit.h"
#include "common/log.h"
#include "common/shutdown.h"
#include "common/text.h"
#include "common/usage.h"
#include "search/agents/agents.h"
#include "server/local_workers.h"
#include "server/maintenance.h"
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
    std::cerr << "search-server: " << Printable(status.message()) << "\n";
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
bool IsSameStudy(const std::string& stored, const StudyEntry& wanted, const Plugins& plugins) {
  if (stored == wanted.config_json) return true;
  const auto json = ParseJson(stored);
  if (!json.ok()) return false;
  const auto plan = StudyPlan::Create(*json, "", plugins);
  if (!plan.ok()) return false;
  const std::string& found = (*plan)->config_json();
  return found == wanted.config_json || found == wanted.earlier_config_json;
}

// Before a study gets its name in the store, and for --check.
Status LookAtDataOf(const StudyEntry& entry, const ServerSettings& settings,
                    const Plugins& plugins) {
  VOXBIT_ASSIGN_OR_RETURN(const Json json, ParseJson(entry.config_json));
  const Result<std::string> warning =
      LookAtData(json, entry.pointer, plugins, settings.local_workers != 0);
  if (!warning.ok()) return warning.status().Annotate(entry.file);
  if (!warning->empty()) {
    log::Warning("the data of a study is not on this machine",
                 {{"study", entry.name}, {"why", *warning}});
  }
  return OkStatus();
}

// Whether a study of the file begins, with what the store said of its name.
Result<bool> Begins(const Result<search::Study>& existing, const storage::Store& store) {
  if (existing.status().code() == StatusCode::kNotFound) return true;
  if (!existing.ok()) return existing.status();
  if (existing->state != search::StudyState::kFailed) return false;
  VOXBIT_ASSIGN_OR_RETURN(const auto trials, store.CountTrials(existing->id));
  return trials.proposed == 0;
}

// A study of the file that the store has already goes on, whatever is asked of new ones by now, but
// one that failed before its first trial begins anew. Other settings under the name of any other
// are an error, because its trials would not be comparable.
Status AdoptStudies(const ServerConfig& config, const Plugins& plugins, storage::Store& store) {
  for (const StudyEntry& entry : config.studies) {
    const auto existing = store.GetStudy(entry.name);
    VOXBIT_ASSIGN_OR_RETURN(const bool begins, Begins(existing, store));
    const bool is_same = existing.ok() && IsSameStudy(existing->config_json, entry, plugins);
    if (begins && !is_same) VOXBIT_RETURN_IF_ERROR(entry.as_new);
    if (begins) VOXBIT_RETURN_IF_ERROR(LookAtDataOf(entry, config.server, plugins));
    VOXBIT_ASSIGN_OR_RETURN(const Json json, ParseJson(entry.config_json));
    VOXBIT_ASSIGN_OR_RETURN(const auto plan, StudyPlan::Create(json, "", plugins));
    const auto created = store.CreateStudy(plan->config(), plan->config_json());
    if (created.ok() && existing.ok()) {
      log::Info("study " + entry.name + " failed before its first trial and begins anew",
                {{"failure", existing->message}});
    }
    if (created.ok()) continue;
    if (created.status().code() != StatusCode::kAlreadyExists) return created.status();
    if (!existing.ok()) return existing.status();
    if (!is_same) {
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

// Tells once of each pause of a study that somebody waits for.
class PauseWarnings {
 public:
  explicit PauseWarnings(std::string server) : server_(std::move(server)) {}

  void Look(const std::vector<search::Study>& studies) {
    for (const search::Study& study : studies) {
      const std::string& name = study.config.name;
      if (study.state != search::StudyState::kPaused) {
        told_.erase(name);
      } else if (told_.insert(name).second) {
        log::Warning("study " + name +
                     " is paused, and --until-done waits for it; resume it with: "
                     "search-client --server " +
                     server_ + " study resume " + name);
      }
    }
  }

 private:
  const std::string server_;
  std::set<std::string> told_;
};

// Waits for a signal, or with `until_done` for the end of the file's studies; an error when that
// cannot come because no local worker works, nor one elsewhere. `workers` may be null.
Status WaitForEnd(const Flags& flags, const ServerConfig& config, const ServiceContext& context,
                  const std::string& address, const LocalWorkers* workers,
                  const std::stop_token& stop) {
  ChangeSignal& changes = context.changes;
  PauseWarnings pauses(address);
  while (!stop.stop_requested()) {
    const int64_t seen = changes.version();
    if (flags.until_done) {
      VOXBIT_ASSIGN_OR_RETURN(const auto studies, OwnStudies(config, context.store));
      bool all_ended = true;
      for (const auto& study : studies) all_ended = all_ended && search::IsFinal(study.state);
      if (all_ended) return OkStatus();
      pauses.Look(studies);
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

// Prints how each study ended. kFailed if one failed or was stopped.
Result<int> PrintResults(const ServerConfig& config, storage::Store& store, Reporter& reporter) {
  int code = kDone;
  VOXBIT_ASSIGN_OR_RETURN(const auto studies, OwnStudies(config, store));
  for (const auto& study : studies) {
    std::cout << "study " << study.config.name << ": " << search::Name(study.state);
    if (!study.message.empty()) std::cout << ": " << Printable(study.message);
    std::cout << "\n";
    if (study.state != search::StudyState::kCompleted) code = kFailed;
    VOXBIT_ASSIGN_OR_RETURN(const Front front, reporter.GetFront(study, {}));
    if (!front.trials.empty()) {
      std::cout << "front of " << front.trials.size() << " trials:\n" << FrontTable(front);
    }
  }
  std::cout << std::flush;
  return code;
}

// On which hardware latencies will be measured, and by whom: without that worker they wait for
// ever. `only_news`: not where the study says so itself and this server brings the workers.
void TellTargets(const ServerConfig& config, bool only_news) {
  for (const StudyEntry& entry : config.studies) {
    const auto study = search::ParseStudyConfig(Json::parse(entry.config_json), "");
    if (!study.ok()) continue;  // it has been read once
    for (const std::string& target : search::LatencyTargets(*study)) {
      const bool is_own = target == search::kDefaultTarget && config.server.local_workers != 0;
      if (only_news && is_own && !entry.implies_target) continue;
      log::Info("latency_ms of study " + entry.name + " is measured on target \"" + target +
                "\", by " + (is_own ? "this server's own workers and " : "") +
                "workers started with --target " + target +
                (target == search::kDefaultTarget ? " (what it means without a \"target\")" : ""));
    }
  }
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
  Reporter reporter(*store, clock);
  const ServiceContext context{*store,     *artifacts, dispatcher,
                               supervisor, reporter,   plugins,
                               changes,    clock,      settings.local_workers != 0};
  VOXBIT_ASSIGN_OR_RETURN(const auto rpc, RpcServer::Start(settings.grpc, context));
  if (!settings.http.empty()) {
    log::Warning("this version has no dashboard: nothing listens on /server/http",
                 {{"http", settings.http}});
  }
  log::Info(
      "listening",
      {{"grpc", rpc->address()}, {"store", settings.store}, {"open_files", RaiseFileLimit()}});
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

  TellTargets(config, /*only_news=*/false);
  VOXBIT_RETURN_IF_ERROR(supervisor.StartAll());
  VOXBIT_RETURN_IF_ERROR(
      WaitForEnd(flags, config, context, rpc->address(), workers.get(), signals.token()));
  if (signals.signal() != 0) {
    log::Info("stopping: running tasks are handed back");
    workers.reset();  // while the server still answers, so that tasks are handed back
    rpc->Shutdown();
    // A service that is told to end has done what it should; one that waits for an end has not.
    return signals.signal() == SIGTERM && !flags.until_done ? kDone : kInterrupted;
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
  if (const Status status = CheckArguments({argv + 1, argv + argc}); !status.ok()) {
    return Report(flags, status);
  }
  CLI::App app{"Voxbit coordinator: runs studies, hands tasks to workers, keeps the results.",
               "search-server"};
  app.set_version_flag("--version", "search-server " VOXBIT_VERSION);
  CLI::Option* config_option =
      app.add_option("--config", flags.config, "JSON file with the server and its studies")
          ->required()
          ->type_name("FILE");
  app.add_option(
         "--set", flags.overrides,
         "overrides one value of the config, as in /studies/0/search/trials=100; a text of digits "
         "stands in quotes, as in /studies/0/name=\"2026\"; repeatable")
      ->type_name("POINTER=VALUE")
      ->expected(1)
      ->take_all();
  app.add_flag("--until-done", flags.until_done,
               "end when the config's studies have (all of the store if it names none); exit 0, "
               "or 1 if one failed or was stopped; prints the fronts");
  app.add_flag("--check", flags.check,
               "check the config, its studies as new ones, "
               "print what it resolves to, and end");
  app.add_option("--log-format", flags.log_format, "text or json; logs go to standard error")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  const std::array<std::unique_ptr<Maintenance>, 3> commands = {MakeBackup(), MakeRestore(),
                                                                MakeFsck()};
  Maintenance* asked = nullptr;
  for (const auto& command : commands) {
    CLI::App& declared = command->Declare(app);
    declared.excludes(config_option);
    declared.preparse_callback([&asked, config_option, chosen = command.get()](size_t /*words*/) {
      asked = chosen;
      config_option->required(false);
    });
  }
  app.require_subcommand(0, 1);
  app.footer("Keys of \"server\" in the config:\n" + HelpTable(ServerFields().Help()) +
             "Exit codes: 0 done, 1 failed, 2 wrong usage or config, 130 interrupted.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::cerr << "error: " << UsageError(app, error) << "\n";
    return kUsage;
  }

  // gRPC reports a port in use by itself; the server says it better. A value that the user has set
  // wins.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::signal(SIGPIPE, SIG_IGN);  // who reads the log may go; the work stays
  log::Configure(flags.log_format == "json" ? log::Format::kJson : log::Format::kText,
                 log::Level::kInfo, "search-server");
  if (asked != nullptr) {
    std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is an error, not the end
    const Result<bool> is_good = asked->Run();
    if (!is_good.ok()) return Report(flags, is_good.status());
    return *is_good ? kDone : kFailed;
  }
  ShutdownSignals signals;
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
      if (!entry.as_new.ok()) return Report(flags, entry.as_new);
      const Status seen = LookAtDataOf(entry, config->server, plugins);
      if (!seen.ok()) return Report(flags, seen);
      resolved["studies"].push_back(Json::parse(entry.config_json));
    }
    std::cout << PrintableJson(resolved.dump(2)) << "\n";
    TellTargets(*config, /*only_news=*/true);
    return kDone;
  }
  const auto code = Serve(flags, *config, plugins, signals);
  return code.ok() ? *code : Report(flags, code.status());
}

}  // namespace
}  // namespace voxbit::server

int main(int argc, char** argv) { return voxbit::server::Main(argc, argv); }
