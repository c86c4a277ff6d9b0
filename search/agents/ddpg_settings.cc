#include "search/agents/ddpg_settings.h"

namespace voxbit::rl {

Fields<DdpgSettings> DdpgFields() {
  Fields<DdpgSettings> fields;
  fields
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
            "rewards of shares in [0, 1] instead of percents");
  return fields;
}

}  // namespace voxbit::rl
