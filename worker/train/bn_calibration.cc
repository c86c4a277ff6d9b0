#include "worker/train/bn_calibration.h"

#include <torch/torch.h>

#include <utility>
#include <vector>

#include "common/log.h"

namespace voxbit::train {
namespace {

// Rows of one batch. A network keeps a few hundred channels of a voxel at a time, and for a point
// of a cloud as many for each of its neighbours: either batch takes one to four GB of memory in the
// published networks at full width.
constexpr int64_t kVoxelsOfABatch = int64_t{1} << 17;
constexpr int64_t kPointsOfABatch = int64_t{1} << 14;

Status ForwardAll(supernet::Network& net, EvaluationSet& samples, std::stop_token stop) {
  return samples.ForEach(
      [&](const Batch& batch) {
        net.Forward(batch.input);
        return OkStatus();
      },
      std::move(stop));
}

}  // namespace

std::unique_ptr<EvaluationSet> CalibrationSamples(ScanSource& source, int64_t num,
                                                  const at::Device& device) {
  const std::vector<int64_t> spread =
      SpreadIndices(source.dataset().size(data::Split::kTrain), num);
  const auto size = static_cast<int64_t>(spread.size());
  std::vector<int64_t> mixed;
  for (const int64_t place : EpochOrder(size, /*seed=*/0, /*epoch=*/0)) {
    mixed.push_back(spread[static_cast<size_t>(place)]);
  }
  const bool has_voxels = source.dataset().traits().input == data::InputForm::kVoxels;
  const BatchLimit limit = {.rows = has_voxels ? kVoxelsOfABatch : kPointsOfABatch};
  return std::make_unique<EvaluationSet>(source, data::Split::kTrain, std::move(mixed), limit,
                                         device);
}

Status CalibrateRanges(supernet::Network& net, EvaluationSet& samples, std::stop_token stop) {
  if (!net.HasInputRanges()) return OkStatus();
  const at::NoGradGuard no_grad;
  net.eval();
  const BatchNormGuard guard(net);
  net.BeginCalibration();
  net.BeginRangeCalibration();
  Status status;
  try {
    status = ForwardAll(net, samples, std::move(stop));
  } catch (...) {
    net.EndRangeCalibration();
    net.EndCalibration();
    throw;
  }
  net.EndRangeCalibration();
  net.EndCalibration();
  return status;
}

Status CalibrateBatchNorm(supernet::Network& net, EvaluationSet& samples, std::stop_token stop) {
  const at::NoGradGuard no_grad;
  net.eval();
  const supernet::BatchNormState before = net.SaveBatchNorm();
  net.BeginCalibration();
  Status status;
  try {
    status = ForwardAll(net, samples, std::move(stop));
  } catch (...) {
    net.EndCalibration();
    net.RestoreBatchNorm(before);
    throw;
  }
  if (net.EndCalibration() == 1 && status.ok()) {
    log::Warning(
        "the calibration samples give a batch norm a single row, which has no variance: it keeps "
        "its statistics; more training samples are needed, and an evaluate.calibration_scans that "
        "lets them in",
        {{"samples", samples.num_scans()}});
  }
  if (!status.ok()) net.RestoreBatchNorm(before);
  return status;
}

}  // namespace voxbit::train
