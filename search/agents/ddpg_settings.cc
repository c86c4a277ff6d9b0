#include "search/agents/ddpg_settings.h"

#include <algorithm>
#include <cmath>

namespace voxbit::rl {
namespace {

// What the preset "short" ends with: exploration must be over when the study is.
constexpr double kLastNoise = 0.1;

void ApplyPreset(const std::string& preset, int64_t trials, DdpgSettings& settings) {
  if (preset == "seed") {
    settings.discount = 0.9;
    settings.warmup_episodes = 5;
    settings.reward_of_fractions = true;
    settings.wall = "lowest_level";
  }
  if (preset == "short") {
    settings.discount = 0;
    settings.lr_actor = 3e-4;
    settings.lr_critic = 3e-3;
    settings.warmup_episodes = std::min<int64_t>(20, trials / 6);
  }
}

// Makes the noise fall to kLastNoise at the end of the trials; less than that stays as it is.
double ShortNoiseDecay(const DdpgSettings& settings, int64_t trials) {
  if (settings.noise <= kLastNoise) return 1;
  const auto span = static_cast<double>(std::max<int64_t>(1, trials - settings.warmup_episodes));
  return std::pow(kLastNoise / settings.noise, 1 / span);
}

}  // namespace

Fields<DdpgSettings> DdpgFields() {
  Fields<DdpgSettings> fields;
  fields
      .Text("preset", &DdpgSettings::preset, {"haq", "seed", "short"},
            "where defaults come from: HAQ as published; its use on the Point Transformer "
            "(Sharpiless/Point-Transformers-with-Quantization); or for a few hundred trials")
      .Int("hidden1", &DdpgSettings::hidden1, {1, 65'536}, "units",
           "width of the first hidden layer of actor and critic")
      .Int("hidden2", &DdpgSettings::hidden2, {1, 65'536}, "units",
           "width of the second hidden layer of actor and critic")
      .Number("lr_actor", &DdpgSettings::lr_actor, {0, 1}, "", "Adam's learning rate of the actor")
      .Number("lr_critic", &DdpgSettings::lr_critic, {0, 1}, "",
              "Adam's learning rate of the critic")
      .Number("adam_beta1", &DdpgSettings::adam_beta1, {0, 1}, "",
              "Adam's decay of the mean gradient")
      .Number("adam_beta2", &DdpgSettings::adam_beta2, {0, 1}, "",
              "Adam's decay of the mean squared gradient")
      .Number("adam_epsilon", &DdpgSettings::adam_epsilon, {0, 1}, "",
              "what Adam adds to its denominator")
      .Number("tau", &DdpgSettings::tau, {0, 1}, "",
              "share of the new weights in a soft update of the target networks")
      .Number("discount", &DdpgSettings::discount, {0, 1}, "",
              "weight of the value of the next step")
      .Int("batch", &DdpgSettings::batch, {1, 65'536}, "transitions", "transitions of one update")
      .Int("memory_episodes", &DdpgSettings::memory_episodes, {1, 1'000'000}, "episodes",
           "episodes that the replay memory holds")
      .Int("warmup_episodes", &DdpgSettings::warmup_episodes, {0, 1'000'000}, "episodes",
           "the last episode, counted from 0, of random actions and without learning")
      .Number("noise", &DdpgSettings::noise, {0, 100}, "",
              "standard deviation of the exploration noise at the end of the warm-up")
      .Number("noise_decay", &DdpgSettings::noise_decay, {0, 1}, "",
              "factor of the exploration noise from one episode to the next")
      .Int("updates_per_step", &DdpgSettings::updates_per_step, {1, 1000}, "updates",
           "updates of the networks for each transition of a finished episode")
      .Number("baseline_rate", &DdpgSettings::baseline_rate, {0, 1}, "",
              "share of the newest batch in the moving average of rewards")
      .Number("reward_scale", &DdpgSettings::reward_scale, {0, 1e6}, "",
              "factor of the first objective in the reward")
      .Bool("reward_of_fractions", &DdpgSettings::reward_of_fractions,
            "rewards of shares in [0, 1] instead of percents")
      .Text("wall", &DdpgSettings::wall, {"next_level", "lowest_level"},
            "how far one step of the wall lowers a layer's bits, from the last layer to the first, "
            "until the constraints hold")
      .Bool("haq_bug_compat", &DdpgSettings::haq_bug_compat,
            "states with the faults of the published code: columns that all layers share keep "
            "their values, however large; without activations the previous bits are plain numbers, "
            "4 at first; with activations the last column tells the decision just taken; bits are "
            "not clamped to their levels (those of candidates are)");
  return fields;
}

Result<DdpgSettings> ResolveDdpg(const search::SearchSettings& search, const std::string& pointer) {
  const Fields<DdpgSettings> fields = DdpgFields();
  // Read twice: the preset says what the rest is read over.
  VOXBIT_ASSIGN_OR_RETURN(const DdpgSettings read, fields.Parse(search.agent, pointer));
  DdpgSettings settings;
  ApplyPreset(read.preset, search.trials, settings);
  VOXBIT_RETURN_IF_ERROR(fields.ParseInto(search.agent, pointer, settings));
  if (settings.preset == "short" && !search.agent.contains("noise_decay")) {
    settings.noise_decay = ShortNoiseDecay(settings, search.trials);
  }
  return settings;
}

}  // namespace voxbit::rl
