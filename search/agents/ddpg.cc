#include "search/agents/ddpg.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/base64.h"
#include "common/check.h"
#include "search/agents/truncated_normal.h"

namespace voxbit::rl {
namespace {

static_assert(std::endian::native == std::endian::little, "saved numbers are little-endian");

Status Damaged(const std::string& what) {
  return DataLoss("the saved state of the agent is damaged: " + what);
}

std::string FloatsText(const float* values, size_t count) {
  return EncodeBase64({reinterpret_cast<const char*>(values), count * sizeof(float)});
}

// Exactly `count` finite numbers under `key`.
Result<std::vector<float>> FloatsIn(const Json& json, const std::string& key, size_t count) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return Damaged("\"" + key + "\" is no text");
  const Result<std::string> bytes = DecodeBase64(found->get_ref<const std::string&>());
  if (!bytes.ok()) return Damaged("\"" + key + "\": " + bytes.status().message());
  if (bytes->size() != count * sizeof(float)) {
    return Damaged("\"" + key + "\" holds " + std::to_string(bytes->size()) + " bytes instead of " +
                   std::to_string(count * sizeof(float)));
  }
  std::vector<float> values(count);
  if (!values.empty()) std::memcpy(values.data(), bytes->data(), bytes->size());
  for (const float value : values) {
    if (!std::isfinite(value)) return Damaged("\"" + key + "\" holds a number that is not finite");
  }
  return values;
}

Result<int64_t> CountIn(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_integer() || found->get<int64_t>() < 0) {
    return Damaged("\"" + key + "\" is no count");
  }
  return found->get<int64_t>();
}

template <class Network>
std::shared_ptr<Network> MakeNetwork(const DdpgSettings& settings, int64_t state_size,
                                     const Rng& rng) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(rng.seed());
  return std::make_shared<Network>(state_size, settings.hidden1, settings.hidden2, generator);
}

void CopyWeights(const torch::nn::Module& from, torch::nn::Module& to) {
  const torch::NoGradGuard no_grad;
  const auto source = from.parameters();
  auto target = to.parameters();
  for (size_t i = 0; i < source.size(); ++i) target[i].copy_(source[i]);
}

// The numbers of a transition in a row: state, action, reward, next state, 1 where it is terminal.
size_t RowSize(int64_t state_size) { return 2 * static_cast<size_t>(state_size) + 3; }

std::vector<float> MemoryRows(const ReplayMemory& memory) {
  std::vector<float> rows;
  for (size_t i = 0; i < memory.size(); ++i) {
    const Transition& step = memory.At(i);
    rows.insert(rows.end(), step.state.begin(), step.state.end());
    rows.push_back(step.action);
    rows.push_back(step.reward);
    rows.insert(rows.end(), step.next_state.begin(), step.next_state.end());
    rows.push_back(step.is_terminal ? 1.0F : 0.0F);
  }
  return rows;
}

Transition TransitionOf(const float* row, int64_t state_size) {
  Transition step;
  step.state.assign(row, row + state_size);
  step.action = row[state_size];
  step.reward = row[state_size + 1];
  step.next_state.assign(row + state_size + 2, row + 2 * state_size + 2);
  step.is_terminal = row[2 * state_size + 2] != 0;
  return step;
}

}  // namespace

Ddpg::Ddpg(const DdpgSettings& settings, int64_t state_size, int64_t num_steps, const Rng& rng)
    : settings_(settings),
      state_size_(state_size),
      rng_(rng),
      actor_(MakeNetwork<Actor>(settings, state_size, rng.Fork("actor"))),
      actor_target_(MakeNetwork<Actor>(settings, state_size, rng.Fork("actor"))),
      critic_(MakeNetwork<Critic>(settings, state_size, rng.Fork("critic"))),
      critic_target_(MakeNetwork<Critic>(settings, state_size, rng.Fork("critic"))),
      actor_adam_(TrainedOf(*actor_, settings.lr_actor)),
      critic_adam_(TrainedOf(*critic_, settings.lr_critic)),
      memory_(static_cast<size_t>(settings.memory_episodes * std::max<int64_t>(1, num_steps))) {
  CopyWeights(*actor_, *actor_target_);
  CopyWeights(*critic_, *critic_target_);
}

Ddpg::Trained Ddpg::TrainedOf(const torch::nn::Module& module, double lr) {
  Trained trained;
  trained.lr = lr;
  trained.parameters = module.parameters();
  for (const at::Tensor& parameter : trained.parameters) {
    trained.mean.push_back(torch::zeros_like(parameter.detach()));
    trained.square.push_back(torch::zeros_like(parameter.detach()));
  }
  return trained;
}

std::optional<double> Ddpg::NoiseOf(int64_t episode) const {
  if (episode <= settings_.warmup_episodes) return std::nullopt;
  const auto age = static_cast<double>(episode - settings_.warmup_episodes);
  return settings_.noise * std::pow(settings_.noise_decay, age);
}

double Ddpg::Act(const std::vector<double>& state) const {
  VOXBIT_CHECK(static_cast<int64_t>(state.size()) == state_size_, "a state of another length");
  const torch::NoGradGuard no_grad;
  const at::Tensor row = torch::tensor(state, at::kFloat).unsqueeze(0);
  return actor_->forward(row).item<double>();
}

double Ddpg::Explore(const std::vector<double>& state, int64_t episode, Rng& rng) const {
  const std::optional<double> noise = NoiseOf(episode);
  return noise ? DrawTruncatedNormal(Act(state), *noise, rng) : rng.Uniform();
}

void Ddpg::Learn(const std::vector<Transition>& episode) {
  for (const Transition& step : episode) {
    VOXBIT_CHECK(static_cast<int64_t>(step.state.size()) == state_size_ &&
                     step.state.size() == step.next_state.size(),
                 "a state of another length");
    memory_.Add(step);
    if (num_episodes_ <= settings_.warmup_episodes) continue;
    for (int64_t i = 0; i < settings_.updates_per_step; ++i) Update(DrawBatch());
  }
  ++num_episodes_;
}

Batch Ddpg::DrawBatch() const {
  // Named by its number, so that no state of a generator has to be saved.
  Rng rng = rng_.Fork("batch", static_cast<uint64_t>(num_updates_));
  const std::vector<size_t> indices =
      memory_.DrawIndices(static_cast<size_t>(settings_.batch), rng);
  const auto count = static_cast<int64_t>(indices.size());
  const at::Tensor table =
      torch::empty({count, static_cast<int64_t>(RowSize(state_size_))}, at::kFloat);
  auto* out = table.data_ptr<float>();
  for (const size_t index : indices) {
    const Transition& step = memory_.At(index);
    out = std::copy(step.state.begin(), step.state.end(), out);
    *out++ = step.action;
    *out++ = step.reward;
    out = std::copy(step.next_state.begin(), step.next_state.end(), out);
    *out++ = step.is_terminal ? 0.0F : 1.0F;
  }
  const std::vector<at::Tensor> parts =
      table.split_with_sizes({state_size_, 1, 1, state_size_, 1}, 1);
  return {parts[0], parts[1], parts[2], parts[3], parts[4]};
}

Losses Ddpg::Update(const Batch& batch) {
  const torch::AutoGradMode with_grad(true);
  ++num_updates_;
  const double mean = batch.rewards.mean().item<double>();
  baseline_ = baseline_ ? *baseline_ + settings_.baseline_rate * (mean - *baseline_) : mean;
  at::Tensor target;
  {
    const torch::NoGradGuard no_grad;
    const at::Tensor next_values =
        critic_target_->forward(batch.next_states, actor_target_->forward(batch.next_states));
    target = batch.rewards - *baseline_ + settings_.discount * batch.mask * next_values;
  }
  Losses losses;
  const at::Tensor value_loss = at::mse_loss(critic_->forward(batch.states, batch.actions), target);
  losses.value = value_loss.item<double>();
  Step(value_loss, critic_adam_);
  const at::Tensor policy_loss =
      -critic_->forward(batch.states, actor_->forward(batch.states)).mean();
  losses.policy = policy_loss.item<double>();
  Step(policy_loss, actor_adam_);
  UpdateTarget(*actor_, *actor_target_);
  UpdateTarget(*critic_, *critic_target_);
  return losses;
}

// Source: Kingma and Ba, Adam (ICLR 2015), in the form of torch.optim.Adam.
void Ddpg::Step(const at::Tensor& loss, Trained& trained) const {
  // Both networks step once in an update, so num_updates_ is the number of Adam's step.
  const auto step = static_cast<double>(num_updates_);
  const double correction1 = 1 - std::pow(settings_.adam_beta1, step);
  const double correction2 = 1 - std::pow(settings_.adam_beta2, step);
  const auto gradients = torch::autograd::grad({loss}, trained.parameters);
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor& gradient = gradients[i];
    trained.mean[i].mul_(settings_.adam_beta1).add_(gradient, 1 - settings_.adam_beta1);
    trained.square[i]
        .mul_(settings_.adam_beta2)
        .addcmul_(gradient, gradient, 1 - settings_.adam_beta2);
    const at::Tensor denominator =
        (trained.square[i].sqrt() / std::sqrt(correction2)).add_(settings_.adam_epsilon);
    trained.parameters[i].addcdiv_(trained.mean[i], denominator, -trained.lr / correction1);
  }
}

void Ddpg::UpdateTarget(const torch::nn::Module& module, torch::nn::Module& target) const {
  const torch::NoGradGuard no_grad;
  const auto source = module.parameters();
  auto goal = target.parameters();
  for (size_t i = 0; i < source.size(); ++i) {
    goal[i].mul_(1 - settings_.tau).add_(source[i], settings_.tau);
  }
}

std::map<std::string, at::Tensor> Ddpg::Weights() const {
  std::map<std::string, at::Tensor> weights;
  const auto add = [&](const std::string& prefix, const torch::nn::Module& module) {
    for (const auto& parameter : module.named_parameters()) {
      weights[prefix + "." + parameter.key()] = parameter.value();
    }
  };
  add("actor", *actor_);
  add("actor_target", *actor_target_);
  add("critic", *critic_);
  add("critic_target", *critic_target_);
  return weights;
}

std::map<std::string, at::Tensor> Ddpg::Tensors() const {
  std::map<std::string, at::Tensor> tensors = Weights();
  const auto add = [&](const std::string& name, const Trained& trained) {
    for (size_t i = 0; i < trained.parameters.size(); ++i) {
      const std::string index = "." + std::to_string(i);
      tensors[name + ".adam_mean" + index] = trained.mean[i];
      tensors[name + ".adam_square" + index] = trained.square[i];
    }
  };
  add("actor", actor_adam_);
  add("critic", critic_adam_);
  return tensors;
}

Json Ddpg::Save() const {
  Json state = {{"episodes", num_episodes_}, {"updates", num_updates_}};
  state["baseline"] = baseline_ ? Json(*baseline_) : Json(nullptr);
  Json tensors = Json::object();
  for (const auto& [name, tensor] : Tensors()) {
    VOXBIT_CHECK(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat, name);
    tensors[name] = FloatsText(tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel()));
  }
  state["tensors"] = std::move(tensors);
  const std::vector<float> rows = MemoryRows(memory_);
  state["transitions"] = memory_.size();
  state["memory"] = FloatsText(rows.data(), rows.size());
  return state;
}

Status Ddpg::Load(const Json& state) {
  if (!state.is_object()) return Damaged("expected an object, found " + Describe(state));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t num_episodes, CountIn(state, "episodes"));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t num_updates, CountIn(state, "updates"));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t num_transitions, CountIn(state, "transitions"));
  const auto baseline = state.find("baseline");
  if (baseline == state.end() || !(baseline->is_null() || baseline->is_number())) {
    return Damaged("\"baseline\" is no number");
  }
  if (num_transitions > static_cast<int64_t>(memory_.capacity())) {
    return Damaged("more transitions than the memory holds");
  }
  const size_t row_size = RowSize(state_size_);
  VOXBIT_ASSIGN_OR_RETURN(
      const std::vector<float> rows,
      FloatsIn(state, "memory", static_cast<size_t>(num_transitions) * row_size));
  const auto tensors = state.find("tensors");
  if (tensors == state.end() || !tensors->is_object()) return Damaged("no tensors");
  std::map<std::string, at::Tensor> ours = Tensors();
  if (tensors->size() != ours.size()) return Damaged("other tensors than this agent has");
  std::map<std::string, std::vector<float>> loaded;
  for (const auto& [name, tensor] : ours) {
    VOXBIT_ASSIGN_OR_RETURN(loaded[name],
                            FloatsIn(*tensors, name, static_cast<size_t>(tensor.numel())));
  }

  for (auto& [name, tensor] : ours) {
    const std::vector<float>& values = loaded.at(name);
    std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  }
  ReplayMemory memory(memory_.capacity());
  for (size_t i = 0; i < static_cast<size_t>(num_transitions); ++i) {
    memory.Add(TransitionOf(rows.data() + i * row_size, state_size_));
  }
  memory_ = std::move(memory);
  baseline_ = baseline->is_null() ? std::nullopt : std::optional(baseline->get<double>());
  num_episodes_ = num_episodes;
  num_updates_ = num_updates;
  return OkStatus();
}

}  // namespace voxbit::rl
