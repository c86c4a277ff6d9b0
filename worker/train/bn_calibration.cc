#include "worker/train/bn_calibration.h"

#include <torch/torch.h>

#include <utility>

namespace voxbit::train {

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
