// The family "haq": environments, networks, updates, exploration and memory of HAQ and of its seed
// on the Point Transformer. The published environments are compared with `haq_bug_compat`; where
// the published wall never ended, ours must end within the budget.
#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/json.h"
#include "search/agents/actor_critic.h"
#include "search/agents/ddpg.h"
#include "search/agents/replay_memory.h"
#include "search/agents/truncated_normal.h"
#include "search/bits/bit_budget.h"
#include "search/bits/bit_episode.h"
#include "tests/golden/golden_case.h"

namespace voxbit::golden {
namespace {

using search::BitDecision;
using search::BitEpisode;
using search::BitLayer;
using search::BitReward;
using search::Bits;
using search::BitWall;

constexpr double kEndless = -1;  // what a recording holds where the reference did not end

int64_t IntMetadata(const Case& recorded, const std::string& key) {
  return std::stoll(recorded.Metadata(key));
}

std::vector<double> Doubles(Comparison& comparison, const std::string& name) {
  const at::Tensor values = comparison.Input(name).to(at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

std::vector<int64_t> Ints(Comparison& comparison, const std::string& name) {
  const at::Tensor values = comparison.Input(name).to(at::kLong).contiguous();
  return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + values.numel()};
}

at::Tensor TensorOf(const std::vector<double>& values, at::IntArrayRef shape) {
  return torch::tensor(values, at::kDouble).view(shape);
}

at::Tensor TensorOf(const std::vector<search::BitState>& rows) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  const auto height = static_cast<int64_t>(rows.size());
  return TensorOf(values, {height, static_cast<int64_t>(values.size()) / height});
}

// ---- environments ----

// Layers as they are described in the metadata, or else by the recorded state; the feature size is
// always the recorded one.
std::vector<BitLayer> LayersOf(const Case& recorded, Comparison& comparison) {
  const at::Tensor raw = comparison.Input("embedding_raw").to(at::kDouble);
  const auto value = [&](int64_t row, int64_t column) { return raw[row][column].item<double>(); };
  const auto count = [&](int64_t row, int64_t column) { return std::llround(value(row, column)); };
  std::vector<BitLayer> layers;
  for (int64_t i = 0; i < raw.size(0); ++i) {
    layers.push_back({count(i, 0) != 0, count(i, 1), count(i, 2), count(i, 3), count(i, 4),
                      count(i, 5), value(i, 6)});
  }
  if (!recorded.HasMetadata("layers")) return layers;
  const Json described = Json::parse(recorded.Metadata("layers"));
  for (size_t i = 0; i < layers.size(); ++i) {
    const Json& layer = described.at(i);
    BitLayer& ours = layers[i];
    ours.in_channels = layer.at("cin").get<int64_t>();
    ours.out_channels = layer.at("cout").get<int64_t>();
    const bool is_convolution = layer.contains("k");
    const int64_t groups = is_convolution ? layer.at("groups").get<int64_t>() : 1;
    ours.kernel = is_convolution ? layer.at("k").get<int64_t>() : 1;
    ours.stride = is_convolution ? layer.at("stride").get<int64_t>() : 0;
    ours.is_depthwise = is_convolution && groups == ours.in_channels;
    ours.num_weights = ours.in_channels / groups * ours.out_channels * ours.kernel * ours.kernel;
  }
  return layers;
}

// What one episode of the recording is made of, and what ours makes of it.
struct Environment {
  std::vector<BitLayer> layers;
  std::vector<BitDecision> decisions;
  search::BitCost cost;      // as published
  double float_cost = 0;     // that ratios refer to
  BitWall wall;              // as published
  search::BitCost our_cost;  // without the published defects
  BitWall our_wall;
  BitReward reward;
  double accuracy_scale = 1;  // of recorded accuracies to shares
  bool with_activations = false;
};

struct Episodes {
  std::vector<double> before, after, reward, reward_with_ratio, ratio, cost;
  std::vector<std::vector<search::BitState>> observations;
};

// The same actions under our own rules: levels are kept, the wall ends, and the budget holds if it
// can.
void CheckOurRules(const Environment& environment, const double* actions, double budget,
                   Comparison& comparison) {
  BitEpisode walk(environment.layers, environment.decisions,
                  {.with_activations = environment.with_activations});
  for (size_t i = 0; !walk.IsDone(); ++i) walk.Step(actions[i]);
  Bits bits = walk.bits();
  Bits lowest;
  for (const BitDecision& decision : environment.decisions) {
    lowest.push_back(decision.levels.front());
  }
  for (const auto& [decision, value] : environment.our_wall.pinned) lowest[decision] = value;
  const bool can_hold = environment.our_cost(lowest) <= budget;
  const bool holds = LowerToBudget(environment.decisions, environment.our_cost, budget,
                                   environment.our_wall, bits);
  if (holds != can_hold || (holds && !(environment.our_cost(bits) <= budget))) {
    comparison.Fail("our wall does not keep a budget that can be kept");
  }
}

Episodes RunEpisodes(const Environment& environment, Comparison& comparison) {
  const std::vector<double> actions = Doubles(comparison, "actions");
  const std::vector<double> ratios = Doubles(comparison, "preserve_ratio");
  const std::vector<double> accuracy = Doubles(comparison, "accuracy");
  const double reference = Doubles(comparison, "original_accuracy").at(0);
  std::vector<int64_t> endless(ratios.size(), 0);
  if (comparison.recorded().Has("endless_loop")) endless = Ints(comparison, "endless_loop");
  BitReward with_ratio = environment.reward;
  with_ratio.add_inverse_ratio = true;
  BitEpisode walk(environment.layers, environment.decisions,
                  {.with_activations = environment.with_activations, .haq_bug_compat = true});
  comparison.Absolute("embedding", TensorOf(walk.initial_rows()));
  Episodes episodes;
  for (size_t s = 0; s < ratios.size(); ++s) {
    walk.Reset();
    std::vector<search::BitState> seen = {walk.state()};
    while (!walk.IsDone()) {
      walk.Step(actions.at(s * environment.decisions.size() + seen.size() - 1));
      seen.push_back(walk.state());
    }
    episodes.observations.push_back(std::move(seen));
    Bits bits = walk.bits();
    episodes.before.insert(episodes.before.end(), bits.begin(), bits.end());
    const double budget = ratios[s] * environment.float_cost;
    CheckOurRules(environment, actions.data() + s * environment.decisions.size(), budget,
                  comparison);
    LowerToBudget(environment.decisions, environment.cost, budget, environment.wall, bits);
    if (endless[s] != 0) {
      episodes.after.insert(episodes.after.end(), bits.size(), kEndless);
      for (auto* values :
           {&episodes.reward, &episodes.reward_with_ratio, &episodes.ratio, &episodes.cost}) {
        values->push_back(0);
      }
      continue;
    }
    episodes.after.insert(episodes.after.end(), bits.begin(), bits.end());
    episodes.cost.push_back(environment.cost(bits));
    episodes.ratio.push_back(episodes.cost.back() / environment.float_cost);
    const double ours = accuracy[s] * environment.accuracy_scale;
    const double theirs = reference * environment.accuracy_scale;
    episodes.reward.push_back(environment.reward.Of(ours, theirs, episodes.ratio.back()));
    episodes.reward_with_ratio.push_back(with_ratio.Of(ours, theirs, episodes.ratio.back()));
  }
  return episodes;
}

void CheckEpisodes(const Episodes& episodes, Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const auto shape = comparison.Input("strategy_final").sizes().vec();
  const auto count = static_cast<int64_t>(episodes.ratio.size());
  comparison.Exact("strategy_before_wall", TensorOf(episodes.before, shape));
  comparison.Exact("strategy_final", TensorOf(episodes.after, shape));
  comparison.Absolute("reward", TensorOf(episodes.reward, {count}));
  const std::map<std::string, const std::vector<double>*> optional = {
      {"reward_with_ratio", &episodes.reward_with_ratio},
      {"weight_ratio", &episodes.ratio},
      {"cost_ratio", &episodes.ratio},
      {"weight_size_bits", &episodes.cost}};
  for (const auto& [name, values] : optional) {
    if (recorded.Has(name)) comparison.Absolute(name, TensorOf(*values, {count}));
  }
  std::vector<at::Tensor> all;
  for (size_t s = 0; s < episodes.observations.size(); ++s) {
    const at::Tensor seen = TensorOf(episodes.observations[s]);
    const std::string name = "observations." + std::to_string(s);
    if (recorded.Has(name)) comparison.Absolute(name, seen);
    all.push_back(seen);
  }
  if (recorded.Has("observations")) comparison.Absolute("observations", at::stack(all));
}

void CheckRawStates(const Environment& environment, Comparison& comparison) {
  std::vector<search::BitState> rows = search::RawLayerStates(environment.layers);
  for (search::BitState& row : rows) {
    row.push_back(environment.with_activations ? 1 : 4);
    if (environment.with_activations) row.push_back(1);
  }
  comparison.Absolute("embedding_raw", TensorOf(rows));
}

// Weights only: the original environment, or the seed's with its two levels.
void CheckSizeEnvironment(const Case& recorded, Comparison& comparison) {
  const bool is_seed = !recorded.Has("reward_with_ratio");
  const int64_t low = IntMetadata(recorded, "min_bit");
  const int64_t high = IntMetadata(recorded, "max_bit");
  Environment environment;
  environment.layers = LayersOf(recorded, comparison);
  environment.decisions = search::AllDecisions(
      environment.layers.size(),
      is_seed ? std::vector<int64_t>{low, high} : search::LevelRange(low, high), false);
  environment.cost = search::WeightSizeCost(environment.layers, environment.decisions);
  environment.our_cost = environment.cost;
  environment.float_cost =
      search::WeightSize(environment.layers, IntMetadata(recorded, "float_bit"));
  environment.wall.step = is_seed ? BitWall::Step::kLowestLevel : BitWall::Step::kNextLevel;
  environment.wall.haq_bug_compat = true;
  environment.reward.of_fractions = is_seed;
  environment.accuracy_scale = is_seed ? 1 : 0.01;
  CheckRawStates(environment, comparison);
  std::vector<double> weights;
  for (const BitLayer& layer : environment.layers) {
    weights.push_back(static_cast<double>(layer.num_weights));
  }
  const auto num_layers = static_cast<int64_t>(weights.size());
  comparison.Exact("weight_count", TensorOf(weights, {num_layers}));
  const std::vector<int64_t> modules = Ints(comparison, "module_index");
  for (size_t i = 1; i < modules.size(); ++i) {
    if (modules[i - 1] >= modules[i]) comparison.Fail("layers out of order");
  }
  CheckEpisodes(RunEpisodes(environment, comparison), comparison);
  if (recorded.Has("published_strategy")) {
    const double mean = environment.cost(Ints(comparison, "published_strategy")) /
                        search::WeightSize(environment.layers, 1);
    comparison.Absolute("published_average_bits", TensorOf({mean}, {1}));
  }
}

// bits = round((max - min + 1) a + min - 0.5) over a grid of actions and bounds.
void CheckActionMap(Comparison& comparison) {
  const std::vector<double> actions = Doubles(comparison, "map.actions");
  const std::vector<int64_t> bounds = Ints(comparison, "map.bounds");
  std::vector<double> bits;
  for (size_t i = 0; i + 1 < bounds.size(); i += 2) {
    const std::vector<int64_t> levels = search::LevelRange(bounds[i], bounds[i + 1]);
    for (const double action : actions) {
      bits.push_back(static_cast<double>(search::LevelOf(levels, action, true)));
      const int64_t ours = search::LevelOf(levels, action, false);
      if (ours < levels.front() || ours > levels.back()) comparison.Fail("bits are not clamped");
    }
  }
  comparison.Exact("map.bits", TensorOf(bits, {static_cast<int64_t>(bounds.size() / 2),
                                               static_cast<int64_t>(actions.size())}));
}

// Weights and activations on a table of latencies.
void CheckLinearEnvironment(const Case& recorded, Comparison& comparison) {
  const at::Tensor shape = comparison.Input("cost_table");
  const search::LatencyTable table{shape.size(0), shape.size(1), Doubles(comparison, "cost_table")};
  const int64_t low = IntMetadata(recorded, "min_bit");
  const int64_t high = IntMetadata(recorded, "max_bit");
  const int64_t float_bit = IntMetadata(recorded, "float_bit");
  Environment environment;
  environment.with_activations = true;
  environment.layers = LayersOf(recorded, comparison);
  const size_t num_layers = environment.layers.size();
  environment.decisions = search::AllDecisions(num_layers, search::LevelRange(low, high), true);
  environment.cost = search::LatencyCost(table, environment.decisions, true);
  environment.our_cost = search::LatencyCost(table, environment.decisions);
  const size_t last = 2 * num_layers - 2;
  environment.our_wall.pinned = {{last, 8}, {last + 1, 8}, {0, 8}, {1, -1}};
  environment.wall = environment.our_wall;
  environment.wall.haq_bug_compat = true;
  environment.accuracy_scale = 0.01;
  CheckRawStates(environment, comparison);
  double minimum = 0;
  for (size_t i = 0; i < num_layers; ++i) {
    const bool is_end = i == 0 || i + 1 == num_layers;
    const int64_t bits = is_end ? table.max_bits : low;
    minimum += table.At(static_cast<int64_t>(i), bits, bits);
    environment.float_cost += table.At(static_cast<int64_t>(i), float_bit, float_bit);
  }
  comparison.Absolute("original_cost", TensorOf({environment.float_cost}, {1}));
  comparison.Absolute("minimum_cost", TensorOf({minimum}, {1}));
  CheckEpisodes(RunEpisodes(environment, comparison), comparison);
}

// ---- agent ----

// Copies the tensors "<prefix><name>" into `weights`.
void ReadWeights(const std::string& prefix, const std::map<std::string, at::Tensor>& weights,
                 Comparison& comparison) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : weights) {
    at::Tensor(tensor).copy_(comparison.Input(prefix + name));
  }
}

std::map<std::string, at::Tensor> ParametersOf(const torch::nn::Module& module) {
  std::map<std::string, at::Tensor> parameters;
  for (const auto& parameter : module.named_parameters()) {
    parameters[parameter.key()] = parameter.value();
  }
  return parameters;
}

rl::DdpgSettings SettingsOf(const Case& recorded) {
  rl::DdpgSettings settings;
  const Json hidden = Json::parse(recorded.Metadata("hidden"));
  settings.hidden1 = hidden.at(0).get<int64_t>();
  settings.hidden2 = hidden.at(1).get<int64_t>();
  if (!recorded.HasMetadata("hyper")) return settings;
  const Json hyper = Json::parse(recorded.Metadata("hyper"));
  settings.lr_actor = hyper.at("lr_actor").get<double>();
  settings.lr_critic = hyper.at("lr_critic").get<double>();
  settings.tau = hyper.at("tau").get<double>();
  settings.discount = hyper.at("discount").get<double>();
  settings.baseline_rate = hyper.at("moving_alpha").get<double>();
  settings.adam_beta1 = hyper.at("adam_betas").at(0).get<double>();
  settings.adam_beta2 = hyper.at("adam_betas").at(1).get<double>();
  settings.adam_epsilon = hyper.at("adam_eps").get<double>();
  return settings;
}

void CheckForward(const Case& recorded, Comparison& comparison) {
  const torch::NoGradGuard no_grad;
  const rl::DdpgSettings settings = SettingsOf(recorded);
  const at::Tensor state = comparison.Input("state");
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const rl::Actor actor(state.size(1), settings.hidden1, settings.hidden2, generator);
  const rl::Critic critic(state.size(1), settings.hidden1, settings.hidden2, generator);
  ReadWeights("actor.", ParametersOf(actor), comparison);
  ReadWeights("critic.", ParametersOf(critic), comparison);
  comparison.Absolute("actor_out", actor.forward(state));
  comparison.Absolute("critic_out", critic.forward(state, comparison.Input("action")));
}

void CheckUpdates(const Case& recorded, Comparison& comparison) {
  const int64_t state_size = comparison.Input("update0.state").size(1);
  rl::Ddpg agent(SettingsOf(recorded), state_size, 1, Rng(1));
  ReadWeights("before.", agent.Weights(), comparison);
  for (int64_t k = 0;; ++k) {
    const std::string update = "update" + std::to_string(k) + ".";
    if (!recorded.Has(update + "state")) break;
    const rl::Losses losses =
        agent.Update({comparison.Input(update + "state"), comparison.Input(update + "action"),
                      comparison.Input(update + "reward"), comparison.Input(update + "next_state"),
                      comparison.Input(update + "terminal_mask")});
    comparison.Absolute(update + "value_loss", TensorOf({losses.value}, {1}));
    comparison.Absolute(update + "policy_loss", TensorOf({losses.policy}, {1}));
    comparison.Absolute(update + "moving_average", TensorOf({agent.baseline().value()}, {1}));
    const std::string after = "after" + std::to_string(k) + ".";
    for (const auto& [name, tensor] : agent.Weights()) {
      if (recorded.Has(after + name)) comparison.Absolute(after + name, tensor);
    }
  }
}

// ---- exploration ----

struct Moments {
  double mean = 0;
  double deviation = 0;
};

// Of the sampler itself, over evenly spread quantiles.
Moments MomentsOf(double mean, double sigma) {
  constexpr int kPoints = 200'000;
  double sum = 0;
  double square = 0;
  for (int i = 0; i < kPoints; ++i) {
    const double x = rl::TruncatedNormalQuantile(mean, sigma, (i + 0.5) / kPoints) - mean;
    sum += x;
    square += x * x;
  }
  sum /= kPoints;
  return {mean + sum, std::sqrt(square / kPoints - sum * sum)};
}

// The last warm-up episode is told in words only: the one that gives the first recorded noise.
int64_t WarmupOf(const rl::DdpgSettings& settings, int64_t episode, double noise) {
  return episode - std::llround(std::log(noise / settings.noise) / std::log(settings.noise_decay));
}

void CheckNoise(Comparison& comparison) {
  const std::vector<double> means = Doubles(comparison, "mu");
  const std::vector<double> sigmas = Doubles(comparison, "sigma");
  const std::vector<double> quantiles = Doubles(comparison, "quantiles");
  const std::vector<double> extremes = Doubles(comparison, "samples_min_max");
  std::vector<double> values;
  std::vector<double> moments;
  size_t row = 0;
  for (const double mean : means) {
    for (const double sigma : sigmas) {
      for (const double quantile : quantiles) {
        values.push_back(rl::TruncatedNormalQuantile(mean, sigma, quantile));
      }
      const Moments ours = MomentsOf(mean, sigma);
      moments.insert(moments.end(), {ours.mean, ours.deviation});
      // Recorded draws lie where ours practically always do.
      constexpr double kRare = 1e-9;
      if (extremes.at(2 * row) < rl::TruncatedNormalQuantile(mean, sigma, kRare) ||
          extremes.at(2 * row + 1) > rl::TruncatedNormalQuantile(mean, sigma, 1 - kRare)) {
        comparison.Fail("recorded draws lie outside of our distribution");
      }
      ++row;
    }
  }
  const auto num_means = static_cast<int64_t>(means.size());
  const auto num_sigmas = static_cast<int64_t>(sigmas.size());
  comparison.Absolute(
      "ppf", TensorOf(values, {num_means, num_sigmas, static_cast<int64_t>(quantiles.size())}));
  comparison.Absolute("mean_std", TensorOf(moments, {num_means, num_sigmas, 2}));

  rl::DdpgSettings settings;
  settings.hidden1 = settings.hidden2 = 1;
  const std::vector<int64_t> episodes = Ints(comparison, "episodes");
  settings.warmup_episodes = WarmupOf(settings, episodes.at(0), Doubles(comparison, "delta").at(0));
  const rl::Ddpg agent(settings, 1, 1, Rng(1));
  std::vector<double> noise;
  for (const int64_t episode : episodes) noise.push_back(agent.NoiseOf(episode).value_or(0));
  comparison.Absolute("delta", TensorOf(noise, {static_cast<int64_t>(noise.size())}));
  noise.clear();
  for (const double delta : Doubles(comparison, "select.delta")) {
    const int64_t age = -WarmupOf(settings, 0, delta);
    noise.push_back(agent.NoiseOf(settings.warmup_episodes + age).value_or(0));
  }
  comparison.Absolute("select.delta", TensorOf(noise, {static_cast<int64_t>(noise.size())}));
  for (const char* name : {"select.actor_output", "select.action"}) {
    for (const double action : Doubles(comparison, name)) {
      if (!(action >= 0 && action <= 1)) comparison.Fail("an action outside of [0, 1]");
    }
  }
}

// ---- memory ----

// The published memory is a stream in which the entry after a terminal one only fills: it is the
// next state of nothing, and no step starts there. Only of its oldest entry the ring no longer
// knows whether it is one.
void CheckMemory(const Case& recorded, Comparison& comparison) {
  const at::Tensor states = comparison.Input("appended.observation").contiguous();
  const std::vector<double> actions = Doubles(comparison, "appended.action");
  const std::vector<double> rewards = Doubles(comparison, "appended.reward");
  const std::vector<int64_t> terminals = Ints(comparison, "appended.terminal");
  const int64_t limit = IntMetadata(recorded, "limit");
  const auto num_appended = static_cast<int64_t>(rewards.size());
  const auto row = [&](int64_t i) {
    const at::Tensor state = states[i];
    return std::vector<float>(state.data_ptr<float>(), state.data_ptr<float>() + state.numel());
  };
  const int64_t entries = std::min(limit, num_appended);
  const int64_t oldest = num_appended - entries;
  rl::ReplayMemory memory(static_cast<size_t>(limit));
  std::map<int64_t, size_t> added;  // entries of the stream by the order in which they were added
  for (int64_t i = 0; i + 1 < num_appended; ++i) {
    const auto entry = static_cast<size_t>(i);
    if (i > 0 && i != oldest && terminals[entry - 1] != 0) continue;
    added.emplace(i, added.size());
    memory.Add({row(i), static_cast<float>(actions[entry]), static_cast<float>(rewards[entry]),
                row(i + 1), terminals[entry] != 0});
  }
  comparison.Exact("entries", TensorOf({static_cast<double>(entries)}, {1}));
  const size_t num_forgotten = added.size() - memory.size();
  std::vector<double> state0, state1, action, reward, mask;
  const std::vector<int64_t> indices = Ints(comparison, "batch_idxs");
  for (const int64_t index : indices) {
    const int64_t entry = oldest + index;
    const auto found = added.find(entry);
    if (found == added.end() || found->second < num_forgotten) {
      comparison.Fail("the memory does not hold entry " + std::to_string(entry));
      return;
    }
    const rl::Transition& step = memory.At(found->second - num_forgotten);
    state0.insert(state0.end(), step.state.begin(), step.state.end());
    state1.insert(state1.end(), step.next_state.begin(), step.next_state.end());
    action.push_back(static_cast<double>(step.action));
    reward.push_back(static_cast<double>(step.reward));
    mask.push_back(step.is_terminal ? 0 : 1);
  }
  const auto count = static_cast<int64_t>(indices.size());
  comparison.Exact("batch.state0", TensorOf(state0, {count, states.size(1)}));
  comparison.Exact("batch.state1", TensorOf(state1, {count, states.size(1)}));
  comparison.Exact("batch.action", TensorOf(action, {count, 1}));
  comparison.Exact("batch.reward", TensorOf(reward, {count, 1}));
  comparison.Exact("batch.terminal_mask", TensorOf(mask, {count, 1}));
}

}  // namespace

bool RunHaqCase(const Case& recorded, Comparison& comparison) {
  // Absolute tolerances of the recordings.
  constexpr double kEnvironment = 1e-6;
  constexpr double kUpdate = 1e-5;
  if (recorded.Has("strategy_before_wall") && recorded.Has("cost_table")) {
    comparison.Allow({.forward = kEnvironment});
    CheckLinearEnvironment(recorded, comparison);
  } else if (recorded.Has("strategy_before_wall") && recorded.Has("weight_count")) {
    comparison.Allow({.forward = kEnvironment});
    CheckSizeEnvironment(recorded, comparison);
    if (recorded.Has("map.bits")) CheckActionMap(comparison);
  } else if (recorded.Has("actor_out") && recorded.Has("critic_out")) {
    comparison.Allow({.forward = kEnvironment});
    CheckForward(recorded, comparison);
  } else if (recorded.Has("update0.value_loss")) {
    comparison.Allow({.forward = kUpdate});
    CheckUpdates(recorded, comparison);
  } else if (recorded.Has("ppf") && recorded.Has("select.action")) {
    comparison.Allow({.forward = kUpdate});
    CheckNoise(comparison);
  } else if (recorded.Has("appended.observation")) {
    CheckMemory(recorded, comparison);
  } else {
    return false;
  }
  return true;
}

}  // namespace voxbit::golden
