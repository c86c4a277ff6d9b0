#include "search/algorithm/bit_problem.h"

#include <algorithm>
#include <utility>

#include "common/config.h"

namespace voxbit::search {
namespace {

// The architecture of the largest candidate, lowered as far as its lowest bits need it.
Candidate LargestArchitecture(const AlgorithmContext& context) {
  const SearchSpace& space = context.space;
  const Candidate largest = context.filter.Pin(space.Largest());
  std::vector<bool> is_bits(space.size(), false);
  for (const size_t d : FindBitDimensions(space, space.Largest()).dimensions) is_bits[d] = true;
  std::vector<BitDecision> choices;
  std::vector<size_t> dimensions;
  Bits chosen;
  Candidate genes = largest;
  for (size_t d = 0; d < space.size(); ++d) {
    if (is_bits[d]) {
      genes.choices[d] = 0;
      continue;
    }
    choices.push_back(
        {choices.size(), BitKind::kWeight,
         LevelRange(0, static_cast<int64_t>(space.dimensions()[d].choices.size()) - 1)});
    dimensions.push_back(d);
    chosen.push_back(largest.choices[d]);
  }
  const auto candidate_of = [&](const Bits& lowered) {
    for (size_t i = 0; i < lowered.size(); ++i) {
      genes.choices[dimensions[i]] = static_cast<int32_t>(lowered[i]);
    }
    return space.Canonical(genes);
  };
  const auto violation = [&](const Bits& lowered) {
    return context.filter.Violation(candidate_of(lowered));
  };
  if (LowerToBudget(choices, violation, 0, {}, chosen)) return candidate_of(chosen);
  // Lower bounds work against the upper ones: the filter knows a way.
  Rng rng = context.rng.Fork("architecture");
  return context.filter.Repair(largest, rng);
}

// The levels that one layer may have, and what they add to each bound's share above the lowest.
struct LayerShares {
  std::vector<size_t> decisions;
  std::vector<size_t> sizes;                // numbers of levels of these decisions
  std::vector<std::vector<double>> shares;  // by combination of levels, the last decision fastest
};

std::vector<double> SharesOf(const std::vector<BoundedCost>& costs) {
  std::vector<double> shares;
  shares.reserve(costs.size());
  for (const BoundedCost& cost : costs) {
    shares.push_back(cost.bound > 0 ? cost.value / cost.bound : 1 + cost.value);
  }
  return shares;
}

}  // namespace

BitProblem::BitProblem(const AlgorithmContext& context)
    : space_(context.space),
      filter_(context.filter),
      layers_(context.layers),
      architecture_(LargestArchitecture(context)),
      found_(FindBitDimensions(context.space, architecture_)),
      share_(MakeShare()) {}

std::vector<BitLayer> BitProblem::Layers() const {
  if (layers_ == nullptr) return std::vector<BitLayer>(found_.layers.size());
  return BitLayersOf(found_, layers_->Layers(architecture_), layers_->workload());
}

Candidate BitProblem::CandidateOf(const Bits& bits) const {
  return WithBits(space_, found_, architecture_, bits);
}

std::optional<Candidate> BitProblem::CandidateOf(const std::optional<Bits>& bits) const {
  if (!bits) return std::nullopt;
  return CandidateOf(*bits);
}

Bits BitProblem::Lowest() const {
  Bits bits;
  bits.reserve(decisions().size());
  for (const BitDecision& decision : decisions()) bits.push_back(decision.levels.front());
  return bits;
}

Bits BitProblem::Highest() const {
  Bits bits;
  bits.reserve(decisions().size());
  for (const BitDecision& decision : decisions()) bits.push_back(decision.levels.back());
  return bits;
}

BitCost BitProblem::Violation() const {
  return [this](const Bits& bits) { return filter_.Violation(CandidateOf(bits)); };
}

std::vector<BoundedCost> BitProblem::BoundedCosts(const Bits& bits) const {
  return filter_.BoundedCosts(CandidateOf(bits));
}

BitCost BitProblem::MakeShare() const {
  const Bits lowest = Lowest();
  const std::vector<double> base = SharesOf(BoundedCosts(lowest));
  std::vector<LayerShares> layers(found_.layers.size());
  for (size_t d = 0; d < lowest.size(); ++d) {
    layers[decisions()[d].layer].decisions.push_back(d);
    layers[decisions()[d].layer].sizes.push_back(decisions()[d].levels.size());
  }
  for (LayerShares& layer : layers) {
    size_t count = 1;
    for (const size_t size : layer.sizes) count *= size;
    for (size_t combination = 0; combination < count; ++combination) {
      Bits bits = lowest;
      size_t rest = combination;
      for (size_t i = layer.decisions.size(); i > 0; --i) {
        const size_t d = layer.decisions[i - 1];
        bits[d] = decisions()[d].levels[rest % layer.sizes[i - 1]];
        rest /= layer.sizes[i - 1];
      }
      std::vector<double> shares = SharesOf(BoundedCosts(bits));
      for (size_t k = 0; k < shares.size(); ++k) shares[k] -= base[k];
      layer.shares.push_back(std::move(shares));
    }
  }
  return [base, layers, decisions = decisions()](const Bits& bits) {
    std::vector<double> total = base;
    for (const LayerShares& layer : layers) {
      size_t combination = 0;
      for (size_t i = 0; i < layer.decisions.size(); ++i) {
        const std::vector<int64_t>& levels = decisions[layer.decisions[i]].levels;
        const auto level = std::lower_bound(levels.begin(), levels.end(), bits[layer.decisions[i]]);
        combination = combination * layer.sizes[i] + static_cast<size_t>(level - levels.begin());
      }
      for (size_t k = 0; k < total.size(); ++k) total[k] += layer.shares[combination][k];
    }
    return total.empty() ? 0.0 : *std::max_element(total.begin(), total.end());
  };
}

bool BitProblem::Lower(const BitWall& wall, Bits& bits) const {
  // The quick cost does nearly all of it.
  LowerToBudget(decisions(), share_, kFullShare, wall, bits);
  return LowerToBudget(decisions(), Violation(), 0, wall, bits);
}

Result<Json> CheckBits(const SearchSettings& settings, const SearchSpace& space,
                       const std::string& pointer) {
  VOXBIT_RETURN_IF_ERROR(CheckHasBits(settings, space, pointer));
  return NoAgentSettings(settings, pointer);
}

Status CheckHasBits(const SearchSettings& settings, const SearchSpace& space,
                    const std::string& pointer) {
  if (FindBitDimensions(space, space.Largest()).decisions.empty()) {
    return FieldError(pointer + "/algorithm",
                      settings.algorithm +
                          " chooses bit-widths, and the space of this supernet has none; give the "
                          "supernet a \"quantization\"");
  }
  if (settings.architecture.empty()) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(const Candidate kept, ArchitectureNamed(space, settings.architecture));
  if (!FindBitDimensions(space, kept).decisions.empty()) return OkStatus();
  return FieldError(pointer + "/architecture",
                    "no layer of this architecture has bit-widths to choose");
}

}  // namespace voxbit::search
