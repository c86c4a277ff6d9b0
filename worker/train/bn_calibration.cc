#include "worker/train/bn_calibration.h"

#include <torch/torch.h>

#include <utility>

namespace voxbit::train {

Status CalibrateRanges(supernet::Network& net, EvaluationSet& scans, std::stop_token stop) {
  if (!net.HasInputRanges()) return OkStatus();
  const at::NoGradGuard no_grad;
  net.eval();
  const BatchNormGuard guard(net);
  bool is_seen = false;
  const auto look = [&](const Batch& batch) {
    net.Forward(batch.input);
    is_seen = true;
    return Cancelled("one batch is enough");
  };
  net.BeginCalibration();
  net.BeginRangeCalibration();
  Status status;
  try {
    status = scans.ForEach(look, std::move(stop));
  } catch (...) {
    net.EndRangeCalibration();
    net.EndCalibration();
    throw;
  }
  net.EndRangeCalibration();
  net.EndCalibration();
  return is_seen ? OkStatus() : status;
}

Status CalibrateBatchNorm(supernet::Network& net, EvaluationSet& scans, std::stop_token stop) {
  const at::NoGradGuard no_grad;
  net.eval();
  supernet::BatchNormState before = net.SaveBatchNorm();
  net.BeginCalibration();
  Status status;
  try {
    status = scans.ForEach(
        [&](const Batch& batch) {
          net.Forward(batch.input);
          return OkStatus();
        },
        std::move(stop));
  } catch (...) {
    net.EndCalibration();
    net.RestoreBatchNorm(before);
    throw;
  }
  net.EndCalibration();
  if (!status.ok()) net.RestoreBatchNorm(before);
  return status;
}

}  // namespace voxbit::train
