// Assignments of bits without a search: what every search has to be compared with.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "search/bits/bit_budget.h"
#include "search/bits/bit_layer.h"

namespace voxbit::search {

// All functions are deterministic and return nothing when not even the lowest levels fit.

// One number of bits for all: the largest that fits. A decision that does not allow it takes its
// next lower level, or its lowest.
std::optional<Bits> LargestUniformBits(const std::vector<BitDecision>& decisions,
                                       const BitCost& cost, double budget);

// The highest levels everywhere, then the lowest ones from the last decision (or the first) on
// until the budget holds. The first is what a saturated HAQ agent with two levels does.
std::optional<Bits> TailCutBits(const std::vector<BitDecision>& decisions, const BitCost& cost,
                                double budget);
std::optional<Bits> HeadCutBits(const std::vector<BitDecision>& decisions, const BitCost& cost,
                                double budget);

// From the highest levels, lowers again and again the decision that loses least for what it saves,
// by one level. losses[i][j]: the loss of decision i at its level j. A step that loses nothing
// comes first, the one that saves most of these before the others; ties go to the last decision.
std::optional<Bits> GreedyBits(const std::vector<BitDecision>& decisions,
                               const std::vector<std::vector<double>>& losses, const BitCost& cost,
                               double budget);

// One level of one decision, costs and errors being sums over the decisions.
struct BitOption {
  double cost = 0;
  double error = 0;
};

// Index of an option for each decision: the smallest sum of errors whose costs fit the budget, by
// dynamic programming over the cost above the cheapest options. Exact when all costs are multiples
// of one number and the budget is at most `num_bins` of it above the cheapest; otherwise costs are
// rounded up to a bin, so that the budget always holds. O(options x num_bins). Of equal sums the
// cheaper one wins.
// Requires: at least one option each, all finite.
std::optional<std::vector<size_t>> KnapsackOptions(
    const std::vector<std::vector<BitOption>>& options, double budget, int64_t num_bins = 10'000);

}  // namespace voxbit::search
