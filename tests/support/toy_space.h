// A small supernet without weights, whose best candidate is known: for tests of the search.
#pragma once

#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "search/space/supernet_spec.h"

namespace voxbit::testing {

struct ToyOptions {
  int64_t stages = 4;
  int64_t widths = 8;                     // choices of each width: 8, 16, 24, ...
  std::vector<int64_t> weight_bits = {};  // of each stage's first layer; empty: nothing to choose
};

// Each stage chooses a width, a depth of 1 or 2, and the width of the second block's middle,
// which exists only at depth 2. Bit-widths stand after all of these and cost nothing.
class ToySpec final : public search::SupernetSpec {
 public:
  explicit ToySpec(const ToyOptions& options = {})
      : options_(options), space_(MakeDimensions(options)) {}

  const search::SearchSpace& space() const override { return space_; }
  Json config() const override {
    return {{"kind", "toy"},
            {"stages", options_.stages},
            {"widths", options_.widths},
            {"weight_bits", options_.weight_bits}};
  }
  Json Describe(const search::Candidate& candidate) const override {
    return {{"encoding", search::Encode(candidate)}};
  }

  search::LayerTable Expand(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const override {
    search::LayerTable layers;
    int64_t in = in_channels;
    for (int64_t s = 0; s < options_.stages; ++s) {
      const auto first = static_cast<size_t>(3 * s);
      const std::string stage = "stage." + std::to_string(s);
      const int64_t stride = int64_t{1} << s;
      const int64_t width = space_.Value(candidate, first);
      layers.push_back(Conv(stage + ".0", in, width, stride));
      if (space_.Value(candidate, first + 1) == 2) {
        const int64_t middle = space_.Value(candidate, first + 2);
        layers.push_back(Conv(stage + ".1", width, middle, stride));
        layers.push_back(Conv(stage + ".2", middle, width, stride));
      }
      in = width;
    }
    search::LayerSpec classifier;
    classifier.name = "classifier";
    classifier.kind = search::LayerKind::kLinear;
    classifier.in_channels = in;
    classifier.out_channels = num_classes;
    classifier.bias = true;
    classifier.workload = search::PointsKey();
    layers.push_back(classifier);
    return layers;
  }

  // The one candidate of quality 1: every stage at depth 2, widths and bits spread over their
  // choices.
  search::Candidate Optimum() const {
    search::Candidate best = space_.Largest();
    const auto first_bits = static_cast<size_t>(3 * options_.stages);
    for (size_t d = 0; d < best.choices.size(); ++d) {
      const bool is_depth = d < first_bits && d % 3 == 1;
      const size_t num_choices = space_.dimensions()[d].choices.size();
      if (!is_depth) best.choices[d] = static_cast<int32_t>((5 * d + 2) % num_choices);
    }
    return best;
  }

  // In [0, 1]: one minus the mean distance of the choices from the optimum's, each relative to
  // the range of its dimension. A gene that is missing counts as far away.
  double Quality(const search::Candidate& candidate) const {
    const search::Candidate best = Optimum();
    double distance = 0;
    for (size_t d = 0; d < space_.size(); ++d) {
      const auto range = static_cast<double>(space_.dimensions()[d].choices.size() - 1);
      const bool is_active = space_.IsActive(candidate, d);
      distance += is_active ? std::abs(candidate.choices[d] - best.choices[d]) / range : 1.0;
    }
    return 1 - distance / static_cast<double>(space_.size());
  }

  // What workers report of the weights of a candidate: {layer: {bits: mean squared error}}, for the
  // layers that have bits to choose. Later layers lose more.
  Json QuantizationError(const search::Candidate& candidate) const {
    Json errors = Json::object();
    for (auto d = static_cast<size_t>(3 * options_.stages); d < space_.size(); ++d) {
      const int64_t bits = space_.Value(candidate, d);
      const std::string layer = "stage." + std::to_string(errors.size()) + ".0";
      errors[layer][std::to_string(bits)] =
          static_cast<double>(d) * std::exp2(-2 * static_cast<double>(bits));
    }
    return errors;
  }

  // Counts that fall with the stride, as voxel counts do.
  search::Workload MakeWorkload() const {
    search::Workload workload;
    for (int64_t s = 0; s < options_.stages; ++s) {
      workload.counts[search::Pairs3Key(int64_t{1} << s)] = 1000.0 / static_cast<double>(s + 1);
    }
    workload.counts[search::PointsKey()] = 500;
    workload.num_samples = 1;
    workload.num_classes = 3;
    return workload;
  }

 private:
  static std::vector<search::Dimension> MakeDimensions(const ToyOptions& options) {
    std::vector<int64_t> widths;
    for (int64_t i = 1; i <= options.widths; ++i) widths.push_back(8 * i);
    std::vector<search::Dimension> dimensions;
    for (int64_t s = 0; s < options.stages; ++s) {
      const std::string stage = "stage." + std::to_string(s);
      dimensions.push_back({stage + ".width", widths, -1, 0});
      dimensions.push_back({stage + ".depth", {1, 2}, -1, 0});
      const auto depth = static_cast<int32_t>(dimensions.size()) - 1;
      dimensions.push_back({stage + ".middle", widths, depth, 2});
    }
    for (int64_t s = 0; !options.weight_bits.empty() && s < options.stages; ++s) {
      const std::string layer = "stage." + std::to_string(s) + ".0";
      dimensions.push_back({layer + ".weight_bits", options.weight_bits, -1, 0});
    }
    return dimensions;
  }

  static search::LayerSpec Conv(std::string name, int64_t in, int64_t out, int64_t stride) {
    search::LayerSpec layer;
    layer.name = std::move(name);
    layer.in_channels = in;
    layer.out_channels = out;
    layer.kernel_volume = 27;
    layer.tensor_stride = stride;
    layer.batch_norm = true;
    layer.workload = search::Pairs3Key(stride);
    return layer;
  }

  ToyOptions options_;
  search::SearchSpace space_;
};

}  // namespace voxbit::testing
