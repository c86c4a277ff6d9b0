// Gradient descent on a supernet, or on one network of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "search/domain/study.h"
#include "supernet/models/supernet.h"
#include "worker/train/scan_source.h"

namespace voxbit::train {

// Where a long computation stands. "loss" is of the step just done; NaN where there is none.
struct Progress {
  int64_t step = 0;   // done
  int64_t steps = 0;  // in all
  double loss = 0;
  double eta_s = 0;  // at the mean speed so far
};

// What training and evaluation are given from outside.
struct RunContext {
  at::Device device;
  const Clock& clock;
  std::stop_token stop;
  std::function<void(const Progress&)> progress;  // after every batch
};

struct TrainReport {
  int64_t steps = 0;
  int64_t skipped_steps = 0;  // batches without a labelled voxel: no gradient
  double final_loss = 0;      // mean over the last tenth of the steps
  double seconds = 0;
};

// Trains the weights that all candidates share: each step draws one candidate (CandidateSampler)
// and descends on its loss. The recipe is that of the published networks: cross-entropy without
// the ignored voxels (mean over the others, weighted by class if the settings say so), SGD with
// Nesterov momentum, weight decay on every parameter, LearningRate per step. Weight decay and
// momentum also act on the channels of a used tensor that the step's candidate left out; tensors
// that it did not use at all stay as they are.
//
// The network is in training mode meanwhile and in eval mode afterwards; its running statistics
// are a mixture of all candidates and must be calibrated before they are used.
//
// Errors: INFEASIBLE when a loss or a weight is no finite number, naming step and candidate;
// CANCELLED soon after `stop`; whatever the dataset says.
// Equal arguments, data and number of threads give equal bits. Sets torch's global seed.
// Source: spvnas configs/semantic_kitti/default.yaml, core/trainers.py.
Result<TrainReport> TrainSupernet(supernet::Supernet& net, ScanSource& source,
                                  const search::TrainSettings& settings, uint64_t seed,
                                  const RunContext& run);

// The same recipe on a fixed network; `name` is what errors call it. Sampling and depth settings
// do not matter.
Result<TrainReport> TrainNetwork(supernet::Network& net, const std::string& name,
                                 ScanSource& source, const search::TrainSettings& settings,
                                 uint64_t seed, const RunContext& run);

}  // namespace voxbit::train
