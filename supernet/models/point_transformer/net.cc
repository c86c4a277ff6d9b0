// The Point Transformer supernet: one network allocated for the largest candidate.
#include <torch/torch.h>

#include <memory>
#include <utility>

#include "supernet/models/point_transformer/point_transformer.h"
#include "supernet/models/supernet.h"
#include "supernet/nn/module_tree.h"

namespace voxbit::supernet {
namespace {

class PointTransformerNet final : public Supernet {
 public:
  PointTransformerNet(const PointTransformerConfig& config, int64_t in_channels,
                      int64_t num_classes)
      : spec_(config), body_(*this, spec_.Largest(in_channels, num_classes)) {}

  using Supernet::Forward;
  at::Tensor Forward(const NetInput& input) override { return body_.Forward(input); }

  const search::SupernetSpec& spec() const override { return spec_; }

  void Select(const search::Candidate& candidate) override { body_.SetActive(ArchOf(candidate)); }

  std::shared_ptr<Network> Standalone(const search::Candidate& candidate) const override {
    auto small = std::make_shared<PointTransformer>(ArchOf(candidate));
    small->train(is_training());
    small->to(parameters().front().device());  // all live on one
    CopyLeadingSlices(*this, *small);
    return small;
  }

  std::map<std::string, double> CountWorkload(const NetInput& input) const override {
    return CountClouds(spec_, input, body_.largest().input_dim);
  }

  PointTransformerBody& body() { return body_; }

 private:
  PointTransformerArch ArchOf(const search::Candidate& candidate) const {
    return spec_.Arch(candidate, body_.largest().input_dim, body_.largest().num_classes);
  }

  PointTransformerSpec spec_;
  PointTransformerBody body_;
};

}  // namespace

Result<std::shared_ptr<Supernet>> MakePointTransformerNet(const Json& config,
                                                          const std::string& pointer,
                                                          int64_t in_channels, int64_t num_classes,
                                                          uint64_t seed) {
  VOXBIT_ASSIGN_OR_RETURN(const PointTransformerConfig parsed,
                          ParsePointTransformerConfig(config, pointer));
  if (in_channels < 3) {
    return InvalidArgument(pointer + ": the network reads positions, but the points have only " +
                           std::to_string(in_channels) + " features");
  }
  auto net = std::make_shared<PointTransformerNet>(parsed, in_channels, num_classes);
  net->body().Initialize(seed);
  return std::shared_ptr<Supernet>(std::move(net));
}

}  // namespace voxbit::supernet
