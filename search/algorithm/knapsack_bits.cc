// The baseline of the quantisation error: the bits with the smallest sum of squared differences
// between the weights and their quantised values, over all layers, that the constraints leave. No
// accuracy takes part.
//
// Workers report the mean squared error of each layer at the bits of their candidate, as
// "quantization_error" ({layer: {bits: error}}) in the detail of a measurement. So a few feasible
// candidates come first that together show every layer at every level that it can have; then a
// knapsack is solved by dynamic programming. Activations have the bits of the largest uniform
// assignment that fits, because no error is known of them.
//
// Of several bounds the one that the highest bits exceed most is kept by the knapsack, the others
// by lowering its solution.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "search/algorithm/bit_problem.h"
#include "search/algorithm/generational_search.h"
#include "search/bits/bit_baselines.h"

namespace voxbit::search {
namespace {

constexpr char kErrors[] = "quantization_error";

class KnapsackSearch final : public GenerationalSearch {
 public:
  explicit KnapsackSearch(const AlgorithmContext& context)
      : GenerationalSearch("knapsack_bits", context, static_cast<size_t>(context.settings.trials)),
        problem_(context) {
    lowest_ = LargestUniformBits(problem_.decisions(), problem_.Violation(), 0);
    if (!lowest_) return;
    for (size_t d = 0; d < lowest_->size(); ++d) {
      if (IsWeight(d)) (*lowest_)[d] = problem_.decisions()[d].levels.front();
    }
    MakeProbes();
  }

 private:
  // Mean squared error by layer and bits.
  using Errors = std::map<std::string, std::map<int64_t, double>>;

  bool IsWeight(size_t decision) const {
    return problem_.decisions()[decision].kind == BitKind::kWeight;
  }

  // Every level of every weight, in as few candidates as a first fit gives.
  void MakeProbes() {
    if (problem_.Fits(*lowest_)) probes_.push_back(*lowest_);
    std::vector<std::vector<int64_t>> missing(lowest_->size());
    for (size_t d = 0; d < missing.size(); ++d) {
      const std::vector<int64_t>& levels = problem_.decisions()[d].levels;
      if (IsWeight(d)) missing[d].assign(levels.begin() + 1, levels.end());
    }
    while (true) {
      Bits bits = *lowest_;
      bool has_new = false;
      for (size_t d = 0; d < missing.size(); ++d) {
        for (size_t i = missing[d].size(); i > 0; --i) {
          Bits raised = bits;
          raised[d] = missing[d][i - 1];
          if (problem_.Share()(raised) > BitProblem::kFullShare) continue;
          bits = std::move(raised);
          missing[d].erase(missing[d].begin() + static_cast<std::ptrdiff_t>(i - 1));
          has_new = true;
          break;
        }
      }
      if (!has_new) return;
      problem_.Lower({}, bits);  // where a sum of shares was rounded down
      probes_.push_back(std::move(bits));
    }
  }

  void PlanGeneration(const Rng& /*rng*/) override {
    std::vector<Proposal> proposals;
    for (const Bits& probe : probes_) {
      // The last trial is for the answer.
      if (static_cast<int64_t>(proposals.size()) + 1 >= context().settings.trials) break;
      proposals.push_back({problem_.CandidateOf(probe), "levels"});
    }
    if (PlanNew(proposals)) return;
    PlanLast(problem_.CandidateOf(Solution()), "knapsack");
  }

  std::string WhyExhausted() const override {
    return errors_.empty() ? "no trial reported the quantization_error that knapsack_bits needs"
                           : "knapsack_bits has proposed its answer";
  }

  void NoteResult(const Trial& trial) override {
    for (const auto& [key, measurement] : trial.measured) {
      const auto reported = measurement.detail.find(kErrors);
      if (reported == measurement.detail.end()) continue;
      if (const std::optional<Errors> errors = ErrorsIn(*reported)) {
        for (const auto& [layer, by_bits] : *errors) {
          errors_[layer].insert(by_bits.begin(), by_bits.end());
        }
      }
    }
  }

  // Nothing when the JSON has another form.
  static std::optional<Errors> ErrorsIn(const Json& json) {
    if (!json.is_object()) return std::nullopt;
    Errors errors;
    for (const auto& [layer, by_bits] : json.items()) {
      if (!by_bits.is_object()) return std::nullopt;
      for (const auto& [bits, error] : by_bits.items()) {
        const bool is_count = !bits.empty() && bits.size() <= 2 &&
                              bits.find_first_not_of("0123456789") == std::string::npos;
        if (!is_count || !error.is_number() || !std::isfinite(error.get<double>())) {
          return std::nullopt;
        }
        errors[layer][std::stoll(bits)] = error.get<double>();
      }
    }
    return errors;
  }

  void AddMore(Json& state) const override {
    Json errors = Json::object();
    for (const auto& [layer, by_bits] : errors_) {
      for (const auto& [bits, error] : by_bits) errors[layer][std::to_string(bits)] = error;
    }
    state["errors"] = std::move(errors);
  }

  Status ReadMore(const Json& state) override {
    const auto found = state.find("errors");
    std::optional<Errors> errors;
    if (found != state.end()) errors = ErrorsIn(*found);
    if (!errors) return DataLoss("the saved state of the algorithm is damaged: bad errors");
    errors_ = *std::move(errors);
    return OkStatus();
  }

  std::optional<Bits> Solution() const {
    if (!lowest_ || errors_.empty()) return std::nullopt;
    const std::optional<size_t> bound = TightestBound();
    // Without a bound every option is free.
    const auto cost = [&](const Bits& bits) {
      return bound ? problem_.BoundedCosts(bits)[*bound].value : 0.0;
    };
    const double base = cost(*lowest_);
    const double budget = bound ? problem_.BoundedCosts(*lowest_)[*bound].bound - base : 0.0;
    const std::vector<BitLayer> layers = problem_.Layers();
    std::vector<std::vector<BitOption>> options;
    std::vector<std::vector<int64_t>> levels;
    std::vector<size_t> weights;
    for (size_t d = 0; d < lowest_->size(); ++d) {
      const BitDecision& decision = problem_.decisions()[d];
      if (!IsWeight(d)) continue;
      // Where the numbers of weights are unknown, every layer counts alike.
      const auto count =
          static_cast<double>(std::max<int64_t>(1, layers[decision.layer].num_weights));
      std::vector<BitOption> known;
      std::vector<int64_t> known_levels;
      for (const auto& [level, error] : KnownErrors(decision)) {
        Bits bits = *lowest_;
        bits[d] = level;
        known.push_back({cost(bits) - base, count * error});
        known_levels.push_back(level);
      }
      if (known.empty()) continue;
      weights.push_back(d);
      options.push_back(std::move(known));
      levels.push_back(std::move(known_levels));
    }
    const auto chosen = KnapsackOptions(options, budget);
    if (!chosen) return std::nullopt;
    Bits bits = *lowest_;
    for (size_t i = 0; i < weights.size(); ++i) bits[weights[i]] = levels[i][(*chosen)[i]];
    problem_.Lower({}, bits);
    return bits;
  }

  // Errors of the levels that the decision has, by level.
  std::map<int64_t, double> KnownErrors(const BitDecision& decision) const {
    std::map<int64_t, double> known;
    const auto layer = errors_.find(problem_.found().layers[decision.layer]);
    if (layer == errors_.end()) return known;
    for (const int64_t level : decision.levels) {
      if (const auto error = layer->second.find(level); error != layer->second.end()) {
        known.insert(*error);
      }
    }
    return known;
  }

  // Position of the bound that the highest bits exceed most.
  std::optional<size_t> TightestBound() const {
    const std::vector<BoundedCost> costs = problem_.BoundedCosts(problem_.Highest());
    std::optional<size_t> tightest;
    const auto share = [&](size_t i) { return costs[i].value / costs[i].bound; };
    for (size_t i = 0; i < costs.size(); ++i) {
      if (!tightest || share(i) > share(*tightest)) tightest = i;
    }
    return tightest;
  }

  BitProblem problem_;
  std::optional<Bits> lowest_;  // weights at their lowest, activations as they stay; nothing: no
                                // bits fit
  std::vector<Bits> probes_;
  Errors errors_;
};

}  // namespace

AlgorithmKind MakeKnapsackBits() {
  return {.make = &MakeAlgorithm<KnapsackSearch>,
          .check = &CheckBits,
          .pace = Pace::kOwnPlan,
          .is_baseline = true,
          .reads_quantization_error = true};
}

}  // namespace voxbit::search
