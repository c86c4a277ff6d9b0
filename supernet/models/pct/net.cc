// The PCT supernet: one network allocated for the largest candidate.
#include <torch/torch.h>

#include <memory>
#include <utility>

#include "supernet/models/pct/pct.h"
#include "supernet/models/supernet.h"
#include "supernet/nn/module_tree.h"

namespace voxbit::supernet {
namespace {

class PctNet final : public Supernet {
 public:
  PctNet(const PctSpec& spec, int64_t in_channels, int64_t num_classes)
      : spec_(spec),
        body_(MakePctBody(*this, spec.Largest(in_channels, num_classes), spec.settings().dropout)) {
  }

  using Supernet::Forward;
  at::Tensor Forward(const NetInput& input) override { return body_->Forward(input); }

  const search::SupernetSpec& spec() const override { return spec_; }

  void Select(const search::Candidate& candidate) override { body_->SetActive(ArchOf(candidate)); }

  std::shared_ptr<Network> Standalone(const search::Candidate& candidate) const override {
    auto small = std::make_shared<Pct>(ArchOf(candidate), spec_.settings().dropout);
    small->train(is_training());
    small->to(parameters().front().device());  // all live on one
    CopyLeadingSlices(*this, *small);
    return small;
  }

  std::map<std::string, double> CountWorkload(const NetInput& input) const override {
    return CountClouds(spec_, input, body_->largest().input_dim);
  }

  PctBody& body() { return *body_; }

 private:
  PctArch ArchOf(const search::Candidate& candidate) const {
    return spec_.Arch(candidate, body_->largest().input_dim, body_->largest().num_classes);
  }

  PctSpec spec_;
  std::unique_ptr<PctBody> body_;
};

}  // namespace

Result<std::shared_ptr<Supernet>> MakePctNet(const Json& config, const std::string& pointer,
                                             int64_t in_channels, int64_t num_classes,
                                             uint64_t seed) {
  VOXBIT_ASSIGN_OR_RETURN(const PctConfig parsed, ParsePctConfig(config, pointer));
  const PctSpec spec(parsed);
  if (in_channels < spec.min_channels()) {
    return InvalidArgument(pointer + ": for " + parsed.task + " the network reads at least " +
                           std::to_string(spec.min_channels()) +
                           " features of a point, the points have " + std::to_string(in_channels) +
                           (spec.classifies_clouds()
                                ? ""
                                : "; expected the feature \"category\" of the dataset, and in " +
                                      pointer + "/categories how many there are"));
  }
  auto net = std::make_shared<PctNet>(spec, in_channels, num_classes);
  net->body().Initialize(seed);
  return std::shared_ptr<Supernet>(std::move(net));
}

}  // namespace voxbit::supernet
