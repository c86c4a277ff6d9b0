// The baselines of bit-widths as algorithms: what each of them ends with.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "search/algorithm/bit_problem.h"
#include "tests/support/toy_bits.h"

namespace voxbit::search {
namespace {

using testing::RunToyBits;
using testing::ToyBits;

std::unique_ptr<Algorithm> Make(const std::string& name, const ToyBits& toy) {
  AlgorithmRegistry algorithms("algorithm");
  RegisterBuiltins(algorithms);
  return algorithms.Find(name)->make(toy.Context());
}

std::vector<Trial> RunNamed(const std::string& name, const ToyBits& toy) {
  return RunToyBits(toy, *Make(name, toy), toy.settings.trials);
}

Bits BitsOf(const ToyBits& toy, const Candidate& candidate) {
  const BitDimensions found = FindBitDimensions(toy.space, candidate);
  Bits bits;
  for (const size_t d : found.dimensions) bits.push_back(toy.space.Value(candidate, d));
  return bits;
}

TEST(UniformBitsTest, ProposesTheLargestThatFitsAndEnds) {
  const ToyBits toy({.sizes = {10, 20, 30}, .budget = 479});
  const auto algorithm = Make("uniform_bits", toy);
  const AskResult asked = algorithm->Ask(5);
  ASSERT_EQ(asked.proposals.size(), 1U);
  EXPECT_EQ(BitsOf(toy, asked.proposals[0].candidate), (Bits{4, 4, 4}));
  EXPECT_EQ(toy.space.Value(asked.proposals[0].candidate, 0), 16);
  EXPECT_TRUE(asked.exhausted);
  EXPECT_EQ(asked.why, "uniform_bits proposes one candidate");
}

TEST(TailCutBitsTest, CutsFromTheLastLayer) {
  const auto trials = RunNamed("tail_cut_bits", ToyBits({.sizes = {10, 20, 30}, .budget = 300}));
  ASSERT_EQ(trials.size(), 1U);
  EXPECT_EQ(BitsOf(ToyBits({.sizes = {10, 20, 30}}), trials[0].candidate), (Bits{8, 8, 2}));
}

TEST(GreedyBitsTest, MeasuresEveryLayerAloneThenKeepsTheSensitiveOnes) {
  const ToyBits toy({.sizes = {10, 10, 10, 10},
                     .sensitivities = {1, 100, 1, 100},
                     .budget = 320});  // the highest bits fit
  const auto trials = RunNamed("greedy_bits", toy);
  ASSERT_EQ(trials.size(), 9U);  // the base, 4 layers at 2 levels; the answer is the base
  EXPECT_EQ(BitsOf(toy, trials[0].candidate), (Bits{8, 8, 8, 8}));
  EXPECT_EQ(trials[1].origin, "layer.0.weight_bits = 4");
  EXPECT_EQ(BitsOf(toy, trials[1].candidate), (Bits{4, 8, 8, 8}));
  EXPECT_EQ(BitsOf(toy, trials[8].candidate), (Bits{8, 8, 8, 2}));
}

TEST(GreedyBitsTest, StartsFromTheLargestUniformBitsWhereTheHighestDoNotFit) {
  const ToyBits toy({.sizes = {10, 10, 10, 10}, .sensitivities = {1, 100, 1, 100}, .budget = 200});
  const auto trials = RunNamed("greedy_bits", toy);
  ASSERT_EQ(trials.size(), 6U);
  EXPECT_EQ(BitsOf(toy, trials[0].candidate), (Bits{4, 4, 4, 4}));
  EXPECT_EQ(trials[5].origin, "greedy");
  EXPECT_EQ(trials[5].candidate, toy.Optimum());
  EXPECT_EQ(BitsOf(toy, trials[5].candidate), (Bits{2, 8, 2, 8}));
}

TEST(GreedyBitsTest, RaisesLayersWhereOnlyTheLowestUniformBitsFit) {
  // As in the seed of this project: two levels, and the upper one does not fit everywhere.
  const ToyBits toy({.sizes = {10, 10, 10, 10},
                     .sensitivities = {1, 100, 1, 50},
                     .levels = {2, 4},
                     .budget = 120});
  const auto trials = RunNamed("greedy_bits", toy);
  ASSERT_EQ(trials.size(), 6U);
  EXPECT_EQ(BitsOf(toy, trials[1].candidate), (Bits{4, 2, 2, 2}));
  EXPECT_EQ(BitsOf(toy, trials[5].candidate), (Bits{2, 4, 2, 4}));
}

TEST(GreedyBitsTest, ShortBudgetStillEndsWithAnAnswer) {
  ToyBits toy({.sizes = {10, 10, 10, 10}, .sensitivities = {1, 100, 1, 100}, .budget = 200});
  toy.settings.trials = 4;
  const auto trials = RunNamed("greedy_bits", toy);
  ASSERT_EQ(trials.size(), 4U);
  EXPECT_EQ(trials[3].origin, "greedy");
  // Layers that were not measured count as sensitive as the most sensitive one that was.
  EXPECT_EQ(BitsOf(toy, trials[3].candidate)[0], 2);
}

TEST(GreedyBitsTest, DecidesActivationsToo) {
  const ToyBits toy(
      {.sizes = {10, 30}, .sensitivities = {100, 1}, .with_activations = true, .budget = 320});
  EXPECT_EQ(RunNamed("greedy_bits", toy).back().candidate, toy.Optimum());
}

// The trials of a study whose workers report the errors of the weights.
std::vector<Trial> RunWithErrors(const ToyBits& toy, Algorithm& algorithm,
                                 const std::vector<double>& error_at_0_bits) {
  std::vector<Trial> done;
  while (true) {
    const AskResult asked = algorithm.Ask(100);
    if (asked.proposals.empty()) return done;
    std::vector<Trial> trials;
    for (const Proposal& proposal : asked.proposals) {
      const auto number = static_cast<int64_t>(done.size() + trials.size()) + 1;
      trials.push_back(toy.Measure(proposal, number));
      Json errors = Json::object();
      const BitDimensions found = FindBitDimensions(toy.space, proposal.candidate);
      for (size_t d = 0; d < found.decisions.size(); ++d) {
        if (found.decisions[d].kind != BitKind::kWeight) continue;
        const size_t layer = found.decisions[d].layer;
        const int64_t bits = toy.space.Value(proposal.candidate, found.dimensions[d]);
        errors[found.layers[layer]][std::to_string(bits)] =
            error_at_0_bits[layer] * std::exp2(-static_cast<double>(bits));
      }
      trials.back().measured.begin()->second.detail["quantization_error"] = errors;
    }
    algorithm.Tell(trials);
    done.insert(done.end(), trials.begin(), trials.end());
  }
}

TEST(KnapsackBitsTest, SeesEveryLevelThenProposesTheSmallestError) {
  const std::vector<int64_t> sizes = {10, 20, 30, 40, 50};
  // Errors are means, so a layer counts by its size.
  const std::vector<double> errors = {5, 0.1, 2, 1, 3};
  std::vector<double> sums;
  for (size_t i = 0; i < sizes.size(); ++i) {
    sums.push_back(errors[i] * static_cast<double>(sizes[i]));
  }
  for (const double budget : {300, 420, 640, 900, 1300}) {
    const ToyBits toy({.sizes = sizes, .sensitivities = sums, .budget = budget});
    const auto algorithm = Make("knapsack_bits", toy);
    const auto trials = RunWithErrors(toy, *algorithm, errors);
    EXPECT_LE(trials.size(), 12U);
    std::set<Candidate> proposed;
    for (const Trial& trial : trials) {
      EXPECT_LE(toy.Cost(trial.candidate), budget);
      EXPECT_TRUE(proposed.insert(trial.candidate).second);
    }
    EXPECT_TRUE(proposed.count(toy.Optimum())) << budget;
    EXPECT_TRUE(algorithm->Ask(1).exhausted);
  }
}

TEST(KnapsackBitsTest, ShowsEachLayerAtEachLevelInFewCandidates) {
  const ToyBits toy({.sizes = {10, 10, 10, 10}, .levels = {2, 4}, .budget = 120});
  const AskResult asked = Make("knapsack_bits", toy)->Ask(100);
  ASSERT_EQ(asked.proposals.size(), 3U);
  EXPECT_EQ(BitsOf(toy, asked.proposals[0].candidate), (Bits{2, 2, 2, 2}));
  EXPECT_EQ(BitsOf(toy, asked.proposals[1].candidate), (Bits{4, 4, 2, 2}));
  EXPECT_EQ(BitsOf(toy, asked.proposals[2].candidate), (Bits{2, 2, 4, 4}));
}

TEST(KnapsackBitsTest, ActivationsKeepTheLargestUniformBits) {
  const ToyBits toy({.sizes = {10, 10}, .with_activations = true, .budget = 160});
  const auto algorithm = Make("knapsack_bits", toy);
  for (const Trial& trial : RunWithErrors(toy, *algorithm, {5, 1})) {
    const Bits bits = BitsOf(toy, trial.candidate);
    EXPECT_EQ(bits[1], 4);
    EXPECT_EQ(bits[3], 4);
  }
}

TEST(KnapsackBitsTest, SaysWhenNoErrorsAreReported) {
  const ToyBits toy({.sizes = {10, 10, 10, 10}, .levels = {2, 4}, .budget = 120});
  const auto algorithm = Make("knapsack_bits", toy);
  EXPECT_EQ(RunToyBits(toy, *algorithm, 100).size(), 3U);
  EXPECT_EQ(algorithm->Ask(1).why,
            "no trial reported the quantization_error that knapsack_bits needs");
}

TEST(BitProblemTest, SharesAreThoseOfTheFilter) {
  const ToyBits toy({.sizes = {10, 20, 30}, .with_activations = true, .budget = 500});
  const BitProblem problem(toy.Context());
  const BitCost share = problem.Share();
  Rng rng(3);
  for (int i = 0; i < 20; ++i) {
    Bits bits;
    for (const BitDecision& decision : problem.decisions()) {
      bits.push_back(decision.levels[static_cast<size_t>(rng.Below(3))]);
    }
    EXPECT_NEAR(share(bits), toy.Cost(problem.CandidateOf(bits)) / 500, 1e-12);
  }
}

TEST(BitProblemTest, SpaceWithoutBitsIsRefusedWithThePointer) {
  AlgorithmRegistry algorithms("algorithm");
  RegisterBuiltins(algorithms);
  SearchSettings settings;
  for (const auto& [name, entry] : algorithms.entries()) {
    if (name == "given") continue;  // any space will do
    settings.algorithm = name;
    const auto none =
        ResolveAgent(algorithms, settings, SearchSpace({{"width", {8, 16}, -1, 0}}), "/search");
    EXPECT_EQ(none.ok(), !entry.factory.is_baseline) << name;
    if (none.ok()) continue;
    EXPECT_EQ(none.status().message().find("/search/algorithm: " + name + " chooses bit-widths"),
              0U)
        << none.status();
  }
}

TEST(BitProblemTest, SettingsOfAlgorithmsThatHaveNoneAreRefused) {
  AlgorithmRegistry algorithms("algorithm");
  RegisterBuiltins(algorithms);
  const ToyBits toy({.sizes = {1}});
  SearchSettings settings;
  for (const std::string& name : algorithms.Names()) {
    if (name == "given") continue;
    settings.algorithm = name;
    settings.agent = Json::object();
    EXPECT_EQ(ResolveAgent(algorithms, settings, toy.space, "").value(), Json::object());
    settings.agent = {{"tau", 0.1}};
    EXPECT_EQ(ResolveAgent(algorithms, settings, toy.space, "/search").status().message(),
              "/search/agent/tau: unknown key; " + name + " has no settings of its own");
  }
}

}  // namespace
}  // namespace voxbit::search
