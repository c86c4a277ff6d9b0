// Gradient descent on a supernet, or on one network of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <stop_token>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "search/domain/study.h"
#include "supernet/models/supernet.h"
#include "worker/train/scan_source.h"

namespace voxbit::train {

// Where a long computation stands. NaN: not known; "loss" is of the step just done.
struct Progress {
  int64_t step = 0;   // done
  int64_t steps = 0;  // in all
  double loss = std::numeric_limits<double>::quiet_NaN();
  double eta_s = std::numeric_limits<double>::quiet_NaN();  // at the mean speed so far
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
  // Batches that were left out, without a trace in weights and statistics: nothing is labelled in
  // them, or some batch norm saw a single row of them (one voxel at the deepest level).
  int64_t skipped_steps = 0;
  int64_t single_row_steps = 0;
  double final_loss = 0;  // mean over the last tenth of the steps
  double seconds = 0;
};

// Trains the weights that all candidates share: each step draws one candidate (CandidateSampler)
// and descends on its loss. The recipe is that of the published networks: cross-entropy of the rows
// of logits without the ignored ones (mean over the others, weighted by class if the settings say
// so; parts compete with those of all categories), SGD with Nesterov momentum or Adam (betas 0.9
// and 0.999, weight decay added to the gradient), weight decay on every parameter, LearningRate per
// step. Weight decay and momentum also act on the channels of a used tensor that the step's
// candidate left out; tensors that it did not use at all stay as they are.
//
// The network is in training mode meanwhile and in eval mode afterwards; its running statistics
// are a mixture of all candidates and must be calibrated before they are used.
//
// Errors: INFEASIBLE when a loss or a weight is no finite number, naming step and candidate;
// CANCELLED soon after `stop`; whatever the dataset says.
// Equal arguments, data and number of threads give equal bits. Sets torch's global seed.
// Source: spvnas configs/semantic_kitti/default.yaml, core/trainers.py; Kingma and Ba, Adam (ICLR
// 2015), as in the part segmentation of qq456cvb/Point-Transformers.
Result<TrainReport> TrainSupernet(supernet::Supernet& net, ScanSource& source,
                                  const search::TrainSettings& settings, uint64_t seed,
                                  const RunContext& run);

// What a network learns from beside the labels: the logits of a teacher on the same batch. Added to
// the loss, over all rows: weight x mean((student - teacher)^2), both divided by the temperature T,
// or weight x T^2 x KL(softmax(teacher / T), softmax(student / T)), mean over the rows.
// Source: "mse" Sharpiless/Point-Transformers-with-Quantization (weight 0.1); "kl" Hinton, Vinyals
// and Dean, Distilling the Knowledge in a Neural Network (2015).
struct Distillation {
  supernet::Network& teacher;  // with calibrated statistics; put into eval mode
  std::string loss = "mse";    // or "kl"
  double weight = 0.1;
  double temperature = 1;
};

// The part of a loss that `distillation` adds. Gradient for `student` alone. Both [rows, classes].
at::Tensor DistillationLoss(const at::Tensor& student, const at::Tensor& teacher,
                            const Distillation& distillation);

// The same recipe on a fixed network; `name` is what errors call it. Sampling and depth settings
// do not matter. `distillation` may be null; with it the loss of the report has both parts.
Result<TrainReport> TrainNetwork(supernet::Network& net, const std::string& name,
                                 ScanSource& source, const search::TrainSettings& settings,
                                 uint64_t seed, const RunContext& run,
                                 const Distillation* distillation = nullptr);

}  // namespace voxbit::train
