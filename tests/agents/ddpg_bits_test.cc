// What the search for bit-widths promises beyond the laws of every algorithm.
#include "search/agents/ddpg_bits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "tests/search/harness.h"

namespace voxbit::rl {
namespace {

using search::Algorithm;
using search::AlgorithmContext;
using search::Candidate;
using search::Objective;
using search::SearchSpace;
using search::Trial;

DdpgSettings Small() {
  DdpgSettings settings;
  settings.hidden1 = 32;
  settings.hidden2 = 32;
  settings.warmup_episodes = 8;
  return settings;
}

std::vector<search::Dimension> Dimensions(int64_t num_layers, const std::vector<int64_t>& levels,
                                          bool with_activations) {
  std::vector<search::Dimension> dimensions = {{"width", {8, 16}, -1, 0}};
  for (int64_t i = 0; i < num_layers; ++i) {
    const std::string layer = "layer." + std::to_string(i);
    // The activation stands first, to see that the agent decides the weight first.
    if (with_activations) dimensions.push_back({layer + ".activation_bits", levels, -1, 0});
    dimensions.push_back({layer + ".weight_bits", levels, -1, 0});
  }
  return dimensions;
}

// A space of bit-widths whose sum must not pass a budget.
class BitSpace final : public search::CandidateFilter, public search::LayerSource {
 public:
  BitSpace(int64_t num_layers, const std::vector<int64_t>& levels, bool with_activations,
           double budget)
      : space(Dimensions(num_layers, levels, with_activations)), budget_(budget) {
    settings.population = 8;
    for (int64_t i = 0; i < num_layers; ++i) {
      search::LayerSpec layer;
      layer.name = "layer." + std::to_string(i);
      layer.in_channels = 8 + i;
      layer.out_channels = 16;
      layer.workload = search::PointsKey();
      layers_.push_back(layer);
    }
    workload_.counts[search::PointsKey()] = 100;
  }

  double Sum(const Candidate& candidate) const {
    double sum = 0;
    for (size_t d = 1; d < space.size(); ++d) {
      sum += static_cast<double>(space.Value(candidate, d));
    }
    return sum;
  }
  double Violation(const Candidate& candidate) const override {
    return std::max(0.0, Sum(candidate) - budget_);
  }
  Candidate Repair(const Candidate& candidate, Rng& /*rng*/) const override {
    return Violation(candidate) == 0 ? candidate : space.Smallest();
  }
  search::LayerTable Layers(const Candidate& /*candidate*/) const override { return layers_; }
  const search::Workload& workload() const override { return workload_; }

  std::unique_ptr<Algorithm> Make(uint64_t seed = 1, const DdpgSettings& agent = Small()) const {
    return MakeDdpgBitsWith({space, *this, objectives, constraints, settings, Rng(seed), this},
                            agent);
  }

  Trial Measure(const search::Proposal& proposal, int64_t number, double value) const {
    Trial trial;
    trial.number = number;
    trial.candidate = proposal.candidate;
    trial.origin = proposal.origin;
    trial.state = search::TrialState::kSucceeded;
    search::Measurement measurement;
    measurement.metric = "accuracy";
    measurement.value = value;
    trial.measured[{"accuracy", ""}] = measurement;
    return trial;
  }

  SearchSpace space;
  std::vector<Objective> objectives = {{"accuracy", ""}};
  std::vector<search::Constraint> constraints;
  search::SearchSettings settings;

 private:
  double budget_;
  search::LayerTable layers_;
  search::Workload workload_;
};

TEST(DdpgBitsTest, EveryProposalKeepsTheBudgetAndTheLargestArchitecture) {
  const BitSpace bits(10, {2, 4}, false, 30);
  const auto algorithm = bits.Make();
  int64_t number = 0;
  for (int round = 0; round < 12; ++round) {
    std::vector<Trial> trials;
    for (const auto& proposal : algorithm->Ask(100).proposals) {
      EXPECT_LE(bits.Sum(proposal.candidate), 30);
      if (proposal.origin != "random") {
        EXPECT_EQ(bits.space.Value(proposal.candidate, 0), 16);
      }
      // More bits are better: the agent saturates and the wall cuts the tail.
      trials.push_back(bits.Measure(proposal, ++number, 0.02 * bits.Sum(proposal.candidate)));
    }
    algorithm->Tell(trials);
  }
  EXPECT_EQ(number, 96);
}

TEST(DdpgBitsTest, BudgetOfTheLowestLevelsLeavesOnePolicy) {
  const BitSpace bits(6, {2, 4, 8}, true, 24);
  const auto algorithm = bits.Make();
  const auto asked = algorithm->Ask(100);
  ASSERT_FALSE(asked.proposals.empty());
  Candidate lowest = bits.space.Smallest();
  lowest.choices[0] = 1;
  EXPECT_EQ(asked.proposals[0].candidate, lowest);
}

TEST(DdpgBitsTest, OriginsNameEpisodes) {
  const BitSpace bits(10, {2, 4}, false, 100);
  const auto algorithm = bits.Make();
  const auto asked = algorithm->Ask(3);
  ASSERT_EQ(asked.proposals.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(asked.proposals[i].origin, "episode " + std::to_string(i) + " after 0");
  }
}

// The first half of the layers is sensitive; few of the many policies give the bits to it.
double Quality(const BitSpace& bits, const Candidate& candidate) {
  double quality = 0;
  for (size_t d = 1; d < bits.space.size(); ++d) {
    const auto value = static_cast<double>(bits.space.Value(candidate, d));
    quality += (2 * d <= bits.space.size() ? 1.0 : 0.1) * (1 - std::exp2(-value / 2));
  }
  return quality / static_cast<double>(bits.space.size());
}

double MeanOfLast(const BitSpace& bits, Algorithm& algorithm, int num_rounds) {
  int64_t number = 0;
  double mean = 0;
  for (int round = 0; round < num_rounds; ++round) {
    std::vector<Trial> trials;
    mean = 0;
    for (const auto& proposal : algorithm.Ask(100).proposals) {
      const double quality = Quality(bits, proposal.candidate);
      mean += quality / 8;
      trials.push_back(bits.Measure(proposal, ++number, quality));
    }
    algorithm.Tell(trials);
  }
  return mean;
}

TEST(DdpgBitsTest, LearnsWhichLayersNeedTheirBits) {
  const BitSpace bits(12, {2, 4, 8}, false, 48);
  DdpgSettings settings = Small();
  settings.lr_actor = 1e-3;
  settings.lr_critic = 1e-2;
  settings.noise_decay = 0.98;
  double learned = 0;
  double first = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    learned += MeanOfLast(bits, *bits.Make(seed, settings), 30) / 4;
    first += MeanOfLast(bits, *bits.Make(seed, settings), 1) / 4;
  }
  RecordProperty("first", std::to_string(first));
  RecordProperty("learned", std::to_string(learned));
  // 0.377 after 240 candidates with this seed, 0.363 at the start.
  EXPECT_GT(learned, first + 0.005);
}

TEST(DdpgBitsTest, AgentThatWasKilledMakesTheSameProposals) {
  const BitSpace bits(8, {2, 4, 8}, true, 60);
  const auto whole = bits.Make();
  std::unique_ptr<Algorithm> resumed = bits.Make();
  int64_t number = 0;
  for (int round = 0; round < 6; ++round) {
    const auto asked = whole->Ask(100);
    const auto again = resumed->Ask(100);
    ASSERT_EQ(again.proposals.size(), asked.proposals.size());
    std::vector<Trial> trials;
    for (size_t i = 0; i < asked.proposals.size(); ++i) {
      EXPECT_EQ(again.proposals[i].candidate, asked.proposals[i].candidate);
      trials.push_back(
          bits.Measure(asked.proposals[i], ++number, Quality(bits, asked.proposals[i].candidate)));
    }
    whole->Tell(trials);
    // Dies in the middle of the round, with its last state saved before.
    resumed->Tell(std::span(trials).first(3));
    const std::string saved = resumed->Save();
    resumed = bits.Make();
    const Status loaded = resumed->Load(saved);
    ASSERT_TRUE(loaded.ok()) << loaded;
    resumed->Tell(std::span(trials).subspan(3));
  }
}

TEST(DdpgBitsTest, SpaceWithoutBitWidthsIsSearchedAtRandom) {
  const BitSpace bits(0, {2}, false, 0);
  const auto algorithm = bits.Make();
  const auto asked = algorithm->Ask(10);
  ASSERT_EQ(asked.proposals.size(), 2U);
  EXPECT_EQ(asked.proposals[0].candidate, bits.space.Largest());
  EXPECT_TRUE(asked.exhausted);
}

TEST(DdpgBitsTest, LayersThatNobodyKnowsDoNoHarm) {
  const BitSpace bits(4, {2, 4}, false, 100);
  const auto algorithm = MakeDdpgBitsWith(
      {bits.space, bits, bits.objectives, bits.constraints, bits.settings, Rng(1)}, Small());
  EXPECT_EQ(algorithm->Ask(4).proposals.size(), 4U);
}

}  // namespace
}  // namespace voxbit::rl
