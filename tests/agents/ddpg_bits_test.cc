// What the search for bit-widths promises beyond the laws of every algorithm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <string>

#include "common/base64.h"
#include "search/agents/agents.h"
#include "search/bits/bit_dimensions.h"
#include "search/bits/bit_episode.h"
#include "tests/support/toy_bits.h"

namespace voxbit::rl {
namespace {

using search::Algorithm;
using search::Candidate;
using search::Trial;
using search::TrialState;
using testing::RunToyBits;
using testing::ToyBits;

search::AlgorithmRegistry Algorithms() {
  search::AlgorithmRegistry algorithms("algorithm");
  search::RegisterBuiltins(algorithms);
  rl::RegisterBuiltins(algorithms);
  return algorithms;
}

const Json kSmall = {{"hidden1", 32}, {"hidden2", 32}, {"warmup_episodes", 8}};

// A toy whose agent is small; `agent` on top.
ToyBits Toy(testing::ToyBitsOptions options, const Json& agent = Json::object()) {
  ToyBits toy(std::move(options));
  toy.settings.agent = kSmall;
  toy.settings.agent.update(agent);
  return toy;
}

std::unique_ptr<Algorithm> Make(const ToyBits& toy, uint64_t seed = 1) {
  return Algorithms().Find("ddpg_bits")->make(toy.Context(seed));
}

std::vector<int64_t> Ones(size_t count) { return std::vector<int64_t>(count, 1); }

// Of a trial that gave no result.
void EndAs(TrialState state, Trial& trial) {
  trial.state = state;
  trial.measured.clear();
}

// The memory of a saved agent: state, action, reward, next state, end of the episode.
std::vector<std::vector<float>> SavedSteps(const Algorithm& algorithm) {
  const Json agent = ParseJson(algorithm.Save()).value().at("agent");
  const std::string bytes = DecodeBase64(agent.at("memory").get<std::string>()).value();
  std::vector<std::vector<float>> steps(agent.at("transitions").get<size_t>());
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t size = bytes.size() / steps.size();
    steps[i].resize(size / sizeof(float));
    std::memcpy(steps[i].data(), bytes.data() + i * size, size);
  }
  return steps;
}

TEST(DdpgBitsTest, EveryProposalKeepsTheBudgetAndTheLargestArchitecture) {
  const ToyBits toy = Toy({.sizes = Ones(10), .levels = {2, 4}, .budget = 30});
  const auto algorithm = Make(toy);
  int64_t number = 0;
  for (int round = 0; round < 12; ++round) {
    std::vector<Trial> trials;
    for (const auto& proposal : algorithm->Ask(100).proposals) {
      const double cost = toy.Cost(proposal.candidate);
      EXPECT_LE(cost, 30);
      if (proposal.origin != "random") {
        EXPECT_EQ(toy.space.Value(proposal.candidate, 0), 16);
      }
      // More bits are better: the agent saturates and the wall cuts the tail.
      trials.push_back(toy.Measure(proposal, ++number, 0.02 * cost));
    }
    algorithm->Tell(trials);
  }
  EXPECT_EQ(number, 96);
}

TEST(DdpgBitsTest, BudgetOfTheLowestLevelsLeavesOnePolicy) {
  const ToyBits toy = Toy({.sizes = Ones(6), .with_activations = true, .budget = 24});
  const auto asked = Make(toy)->Ask(100);
  ASSERT_FALSE(asked.proposals.empty());
  Candidate lowest = toy.space.Smallest();
  lowest.choices[0] = 1;
  EXPECT_EQ(asked.proposals[0].candidate, lowest);
}

TEST(DdpgBitsTest, OriginsNameEpisodes) {
  const ToyBits toy = Toy({.sizes = Ones(10), .levels = {2, 4}});
  const auto asked = Make(toy)->Ask(3);
  ASSERT_EQ(asked.proposals.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(asked.proposals[i].origin, "episode " + std::to_string(i) + " after 0");
  }
}

// Half of the layers, spread over the network, lose a hundred times as much as the others.
testing::ToyBitsOptions HardToGuess() {
  testing::ToyBitsOptions options;
  double size = 0;
  for (int64_t i = 0; i < 20; ++i) {
    options.sizes.push_back(40 + 20 * (i * 7 % 5));
    options.sensitivities.push_back(i * 7 % 20 < 10 ? 100 : 1);
    size += static_cast<double>(options.sizes.back());
  }
  options.budget = 4 * size;
  return options;
}

double Best(const std::string& algorithm, const ToyBits& toy, uint64_t seed) {
  double best = 0;
  const auto made = Algorithms().Find(algorithm)->make(toy.Context(seed));
  for (const Trial& trial : RunToyBits(toy, *made, 150)) {
    best = std::max(best, toy.Accuracy(trial.candidate));
  }
  return best;
}

TEST(DdpgBitsTest, ShortStudyFindsWhichLayersNeedTheirBits) {
  UseOneThread();
  ToyBits toy(HardToGuess());
  toy.settings.trials = 150;
  toy.settings.population = 10;
  toy.settings.agent = {{"preset", "short"}, {"hidden1", 64}, {"hidden2", 64}};
  double agent = 0;
  double random = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    agent += Best("ddpg_bits", toy, seed) / 5;
    random += Best("random", toy, seed) / 5;
  }
  const double optimum = toy.Accuracy(toy.Optimum());
  RecordProperty("agent", std::to_string(agent));
  RecordProperty("random", std::to_string(random));
  RecordProperty("optimum", std::to_string(optimum));
  // Clearly better than random search: a third of what that leaves is closed, at least.
  EXPECT_LT(optimum - agent, (optimum - random) * 2 / 3)
      << agent << " " << random << " " << optimum;
}

TEST(DdpgBitsTest, AgentThatWasKilledMakesTheSameProposals) {
  const ToyBits toy =
      Toy({.sizes = {1, 2, 3, 4, 4, 3, 2, 1}, .with_activations = true, .budget = 150});
  const auto whole = Make(toy);
  std::unique_ptr<Algorithm> resumed = Make(toy);
  int64_t number = 0;
  for (int round = 0; round < 6; ++round) {
    const auto asked = whole->Ask(100);
    const auto again = resumed->Ask(100);
    ASSERT_EQ(again.proposals.size(), asked.proposals.size());
    std::vector<Trial> trials;
    for (size_t i = 0; i < asked.proposals.size(); ++i) {
      EXPECT_EQ(again.proposals[i].candidate, asked.proposals[i].candidate);
      trials.push_back(toy.Measure(asked.proposals[i], ++number));
      if (i % 3 == 1) EndAs(TrialState::kInfeasible, trials.back());
    }
    whole->Tell(trials);
    // Dies in the middle of the round, with its last state saved before.
    resumed->Tell(std::span(trials).first(3));
    const std::string saved = resumed->Save();
    resumed = Make(toy);
    const Status loaded = resumed->Load(saved);
    ASSERT_TRUE(loaded.ok()) << loaded;
    resumed->Tell(std::span(trials).subspan(3));
  }
}

TEST(DdpgBitsTest, HistoryWithInfeasibleTrialsMakesTheSameAgent) {
  const ToyBits toy = Toy({.sizes = Ones(10), .levels = {2, 4}, .budget = 30});
  const auto original = Make(toy);
  std::vector<Trial> history;
  for (int round = 0; round < 4; ++round) {
    std::vector<Trial> trials;
    for (const auto& proposal : original->Ask(100).proposals) {
      const auto number = static_cast<int64_t>(history.size() + trials.size()) + 1;
      trials.push_back(toy.Measure(proposal, number));
      if (number % 3 == 0) EndAs(TrialState::kInfeasible, trials.back());
    }
    original->Tell(trials);
    history.insert(history.end(), trials.begin(), trials.end());
  }
  const auto replayed = Make(toy);
  replayed->Tell(history);
  original->Ask(100);
  replayed->Ask(100);
  EXPECT_EQ(replayed->Save(), original->Save());
}

TEST(DdpgBitsTest, InfeasibleCandidatesTeachTheWorstRewardSoFar) {
  const ToyBits toy = Toy({.sizes = Ones(10), .levels = {2, 4}});
  const auto algorithm = Make(toy);
  std::vector<float> rewards;  // by episode
  float worst = std::numeric_limits<float>::infinity();
  int64_t number = 0;
  // The second round has nothing as bad as the first.
  for (const double accuracy : {0.5, 0.7}) {
    const auto proposals = algorithm->Ask(100).proposals;
    ASSERT_EQ(proposals.size(), 8U);
    const auto lowest =
        std::min_element(proposals.begin(), proposals.end(), [&](const auto& a, const auto& b) {
          return toy.Cost(a.candidate) < toy.Cost(b.candidate);
        });
    const auto at = static_cast<size_t>(lowest - proposals.begin());
    std::vector<Trial> trials;
    for (const auto& proposal : proposals) {
      ++number;
      const double measured = accuracy + 0.01 * static_cast<double>(number % 5);
      trials.push_back(toy.Measure(proposal, number, measured));
    }
    EndAs(TrialState::kInfeasible, trials[at]);
    EndAs(TrialState::kFailed, trials[(at + 1) % 8]);
    EndAs(TrialState::kCancelled, trials[(at + 2) % 8]);
    const auto reward = [](const Trial& trial) {
      const double measured = trial.measured.at({"accuracy", ""}).value;
      return static_cast<float>(search::BitReward{}.Of(measured, 0, 1));
    };
    for (const Trial& trial : trials) {
      if (!trial.measured.empty()) worst = std::min(worst, reward(trial));
    }
    for (const Trial& trial : trials) {
      if (trial.state == TrialState::kInfeasible) rewards.push_back(worst);
      if (trial.state == TrialState::kSucceeded) rewards.push_back(reward(trial));
    }
    algorithm->Tell(trials);
  }
  algorithm->Ask(1);  // learns before it plans
  const auto steps = SavedSteps(*algorithm);
  ASSERT_EQ(steps.size(), 10 * rewards.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    ASSERT_EQ(steps[i].size(), 21U);
    EXPECT_EQ(steps[i][10], rewards[i / 10]) << "step " << i;
  }
}

TEST(DdpgBitsTest, InfeasibleCandidatesBeforeAnyResultCountLikeAnAccuracyOfZero) {
  const ToyBits toy = Toy({.sizes = Ones(10), .levels = {2, 4}});
  const auto algorithm = Make(toy);
  std::vector<Trial> trials;
  for (const auto& proposal : algorithm->Ask(100).proposals) {
    trials.push_back(toy.Measure(proposal, static_cast<int64_t>(trials.size()) + 1));
    EndAs(TrialState::kInfeasible, trials.back());
  }
  algorithm->Tell(trials);
  algorithm->Ask(1);
  const auto steps = SavedSteps(*algorithm);
  EXPECT_EQ(steps.size(), 80U);
  for (const auto& step : steps) EXPECT_EQ(step.at(10), 0);
}

TEST(DdpgBitsTest, PublishedStatesAreThereOnRequest) {
  const auto first_steps = [](bool with_activations, bool haq_bug_compat) {
    const ToyBits toy = Toy({.sizes = Ones(4), .with_activations = with_activations},
                            {{"haq_bug_compat", haq_bug_compat}});
    const auto algorithm = Make(toy);
    RunToyBits(toy, *algorithm, 8);
    algorithm->Ask(1);
    return SavedSteps(*algorithm);
  };
  // Columns: 2 output channels, 1 of all layers; 8 previous bits.
  const auto ours = first_steps(false, false);
  EXPECT_EQ(ours.at(0).at(2), 0);
  EXPECT_EQ(ours.at(0).at(8), 1);
  EXPECT_LE(ours.at(1).at(8), 1);
  const auto published = first_steps(false, true);
  EXPECT_EQ(published.at(0).at(2), 1);
  EXPECT_EQ(published.at(0).at(8), 4);
  EXPECT_GE(published.at(1).at(8), 2);
  // Column 9, before the first layer's activation and the second one's weight.
  const auto ours_of_both = first_steps(true, false);
  EXPECT_EQ(ours_of_both.at(1).at(9), 0);
  EXPECT_EQ(ours_of_both.at(2).at(9), 1);
  const auto published_of_both = first_steps(true, true);
  EXPECT_EQ(published_of_both.at(1).at(9), 1);
  EXPECT_EQ(published_of_both.at(2).at(9), 0);
}

TEST(DdpgBitsTest, SettingsChangeTheSearch) {
  const testing::ToyBitsOptions options{.sizes = Ones(8), .budget = 28};
  const auto candidates = [&](const Json& agent) {
    const ToyBits toy = Toy(options, agent);
    std::vector<Candidate> found;
    for (const Trial& trial : RunToyBits(toy, *Make(toy), 48)) found.push_back(trial.candidate);
    return found;
  };
  const auto plain = candidates(Json::object());
  EXPECT_EQ(plain, candidates(Json::object()));
  for (const Json& changed : {Json{{"wall", "lowest_level"}}, Json{{"noise", 0.1}},
                              Json{{"lr_actor", 0.01}}, Json{{"reward_of_fractions", true}},
                              Json{{"warmup_episodes", 30}}, Json{{"haq_bug_compat", true}}}) {
    EXPECT_NE(plain, candidates(changed)) << changed;
  }
}

TEST(DdpgBitsTest, LayersThatNobodyKnowsDoNoHarm) {
  const ToyBits toy = Toy({.sizes = Ones(4), .levels = {2, 4}});
  search::AlgorithmContext context = toy.Context();
  context.layers = nullptr;
  EXPECT_EQ(Algorithms().Find("ddpg_bits")->make(context)->Ask(4).proposals.size(), 4U);
}

TEST(DdpgBitsTest, WrongSettingsAreRefusedWithTheirPointer) {
  const ToyBits toy(testing::ToyBitsOptions{.sizes = Ones(4)});
  search::SearchSettings settings;
  settings.algorithm = "ddpg_bits";
  const auto message = [&](const Json& agent) {
    settings.agent = agent;
    return search::ResolveAgent(Algorithms(), settings, toy.space, "/search").status().message();
  };
  EXPECT_EQ(message({{"tua", 0.1}}), "/search/agent/tua: unknown key; did you mean \"tau\"?");
  EXPECT_EQ(message({{"tau", 2}}), "/search/agent/tau: expected a number from 0 to 1, found 2");
  EXPECT_EQ(message({{"preset", "best"}}),
            "/search/agent/preset: expected one of haq, seed, short, found \"best\"");
  settings.architecture = "7";
  EXPECT_EQ(message(Json::object()),
            "/search/architecture: choice 7 of width is not one of 0 to 1");
  settings.architecture = "1.1";
  EXPECT_EQ(message(Json::object()),
            "/search/architecture: expected 1 choices, or 5 with the bit-widths, found 2");
  settings.architecture = "";
  EXPECT_EQ(message({{"warmup_episodes", 64}}).find("/search/agent/warmup_episodes: the 64 trials"),
            0U);
  EXPECT_EQ(message(Json::object()), "");
  const auto without = search::ResolveAgent(
      Algorithms(), settings, search::SearchSpace({{"width", {8, 16}, -1, 0}}), "/search");
  EXPECT_EQ(without.status().message().find("/search/algorithm: ddpg_bits chooses bit-widths"), 0U)
      << without.status();
}

}  // namespace
}  // namespace voxbit::rl
