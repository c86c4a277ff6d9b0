// Measures how long this device takes for one scan: from voxel coordinates and features, or from
// the points of a cloud, to logits. Kernel maps and neighbours are included, because a device pays
// for them with every new scan. Bits are simulated: the kernels compute in float32.
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "search/domain/study.h"
#include "supernet/kernels/isa.h"
#include "worker/exec/builtin.h"
#include "worker/exec/host.h"

namespace voxbit::worker {
namespace {

// Which scan of the validation split; always the same, so that candidates can be compared.
const int64_t kScan = 0;

// The same scan on `device`, without what earlier runs have found out about it.
supernet::NetInput FreshInput(const supernet::NetInput& scan, const at::Device& device) {
  if (scan.clouds.defined()) return supernet::MakeCloudInput(scan.clouds.to(device));
  return supernet::MakeNetInput(scan.voxels.coords, scan.voxels.feats.to(device), 1);
}

// One run in milliseconds. common/clock.h counts whole milliseconds, too coarse for this.
double TimedRun(supernet::Network& net, const supernet::NetInput& scan, const at::Device& device) {
  const auto start = std::chrono::steady_clock::now();
  const at::Tensor logits = net.Forward(FreshInput(scan, device));
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
  const std::chrono::duration<double, std::milli> span = std::chrono::steady_clock::now() - start;
  return span.count();
}

// Whether a weight or an input of the candidate has fewer bits than a float.
bool IsQuantized(const supernet::Supernet& net, const search::Candidate& candidate,
                 const OpenedDataset& dataset) {
  const auto table =
      net.spec().Expand(candidate, dataset.in_channels(), dataset.dataset().num_classes());
  const search::LayerSpec whole;
  return std::any_of(table.begin(), table.end(), [&](const auto& layer) {
    return layer.weight_bits < whole.weight_bits || layer.activation_bits < whole.activation_bits;
  });
}

// Value below which `share` of the sorted values lie, linear between neighbours.
double Quantile(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(position);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (position - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace

Result<search::TaskResult> RunMeasureLatency(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const search::LatencySettings settings,
                          search::LatencyFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(const train::Batch batch,
                          train::EvaluationBatch(dataset->source(), data::Split::kVal,
                                                 std::span(&kScan, 1), at::Device(at::kCPU)));
  const at::NoGradGuard no_grad;
  const auto net = supernet->Standalone(call.spec.candidate);
  net->eval();
  // Beside a GPU the host builds the kernel maps, with all that it has.
  const int64_t threads = context.device().is_cpu() ? settings.threads : context.settings().threads;
  context.SetThreads(threads);

  std::vector<double> times;
  const auto run = context.Run(call, "measure_latency");
  for (int64_t i = 0; i < settings.warmup + settings.repeats; ++i) {
    if (call.stop.stop_requested()) return Cancelled("asked to stop");
    const double time = TimedRun(*net, batch.input, context.device());
    if (i >= settings.warmup) times.push_back(time);
    run.progress({.step = i + 1, .steps = settings.warmup + settings.repeats});
  }
  context.SetThreads(context.settings().threads);

  std::sort(times.begin(), times.end());
  search::Measurement latency;
  latency.metric = "latency_ms";
  latency.target = call.spec.target;
  latency.value = Quantile(times, 0.5);
  latency.spread = (Quantile(times, 0.75) - Quantile(times, 0.25)) / 2;
  latency.samples = settings.repeats;
  latency.detail = {{"device", context.settings().device},
                    {"device_model", DeviceModel(context.settings().device)},
                    {"threads", threads},
                    {"hardware_threads", std::thread::hardware_concurrency()},
                    {"instruction_set", kernels::IsaName(kernels::ActiveIsa())},
                    {"clock", CpuClockInfo()},
                    {"min_ms", times.front()},
                    {"max_ms", times.back()},
                    {"warmup", settings.warmup},
                    {"batch", 1},
                    {"scan", batch.samples.front().name}};
  if (batch.input.clouds.defined()) {
    latency.detail["points"] = batch.input.clouds.size(1);
    latency.detail["includes"] = "sampling, neighbours and network";
  } else {
    latency.detail["voxels"] = batch.num_rows();
    latency.detail["includes"] = "kernel maps and network; not voxelisation";
  }
  if (IsQuantized(*supernet, call.spec.candidate, *dataset)) {
    latency.detail["arithmetic"] = "float32, bits simulated";
  }
  search::TaskResult result;
  result.measurements.push_back(std::move(latency));
  return result;
}

}  // namespace voxbit::worker
