// One walk over the layers of a network that gives each of them its bits: the environment of HAQ.
#pragma once

#include <cstdint>
#include <vector>

#include "search/bits/bit_layer.h"

namespace voxbit::search {

// What an agent sees before a decision. Columns: 0 depthwise, 1 input channels, 2 output channels,
// 3 stride, 4 kernel edge, 5 number of weights, 6 feature size, 7 index of the layer, 8 previous
// bits; where activations are decided too, 9: 1 before a weight, 0 before an activation.
using BitState = std::vector<double>;

// Columns 0 to 7 as counted.
std::vector<BitState> RawLayerStates(const std::vector<BitLayer>& layers);
// Every column scaled to [0, 1] over the rows. One that is constant becomes 0; with
// `haq_bug_compat` it keeps its value, however large: a feature size of 1000 that all layers share
// then saturates the networks for good.
void NormalizeColumns(std::vector<BitState>& rows, bool haq_bug_compat);

// How the published code differs from what its paper says; for comparison with recordings and with
// the published agent.
// false: constant columns are 0, previous bits are a share of the highest level (1 at the start),
//   column 9 tells the decision ahead, and every episode starts anew.
// true: constant columns keep their values. Without activations column 8 holds plain bits (4 at the
//   start); with activations it is 1 at the start and column 9 tells the decision just taken. The
//   table of rows is never reset, so that the first state of an episode may hold values of the
//   last. Actions are not clamped.
struct BitEpisodeOptions {
  bool with_activations = false;  // two more columns of meaning: see BitState
  bool haq_bug_compat = false;
};

// Thread-compatible; deterministic.
class BitEpisode {
 public:
  // Requires: the layers of the decisions exist, and decisions stand in the order of layers.
  BitEpisode(const std::vector<BitLayer>& layers, std::vector<BitDecision> decisions,
             BitEpisodeOptions options);

  // Goes back to the first decision.
  void Reset();
  // Before the next decision; after the last, the state that it was taken in.
  const BitState& state() const { return rows_[row_]; }
  // Takes the next decision. Requires: not done.
  int64_t Step(double action);
  // Takes the next decision with bits that are known.
  void Follow(int64_t bits);

  bool IsDone() const { return bits_.size() == decisions_.size(); }
  const Bits& bits() const { return bits_; }
  // bits() within their levels: with `haq_bug_compat` some may lie beside them.
  Bits AllowedBits() const;
  const std::vector<BitDecision>& decisions() const { return decisions_; }
  // Length of a state.
  size_t state_size() const { return options_.with_activations ? 10 : 9; }
  // The state of each layer at the start of the first episode.
  const std::vector<BitState>& initial_rows() const { return initial_rows_; }

 private:
  void WriteFlag(size_t decision);

  std::vector<BitDecision> decisions_;
  BitEpisodeOptions options_;
  std::vector<BitState> initial_rows_;
  std::vector<BitState> rows_;
  size_t row_ = 0;
  Bits bits_;
};

// Reward of a finished episode, from accuracies in [0, 1].
struct BitReward {
  double scale = 0.1;
  // The published reward is of percents. Of plain fractions it is a hundred times smaller, which
  // buries it under the critic's errors.
  bool of_fractions = false;
  bool add_inverse_ratio = false;  // scale / (share of the cost that is left) on top

  // `cost_ratio`: cost over that of the float network.
  double Of(double accuracy, double reference, double cost_ratio) const;
};

}  // namespace voxbit::search
