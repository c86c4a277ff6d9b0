#include "tests/support/net_cases.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "common/rng.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::testing {

const std::vector<NetCase>& SmallNets() {
  static const auto* cases = new std::vector<NetCase>{
      {"Spvnas", {{"kind", "spvnas"}, {"width", 0.25}, {"dropout", 0.0}}},
      {"PointTransformer",
       {{"kind", "point_transformer"},
        {"width", 0.046875},
        {"channels", 8},
        {"levels", 2},
        {"neighbours", {3, 6}},
        {"model_dim_ratios", {0.25, 0.5, 1}},
        {"optional_blocks", {"encoder", "decoder"}}},
       /*in_channels=*/6},
      {"PointTransformerClassification",
       {{"kind", "point_transformer"},
        {"task", "classification"},
        {"width", 0.046875},
        {"channels", 8},
        {"levels", 2},
        {"neighbours", {3, 6}},
        {"model_dim_ratios", {0.5, 1}}},
       /*in_channels=*/6,
       /*num_classes=*/5,
       /*labels_clouds=*/true},
      {"Pct",
       {{"kind", "pct"},
        {"channels", 8},
        {"picked", {24, 12}},
        {"neighbours", {4, 8}},
        {"attention_layers", {1, 2, 4}},
        {"query_ratios", {0.5, 1}},
        {"dropout", 0.0}},
       /*in_channels=*/6,
       /*num_classes=*/5,
       /*labels_clouds=*/true},
      {"PctPositions",
       {{"kind", "pct"},
        {"port", "pct_pytorch_positions"},
        {"channels", 8},
        {"picked", {24, 12}},
        {"neighbours", {4, 8}},
        {"attention_layers", {2, 3}},
        {"dropout", 0.0}},
       /*in_channels=*/3,
       /*num_classes=*/5,
       /*labels_clouds=*/true},
      {"PctSegmentation",
       {{"kind", "pct"},
        {"task", "segmentation"},
        {"channels", 8},
        {"attention_layers", {1, 2, 4}},
        {"query_ratios", {0.5, 1}},
        {"dropout", 0.0}},
       /*in_channels=*/22},
  };
  return *cases;
}

std::shared_ptr<supernet::Supernet> MakeNet(const NetCase& net_case, uint64_t seed) {
  supernet::SupernetRegistry registry("supernet");
  supernet::RegisterBuiltinSupernets(registry);
  const auto make = registry.Find(net_case.config.at("kind").get<std::string>()).value();
  return make(net_case.config, "", net_case.in_channels, net_case.num_classes, seed).value();
}

supernet::NetInput MakeInput(const search::SupernetSpec& spec, int64_t in_channels, uint64_t seed,
                             int64_t num) {
  if (spec.input_form() == search::InputForm::kClouds) {
    return supernet::MakeCloudInput(supernet::RandomTensor({3, num, in_channels}, seed));
  }
  const at::Tensor coords = supernet::RandomVoxels(num, 2, 10, seed);
  return supernet::MakeNetInput(coords,
                                supernet::RandomTensor({coords.size(0), in_channels}, seed + 1), 2);
}

std::vector<search::Candidate> SomeCandidates(const supernet::Supernet& net, int num) {
  Rng rng(5);
  const search::SearchSpace& space = net.spec().space();
  std::vector<search::Candidate> candidates = {space.Smallest(), space.Largest()};
  for (int i = 0; i < num; ++i) candidates.push_back(space.Sample(rng));
  return candidates;
}

}  // namespace voxbit::testing
