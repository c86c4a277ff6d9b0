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

// What a network reads.
enum class InputForm { kVoxels, kClouds };

enum class LayerKind { kSparseConv, kSparseConvTransposed, kLinear };

// What stands beside the codes of a quantized weight.
enum class WeightCoding {
  kScales,    // scales and zero points
  kCodebook,  // the values of the codes; 16 bits are float16 values and nothing else
};

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
  bool signed_input = true;  // false: behind a ReLU, so that nothing that it reads is below zero

  // Quantization. 32 bits: float.
  int64_t weight_bits = 32;
  int64_t activation_bits = 32;  // of its input
  WeightCoding weight_coding = WeightCoding::kScales;
  int64_t num_scales = 0;             // float32 scales and zero points of a weight below 32 bits
  int64_t num_activation_ranges = 0;  // float32 numbers that the quantizer of the input stores
  bool chooses_weight_bits = false;   // false: pinned, or nothing is quantized
  // Weights of all layers of the largest candidate that choose their bits; the same number in every
  // layer of a network.
  int64_t largest_chosen_weights = 0;

  // Names of its tensors in the state dict of a network of this candidate alone, the weight first,
  // the statistics of the batch norm included. Not part of ToJson.
  std::vector<std::string> tensors;

  int64_t WeightCount() const { return kernel_volume * in_channels * out_channels; }
  // Weight, bias and batch-norm affine; running statistics are not trainable.
  int64_t ParameterCount() const {
    return WeightCount() + (bias ? out_channels : 0) + (batch_norm ? 2 * out_channels : 0);
  }
  // The weight as it is stored: codes and what they need, or float32 values. A codebook counts with
  // all its entries, min(2^bits, weights).
  int64_t WeightBytes() const;
  // The weight, and in float32 the bias, the batch norm with its statistics, activation ranges.
  int64_t StoredBytes() const;
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
// Networks over clouds: one for each cloud; for each point of a level, 0 being the input; for each
// of its k neighbours in its level, or in the level before (fewer where that has fewer points).
inline std::string CloudsKey() { return "clouds"; }
inline std::string LevelPointsKey(int64_t level) { return "points/l" + std::to_string(level); }
inline std::string NeighboursKey(int64_t level, int64_t k) {
  return "neighbours/l" + std::to_string(level) + "/k" + std::to_string(k);
}
inline std::string GroupsKey(int64_t level, int64_t k) {
  return "groups/l" + std::to_string(level) + "/k" + std::to_string(k);
}

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
