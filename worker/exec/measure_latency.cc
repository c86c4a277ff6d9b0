// Measures how long this device takes for a scan of the validation split: from voxel coordinates
// and features, or from the points of a cloud, to logits. Kernel maps and neighbours are included,
// because a device pays for them with every new scan. Bits are simulated: the kernels compute in
// float32.
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

// One of the scans that are timed.
struct TimedScan {
  train::Batch batch;
  int64_t repeats = 0;
  std::vector<double> times_ms;  // ascending once it is measured

  double median_ms() const { return Quantile(times_ms, 0.5); }
  // Half the interquartile range.
  double spread_ms() const { return (Quantile(times_ms, 0.75) - Quantile(times_ms, 0.25)) / 2; }
};

// The same scans for every candidate, so that they can be compared; the largest have a run more
// where the repeats cannot be shared out equally.
Result<std::vector<TimedScan>> ChooseScans(OpenedDataset& dataset,
                                           const search::LatencySettings& settings,
                                           const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<int64_t> indices,
                          dataset.SpreadBySize(settings.samples, stop));
  const auto num = static_cast<int64_t>(indices.size());
  const int64_t repeats = std::max(settings.repeats, num);
  std::vector<TimedScan> scans;
  for (int64_t i = 0; i < num; ++i) {
    const int64_t index = indices[static_cast<size_t>(i)];
    VOXBIT_ASSIGN_OR_RETURN(train::Batch batch,
                            train::EvaluationBatch(dataset.source(), data::Split::kVal,
                                                   std::span(&index, 1), at::Device(at::kCPU)));
    scans.push_back({std::move(batch), repeats / num + (num - 1 - i < repeats % num ? 1 : 0), {}});
  }
  return scans;
}

// The mean of one number of each scan.
template <class Number>
double MeanOf(const std::vector<TimedScan>& scans, Number number) {
  double sum = 0;
  for (const TimedScan& scan : scans) sum += number(scan);
  return sum / static_cast<double>(scans.size());
}

Json ToJson(const TimedScan& scan) {
  return {{"name", scan.batch.samples.front().name},
          {scan.batch.input.clouds.defined() ? "points" : "voxels", scan.batch.num_inputs()},
          {"median_ms", scan.median_ms()},
          {"spread_ms", scan.spread_ms()},
          {"runs", scan.repeats}};
}

}  // namespace

Result<search::TaskResult> RunMeasureLatency(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const search::LatencySettings settings,
                          search::LatencyFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(std::vector<TimedScan> scans, ChooseScans(*dataset, settings, call.stop));
  const at::NoGradGuard no_grad;
  const auto net = supernet->Standalone(call.spec.candidate);
  net->eval();
  // Beside a GPU the host builds the kernel maps, with all that it has.
  const int64_t threads = context.device().is_cpu() ? settings.threads : context.settings().threads;
  context.SetThreads(threads);

  int64_t steps = 0;
  for (const TimedScan& scan : scans) steps += settings.warmup + scan.repeats;
  int64_t step = 0;
  const auto run = context.Run(call, "measure_latency");
  for (TimedScan& scan : scans) {
    for (int64_t i = 0; i < settings.warmup + scan.repeats; ++i) {
      if (call.stop.stop_requested()) return Cancelled("asked to stop");
      const double time = TimedRun(*net, scan.batch.input, context.device());
      if (i >= settings.warmup) scan.times_ms.push_back(time);
      run.progress({.step = ++step, .steps = steps});
    }
    std::sort(scan.times_ms.begin(), scan.times_ms.end());
  }
  context.SetThreads(context.settings().threads);

  search::Measurement latency;
  latency.metric = "latency_ms";
  latency.target = call.spec.target;
  latency.value = MeanOf(scans, [](const TimedScan& scan) { return scan.median_ms(); });
  latency.spread = MeanOf(scans, [](const TimedScan& scan) { return scan.spread_ms(); });
  latency.samples = 0;
  Json measured = Json::array();
  double min_ms = scans.front().times_ms.front();
  double max_ms = min_ms;
  for (const TimedScan& scan : scans) {
    latency.samples += scan.repeats;
    min_ms = std::min(min_ms, scan.times_ms.front());
    max_ms = std::max(max_ms, scan.times_ms.back());
    measured.push_back(ToJson(scan));
  }
  latency.detail = {{"device", context.settings().device},
                    {"device_model", DeviceModel(context.settings().device)},
                    {"threads", threads},
                    {"hardware_threads", std::thread::hardware_concurrency()},
                    {"instruction_set", kernels::IsaName(kernels::ActiveIsa())},
                    {"clock", CpuClockInfo()},
                    {"min_ms", min_ms},
                    {"max_ms", max_ms},
                    {"warmup", settings.warmup},
                    {"batch", 1},
                    {"samples", std::move(measured)}};
  const train::Batch& any = scans.front().batch;
  if (any.input.clouds.defined()) {
    latency.detail["points"] = any.input.clouds.size(1);  // of every cloud
    latency.detail["includes"] = "sampling, neighbours and network";
  } else {
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
