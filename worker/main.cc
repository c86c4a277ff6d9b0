// search-worker: computes tasks for a search-server on one device.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "common/log.h"
#include "common/shutdown.h"
#include "common/text.h"
#include "common/usage.h"
#include "worker/check_data.h"
#include "worker/device_info.h"
#include "worker/predict.h"
#include "worker/serve.h"
#include "worker/suggest.h"
#include "worker/synth.h"

namespace voxbit::worker {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kUnreachable = 4;
constexpr int kInterrupted = 130;

const std::map<std::string, log::Level> kLevels = {{"debug", log::Level::kDebug},
                                                   {"info", log::Level::kInfo},
                                                   {"warning", log::Level::kWarning},
                                                   {"error", log::Level::kError}};

struct Flags {
  ServeFlags serve;
  SynthFlags synth;
  CheckFlags check;
  PredictFlags predict;
  SuggestFlags suggest;
  std::string log_format = "text";
  std::string log_level = "info";
  int parent_pid = 0;
};

int Report(const Flags& flags, const Status& status) {
  if (flags.log_format == "json") {
    log::Error(status.message(), {{"reason", status.reason()}});
  } else {
    std::cerr << "search-worker: " << Printable(status.message()) << "\n";
  }
  if (status.code() == StatusCode::kUnavailable) return kUnreachable;
  return status.code() == StatusCode::kInvalidArgument ? kUsage : kFailed;
}

void AddServeFlags(CLI::App& app, Flags& flags) {
  ServeFlags& serve = flags.serve;
  app.add_option("--server", serve.server, "address of the server")
      ->envname("VOXBIT_SERVER")
      ->option_text("HOST:PORT [default: $VOXBIT_SERVER, else " + serve.server + "]");
  app.add_option("--device", serve.device, "what to compute on: cpu, or cuda:N for GPU N")
      ->capture_default_str();
  app.add_option("--name", serve.name,
                 "unique among the server's workers [HOST-DEVICE, with -2, -3 ... where a living "
                 "worker has that name]");
  app.add_option("--threads", serve.threads, "cores to compute with; 0: all")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option(
         "--target", serve.targets,
         "hardware name that latencies are filed under; repeatable [by the hardware, here " +
             DefaultTarget("cpu", "") + "]")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  app.add_option("--cache", serve.cache,
                 "folder for weights; may be shared [" + DefaultCacheFolder() + "]")
      ->type_name("DIR");
  app.add_option("--cache-bytes", serve.cache_bytes,
                 "bytes that the cache is kept below; or with a unit, as in 500MB or 20GiB")
      ->transform(CLI::AsSizeValue(true))
      ->capture_default_str();
  app.add_option("--connect-timeout", serve.connect_timeout_s,
                 "seconds to wait for the server's first answer; 0: for ever")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "text or json; logs go to standard error")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember(kLevels))
      ->capture_default_str();
  app.add_option("--parent-pid", flags.parent_pid,
                 "end at once when this process, which must be the parent, does")
      ->type_name("PID");
}

CLI::App& AddSynth(CLI::App& app, SynthFlags& flags) {
  CLI::App& synth = *app.add_subcommand(
      "synth",
      "write synthetic data as a folder that the dataset semantic_kitti (LiDAR scans) or "
      "shapenet_part (objects with parts) reads");
  synth.add_option("--kind", flags.kind, "what to write")
      ->check(CLI::IsMember(SynthKinds()))
      ->capture_default_str();
  synth.add_option("--out", flags.out, "folder to write")->required()->type_name("DIR");
  synth.add_option("--train", flags.train, "scans or objects for training")->capture_default_str();
  synth.add_option("--val", flags.val, "the same for validation")->capture_default_str();
  synth.add_option("--test", flags.test, "objects for testing")->capture_default_str();
  synth.add_option("--seed", flags.seed, "seed of everything")->capture_default_str();
  synth.add_option("--set", flags.settings, "another setting of that dataset; repeatable")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  synth.footer(SynthSettingsHelp());
  return synth;
}

CLI::App& AddCheck(CLI::App& app, CheckFlags& flags) {
  CLI::App& check = *app.add_subcommand(
      "check", "read every file of a dataset once and list all faults, and what is in it");
  check
      .add_option("--dataset", flags.dataset,
                  "JSON file with a dataset, a study, or a server's config with one study; or JSON")
      ->required()
      ->type_name("FILE|JSON");
  check.add_option("--threads", flags.threads, "threads to read with; 0: one for each core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  check.add_option("-o,--output", flags.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  check.footer(
      "Exit codes: 0 no fault (warnings do not count), 1 faults, 2 wrong usage, 130 interrupted.");
  return check;
}

// False when the parent is gone already. A parent that ends in order has ended its workers before;
// nobody takes anything from them after one that was killed, and the next one wants the device.
bool FollowParent(int parent_pid) {
  if (parent_pid == 0) return true;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent_pid;
}

int RunServe(const Flags& flags, ShutdownSignals& signals) {
  ServeFlags given = flags.serve;
  // The parent gives its workers names of its own: whoever has one is a worker that it had before.
  given.takes_name = flags.parent_pid != 0;
  const Result<ServeFlags> serve = Resolve(std::move(given));
  if (!serve.ok()) return Report(flags, serve.status());
  if (!FollowParent(flags.parent_pid)) return kDone;
  const Status status = Serve(*serve, signals.token());
  if (!status.ok()) return Report(flags, status);
  return signals.signal() == SIGINT ? kInterrupted : kDone;
}

// A command that ends by itself: false is what it has told the user of already.
template <class Command>
int RunCommand(const Flags& flags, Command command) {
  ShutdownSignals signals;
  const Result<bool> is_good = command(signals.token());
  if (is_good.ok()) return *is_good ? kDone : kFailed;
  return signals.signal() == SIGINT ? kInterrupted : Report(flags, is_good.status());
}

int Main(int argc, char** argv) {
  Flags flags;
  if (const Status status = CheckArguments({argv + 1, argv + argc}); !status.ok()) {
    return Report(flags, status);
  }
  CLI::App app{
      "Computes tasks for a search-server on one device. SIGTERM: finishes or hands back "
      "the task, then leaves.",
      "search-worker"};
  app.set_version_flag("--version", "search-worker " VOXBIT_VERSION);
  AddServeFlags(app, flags);
  const CLI::App& synth = AddSynth(app, flags.synth);
  const CLI::App& check = AddCheck(app, flags.check);
  const CLI::App& predict = AddPredict(app, flags.predict);
  const CLI::App& suggest = AddSuggest(app, flags.suggest);
  const CLI::App& devices = *app.add_subcommand(
      "devices", "print the devices that a worker can use on this machine, one on a line");
  app.require_subcommand(0, 1);
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 4 server unreachable, 130 interrupted.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::cerr << "error: " << UsageError(app, error) << "\n";
    return kUsage;
  }
  // gRPC reports refused connections by itself; the worker says it better. A value that the user
  // has set wins.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  // cuda:N is then the card that the driver's list has at N, whose name latencies are filed under.
  ::setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", /*overwrite=*/0);
  log::Configure(flags.log_format == "json" ? log::Format::kJson : log::Format::kText,
                 kLevels.at(flags.log_level), "search-worker");
  if (devices.parsed()) {
    for (const std::string& device : UsableDevices()) std::cout << device << "\n";
    return kDone;
  }
  if (check.parsed()) {
    return RunCommand(flags, [&](auto stop) { return CheckData(flags.check, stop); });
  }
  if (synth.parsed()) {
    std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is an error, not the end
    const Status status = Synthesise(flags.synth);
    return status.ok() ? kDone : Report(flags, status);
  }
  if (predict.parsed()) {
    return RunCommand(flags, [&](auto stop) { return RunPredict(flags.predict, stop); });
  }
  if (suggest.parsed()) {
    return RunCommand(flags, [&](auto stop) { return RunSuggest(flags.suggest, stop); });
  }
  std::signal(SIGPIPE, SIG_IGN);  // who reads the log may go; the work stays
  ShutdownSignals signals;
  return RunServe(flags, signals);
}

}  // namespace
}  // namespace voxbit::worker

int main(int argc, char** argv) { return voxbit::worker::Main(argc, argv); }
