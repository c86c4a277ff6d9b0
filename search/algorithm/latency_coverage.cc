#include "search/algorithm/latency_coverage.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "search/bits/bit_dimensions.h"

namespace voxbit::search {
namespace {

constexpr int kDraws = 500;

class Coverage {
 public:
  Coverage(const SupernetSpec& spec, const cost::LatencyLut& table, const Workload* workload)
      : spec_(spec), table_(table), workload_(workload) {
    const BitDimensions found = FindBitDimensions(spec.space(), spec.space().Largest());
    bit_dimensions_.insert(found.dimensions.begin(), found.dimensions.end());
  }

  Status Check() {
    const SearchSpace& space = spec_.space();
    for (const Candidate& extreme : {space.Largest(), space.Smallest()}) {
      VOXBIT_RETURN_IF_ERROR(CheckBits(extreme));
      VOXBIT_RETURN_IF_ERROR(CheckNeighbours(extreme));
    }
    Rng rng(0);
    for (int i = 0; i < kDraws && table_.NeedsWorkload(); ++i) {
      VOXBIT_RETURN_IF_ERROR(CheckBits(space.Sample(rng)));
    }
    return OkStatus();
  }

 private:
  Status CheckNeighbours(const Candidate& extreme) {
    const SearchSpace& space = spec_.space();
    for (size_t d = 0; d < space.size(); ++d) {
      if (bit_dimensions_.contains(d)) continue;
      Candidate genes = extreme;
      for (size_t c = 0; c < space.dimensions()[d].choices.size(); ++c) {
        genes.choices[d] = static_cast<int32_t>(c);
        VOXBIT_RETURN_IF_ERROR(CheckBits(space.Canonical(genes)));
      }
    }
    return OkStatus();
  }

  // The architecture of `candidate` with all bits that its layers may have.
  Status CheckBits(const Candidate& candidate) {
    const BitDimensions found = FindBitDimensions(spec_.space(), candidate);
    std::map<std::pair<std::string, BitKind>, std::vector<int64_t>> levels;
    for (const BitDecision& decision : found.decisions) {
      levels[{found.layers[decision.layer], decision.kind}] = decision.levels;
    }
    const LayerTable layers = Expand(candidate, 0);
    const LayerTable others = Expand(candidate, 1);
    for (size_t i = 0; i < layers.size(); ++i) {
      LayerSpec layer = layers[i];
      if (!seen_.emplace(layer.name, layer.in_channels, layer.out_channels).second) continue;
      const bool has_shape = layer.in_channels == others[i].in_channels &&
                             layer.out_channels == others[i].out_channels;
      const auto weights = levels.try_emplace({layer.name, BitKind::kWeight},
                                              std::vector<int64_t>{layer.weight_bits});
      const auto inputs = levels.try_emplace({layer.name, BitKind::kActivation},
                                             std::vector<int64_t>{layer.activation_bits});
      for (const int64_t weight : weights.first->second) {
        for (const int64_t input : inputs.first->second) {
          layer.weight_bits = weight;
          layer.activation_bits = input;
          VOXBIT_RETURN_IF_ERROR(CheckLayer(layer, has_shape));
        }
      }
    }
    return OkStatus();
  }

  Status CheckLayer(const LayerSpec& layer, bool has_shape) const {
    const bool is_exact = has_shape || !table_.NeedsWorkload();
    return is_exact ? table_.LayerMs(layer).status() : table_.FindAnyShape(layer);
  }

  // `more`: of an unknown number of input channels and classes.
  LayerTable Expand(const Candidate& candidate, int64_t more) const {
    if (workload_ == nullptr) return spec_.Expand(candidate, 4 + more, 2 + more);
    return spec_.Expand(candidate, workload_->in_channels, workload_->num_classes);
  }

  const SupernetSpec& spec_;
  const cost::LatencyLut& table_;
  const Workload* workload_;
  std::set<size_t> bit_dimensions_;
  std::set<std::tuple<std::string, int64_t, int64_t>> seen_;
};

}  // namespace

Status CheckLatencyTable(const SupernetSpec& spec, const cost::LatencyLut& table,
                         const Workload* workload) {
  return Coverage(spec, table, workload).Check();
}

}  // namespace voxbit::search
