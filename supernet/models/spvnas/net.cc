// The SPVNAS supernet: one U-Net allocated for the largest candidate.
#include <torch/torch.h>

#include <memory>
#include <utility>

#include "supernet/models/spvnas/spvnas.h"
#include "supernet/models/supernet.h"
#include "supernet/models/unet/unet.h"

namespace voxbit::supernet {
namespace {

class SpvnasNet final : public Supernet {
 public:
  SpvnasNet(const SpvnasConfig& config, int64_t in_channels, int64_t num_classes)
      : spec_(config),
        body_(*this, spec_.Largest(in_channels, num_classes),
              UNetOptions{UNetKind::kSpvnas, config.dropout}) {}

  using Supernet::Forward;
  at::Tensor Forward(const NetInput& input) override { return body_.Forward(input); }

  const search::SupernetSpec& spec() const override { return spec_; }

  void Select(const search::Candidate& candidate) override { body_.SetActive(ArchOf(candidate)); }

  std::shared_ptr<Network> Standalone(const search::Candidate& candidate) const override {
    auto small = std::make_shared<UNet>(ArchOf(candidate), body_.options());
    small->train(is_training());
    body_.CopySlicesTo(small->body());
    for (const at::Tensor& parameter : parameters()) {
      small->to(parameter.device());
      break;  // all parameters live on one device
    }
    return small;
  }

  std::map<std::string, double> CountWorkload(const NetInput& input) const override {
    return CountUNetWorkload(input);
  }

  UNetBody& body() { return body_; }

 private:
  UNetArch ArchOf(const search::Candidate& candidate) const {
    return spec_.Arch(candidate, body_.largest().in_channels, body_.largest().num_classes);
  }

  SpvnasSpec spec_;
  UNetBody body_;
};

}  // namespace

Result<std::shared_ptr<Supernet>> MakeSpvnasNet(const Json& config, const std::string& pointer,
                                                int64_t in_channels, int64_t num_classes,
                                                uint64_t seed) {
  VOXBIT_ASSIGN_OR_RETURN(const SpvnasConfig parsed, ParseSpvnasConfig(config, pointer));
  auto net = std::make_shared<SpvnasNet>(parsed, in_channels, num_classes);
  net->body().Initialize(seed);
  return std::shared_ptr<Supernet>(std::move(net));
}

}  // namespace voxbit::supernet
