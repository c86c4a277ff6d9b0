#include "search/bits/bit_budget.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/check.h"

namespace voxbit::search {
namespace {

// Bits after one step down; the same when there is no lower level. Bits that a compatibility switch
// let fall below the lowest level stay.
int64_t Lowered(const std::vector<int64_t>& levels, int64_t bits, BitWall::Step step) {
  if (bits <= levels.front()) return bits;
  if (step == BitWall::Step::kLowestLevel) return levels.front();
  return *std::prev(std::lower_bound(levels.begin(), levels.end(), bits));
}

void Pin(const BitWall& wall, Bits& bits) {
  for (const auto& [decision, value] : wall.pinned) bits[decision] = value;
}

}  // namespace

BitCost WeightSizeCost(const std::vector<BitLayer>& layers,
                       const std::vector<BitDecision>& decisions) {
  std::vector<double> weights;
  for (const BitDecision& decision : decisions) {
    const bool counts = decision.kind == BitKind::kWeight;
    weights.push_back(counts ? static_cast<double>(layers[decision.layer].num_weights) : 0.0);
  }
  return [weights](const Bits& bits) {
    double total = 0;
    for (size_t i = 0; i < weights.size(); ++i) total += weights[i] * static_cast<double>(bits[i]);
    return total;
  };
}

double WeightSize(const std::vector<BitLayer>& layers, int64_t bits) {
  double total = 0;
  for (const BitLayer& layer : layers) {
    total += static_cast<double>(layer.num_weights) * static_cast<double>(bits);
  }
  return total;
}

double LatencyTable::At(int64_t layer, int64_t weight_bits, int64_t activation_bits,
                        bool haq_bug_compat) const {
  const int64_t unquantised = max_bits - (haq_bug_compat ? 1 : 0);
  const int64_t w = weight_bits < 1 ? unquantised : weight_bits;
  const int64_t a = activation_bits < 1 ? unquantised : activation_bits;
  VOXBIT_CHECK(layer < num_layers && w <= max_bits && a <= max_bits,
               "the latency table has no such entry");
  return values[static_cast<size_t>((layer * max_bits + w - 1) * max_bits + a - 1)];
}

BitCost LatencyCost(LatencyTable table, const std::vector<BitDecision>& decisions,
                    bool haq_bug_compat) {
  std::vector<std::pair<size_t, size_t>> places(static_cast<size_t>(table.num_layers));
  for (size_t i = 0; i < decisions.size(); ++i) {
    auto& [weight, activation] = places.at(decisions[i].layer);
    (decisions[i].kind == BitKind::kWeight ? weight : activation) = i;
  }
  VOXBIT_CHECK(decisions.size() == 2 * places.size(), "a layer without both decisions");
  return [table = std::move(table), places, haq_bug_compat](const Bits& bits) {
    double total = 0;
    for (size_t layer = 0; layer < places.size(); ++layer) {
      total += table.At(static_cast<int64_t>(layer), bits[places[layer].first],
                        bits[places[layer].second], haq_bug_compat);
    }
    return total;
  };
}

bool LowerToBudget(const std::vector<BitDecision>& decisions, const BitCost& cost, double budget,
                   const BitWall& wall, Bits& bits) {
  VOXBIT_CHECK(bits.size() == decisions.size(), "bits of other decisions");
  if (!wall.haq_bug_compat) Pin(wall, bits);
  std::vector<bool> is_pinned(bits.size(), false);
  for (const auto& [decision, value] : wall.pinned) is_pinned.at(decision) = true;
  if (cost(bits) <= budget) return true;
  for (bool has_changed = true; has_changed;) {
    const Bits before = bits;
    for (size_t i = bits.size(); i > 0; --i) {
      const size_t d = i - 1;
      const int64_t lowered =
          is_pinned[d] ? bits[d] : Lowered(decisions[d].levels, bits[d], wall.step);
      // The published loop pins and compares after every visit, changed or not.
      if (lowered == bits[d] && !wall.haq_bug_compat) continue;
      bits[d] = lowered;
      Pin(wall, bits);
      if (cost(bits) <= budget) return true;
    }
    has_changed = bits != before;
  }
  return false;
}

}  // namespace voxbit::search
