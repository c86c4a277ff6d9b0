// Sums over the layers of a table.
#pragma once

#include <cstdint>

#include "search/space/layer_table.h"

namespace voxbit::supernet {

inline int64_t Parameters(const search::LayerTable& table) {
  int64_t total = 0;
  for (const auto& layer : table) total += layer.ParameterCount();
  return total;
}

}  // namespace voxbit::supernet
