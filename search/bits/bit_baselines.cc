#include "search/bits/bit_baselines.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "common/check.h"

namespace voxbit::search {
namespace {

Bits Extreme(const std::vector<BitDecision>& decisions, bool is_highest) {
  Bits bits;
  for (const BitDecision& decision : decisions) {
    bits.push_back(is_highest ? decision.levels.back() : decision.levels.front());
  }
  return bits;
}

Bits Uniform(const std::vector<BitDecision>& decisions, int64_t level) {
  Bits bits;
  for (const BitDecision& decision : decisions) {
    const auto above = std::upper_bound(decision.levels.begin(), decision.levels.end(), level);
    bits.push_back(above == decision.levels.begin() ? decision.levels.front() : *std::prev(above));
  }
  return bits;
}

// Decisions in the order in which `order` names them are cut.
std::optional<Bits> Cut(const std::vector<BitDecision>& decisions, const BitCost& cost,
                        double budget, const std::vector<size_t>& order) {
  Bits bits = Extreme(decisions, true);
  for (const size_t d : order) {
    if (cost(bits) <= budget) return bits;
    bits[d] = decisions[d].levels.front();
  }
  if (cost(bits) <= budget) return bits;
  return std::nullopt;
}

// A step down of one decision.
struct Lowering {
  size_t decision = 0;
  double loss = 0;    // how much it loses
  double saving = 0;  // how much it saves
  bool IsBetterThan(const Lowering& other) const {
    const bool is_free = loss <= 0;
    const bool is_other_free = other.loss <= 0;
    if (is_free != is_other_free) return is_free;
    if (is_free) return saving > other.saving;
    return loss * other.saving < other.loss * saving;
  }
};

// The largest number that all given integers are multiples of; 0 when one is no integer or so
// large that doubles no longer count.
int64_t CommonDivisor(const std::vector<double>& values) {
  constexpr double kLargest = 9e15;
  int64_t divisor = 0;
  for (const double value : values) {
    if (value != std::floor(value) || std::abs(value) > kLargest) return 0;
    divisor = std::gcd(divisor, static_cast<int64_t>(value));
  }
  return divisor;
}

}  // namespace

std::optional<Bits> LargestUniformBits(const std::vector<BitDecision>& decisions,
                                       const BitCost& cost, double budget) {
  std::set<int64_t> levels;
  for (const BitDecision& decision : decisions) {
    levels.insert(decision.levels.begin(), decision.levels.end());
  }
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    Bits bits = Uniform(decisions, *level);
    if (cost(bits) <= budget) return bits;
  }
  return std::nullopt;
}

std::optional<Bits> TailCutBits(const std::vector<BitDecision>& decisions, const BitCost& cost,
                                double budget) {
  std::vector<size_t> order(decisions.size());
  std::iota(order.rbegin(), order.rend(), size_t{0});
  return Cut(decisions, cost, budget, order);
}

std::optional<Bits> HeadCutBits(const std::vector<BitDecision>& decisions, const BitCost& cost,
                                double budget) {
  std::vector<size_t> order(decisions.size());
  std::iota(order.begin(), order.end(), size_t{0});
  return Cut(decisions, cost, budget, order);
}

std::optional<Bits> GreedyBits(const std::vector<BitDecision>& decisions,
                               const std::vector<std::vector<double>>& losses, const BitCost& cost,
                               double budget) {
  VOXBIT_CHECK(losses.size() == decisions.size(), "losses of other decisions");
  std::vector<size_t> at;
  for (size_t d = 0; d < decisions.size(); ++d) {
    VOXBIT_CHECK(losses[d].size() == decisions[d].levels.size(), "losses of other levels");
    at.push_back(decisions[d].levels.size() - 1);
  }
  Bits bits = Extreme(decisions, true);
  while (true) {
    const double current = cost(bits);
    if (current <= budget) return bits;
    std::optional<Lowering> best;
    for (size_t i = decisions.size(); i > 0; --i) {
      const size_t d = i - 1;
      if (at[d] == 0) continue;
      Bits lowered = bits;
      lowered[d] = decisions[d].levels[at[d] - 1];
      const Lowering step{d, losses[d][at[d] - 1] - losses[d][at[d]], current - cost(lowered)};
      if (!best || step.IsBetterThan(*best)) best = step;
    }
    if (!best) return std::nullopt;
    bits[best->decision] = decisions[best->decision].levels[--at[best->decision]];
  }
}

std::optional<std::vector<size_t>> KnapsackOptions(
    const std::vector<std::vector<BitOption>>& options, double budget, int64_t num_bins) {
  // Only what an option costs above the cheapest of its decision is counted in bins: the cheapest
  // assignment then fits whenever it really does.
  std::vector<double> cheapest;
  std::vector<double> extras;
  double rest = budget;
  for (const auto& choices : options) {
    VOXBIT_CHECK(!choices.empty(), "a decision without options");
    double low = choices[0].cost;
    for (const BitOption& option : choices) low = std::min(low, option.cost);
    for (const BitOption& option : choices) extras.push_back(option.cost - low);
    cheapest.push_back(low);
    rest -= low;
  }
  if (rest < 0) return std::nullopt;
  const int64_t divisor = CommonDivisor(extras);
  // With a common divisor that leaves few enough bins, the bins are exact.
  const double limit = static_cast<double>(num_bins);
  const bool is_exact = divisor > 0 && std::floor(rest / static_cast<double>(divisor)) <= limit;
  const double width = is_exact ? static_cast<double>(divisor) : std::max(rest / limit, 1e-300);
  const auto capacity = static_cast<size_t>(is_exact ? std::floor(rest / width) : limit);

  constexpr double kNone = std::numeric_limits<double>::infinity();
  // best[c]: smallest error of the decisions so far with bins of exactly c.
  std::vector<double> best(capacity + 1, kNone);
  best[0] = 0;
  std::vector<std::vector<int32_t>> chosen;
  std::vector<std::vector<size_t>> bins;
  for (size_t d = 0; d < options.size(); ++d) {
    std::vector<double> next(capacity + 1, kNone);
    std::vector<int32_t> from(capacity + 1, -1);
    std::vector<size_t> need;
    for (const BitOption& option : options[d]) {
      const double ratio = (option.cost - cheapest[d]) / width;
      const double whole = std::ceil(ratio);
      need.push_back(whole > static_cast<double>(capacity) ? capacity + 1
                                                           : static_cast<size_t>(whole));
    }
    for (size_t o = 0; o < need.size(); ++o) {
      for (size_t c = need[o]; c <= capacity; ++c) {
        const double error = best[c - need[o]] + options[d][o].error;
        if (!(error < next[c])) continue;
        next[c] = error;
        from[c] = static_cast<int32_t>(o);
      }
    }
    best = std::move(next);
    chosen.push_back(std::move(from));
    bins.push_back(std::move(need));
  }
  size_t at = 0;
  for (size_t c = 1; c <= capacity; ++c) {
    if (best[c] < best[at]) at = c;
  }
  std::vector<size_t> picked(options.size());
  for (size_t d = options.size(); d > 0; --d) {
    const auto option = static_cast<size_t>(chosen[d - 1][at]);
    picked[d - 1] = option;
    at -= bins[d - 1][option];
  }
  return picked;
}

}  // namespace voxbit::search
