// Costs of an assignment of bits, and the wall that lowers bits until a budget holds.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "search/bits/bit_layer.h"

namespace voxbit::search {

// Cost of bits by decision; never falls when a number of bits rises.
using BitCost = std::function<double(const Bits& bits)>;

// Size in bits of the weights alone: sum of weights x bits over the weight decisions. Code books,
// biases and what is not quantised are not in it.
BitCost WeightSizeCost(const std::vector<BitLayer>& layers,
                       const std::vector<BitDecision>& decisions);
// The same with one number of bits for every weight.
double WeightSize(const std::vector<BitLayer>& layers, int64_t bits);

// Latencies by layer, weight bits and activation bits, all from 1 on.
struct LatencyTable {
  int64_t num_layers = 0;
  int64_t max_bits = 0;
  std::vector<double> values;  // [num_layers, max_bits, max_bits], row-major

  // Bits below 1 stand for "not quantised" and cost as much as the most bits; with
  // `haq_bug_compat` one column less, because the published code reads the table at index -2.
  double At(int64_t layer, int64_t weight_bits, int64_t activation_bits,
            bool haq_bug_compat = false) const;
};

// Sum over the layers. Requires: a weight and an activation decision for every layer.
BitCost LatencyCost(LatencyTable table, const std::vector<BitDecision>& decisions,
                    bool haq_bug_compat = false);

// How the wall lowers bits.
struct BitWall {
  enum class Step {
    kNextLevel,    // to the next lower allowed level
    kLowestLevel,  // to the lowest allowed level at once
  };
  Step step = Step::kNextLevel;
  // Decisions that keep their bits whatever the cost, with these bits. They are set before
  // anything is compared, so that they count towards the budget.
  std::vector<std::pair<size_t, int64_t>> pinned = {};
  // Pinned decisions are set only while the wall works, after every step, and not at all when the
  // budget holds from the start.
  bool haq_bug_compat = false;
};

// Goes over the decisions from the last to the first, again and again, lowers each by one step,
// and stops as soon as cost(bits) <= budget. Returns whether the budget holds; otherwise all bits
// are at their lowest level or pinned. Always ends: a round in which nothing changes is the last.
// At most (number of decisions) x (number of levels) evaluations of the cost.
// Source: HAQ (mit-han-lab/haq), _final_action_wall; kLowestLevel: the variant of
// Sharpiless/Point-Transformers-with-Quantization, which takes the lowest level that is in use, and
// never ends when all bits are equal.
bool LowerToBudget(const std::vector<BitDecision>& decisions, const BitCost& cost, double budget,
                   const BitWall& wall, Bits& bits);

}  // namespace voxbit::search
