// The DDPG agent of HAQ: actor, critic, their targets, replay memory and exploration.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/rng.h"
#include "common/status.h"
#include "search/agents/actor_critic.h"
#include "search/agents/ddpg_settings.h"
#include "search/agents/replay_memory.h"

namespace voxbit::rl {

// N transitions, float32. `mask` is 0 where the step ended its episode, else 1.
struct Batch {
  at::Tensor states;       // [N, state_size]
  at::Tensor actions;      // [N, 1]
  at::Tensor rewards;      // [N, 1]
  at::Tensor next_states;  // [N, state_size]
  at::Tensor mask;         // [N, 1]
};

struct Losses {
  double value = 0;   // mean squared error of the critic before its step
  double policy = 0;  // - mean value of the actor's actions after the critic's step
};

// Deterministic: equal seeds, episodes and order give equal weights. Thread-compatible.
// Source: HAQ (mit-han-lab/haq), lib/rl/ddpg.py; Lillicrap et al., DDPG (ICLR 2016).
class Ddpg {
 public:
  // `num_steps`: transitions of one episode, for the capacity of the memory.
  Ddpg(const DdpgSettings& settings, int64_t state_size, int64_t num_steps, const Rng& rng);

  // Standard deviation of the exploration noise in an episode, counted from 0; nothing while
  // actions are uniform.
  std::optional<double> NoiseOf(int64_t episode) const;
  // An action in [0, 1] for one state in an episode: uniform in the warm-up, then a truncated
  // normal around the actor's.
  double Explore(const std::vector<double>& state, int64_t episode, Rng& rng) const;
  // The actor's own action.
  double Act(const std::vector<double>& state) const;

  // A finished episode: its transitions enter the memory one by one; past the warm-up each is
  // followed by updates.
  void Learn(const std::vector<Transition>& episode);
  // One update of both networks, the baseline and both targets.
  Losses Update(const Batch& batch);

  int64_t num_episodes() const { return num_episodes_; }
  const std::optional<double>& baseline() const { return baseline_; }
  const ReplayMemory& memory() const { return memory_; }
  // "actor", "critic", "actor_target" and "critic_target" with their parameters, not copied.
  std::map<std::string, at::Tensor> Weights() const;

  // All that future actions and updates depend on, but for settings and seed: weights, moments of
  // Adam, memory, baseline, counters. Numbers are kept bit for bit, as base64 of little-endian
  // float32. Load returns DATA_LOSS for anything else than what an agent of the same shape saved,
  // and is then as it was.
  Json Save() const;
  Status Load(const Json& state);

 private:
  // A network with the moments of its Adam.
  struct Trained {
    std::vector<at::Tensor> parameters;
    std::vector<at::Tensor> mean;
    std::vector<at::Tensor> square;
    double lr = 0;
  };

  static Trained TrainedOf(const torch::nn::Module& module, double lr);
  // Weights and moments by name: all that Save writes as tensors but the memory.
  std::map<std::string, at::Tensor> Tensors() const;
  // One step of Adam down `loss`.
  void Step(const at::Tensor& loss, Trained& trained) const;
  void UpdateTarget(const torch::nn::Module& module, torch::nn::Module& target) const;
  Batch DrawBatch() const;

  DdpgSettings settings_;
  int64_t state_size_;
  Rng rng_;
  std::shared_ptr<Actor> actor_, actor_target_;
  std::shared_ptr<Critic> critic_, critic_target_;
  Trained actor_adam_, critic_adam_;
  ReplayMemory memory_;
  std::optional<double> baseline_;
  int64_t num_episodes_ = 0;  // learned
  int64_t num_updates_ = 0;
};

}  // namespace voxbit::rl
