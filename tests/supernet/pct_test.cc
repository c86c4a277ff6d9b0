#include "supernet/models/pct/pct.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/export/tensor_io.h"
#include "supernet/nn/layer_list.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

int64_t CountParameters(const torch::nn::Module& net) {
  int64_t count = 0;
  for (const at::Tensor& parameter : net.parameters()) count += parameter.numel();
  return count;
}

PctConfig Small(PctConfig config) {
  config.num_picked = {24, 12};
  config.num_neighbours = 6;
  return config;
}

std::shared_ptr<PctClassification> MakeNet(const PctConfig& config) {
  auto net = std::make_shared<PctClassification>(config);
  net->Initialize(1);
  return net;
}

at::Tensor SomeCategories() {
  at::Tensor category = at::zeros({2, 16});
  category[0][3] = 1;
  category[1][11] = 1;
  return category;
}

TEST(PctTest, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(CountParameters(PctClassification(MenghaoConfig(3, 40))), 2876136);
  EXPECT_EQ(CountParameters(PctClassification(MenghaoConfig(6, 40))), 2876328);
  EXPECT_EQ(CountParameters(PctClassification(PctPytorchConfig(false, 40))), 2876136);
  EXPECT_EQ(CountParameters(PctClassification(PctPytorchConfig(true, 40))), 2811112);
  EXPECT_EQ(CountParameters(PctPartSegmentation(50)), 2446130);
}

TEST(PctTest, UsesTheOfficialNamesAndShapes) {
  using Shape = std::vector<int64_t>;
  const PctClassification net(MenghaoConfig(6, 40));
  const exporter::TensorMap state = exporter::StateOf(net);
  EXPECT_EQ(state.at("conv1.weight").sizes().vec(), (Shape{64, 6, 1}));
  EXPECT_EQ(state.at("pt_last.sa3.q_conv.weight").sizes().vec(), (Shape{64, 256, 1}));
  EXPECT_EQ(state.at("conv_fuse.1.running_mean").sizes().vec(), (Shape{1024}));
  EXPECT_EQ(state.at("linear1.weight").sizes().vec(), (Shape{512, 1024}));
  EXPECT_EQ(state.count("linear1.bias"), 0U);
  const PctPartSegmentation parts(50);
  EXPECT_EQ(exporter::StateOf(parts).at("sa1.q_conv.conv.weight").sizes().vec(),
            (Shape{32, 128, 1}));
}

TEST(PctTest, QueriesAndKeysAreOneParameterUnderTwoNames) {
  const OffsetAttention layer(8);
  const exporter::TensorMap state = exporter::StateOf(layer);
  EXPECT_TRUE(state.at("k_conv.weight").is_same(state.at("q_conv.weight")));
  EXPECT_EQ(layer.parameters().size(), 7U);
  EXPECT_EQ(QuantizableLayers(layer).size(), 3U);
}

TEST(PctTest, QueriesAndKeysStayOneTensorInAnotherPrecision) {
  OffsetAttention layer(8);
  layer.to(at::kDouble);
  const exporter::TensorMap state = exporter::StateOf(layer);
  EXPECT_EQ(state.at("k_conv.weight").scalar_type(), at::kDouble);
  EXPECT_EQ(state.at("k_conv.weight").data_ptr(), state.at("q_conv.weight").data_ptr());
}

TEST(PctTest, ColumnsOfTheAttentionSumToOne) {
  OffsetAttention layer(8);
  InitializeLayers(layer, 1);
  OffsetAttention::Maps maps;
  layer.Forward(RandomTensor({2, 10, 8}, 1), &maps);
  EXPECT_LT(LargestDifference(maps.attention.sum(1), at::ones({2, 10})), 1e-5);
}

TEST(PctTest, GivesLogitsOfEveryCloudOrPoint) {
  const at::Tensor points = RandomTensor({2, 40, 6}, 1);
  EXPECT_EQ(MakeNet(Small(MenghaoConfig(6, 7)))->Forward(points).sizes(),
            (std::vector<int64_t>{2, 7}));
  PctPartSegmentation parts(9);
  parts.Initialize(1);
  EXPECT_EQ(parts.Forward(RandomTensor({2, 40, 3}, 1), SomeCategories()).sizes(),
            (std::vector<int64_t>{2, 40, 9}));
}

TEST(PctTest, RunsWithFewerPointsThanNeighbours) {
  PctConfig config = Small(MenghaoConfig(3, 7));
  config.num_neighbours = 32;
  const auto net = MakeNet(config);
  const at::Tensor logits = net->Forward(RandomTensor({2, 24, 3}, 1));
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
}

TEST(PctTest, GradientsReachEveryParameter) {
  const std::vector<PctConfig> configs = {MenghaoConfig(3, 7), PctPytorchConfig(false, 7),
                                          PctPytorchConfig(true, 7)};
  for (const PctConfig& config : configs) {
    const auto net = MakeNet(Small(config));
    net->train();
    net->Forward(RandomTensor({3, 40, 3}, 1)).square().mean().backward();
    for (const auto& item : net->named_parameters()) {
      ASSERT_TRUE(item.value().grad().defined()) << item.key();
      EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
    }
  }
  PctPartSegmentation parts(9);
  parts.Initialize(1);
  parts.Forward(RandomTensor({2, 40, 3}, 1), SomeCategories()).square().mean().backward();
  for (const auto& item : parts.named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
  }
}

TEST(PctTest, DropoutActsOnlyInTraining) {
  const auto net = MakeNet(Small(MenghaoConfig(3, 7)));
  const at::Tensor points = RandomTensor({3, 40, 3}, 1);
  const at::NoGradGuard no_grad;
  net->eval();
  EXPECT_TRUE(at::equal(net->Forward(points), net->Forward(points)));
  net->train();
  EXPECT_FALSE(at::equal(net->Forward(points), net->Forward(points)));
}

TEST(PctTest, ThePortsDifferInSampling) {
  at::Tensor xyz = RandomTensor({1, 40, 3}, 1);
  xyz.select(1, 5).fill_(0.001);  // near the origin
  PctConfig everything = Small(MenghaoConfig(3, 7));
  PctConfig cuda = Small(PctPytorchConfig(false, 7));
  everything.num_picked = cuda.num_picked = {40, 12};
  const at::Tensor picked = MakeNet(everything)->Groups(xyz)[0].picked;
  EXPECT_TRUE(picked.eq(5).any().item<bool>());
  EXPECT_FALSE(MakeNet(cuda)->Groups(xyz)[0].picked.eq(5).any().item<bool>());
}

TEST(PctTest, GroupsHoldOffsetsAndCentres) {
  const at::Tensor xyz = RandomTensor({2, 20, 3}, 1);
  const PctGroups groups = MakeGroups(xyz, 5, 4, Sampling::kAll);
  const at::Tensor grouped = GroupFeatures(xyz, groups);
  EXPECT_EQ(grouped.sizes(), (std::vector<int64_t>{2, 5, 4, 6}));
  EXPECT_EQ(grouped.select(2, 0).slice(2, 0, 3).abs().max().item<float>(), 0.0F);
  EXPECT_TRUE(at::equal(grouped.select(2, 3).slice(2, 3), groups.xyz));
}

}  // namespace
}  // namespace voxbit::supernet
