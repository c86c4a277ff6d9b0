// Trials per minute of a study whose workers sleep over each evaluation, on one, two and four
// workers: what agent, store and wire leave of the workers' time. Real threads, gRPC over the
// loopback, a store on the disk of the temporary folder.
//
//   study_throughput_bench [SLEEP_MS] [TRIALS] [ALGORITHM]
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/log.h"
#include "search/agents/agents.h"
#include "server/rpc/services.h"
#include "tests/support/fake_executor.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"
#include "worker/loop/worker_loop.h"
#include "worker/rpc/coordinator_client.h"

namespace voxbit::testing {
namespace {

struct Options {
  int64_t sleep_ms = 100;
  int64_t trials = 64;
  std::string algorithm = "ddpg_bits";
};

// One worker process, as a thread.
void Work(const std::string& name, const std::string& server, const std::string& cache_folder,
          int64_t sleep_ms, const std::stop_token& stop) {
  const SystemClock clock;
  worker::CoordinatorClient client({.address = server});
  const auto cache = worker::ArtifactCache::Open({.folder = cache_folder}, client, clock).value();
  FakeExecutor executor([sleep_ms](const search::TaskSpec& spec, worker::ArtifactAccess& artifacts,
                                   const worker::ProgressSink&,
                                   const std::stop_token&) -> Result<search::TaskResult> {
    if (spec.kind == search::TaskKind::kEvaluate) {
      std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
    }
    search::TaskResult result = ToyResult(spec);
    for (auto& [role, digest] : result.artifacts) {
      VOXBIT_ASSIGN_OR_RETURN(digest, artifacts.Put(role));  // the server asks for the bytes
    }
    return result;
  });
  worker::WorkerLoop loop(client, executor, clock, ToyWorker(name), *cache, {});
  (void)loop.Run(stop);
}

double TrialsPerMinute(int num_workers, const Options& options) {
  const TempDir dir;
  const SystemClock clock;
  server::Plugins plugins = ToyPlugins();
  rl::RegisterBuiltins(plugins.algorithms);
  const auto store = storage::Store::Open(dir.File("store"), clock).value();
  const auto artifacts = storage::ArtifactStore::Open(dir.File("artifacts")).value();
  server::ChangeSignal changes;
  server::Dispatcher dispatcher(*store, clock, {});
  server::StudySupervisor supervisor(*store, plugins, changes);
  server::Reporter reporter(*store, clock);
  const auto rpc =
      server::RpcServer::Start("127.0.0.1:0", {*store, *artifacts, dispatcher, supervisor, reporter,
                                               plugins, changes, clock})
          .value();
  Json config = ToyStudy("bench", options.trials);
  config["supernet"]["weight_bits"] = {2, 4, 8};
  config["search"].update({{"algorithm", options.algorithm}, {"population", 16}});
  const auto plan = server::StudyPlan::Create(config, "", plugins).value();
  const auto study = store->CreateStudy(plan->config(), plan->config_json()).value();
  std::vector<std::jthread> workers;
  for (int i = 0; i < num_workers; ++i) {
    const std::string name = "w" + std::to_string(i);
    workers.emplace_back([&, name](const std::stop_token& stop) {
      Work(name, rpc->address(), dir.File(name), options.sleep_ms, stop);
    });
  }
  supervisor.Start(study);
  while (!search::IsFinal(store->GetStudy(study.id)->state)) {
    changes.Wait(changes.version(), Milliseconds(200), {});
  }
  for (std::jthread& worker : workers) worker.request_stop();
  workers.clear();
  int64_t first_ms = std::numeric_limits<int64_t>::max();
  int64_t last_ms = 0;
  const std::vector<search::Trial> trials = store->ListTrials(study.id, {}).value();
  for (const search::Trial& trial : trials) {
    first_ms = std::min(first_ms, trial.created_ms);
    last_ms = std::max(last_ms, trial.finished_ms);
  }
  const double rate =
      static_cast<double>(trials.size()) * 60'000.0 / static_cast<double>(last_ms - first_ms);
  rpc->Shutdown();
  const search::Study ended = store->GetStudy(study.id).value();
  if (ended.state != search::StudyState::kCompleted) {
    std::fprintf(stderr, "the study failed: %s\n", ended.message.c_str());
    std::exit(1);
  }
  return rate;
}

}  // namespace
}  // namespace voxbit::testing

int main(int argc, char** argv) {
  voxbit::testing::Options options;
  if (argc > 1) options.sleep_ms = std::atoll(argv[1]);
  if (argc > 2) options.trials = std::atoll(argv[2]);
  if (argc > 3) options.algorithm = argv[3];
  voxbit::log::Configure(voxbit::log::Format::kText, voxbit::log::Level::kOff, "bench");
  voxbit::rl::UseOneThread();
  std::printf("%s, %" PRId64 " trials, %" PRId64 " ms each\n", options.algorithm.c_str(),
              options.trials, options.sleep_ms);
  double one = 0;
  for (const int num_workers : {1, 2, 4}) {
    const double rate = voxbit::testing::TrialsPerMinute(num_workers, options);
    if (num_workers == 1) one = rate;
    std::printf("%d workers  %7.1f trials per minute  %.2fx\n", num_workers, rate, rate / one);
  }
  return 0;
}
