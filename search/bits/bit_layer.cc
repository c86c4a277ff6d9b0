#include "search/bits/bit_layer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "common/check.h"

namespace voxbit::search {

BitLayer BitLayerOf(const LayerSpec& layer, const Workload& workload) {
  BitLayer out;
  out.in_channels = layer.in_channels;
  out.out_channels = layer.out_channels;
  out.num_weights = layer.WeightCount();
  if (layer.kind != LayerKind::kLinear) {
    out.stride = layer.stride;
    out.kernel = std::llround(std::cbrt(static_cast<double>(layer.kernel_volume)));
  }
  const auto count = workload.counts.find(layer.workload);
  if (count != workload.counts.end()) out.feature_size = count->second;
  return out;
}

std::vector<BitDecision> AllDecisions(size_t num_layers, const std::vector<int64_t>& levels,
                                      bool with_activations) {
  std::vector<BitDecision> decisions;
  for (size_t layer = 0; layer < num_layers; ++layer) {
    decisions.push_back({layer, BitKind::kWeight, levels});
    if (with_activations) decisions.push_back({layer, BitKind::kActivation, levels});
  }
  return decisions;
}

std::vector<int64_t> LevelRange(int64_t min, int64_t max) {
  VOXBIT_CHECK(min <= max, "an empty range of levels");
  std::vector<int64_t> levels;
  for (int64_t bits = min; bits <= max; ++bits) levels.push_back(bits);
  return levels;
}

int64_t LevelOf(const std::vector<int64_t>& levels, double action, bool haq_bug_compat) {
  VOXBIT_CHECK(!levels.empty(), "a decision without levels");
  const auto count = static_cast<int64_t>(levels.size());
  const int64_t low = levels.front();
  // The term of the lowest level decides the ties, as in the published formula.
  const double shifted = static_cast<double>(count) * action + (static_cast<double>(low) - 0.5);
  const auto index = static_cast<int64_t>(std::nearbyint(shifted)) - low;
  const bool has_gaps = levels.back() - low + 1 != count;
  if (haq_bug_compat && !has_gaps) return low + index;
  return levels[static_cast<size_t>(std::clamp<int64_t>(index, 0, count - 1))];
}

double ActionOf(const std::vector<int64_t>& levels, int64_t bits) {
  const auto found = std::find(levels.begin(), levels.end(), bits);
  VOXBIT_CHECK(found != levels.end(), std::to_string(bits) + " bits are not allowed here");
  const auto index = static_cast<double>(found - levels.begin());
  return (index + 0.5) / static_cast<double>(levels.size());
}

}  // namespace voxbit::search
