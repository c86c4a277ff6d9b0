// A space of bit-widths whose best assignment is known: layers of different sizes and
// sensitivities under a budget on the size of their weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/check.h"
#include "search/algorithm/algorithm.h"
#include "search/bits/bit_baselines.h"
#include "search/bits/bit_dimensions.h"

namespace voxbit::testing {

struct ToyBitsOptions {
  std::vector<int64_t> sizes;              // numbers of weights, by layer
  std::vector<double> sensitivities = {};  // by layer; empty: all 1
  std::vector<int64_t> levels = {2, 4, 8};
  bool with_activations = false;  // they cost and matter as much as the weights
  double budget = 1e300;          // of the sum of sizes x bits
};

// The layers are "layer.0", "layer.1", ...; before their bits stands the dimension "width" of 8 or
// 16, which costs and matters nothing.
class ToyBits final : public search::CandidateFilter, public search::LayerSource {
 public:
  explicit ToyBits(ToyBitsOptions options)
      : space(MakeDimensions(options)), options_(std::move(options)) {
    options_.sensitivities.resize(options_.sizes.size(), 1.0);
    settings.population = 8;
    for (size_t i = 0; i < options_.sizes.size(); ++i) {
      search::LayerSpec layer;
      layer.name = "layer." + std::to_string(i);
      layer.in_channels = options_.sizes[i];
      layer.out_channels = 1;
      layer.workload = search::PointsKey();
      layers_.push_back(layer);
    }
    workload_.counts[search::PointsKey()] = 100;
  }

  // Refers to this.
  search::AlgorithmContext Context(uint64_t seed = 1) const {
    return {space, *this, objectives, constraints, settings, Rng(seed), this};
  }

  double Cost(const search::Candidate& candidate) const {
    double cost = 0;
    const search::BitDimensions found = search::FindBitDimensions(space, candidate);
    for (size_t d = 0; d < found.decisions.size(); ++d) {
      cost += static_cast<double>(options_.sizes[found.decisions[d].layer] *
                                  space.Value(candidate, found.dimensions[d]));
    }
    return cost;
  }
  double Violation(const search::Candidate& candidate) const override {
    return std::max(0.0, Cost(candidate) / options_.budget - 1);
  }
  std::vector<search::BoundedCost> BoundedCosts(const search::Candidate& candidate) const override {
    return {{Cost(candidate), options_.budget}};
  }
  search::Candidate Repair(const search::Candidate& candidate, Rng& /*rng*/) const override {
    return Violation(candidate) == 0 ? candidate : space.Smallest();
  }
  search::LayerTable Layers(const search::Candidate& /*candidate*/) const override {
    return layers_;
  }
  const search::Workload& workload() const override { return workload_; }

  // 0.9 less what the layers lose: each as much as its sensitivity, halved by every bit; 0.3 for
  // the lowest bits everywhere.
  double Accuracy(const search::Candidate& candidate) const {
    double loss = 0;
    double most = 0;
    const search::BitDimensions found = search::FindBitDimensions(space, candidate);
    for (size_t d = 0; d < found.decisions.size(); ++d) {
      const size_t layer = found.decisions[d].layer;
      loss += LossOf(layer, space.Value(candidate, found.dimensions[d]));
      most += LossOf(layer, options_.levels.front());
    }
    return 0.9 - 0.6 * loss / most;
  }

  // The best within the budget. Requires: there is one.
  search::Candidate Optimum() const {
    const search::Candidate largest = space.Largest();
    const search::BitDimensions found = search::FindBitDimensions(space, largest);
    std::vector<std::vector<search::BitOption>> options;
    for (const search::BitDecision& decision : found.decisions) {
      options.emplace_back();
      for (const int64_t bits : decision.levels) {
        const auto cost = static_cast<double>(options_.sizes[decision.layer] * bits);
        options.back().push_back({cost, LossOf(decision.layer, bits)});
      }
    }
    const auto chosen = search::KnapsackOptions(options, options_.budget);
    VOXBIT_CHECK(chosen.has_value(), "the lowest bits exceed the budget");
    search::Bits bits;
    for (size_t d = 0; d < chosen->size(); ++d) {
      bits.push_back(found.decisions[d].levels[(*chosen)[d]]);
    }
    return search::WithBits(space, found, largest, bits);
  }

  search::Trial Measure(const search::Proposal& proposal, int64_t number, double accuracy) const {
    search::Trial trial;
    trial.number = number;
    trial.candidate = proposal.candidate;
    trial.origin = proposal.origin;
    trial.state = search::TrialState::kSucceeded;
    search::Measurement measurement;
    measurement.metric = "accuracy";
    measurement.value = accuracy;
    trial.measured[{"accuracy", ""}] = measurement;
    return trial;
  }
  search::Trial Measure(const search::Proposal& proposal, int64_t number) const {
    return Measure(proposal, number, Accuracy(proposal.candidate));
  }

  const search::SearchSpace space;
  std::vector<search::Objective> objectives = {{"accuracy", ""}};
  std::vector<search::Constraint> constraints;
  search::SearchSettings settings;

 private:
  static std::vector<search::Dimension> MakeDimensions(const ToyBitsOptions& options) {
    std::vector<search::Dimension> dimensions = {{"width", {8, 16}, -1, 0}};
    for (size_t i = 0; i < options.sizes.size(); ++i) {
      const std::string layer = "layer." + std::to_string(i);
      // The activation stands first, to see that the weight is decided first.
      if (options.with_activations) {
        dimensions.push_back({layer + ".activation_bits", options.levels, -1, 0});
      }
      dimensions.push_back({layer + ".weight_bits", options.levels, -1, 0});
    }
    return dimensions;
  }

  double LossOf(size_t layer, int64_t bits) const {
    return options_.sensitivities[layer] * std::exp2(-static_cast<double>(bits));
  }

  ToyBitsOptions options_;
  search::LayerTable layers_;
  search::Workload workload_;
};

// Asks and tells until `count` trials are done or nothing more comes.
inline std::vector<search::Trial> RunToyBits(const ToyBits& toy, search::Algorithm& algorithm,
                                             int64_t count) {
  std::vector<search::Trial> done;
  bool is_exhausted = false;
  while (static_cast<int64_t>(done.size()) < count && !is_exhausted) {
    const auto number = static_cast<int64_t>(done.size());
    const search::AskResult asked = algorithm.Ask(count - number);
    std::vector<search::Trial> trials;
    for (const search::Proposal& proposal : asked.proposals) {
      trials.push_back(toy.Measure(proposal, number + static_cast<int64_t>(trials.size()) + 1));
    }
    algorithm.Tell(trials);
    done.insert(done.end(), trials.begin(), trials.end());
    is_exhausted = asked.exhausted || trials.empty();
  }
  return done;
}

}  // namespace voxbit::testing
