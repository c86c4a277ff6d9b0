// The smallest network over clouds: two linear layers, and a mean where objects are classified.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "supernet/models/supernet.h"

namespace voxbit::testing {

// One choice: the width of the hidden layer.
class ToyCloudSpec final : public search::SupernetSpec {
 public:
  static constexpr int64_t kWidest = 32;

  explicit ToyCloudSpec(bool is_parts) : is_parts_(is_parts) {}

  const search::SearchSpace& space() const override { return space_; }
  search::InputForm input_form() const override { return search::InputForm::kClouds; }
  Json config() const override { return {{"kind", "toy_cloud"}, {"parts", is_parts_}}; }
  search::LayerTable Expand(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const override {
    const int64_t width = space_.Value(candidate, 0);
    return {Linear("hidden", in_channels, width), Linear("classifier", width, num_classes)};
  }
  Json Describe(const search::Candidate& candidate) const override {
    return {{"width", space_.Value(candidate, 0)}};
  }

 private:
  static search::LayerSpec Linear(const std::string& name, int64_t in, int64_t out) {
    search::LayerSpec layer;
    layer.name = name;
    layer.kind = search::LayerKind::kLinear;
    layer.in_channels = in;
    layer.out_channels = out;
    layer.bias = true;
    layer.workload = search::PointsKey();
    layer.tensors = {name + ".weight", name + ".bias"};
    return layer;
  }

  const bool is_parts_;
  const search::SearchSpace space_{{{"width", {8, kWidest}, -1, 0}}};
};

class ToyCloudNet final : public supernet::Supernet {
 public:
  ToyCloudNet(bool is_parts, int64_t in_channels, int64_t num_classes,
              int64_t width = ToyCloudSpec::kWidest)
      : spec_(is_parts), is_parts_(is_parts), width_(width) {
    hidden_ = register_module("hidden", torch::nn::Linear(in_channels, width));
    classifier_ = register_module("classifier", torch::nn::Linear(width, num_classes));
  }

  using Supernet::Forward;
  at::Tensor Forward(const supernet::NetInput& input) override {
    const at::Tensor hidden = torch::relu(torch::linear(
        input.clouds, hidden_->weight.narrow(0, 0, width_), hidden_->bias.narrow(0, 0, width_)));
    const at::Tensor logits =
        torch::linear(is_parts_ ? hidden : std::get<0>(hidden.max(1)),
                      classifier_->weight.narrow(1, 0, width_), classifier_->bias);
    return logits.flatten(0, -2);
  }

  const search::SupernetSpec& spec() const override { return spec_; }
  void Select(const search::Candidate& candidate) override {
    width_ = spec_.space().Value(candidate, 0);
  }
  std::shared_ptr<supernet::Network> Standalone(const search::Candidate& candidate) const override {
    const at::NoGradGuard no_grad;
    const int64_t width = spec_.space().Value(candidate, 0);
    auto net = std::make_shared<ToyCloudNet>(is_parts_, hidden_->weight.size(1),
                                             classifier_->weight.size(0), width);
    net->hidden_->weight.copy_(hidden_->weight.narrow(0, 0, width));
    net->hidden_->bias.copy_(hidden_->bias.narrow(0, 0, width));
    net->classifier_->weight.copy_(classifier_->weight.narrow(1, 0, width));
    net->classifier_->bias.copy_(classifier_->bias);
    return net;
  }
  std::map<std::string, double> CountWorkload(const supernet::NetInput& input) const override {
    return {
        {search::PointsKey(), static_cast<double>(input.clouds.size(0) * input.clouds.size(1))}};
  }

 private:
  const ToyCloudSpec spec_;
  const bool is_parts_;
  int64_t width_;
  torch::nn::Linear hidden_{nullptr};
  torch::nn::Linear classifier_{nullptr};
};

// For registries: the kind "toy_cloud" with {"parts": whether each point is classified}.
inline Result<std::shared_ptr<supernet::Supernet>> MakeToyCloudNet(const Json& config,
                                                                   const std::string&,
                                                                   int64_t in_channels,
                                                                   int64_t num_classes,
                                                                   uint64_t seed) {
  torch::manual_seed(seed);
  return std::shared_ptr<supernet::Supernet>(
      std::make_shared<ToyCloudNet>(config.at("parts").get<bool>(), in_channels, num_classes));
}

}  // namespace voxbit::testing
