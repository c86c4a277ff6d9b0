// Calibration of one candidate: batch-norm statistics and ranges of quantized inputs.
#pragma once

#include <exception>
#include <stop_token>

#include "common/status.h"
#include "supernet/models/supernet.h"
#include "worker/train/loader.h"

namespace voxbit::train {

// Saves the running statistics on construction and restores them on destruction: what happens to
// them between the two concerns one candidate only. `net` outlives it.
class BatchNormGuard {
 public:
  explicit BatchNormGuard(supernet::Network& net) : net_(net), saved_(net.SaveBatchNorm()) {}
  ~BatchNormGuard() {
    try {
      net_.RestoreBatchNorm(saved_);
    } catch (const std::exception&) {
      // The device has failed, and what runs on it says so.
    }
  }
  BatchNormGuard(const BatchNormGuard&) = delete;
  BatchNormGuard& operator=(const BatchNormGuard&) = delete;

 private:
  supernet::Network& net_;
  const supernet::BatchNormState saved_;
};

// Sets the ranges of quantized inputs from the first batch of `scans`, run in float and with its
// own batch statistics; running statistics stay as they are. Nothing for a network without such
// inputs. To be called once for a selected candidate or a fresh network of its own, before its
// batch norms are calibrated: training changes the ranges from there. Leaves the network in eval
// mode. Source: mit-han-lab/haq, lib/utils/quantize_utils.py (calibrate).
Status CalibrateRanges(supernet::Network& net, EvaluationSet& scans, std::stop_token stop);

// Replaces the running statistics of the layers that `net` runs (its selected candidate) by those
// of the batches of `scans`: each batch is normalised by its own statistics, whose means, weighted
// by rows, become the running ones. Leaves the network in eval mode. CANCELLED once `stop` is
// raised; the statistics are then unchanged by the batches seen.
// Source: once-for-all, elastic_nn/utils.py (set_running_statistics).
Status CalibrateBatchNorm(supernet::Network& net, EvaluationSet& scans, std::stop_token stop);

}  // namespace voxbit::train
