// Every constant of the DDPG search for bit-widths: what a study writes under search.agent. No
// torch.
#pragma once

#include <cstdint>
#include <string>

#include "common/config.h"
#include "search/domain/study.h"

namespace voxbit::rl {

// Defaults are those of HAQ (mit-han-lab/haq, rl_quantize.py and lib/rl/ddpg.py).
struct DdpgSettings {
  std::string preset = "haq";
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
  std::string wall = "next_level";
  bool haq_bug_compat = false;
  friend bool operator==(const DdpgSettings&, const DdpgSettings&) = default;
};

Fields<DdpgSettings> DdpgFields();

// The settings of `search.agent`, found at `pointer`: those of the preset that it names, with what
// it sets itself. The preset "short" depends on search.trials, too; its noise_decay also on the
// noise and the warm-up. INVALID_ARGUMENT.
Result<DdpgSettings> ResolveDdpg(const search::SearchSettings& search, const std::string& pointer);

}  // namespace voxbit::rl
