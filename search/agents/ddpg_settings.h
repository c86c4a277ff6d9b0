// Every constant of the DDPG agent. No torch.
#pragma once

#include <cstdint>

#include "common/config.h"

namespace voxbit::rl {

// Defaults are those of HAQ (mit-han-lab/haq, rl_quantize.py and lib/rl/ddpg.py).
struct DdpgSettings {
  int64_t hidden1 = 300;
  int64_t hidden2 = 300;
  double lr_actor = 1e-4;
  double lr_critic = 1e-3;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double tau = 0.01;
  double discount = 1.0;
  int64_t batch = 64;
  int64_t memory_episodes = 128;
  int64_t warmup_episodes = 20;
  double noise = 0.5;
  double noise_decay = 0.99;
  int64_t updates_per_step = 1;
  double baseline_rate = 0.5;
  double reward_scale = 0.1;
  bool reward_of_fractions = false;
  friend bool operator==(const DdpgSettings&, const DdpgSettings&) = default;
};

Fields<DdpgSettings> DdpgFields();

}  // namespace voxbit::rl
