// Where a search space has bit-widths.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "search/bits/bit_layer.h"
#include "search/space/search_space.h"

namespace voxbit::search {

// The bit-widths of one architecture as decisions on its layers.
struct BitDimensions {
  std::vector<std::string> layers;     // in the order of their first dimension
  std::vector<BitDecision> decisions;  // by layer, the weight before the activation
  std::vector<size_t> dimensions;      // of the space, by decision
  bool has_activations = false;
};

// The dimensions named "<layer>.weight_bits" and "<layer>.activation_bits" that are active in
// `architecture`, whose own bits do not matter.
BitDimensions FindBitDimensions(const SearchSpace& space, const Candidate& architecture);

// Facts of the found layers; of one that `table` does not have, nothing.
std::vector<BitLayer> BitLayersOf(const BitDimensions& found, const LayerTable& table,
                                  const Workload& workload);

// `architecture` with these bits; canonical. Requires: one of the decision's levels each.
Candidate WithBits(const SearchSpace& space, const BitDimensions& found, Candidate architecture,
                   const Bits& bits);

// The architecture that a text names: the choices of the dimensions that are no bit-widths, in
// their order, as the same supernet without bit-widths encodes its candidates; or a candidate of
// `space`, whose bits do not matter. INVALID_ARGUMENT for anything else.
Result<Candidate> ArchitectureNamed(const SearchSpace& space, const std::string& text);

}  // namespace voxbit::search
