#include "search/agents/ddpg.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace voxbit::rl {
namespace {

DdpgSettings Small() {
  DdpgSettings settings;
  settings.hidden1 = 16;
  settings.hidden2 = 16;
  settings.batch = 8;
  settings.warmup_episodes = 2;
  return settings;
}

// An episode of two steps with reward - 10 (action - best)^2, best being 0.7 and 0.2.
std::vector<Transition> Episode(const Ddpg& agent, int64_t number, Rng& rng) {
  const std::vector<std::vector<double>> states = {{1, 0}, {0, 1}};
  const std::vector<double> best = {0.7, 0.2};
  std::vector<Transition> steps;
  double reward = 0;
  for (size_t i = 0; i < 2; ++i) {
    const double action = agent.Explore(states[i], number, rng);
    reward -= 10 * (action - best[i]) * (action - best[i]);
    Transition step;
    step.state = {states[i].begin(), states[i].end()};
    step.action = static_cast<float>(action);
    step.next_state = {states[1].begin(), states[1].end()};
    step.is_terminal = i == 1;
    steps.push_back(step);
  }
  for (Transition& step : steps) step.reward = static_cast<float>(reward);
  return steps;
}

void Train(Ddpg& agent, int64_t first, int64_t last) {
  for (int64_t number = first; number < last; ++number) {
    Rng rng = Rng(5).Fork("episode", static_cast<uint64_t>(number));
    agent.Learn(Episode(agent, number, rng));
  }
}

bool AreEqual(const Ddpg& a, const Ddpg& b) {
  return CanonicalJson(a.Save()) == CanonicalJson(b.Save());
}

TEST(DdpgTest, NoiseDecaysAfterTheWarmup) {
  const Ddpg agent({}, 9, 1, Rng(1));
  EXPECT_EQ(agent.NoiseOf(0), std::nullopt);
  EXPECT_EQ(agent.NoiseOf(20), std::nullopt);
  const std::vector<std::pair<int64_t, double>> table = {{21, 0.495},  {50, 0.370},  {100, 0.224},
                                                         {200, 0.082}, {300, 0.030}, {600, 0.0015}};
  for (const auto& [episode, sigma] : table) {
    EXPECT_NEAR(agent.NoiseOf(episode).value(), sigma, 5e-4) << episode;
  }
}

TEST(DdpgTest, WeightsComeFromTheSeedAlone) {
  torch::manual_seed(1);
  const at::Tensor before = torch::rand({4});
  torch::manual_seed(1);
  const Ddpg agent(Small(), 2, 2, Rng(1));
  const Ddpg again(Small(), 2, 2, Rng(1));
  const Ddpg other(Small(), 2, 2, Rng(2));
  EXPECT_TRUE(torch::rand({4}).equal(before));  // nobody drew from the global generator
  for (const auto& [name, tensor] : agent.Weights()) {
    EXPECT_TRUE(tensor.equal(again.Weights().at(name))) << name;
    EXPECT_FALSE(tensor.equal(other.Weights().at(name))) << name;
  }
}

TEST(DdpgTest, WeightsAreDrawnWithinTheBoundOfTheirInputs) {
  const Ddpg agent({}, 9, 1, Rng(1));
  const std::map<std::string, double> bounds = {
      {"actor.fc1", 1 / 3.0}, {"actor.fc2", 1 / std::sqrt(300.0)}, {"critic.fc12", 1}};
  for (const auto& [layer, bound] : bounds) {
    for (const char* part : {".weight", ".bias"}) {
      const double largest = agent.Weights().at(layer + part).abs().max().item<double>();
      EXPECT_LE(largest, bound) << layer << part;
      EXPECT_GT(largest, 0.9 * bound) << layer << part;
    }
  }
}

TEST(DdpgTest, TargetsStartAsCopies) {
  const Ddpg agent(Small(), 2, 2, Rng(1));
  const auto weights = agent.Weights();
  EXPECT_EQ(weights.size(), 28U);
  for (const auto& [name, tensor] : weights) {
    const std::string network = name.substr(0, name.find('.'));
    if (network == "actor" || network == "critic") {
      EXPECT_TRUE(tensor.equal(weights.at(network + "_target" + name.substr(network.size()))));
    }
  }
}

TEST(DdpgTest, WarmupActsAtRandomAndLearnsNothing) {
  Ddpg agent(Small(), 2, 2, Rng(1));
  const auto before = agent.Weights().at("actor.fc1.weight").clone();
  Train(agent, 0, 3);
  EXPECT_EQ(agent.num_episodes(), 3);
  EXPECT_EQ(agent.memory().size(), 6U);
  EXPECT_FALSE(agent.baseline().has_value());
  EXPECT_TRUE(agent.Weights().at("actor.fc1.weight").equal(before));
  Train(agent, 3, 4);
  EXPECT_TRUE(agent.baseline().has_value());
  EXPECT_FALSE(agent.Weights().at("actor.fc1.weight").equal(before));
}

TEST(DdpgTest, LearnsTheBestActions) {
  DdpgSettings settings = Small();
  settings.lr_actor = 1e-3;
  settings.lr_critic = 1e-2;
  settings.batch = 32;
  settings.warmup_episodes = 50;
  Ddpg agent(settings, 2, 2, Rng(3));
  Train(agent, 0, 400);
  EXPECT_NEAR(agent.Act({1, 0}), 0.7, 0.1);
  EXPECT_NEAR(agent.Act({0, 1}), 0.2, 0.1);
}

TEST(DdpgTest, EqualHistoriesGiveEqualAgents) {
  Ddpg one(Small(), 2, 2, Rng(1));
  Ddpg two(Small(), 2, 2, Rng(1));
  Train(one, 0, 30);
  Train(two, 0, 30);
  EXPECT_TRUE(AreEqual(one, two));
}

TEST(DdpgTest, LoadedAgentGoesOnExactly) {
  for (const int64_t pause : {0, 2, 3, 4, 17}) {
    Ddpg whole(Small(), 2, 2, Rng(1));
    Train(whole, 0, pause);
    const std::string saved = CanonicalJson(whole.Save());
    Ddpg resumed(Small(), 2, 2, Rng(1));
    const Status loaded = resumed.Load(ParseJson(saved).value());
    ASSERT_TRUE(loaded.ok()) << loaded;
    EXPECT_EQ(CanonicalJson(resumed.Save()), saved);
    Train(whole, pause, 30);
    Train(resumed, pause, 30);
    EXPECT_TRUE(AreEqual(whole, resumed)) << "paused after " << pause;
    EXPECT_EQ(whole.Act({1, 0}), resumed.Act({1, 0}));
  }
}

TEST(DdpgTest, MemoryForgetsAndIsSavedInItsOrder) {
  DdpgSettings settings = Small();
  settings.memory_episodes = 4;
  Ddpg agent(settings, 2, 2, Rng(1));
  Train(agent, 0, 11);
  EXPECT_EQ(agent.memory().size(), 8U);
  Ddpg resumed(settings, 2, 2, Rng(1));
  ASSERT_TRUE(resumed.Load(agent.Save()).ok());
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(resumed.memory().At(i), agent.memory().At(i));
  Train(agent, 11, 20);
  Train(resumed, 11, 20);
  EXPECT_TRUE(AreEqual(agent, resumed));
}

TEST(DdpgTest, LoadRefusesDamageAndKeepsTheState) {
  Ddpg agent(Small(), 2, 2, Rng(1));
  Train(agent, 0, 6);
  const Json good = agent.Save();
  std::vector<Json> bad = {Json(), Json(3), Json::array(), Json::object()};
  for (const auto& [key, value] : good.items()) {
    Json changed = good;
    changed.erase(key);
    bad.push_back(changed);
    for (const Json& wrong : {Json("x"), Json(-7), Json::array({7}), Json::object()}) {
      changed[key] = wrong;
      if (key == "baseline" && wrong.is_number()) continue;
      bad.push_back(changed);
    }
  }
  for (const auto& [name, text] : good["tensors"].items()) {
    Json changed = good;
    changed["tensors"][name] = "AAAA";
    bad.push_back(changed);
    changed = good;
    changed["tensors"].erase(name);
    bad.push_back(changed);
  }
  Json nan = good;
  nan["tensors"]["actor.fc3.bias"] = "AADAfw==";  // 0x7fc00000
  bad.push_back(nan);
  for (const Json& state : bad) {
    ASSERT_EQ(agent.Load(state).code(), StatusCode::kDataLoss);
    ASSERT_EQ(agent.Save(), good);
  }
  Ddpg other(Small(), 3, 2, Rng(1));
  EXPECT_EQ(other.Load(good).code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace voxbit::rl
