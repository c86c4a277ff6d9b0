#include "search/bits/bit_dimensions.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "common/check.h"

namespace voxbit::search {
namespace {

constexpr std::string_view kWeightBits = ".weight_bits";
constexpr std::string_view kActivationBits = ".activation_bits";

}  // namespace

BitDimensions FindBitDimensions(const SearchSpace& space, const Candidate& architecture) {
  BitDimensions found;
  std::map<std::string, size_t> index;
  std::vector<std::pair<BitDecision, size_t>> pairs;
  for (size_t d = 0; d < space.size(); ++d) {
    const Dimension& dimension = space.dimensions()[d];
    const std::string_view name = dimension.name;
    const bool is_weight = name.ends_with(kWeightBits);
    if (!is_weight && !name.ends_with(kActivationBits)) continue;
    if (!space.IsActive(architecture, d)) continue;
    const size_t tail = is_weight ? kWeightBits.size() : kActivationBits.size();
    const std::string layer(name.substr(0, name.size() - tail));
    const auto [at, is_new] = index.try_emplace(layer, found.layers.size());
    if (is_new) found.layers.push_back(layer);
    const BitKind kind = is_weight ? BitKind::kWeight : BitKind::kActivation;
    found.has_activations = found.has_activations || !is_weight;
    pairs.emplace_back(BitDecision{at->second, kind, dimension.choices}, d);
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.layer, a.first.kind) < std::pair(b.first.layer, b.first.kind);
  });
  for (auto& [decision, dimension] : pairs) {
    found.decisions.push_back(std::move(decision));
    found.dimensions.push_back(dimension);
  }
  return found;
}

std::vector<BitLayer> BitLayersOf(const BitDimensions& found, const LayerTable& table,
                                  const Workload& workload) {
  std::vector<BitLayer> layers(found.layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto spec = std::find_if(table.begin(), table.end(), [&](const LayerSpec& layer) {
      return layer.name == found.layers[i];
    });
    if (spec != table.end()) layers[i] = BitLayerOf(*spec, workload);
  }
  return layers;
}

Candidate WithBits(const SearchSpace& space, const BitDimensions& found, Candidate architecture,
                   const Bits& bits) {
  VOXBIT_CHECK(bits.size() == found.decisions.size(), "bits of other decisions");
  for (size_t i = 0; i < bits.size(); ++i) {
    const std::vector<int64_t>& levels = found.decisions[i].levels;
    const auto level = std::find(levels.begin(), levels.end(), bits[i]);
    VOXBIT_CHECK(level != levels.end(), std::to_string(bits[i]) + " bits are not allowed here");
    architecture.choices[found.dimensions[i]] = static_cast<int32_t>(level - levels.begin());
  }
  return space.Canonical(std::move(architecture));
}

Result<Candidate> ArchitectureNamed(const SearchSpace& space, const std::string& text) {
  VOXBIT_ASSIGN_OR_RETURN(const Candidate named, DecodeCandidate(text));
  std::vector<bool> is_bits(space.size(), false);
  for (const size_t d : FindBitDimensions(space, space.Largest()).dimensions) is_bits[d] = true;
  const auto num_others = static_cast<size_t>(std::count(is_bits.begin(), is_bits.end(), false));
  if (named.choices.size() != num_others && named.choices.size() != space.size()) {
    return InvalidArgument("expected " + std::to_string(num_others) + " choices, or " +
                           std::to_string(space.size()) + " with the bit-widths, found " +
                           std::to_string(named.choices.size()));
  }
  const bool has_bits = named.choices.size() == space.size();
  Candidate architecture = space.Smallest();
  size_t next = 0;
  for (size_t d = 0; d < space.size(); ++d) {
    const size_t from = has_bits ? d : next;
    if (is_bits[d]) continue;
    architecture.choices[d] = named.choices[from];
    ++next;
  }
  VOXBIT_RETURN_IF_ERROR(space.Validate(architecture));
  return architecture;
}

}  // namespace voxbit::search
