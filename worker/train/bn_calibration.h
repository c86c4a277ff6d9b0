// Calibration of one candidate: batch-norm statistics and ranges of quantized inputs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <memory>
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

// What networks on `source` are calibrated with: `num` training samples, or all there are, from
// everywhere in the split. As many of them as fit into memory make a batch, whatever the batches of
// training and evaluation are, and each batch has samples from everywhere. `source` outlives it.
std::unique_ptr<EvaluationSet> CalibrationSamples(ScanSource& source, int64_t num,
                                                  const at::Device& device);

// Sets the ranges of quantized inputs from all of `samples`, run in float and normalised by their
// own statistics; running statistics stay as they are. Nothing for a network without such
// inputs. To be called once for a selected candidate or a fresh network of its own, before its
// batch norms are calibrated: training changes the ranges from there. Leaves the network in eval
// mode. CANCELLED once `stop` is raised; the ranges are then not to be used.
// Source: mit-han-lab/haq, lib/utils/quantize_utils.py (calibrate), which looks at one batch.
Status CalibrateRanges(supernet::Network& net, EvaluationSet& samples, std::stop_token stop);

// Replaces the running statistics of the layers that `net` runs (its selected candidate) by mean
// and unbiased variance over all rows of `samples` (Network::BeginCalibration). One batch gives
// exactly the statistics of that batch; in several, the first ones are normalised by what has been
// seen until then. Leaves the network in eval mode.
// CANCELLED once `stop` is raised, FAILED_PRECONDITION when a batch norm sees one row of all
// samples together; the statistics are then as they were.
// Source: once-for-all, elastic_nn/utils.py (set_running_statistics); docs/algorithms.md says what
// differs.
Status CalibrateBatchNorm(supernet::Network& net, EvaluationSet& samples, std::stop_token stop);

}  // namespace voxbit::train
