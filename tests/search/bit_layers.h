// Layers of which only the number of weights matters.
#pragma once

#include <cstdint>
#include <vector>

#include "search/bits/bit_layer.h"

namespace voxbit::search {

inline std::vector<BitLayer> LayersOf(const std::vector<int64_t>& weights) {
  std::vector<BitLayer> layers;
  for (const int64_t count : weights) {
    BitLayer layer;
    layer.num_weights = count;
    layers.push_back(layer);
  }
  return layers;
}

}  // namespace voxbit::search
