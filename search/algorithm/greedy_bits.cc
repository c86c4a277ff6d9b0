// The baseline of greedy sensitivity: measures what each layer loses when it alone changes its
// bits, then lowers again and again the layer that loses least for what it saves.
//
// Losses are measured from the highest bits everywhere; where these break a constraint, from the
// largest uniform bits that fit, and a layer that has its lowest there is raised by one level
// instead, if that fits. Within "trials", first one level of every layer is measured, then its next
// lower ones. A level that was not measured follows from one that was: the power of the
// quantisation noise falls fourfold with each bit (half the step, a quarter of its square). A layer
// without any measurement counts as sensitive as the most sensitive one.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "search/algorithm/bit_problem.h"
#include "search/algorithm/generational_search.h"
#include "search/bits/bit_baselines.h"

namespace voxbit::search {
namespace {

double NoisePower(int64_t bits) { return std::pow(0.25, static_cast<double>(bits)); }

class GreedySearch final : public GenerationalSearch {
 public:
  explicit GreedySearch(const AlgorithmContext& context)
      : GenerationalSearch("greedy_bits", context, static_cast<size_t>(context.settings.trials)),
        problem_(context) {
    const Bits highest = problem_.Highest();
    base_ = problem_.Fits(highest)
                ? highest
                : LargestUniformBits(problem_.decisions(), problem_.Violation(), 0);
    if (base_) MakeProbes();
  }

 private:
  // One layer whose bits differ from the base's.
  struct Probe {
    size_t decision = 0;
    int64_t bits = 0;
    Candidate candidate;
  };

  void MakeProbes() {
    const std::vector<BitDecision>& decisions = problem_.decisions();
    // Nearest levels of all layers come first.
    bool has_more = true;
    for (size_t distance = 1; has_more; ++distance) {
      has_more = false;
      for (size_t d = 0; d < decisions.size(); ++d) {
        const std::vector<int64_t>& levels = decisions[d].levels;
        const auto at = static_cast<size_t>(
            std::lower_bound(levels.begin(), levels.end(), (*base_)[d]) - levels.begin());
        const bool is_raised = at == 0 && distance == 1 && levels.size() > 1;
        if (!is_raised && distance > at) continue;
        has_more = true;
        const int64_t bits = levels[is_raised ? 1 : at - distance];
        Bits changed = *base_;
        changed[d] = bits;
        if (problem_.Fits(changed)) probes_.push_back({d, bits, problem_.CandidateOf(changed)});
      }
    }
    // The last trial is for the answer.
    const auto most = static_cast<size_t>(std::max<int64_t>(2, context().settings.trials) - 2);
    if (probes_.size() > most) probes_.resize(most);
  }

  void PlanGeneration(const Rng& /*rng*/) override {
    if (!base_) return End();
    std::vector<Proposal> proposals = {{problem_.CandidateOf(*base_), "base"}};
    for (const Probe& probe : probes_) {
      const BitDimensions& found = problem_.found();
      const std::string& name = context().space.dimensions()[found.dimensions[probe.decision]].name;
      proposals.push_back({probe.candidate, name + " = " + std::to_string(probe.bits)});
    }
    if (PlanNew(proposals)) return;
    const auto bits =
        GreedyBits(problem_.decisions(), Losses(), problem_.Share(), BitProblem::kFullShare);
    if (!bits) return End();
    Bits kept = *bits;
    problem_.Lower({}, kept);
    PlanLast(problem_.CandidateOf(kept), "greedy");
  }

  std::string WhyExhausted() const override {
    return "greedy_bits has measured its layers and proposed its answer";
  }

  // By decision and level, relative to the base.
  std::vector<std::vector<double>> Losses() const {
    std::map<Candidate, double> scores;
    for (const Fitness& fitness : Results()) {
      // A violated measured constraint counts like a loss of as much of the objective.
      if (fitness.scores.empty()) continue;
      scores.emplace(fitness.candidate, fitness.scores[0] - fitness.violation);
    }
    const auto base = scores.find(problem_.CandidateOf(*base_));
    std::vector<std::map<int64_t, double>> measured(problem_.decisions().size());
    double most = 0;  // loss by unit of noise power
    for (const Probe& probe : probes_) {
      const auto score = scores.find(probe.candidate);
      if (base == scores.end() || score == scores.end()) continue;
      const double loss = base->second - score->second;
      measured[probe.decision][probe.bits] = loss;
      most = std::max(most, loss / NoiseAbove(probe.decision, probe.bits));
    }
    std::vector<std::vector<double>> losses;
    for (size_t d = 0; d < measured.size(); ++d) {
      losses.emplace_back();
      for (const int64_t bits : problem_.decisions()[d].levels) {
        losses.back().push_back(LossAt(d, bits, measured[d], most));
      }
    }
    return losses;
  }

  // Noise power of `bits` above that of the base; negative for more bits.
  double NoiseAbove(size_t decision, int64_t bits) const {
    return NoisePower(bits) - NoisePower((*base_)[decision]);
  }

  double LossAt(size_t decision, int64_t bits, const std::map<int64_t, double>& measured,
                double most) const {
    if (measured.empty()) return most * NoiseAbove(decision, bits);
    auto nearest = measured.lower_bound(bits);
    if (nearest == measured.end()) --nearest;
    if (nearest->first == bits) return nearest->second;
    return nearest->second * NoiseAbove(decision, bits) / NoiseAbove(decision, nearest->first);
  }

  BitProblem problem_;
  std::optional<Bits> base_;  // nothing: no bits fit
  std::vector<Probe> probes_;
};

}  // namespace

AlgorithmKind MakeGreedyBits() {
  return {.make = &MakeAlgorithm<GreedySearch>,
          .check = &CheckBits,
          .pace = Pace::kOwnPlan,
          .is_baseline = true};
}

}  // namespace voxbit::search
