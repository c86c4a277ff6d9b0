#include "search/agents/actor_critic.h"

#include <torch/torch.h>

#include <cmath>

namespace voxbit::rl {
namespace {

at::Tensor UniformTensor(at::IntArrayRef shape, int64_t in, at::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  at::Tensor tensor = torch::empty(shape, at::kFloat);
  const torch::NoGradGuard no_grad;
  return tensor.uniform_(-bound, bound, generator);
}

}  // namespace

Dense::Dense(int64_t in, int64_t out, at::Generator& generator)
    : weight_(register_parameter("weight", UniformTensor({out, in}, in, generator))),
      bias_(register_parameter("bias", UniformTensor({out}, in, generator))) {}

at::Tensor Dense::forward(const at::Tensor& input) const {
  return at::linear(input, weight_, bias_);
}

Actor::Actor(int64_t state_size, int64_t hidden1, int64_t hidden2, at::Generator& generator)
    : fc1_(register_module("fc1", std::make_shared<Dense>(state_size, hidden1, generator))),
      fc2_(register_module("fc2", std::make_shared<Dense>(hidden1, hidden2, generator))),
      fc3_(register_module("fc3", std::make_shared<Dense>(hidden2, 1, generator))) {}

at::Tensor Actor::forward(const at::Tensor& states) const {
  at::Tensor x = at::relu(fc1_->forward(states));
  x = at::relu(fc2_->forward(x));
  return at::sigmoid(fc3_->forward(x));
}

Critic::Critic(int64_t state_size, int64_t hidden1, int64_t hidden2, at::Generator& generator)
    : fc11_(register_module("fc11", std::make_shared<Dense>(state_size, hidden1, generator))),
      fc12_(register_module("fc12", std::make_shared<Dense>(1, hidden1, generator))),
      fc2_(register_module("fc2", std::make_shared<Dense>(hidden1, hidden2, generator))),
      fc3_(register_module("fc3", std::make_shared<Dense>(hidden2, 1, generator))) {}

at::Tensor Critic::forward(const at::Tensor& states, const at::Tensor& actions) const {
  at::Tensor x = at::relu(fc11_->forward(states) + fc12_->forward(actions));
  x = at::relu(fc2_->forward(x));
  return fc3_->forward(x);
}

}  // namespace voxbit::rl
