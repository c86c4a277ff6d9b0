// Values that look like weights.
#pragma once

#include <cstdint>
#include <vector>

#include "common/rng.h"

namespace voxbit::quant {

inline std::vector<float> Normal(int64_t num, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < num; ++i) values.push_back(static_cast<float>(rng.Normal()));
  return values;
}

}  // namespace voxbit::quant
