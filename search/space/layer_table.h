// The layers that a candidate expands to, and the workload that one sample puts on them. Cost
// models are pure functions of the two.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/status.h"

namespace voxbit::search {

enum class LayerKind { kSparseConv, kSparseConvTransposed, kLinear };

struct LayerSpec {
  std::string name;  // official module path, e.g. "stem.0"
  LayerKind kind = LayerKind::kSparseConv;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel_volume = 1;
  int64_t stride = 1;
  int64_t tensor_stride = 1;  // of the finer of its two grids
  bool bias = false;
  bool batch_norm = false;  // followed by a batch norm of out_channels
  // Which workload number multiplies in_channels * out_channels: one of the keys below.
  std::string workload;
  // Names of its tensors in the state dict of a network of this candidate alone, the statistics of
  // the batch norm included. Not part of ToJson.
  std::vector<std::string> tensors;

  int64_t WeightCount() const { return kernel_volume * in_channels * out_channels; }
  // Weight, bias and batch-norm affine; running statistics are not trainable.
  int64_t ParameterCount() const {
    return WeightCount() + (bias ? out_channels : 0) + (batch_norm ? 2 * out_channels : 0);
  }
  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

using LayerTable = std::vector<LayerSpec>;

// Workload keys. A sparse convolution counts its kernel-map pairs.
inline std::string VoxelsKey(int64_t stride) { return "voxels/s" + std::to_string(stride); }
// 3^3 sub-manifold pairs at a tensor stride.
inline std::string Pairs3Key(int64_t stride) { return "pairs_k3/s" + std::to_string(stride); }
// 2^3 stride-2 pairs from a tensor stride to its double: one per fine voxel.
inline std::string Pairs2Key(int64_t stride) { return "pairs_k2/s" + std::to_string(stride); }
inline std::string PointsKey() { return "points"; }

// Averages over the profiled samples.
struct Workload {
  std::map<std::string, double> counts;
  int64_t num_samples = 0;
  int64_t in_channels = 4;
  int64_t num_classes = 0;
  std::vector<std::string> class_names;
  friend bool operator==(const Workload&, const Workload&) = default;
};

std::string_view Name(LayerKind kind);

Json ToJson(const LayerSpec& layer);
Json ToJson(const Workload& workload);
// INVALID_ARGUMENT; counts must be finite and not negative.
Result<Workload> ParseWorkload(const Json& json);

}  // namespace voxbit::search
