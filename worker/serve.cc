#include "worker/serve.h"

#include <memory>
#include <utility>

#include "common/address.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "worker/device_info.h"
#include "worker/exec/executors.h"
#include "worker/loop/artifact_cache.h"
#include "worker/loop/process_id.h"
#include "worker/loop/worker_loop.h"
#include "worker/rpc/coordinator_client.h"

namespace voxbit::worker {
namespace {

search::WorkerInfo Describe(const ServeFlags& flags) {
  search::WorkerInfo info;
  info.name = flags.name;
  info.device = flags.device;
  info.device_model = DeviceModel(flags.device);
  info.threads = flags.threads;
  info.memory_bytes = MemoryBytes();
  info.task_kinds = SupportedKinds();
  info.supernets = SupportedSupernets();
  info.datasets = SupportedDatasets();
  info.targets = flags.targets;
  info.version = VOXBIT_VERSION;
  if (!flags.takes_name) info.instance = ThisProcess();
  return info;
}

}  // namespace

Result<ServeFlags> Resolve(ServeFlags flags) {
  VOXBIT_RETURN_IF_ERROR(
      CheckHostPort(flags.server, /*min_port=*/1).Annotate("--server (or VOXBIT_SERVER)"));
  if (const Status device = CheckDevice(flags.device); !device.ok()) {
    return InvalidArgument("--device: " + device.message());
  }
  flags.may_rename = flags.name.empty();
  if (flags.name.empty()) flags.name = DefaultName(flags.device);
  VOXBIT_RETURN_IF_ERROR(CheckName("--name", flags.name));
  for (const std::string& target : flags.targets) {
    VOXBIT_RETURN_IF_ERROR(CheckName("--target", target));
  }
  if (flags.threads == 0) flags.threads = UsableCores();
  if (flags.targets.empty()) {
    flags.targets = {DefaultTarget(flags.device, DeviceModel(flags.device))};
  }
  if (flags.cache.empty()) flags.cache = DefaultCacheFolder();
  return flags;
}

Status Serve(const ServeFlags& flags, const std::stop_token& stop) {
  const SystemClock clock;
  CoordinatorClient server({.address = flags.server});
  VOXBIT_ASSIGN_OR_RETURN(
      const std::unique_ptr<ArtifactCache> cache,
      ArtifactCache::Open({.folder = flags.cache, .max_bytes = flags.cache_bytes}, server, clock));
  const std::unique_ptr<TaskExecutor> executor =
      MakeExecutor({.device = flags.device, .threads = flags.threads, .version = VOXBIT_VERSION});
  const search::WorkerInfo info = Describe(flags);
  log::Info("starting", {{"worker", info.name},
                         {"device", info.device},
                         {"model", info.device_model},
                         {"threads", info.threads},
                         {"targets", info.targets},
                         {"server", flags.server},
                         {"cache", flags.cache}});
  WorkerLoop::Settings settings;
  settings.connect_timeout = Milliseconds(static_cast<int64_t>(flags.connect_timeout_s * 1000));
  settings.may_rename = flags.may_rename;
  WorkerLoop loop(server, *executor, clock, info, *cache, settings);
  const Status status = loop.Run(stop);
  if (loop.is_working()) {
    // A dead share or device holds its thread; waiting for it would be for ever.
    log::Error("the task does not stop; the process ends without it", {{"why", status.ToString()}});
    std::_Exit(1);
  }
  return status.ok() ? status : status.Annotate("server " + flags.server);
}

std::vector<std::string> UsableDevices() {
  std::vector<std::string> devices = {"cpu"};
  for (int index = 0;; ++index) {
    std::string device = "cuda:" + std::to_string(index);
    if (!CheckDevice(device).ok()) return devices;
    devices.push_back(std::move(device));
  }
}

}  // namespace voxbit::worker
