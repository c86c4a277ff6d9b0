// What a bit-width search sees of the layers of a network, and which decisions it takes on them.
#pragma once

#include <cstdint>
#include <vector>

#include "search/space/layer_table.h"

namespace voxbit::search {

// One layer in the words of HAQ's state: a convolution, or a fully-connected layer with stride 0
// and kernel 1.
struct BitLayer {
  bool is_depthwise = false;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t stride = 0;
  int64_t kernel = 1;  // edge length
  int64_t num_weights = 0;
  double feature_size = 0;  // how often each weight is used for one sample
  friend bool operator==(const BitLayer&, const BitLayer&) = default;
};

// The feature size is the workload number that multiplies the weights: kernel-map pairs of a sparse
// convolution, points of a linear layer; 0 where the workload does not have it. The published code
// counts input positions, which says little about a layer on neighbourhoods or sparse voxels.
BitLayer BitLayerOf(const LayerSpec& layer, const Workload& workload);

enum class BitKind { kWeight, kActivation };

// One number to choose.
struct BitDecision {
  size_t layer = 0;  // position in the list of layers
  BitKind kind = BitKind::kWeight;
  std::vector<int64_t> levels;  // allowed bit-widths, ascending, at least one
  friend bool operator==(const BitDecision&, const BitDecision&) = default;
};

// Bit-widths by decision.
using Bits = std::vector<int64_t>;

// Decisions of `num_layers` layers in order: with activations, weight before activation of each.
std::vector<BitDecision> AllDecisions(size_t num_layers, const std::vector<int64_t>& levels,
                                      bool with_activations);

// Levels min, min + 1, ... max.
std::vector<int64_t> LevelRange(int64_t min, int64_t max);

// The level that a continuous action in [0, 1] means: equal shares of the unit interval, a tie at
// a boundary goes to the even one. Clamped to the levels; the published code does not clamp, so
// that 0 and 1 may give one bit less or more than is allowed (`haq_bug_compat`; only for levels
// without gaps). Two levels are split at 0.5, which belongs to the lower one.
// Source: HAQ (mit-han-lab/haq), QuantizeEnv._action_wall.
int64_t LevelOf(const std::vector<int64_t>& levels, double action, bool haq_bug_compat);

// The middle of the share that LevelOf gives to the level `bits`. Requires: one of `levels`.
double ActionOf(const std::vector<int64_t>& levels, int64_t bits);

}  // namespace voxbit::search
