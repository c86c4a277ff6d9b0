// The two networks of the DDPG agent.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

namespace voxbit::rl {

// weight [out, in], bias [out]; both drawn from U(-1/sqrt(in), 1/sqrt(in)) of `generator`, the
// default of torch's Linear.
class Dense : public torch::nn::Module {
 public:
  Dense(int64_t in, int64_t out, at::Generator& generator);
  at::Tensor forward(const at::Tensor& input) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
};

// states [N, state_size] -> actions [N, 1] in (0, 1):
// fc1, ReLU, fc2, ReLU, fc3, sigmoid. Source: HAQ (mit-han-lab/haq), lib/rl/ddpg.py.
class Actor : public torch::nn::Module {
 public:
  Actor(int64_t state_size, int64_t hidden1, int64_t hidden2, at::Generator& generator);
  at::Tensor forward(const at::Tensor& states) const;

 private:
  std::shared_ptr<Dense> fc1_, fc2_, fc3_;
};

// states [N, state_size], actions [N, 1] -> values [N, 1]:
// fc3(ReLU(fc2(ReLU(fc11(state) + fc12(action))))). Source: as Actor.
class Critic : public torch::nn::Module {
 public:
  Critic(int64_t state_size, int64_t hidden1, int64_t hidden2, at::Generator& generator);
  at::Tensor forward(const at::Tensor& states, const at::Tensor& actions) const;

 private:
  std::shared_ptr<Dense> fc11_, fc12_, fc2_, fc3_;
};

}  // namespace voxbit::rl
