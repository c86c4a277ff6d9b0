// The networks that a worker trains and measures, and the interface of weight-sharing ones.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/registry.h"
#include "common/status.h"
#include "search/domain/candidate.h"
#include "search/space/supernet_spec.h"
#include "supernet/ops/sparse_tensor.h"

namespace voxbit::supernet {

class CloudCache;

// One batch, prepared once and then used by any number of forward passes: what depends on positions
// alone lives in caches, which copies share, and is built by the first pass that needs it. Of
// voxels, or of clouds: search::InputForm.
struct NetInput {
  SparseTensor voxels;  // stride 1
  PointTensor points;
  int64_t num_samples = 0;  // batch indices are 0 .. num_samples - 1
  at::Tensor clouds{};      // [B,N,C] float32, the first three columns are the position
  std::shared_ptr<CloudCache> cloud_cache{};
};

// A batch in which every voxel is a point, as the official SemanticKITTI pipeline has it.
//   coords [N,4] int32 (x, y, z, batch), unique rows, CPU
//   feats  [N,C] float32 on the device that computes
// Requires: unique rows.
NetInput MakeNetInput(const at::Tensor& coords, const at::Tensor& feats, int64_t num_samples);

// A batch of points at real-valued coordinates [P,4] float32 (x, y, z, batch) in units of
// `point_resolution`, voxelised on a grid of `voxel_resolution`; voxel features are means. The
// official SPVCNN begins so, with 0.05 for both.
NetInput MakePointInput(const at::Tensor& coords, const at::Tensor& feats, int64_t num_samples,
                        double point_resolution, double voxel_resolution);

// A batch of clouds [B,N,C] float32.
NetInput MakeCloudInput(const at::Tensor& clouds);

// Throws c10::Error unless `input` has clouds of `columns` numbers per point and at least
// `min_points` points each: what a network over clouds checks first.
void CheckClouds(const NetInput& input, int64_t columns, int64_t min_points);
// Supernet::CountWorkload of a network over clouds of `columns` numbers per point. Throws as
// CheckClouds.
std::map<std::string, double> CountClouds(const search::SupernetSpec& spec, const NetInput& input,
                                          int64_t columns);
// Positions [B,N,3] of clouds, contiguous. Throws c10::Error where one is not finite.
at::Tensor CloudPositions(const at::Tensor& clouds);

// Moves the features to `device`; coordinates and maps stay shared.
NetInput ToDevice(const NetInput& input, const at::Device& device);

using TensorMap = std::map<std::string, at::Tensor>;

// Running mean and variance of every batch norm, copied.
struct BatchNormState {
  std::vector<at::Tensor> buffers;
};

// A network over NetInput. Not thread-safe.
class Network : public torch::nn::Module {
 public:
  // Logits [P, num_classes], one row per point of the input (per voxel where the network has no
  // points), the points of one cloud behind one another; [B, num_classes] for networks that
  // classify clouds. Train or eval behaviour as torch::nn::Module says. Gradients flow to
  // parameters. Throws SingleRowError (nn/elastic.h) in train mode where a batch norm sees a single
  // row; the norms before it have then taken their statistics of the batch.
  virtual at::Tensor Forward(const NetInput& input) = 0;

  // Copies of the running statistics, and putting them back: evaluate a candidate between the
  // two, and the shared statistics are as they were.
  BatchNormState SaveBatchNorm() const;
  void RestoreBatchNorm(const BatchNormState& state);

  // Calibration: after Begin, each forward pass (eval mode, no gradients) adds its rows to those
  // that every batch norm has seen since, and is normalised by the mean and the biased variance of
  // them all; for the first pass these are its batch's own. End writes the mean and the unbiased
  // variance over all rows, pooled in float64, into the running statistics of the channels that
  // were active. Returns the fewest rows that such a norm has seen, 0 where none saw any; one row
  // has no variance, and its norm keeps the statistics that it had.
  // Source: once-for-all, elastic_nn/utils.py (set_running_statistics), which averages the
  // variances within batches instead.
  void BeginCalibration();
  int64_t EndCalibration();

  // Whether the inputs of some layers are quantized below 32 bits.
  bool HasInputRanges() const;
  // Calibration of their ranges: in between, forward passes (no gradients) run in float and layers
  // keep a sample of what they read in all of them (nn/row_sample.h); End sets the ranges from it.
  // Ranges of a supernet are those of the selected candidate and gone with the next Select().
  // Source: mit-han-lab/haq, lib/utils/quantize_utils.py (calibrate).
  void BeginRangeCalibration();
  void EndRangeCalibration();

  // To be called after each step of an optimizer: puts quantized weights back onto their codebooks.
  // The shared weights of a supernet stay as they are.
  void AfterStep();

  // Parameters and buffers by name, without copying; num_batches_tracked left out.
  TensorMap NamedTensors() const;
  int64_t CountParameters() const;
};

// A network from which sub-networks are cut.
class Supernet : public Network {
 public:
  virtual const search::SupernetSpec& spec() const = 0;

  // The candidate that Forward runs; the largest one at first.
  // Requires: spec().space().Validate(candidate).
  virtual void Select(const search::Candidate& candidate) = 0;

  // Select, then Forward.
  using Network::Forward;
  at::Tensor Forward(const NetInput& input, const search::Candidate& candidate);

  // The candidate as a network of its own, with copies of its slices of weights and statistics.
  virtual std::shared_ptr<Network> Standalone(const search::Candidate& candidate) const = 0;
  // The same without quantizers: the candidate in full precision.
  virtual std::shared_ptr<Network> StandaloneFloat(const search::Candidate& candidate) const {
    return Standalone(candidate);
  }
  // The tensors of Standalone by name.
  TensorMap Extract(const search::Candidate& candidate) const;

  // Workload numbers (search/space/layer_table.h keys) of one batch, summed over its samples.
  virtual std::map<std::string, double> CountWorkload(const NetInput& input) const = 0;
};

// Builds a supernet from a study's "supernet" object found at `pointer`, freshly initialised from
// `seed`; INVALID_ARGUMENT names what is wrong.
using SupernetFactory = std::function<Result<std::shared_ptr<Supernet>>(
    const Json& config, const std::string& pointer, int64_t in_channels, int64_t num_classes,
    uint64_t seed)>;
using SupernetRegistry = Registry<SupernetFactory>;

void RegisterBuiltinSupernets(SupernetRegistry& registry);

}  // namespace voxbit::supernet
