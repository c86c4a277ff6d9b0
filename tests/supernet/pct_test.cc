#include "supernet/models/pct/pct.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "supernet/export/tensor_io.h"
#include "supernet/nn/layer_list.h"
#include "supernet/nn/module_tree.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

PctArch Small(PctArch arch) {
  arch.picked = {24, 12};
  arch.neighbours = {6, 6};
  return arch;
}

std::shared_ptr<Pct> MakeNet(const PctArch& arch, double dropout = 0.5) {
  auto net = std::make_shared<Pct>(arch, dropout);
  net->body().Initialize(1);
  return net;
}

at::Tensor LogitsOf(Pct& net, const at::Tensor& points) {
  return net.Forward(MakeCloudInput(points));
}

constexpr PctPort kPorts[] = {PctPort::kMenghao, PctPort::kPytorch, PctPort::kPytorchPositions};

// Two clouds of 40 points with the category, one-hot, behind the position.
at::Tensor CloudsOfCategories() {
  at::Tensor category = at::zeros({2, 40, 16});
  category.select(0, 0).select(1, 3).fill_(1);
  category.select(0, 1).select(1, 11).fill_(1);
  return at::cat({RandomTensor({2, 40, 3}, 1), category}, 2);
}

TEST(PctTest, HasThePublishedNumberOfParameters) {
  const auto count = [](const PctArch& arch) { return Pct(arch, 0.5).CountParameters(); };
  EXPECT_EQ(count(PublishedPct(PctPort::kMenghao, 3, 40)), 2876136);
  EXPECT_EQ(count(PublishedPct(PctPort::kMenghao, 6, 40)), 2876328);
  EXPECT_EQ(count(PublishedPct(PctPort::kPytorch, 3, 40)), 2876136);
  EXPECT_EQ(count(PublishedPct(PctPort::kPytorchPositions, 3, 40)), 2811112);
  EXPECT_EQ(count(PublishedPctSegmentation(50)), 2446130);
}

TEST(PctTest, UsesTheOfficialNamesAndShapes) {
  using Shape = std::vector<int64_t>;
  const Pct net(PublishedPct(PctPort::kMenghao, 6, 40), 0.5);
  const exporter::TensorMap state = exporter::StateOf(net);
  EXPECT_EQ(state.at("conv1.weight").sizes().vec(), (Shape{64, 6, 1}));
  EXPECT_EQ(state.at("pt_last.sa3.q_conv.weight").sizes().vec(), (Shape{64, 256, 1}));
  EXPECT_EQ(state.at("conv_fuse.1.running_mean").sizes().vec(), (Shape{1024}));
  EXPECT_EQ(state.at("linear1.weight").sizes().vec(), (Shape{512, 1024}));
  EXPECT_EQ(state.count("linear1.bias"), 0U);
  const Pct parts(PublishedPctSegmentation(50), 0.5);
  EXPECT_EQ(exporter::StateOf(parts).at("sa1.q_conv.conv.weight").sizes().vec(),
            (Shape{32, 128, 1}));
}

TEST(PctTest, QueriesAndKeysAreOneParameterUnderTwoNames) {
  const OffsetAttention layer(8, 2);
  const exporter::TensorMap state = exporter::StateOf(layer);
  EXPECT_TRUE(state.at("k_conv.weight").is_same(state.at("q_conv.weight")));
  EXPECT_EQ(layer.parameters().size(), 7U);
  EXPECT_EQ(QuantizableLayers(layer).size(), 3U);
}

TEST(PctTest, QueriesAndKeysStayOneTensorInAnotherPrecision) {
  OffsetAttention layer(8, 2);
  layer.to(at::kDouble);
  const exporter::TensorMap state = exporter::StateOf(layer);
  EXPECT_EQ(state.at("k_conv.weight").scalar_type(), at::kDouble);
  EXPECT_EQ(state.at("k_conv.weight").data_ptr(), state.at("q_conv.weight").data_ptr());
}

TEST(PctTest, ColumnsOfTheAttentionSumToOne) {
  OffsetAttention layer(8, 2);
  InitializeLayers(layer, 1);
  OffsetAttention::Maps maps;
  layer.Forward(RandomTensor({2, 10, 8}, 1), 2, &maps);
  EXPECT_LT(LargestDifference(maps.attention.sum(1), at::ones({2, 10})), 1e-5);
}

TEST(PctTest, GivesLogitsOfEveryCloudOrPoint) {
  EXPECT_EQ(
      LogitsOf(*MakeNet(Small(PublishedPct(PctPort::kMenghao, 6, 7))), RandomTensor({2, 40, 6}, 1))
          .sizes(),
      (std::vector<int64_t>{2, 7}));
  EXPECT_EQ(LogitsOf(*MakeNet(PublishedPctSegmentation(9)), CloudsOfCategories()).sizes(),
            (std::vector<int64_t>{80, 9}));
}

TEST(PctTest, RunsWithFewerPointsThanNeighbours) {
  PctArch arch = Small(PublishedPct(PctPort::kMenghao, 3, 7));
  arch.neighbours = {32, 32};
  const at::Tensor logits = LogitsOf(*MakeNet(arch), RandomTensor({2, 24, 3}, 1));
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
}

TEST(PctTest, RefusesCloudsWithTooFewPointsToPick) {
  const auto net = MakeNet(Small(PublishedPct(PctPort::kMenghao, 3, 7)));
  EXPECT_THROW(LogitsOf(*net, RandomTensor({2, 23, 3}, 1)), c10::Error);
}

TEST(PctTest, GradientsReachEveryParameter) {
  for (const PctPort port : kPorts) {
    const auto net = MakeNet(Small(PublishedPct(port, 3, 7)));
    net->train();
    LogitsOf(*net, RandomTensor({3, 40, 3}, 1)).square().mean().backward();
    for (const auto& item : net->named_parameters()) {
      ASSERT_TRUE(item.value().grad().defined()) << item.key();
      EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
    }
  }
  const auto parts = MakeNet(PublishedPctSegmentation(9));
  LogitsOf(*parts, CloudsOfCategories()).square().mean().backward();
  for (const auto& item : parts->named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
  }
}

TEST(PctTest, SegmentationReadsTheCategoryInTheLastColumns) {
  const auto net = MakeNet(PublishedPctSegmentation(9));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor clouds = CloudsOfCategories();
  at::Tensor others = clouds.clone();
  others.slice(2, 3).copy_(clouds.slice(2, 3).flip({0}));  // each with the category of the other
  // Small in a fresh network, but far above rounding.
  EXPECT_GT(LargestDifference(LogitsOf(*net, others), LogitsOf(*net, clouds)), 1e-5);
}

TEST(PctTest, SegmentationTakesAnyNumberOfCategories) {
  PctArch arch = PublishedPctSegmentation(14);
  arch.categories = 1;
  arch.input_dim = 7;
  const auto net = MakeNet(arch);
  EXPECT_EQ(exporter::StateOf(*net).at("label_conv.0.conv.weight").sizes().vec(),
            (std::vector<int64_t>{64, 1, 1}));
  EXPECT_EQ(LogitsOf(*net, RandomTensor({2, 40, 7}, 1)).sizes(), (std::vector<int64_t>{80, 14}));
}

// As if the layers behind were not there: their outputs repeat the last one that ran.
TEST(PctTest, AMissingAttentionLayerPassesOn) {
  PctArch arch = PublishedPctSegmentation(9);
  const auto net = MakeNet(arch, /*dropout=*/0.0);
  net->eval();
  const at::NoGradGuard no_grad;
  for (const auto& item : net->named_parameters()) {  // x + ReLU(0) of the last two layers
    const bool last = item.key().rfind("sa3.", 0) == 0 || item.key().rfind("sa4.", 0) == 0;
    if (last && item.key().find("after_norm") != std::string::npos) item.value().zero_();
  }
  const at::Tensor all = LogitsOf(*net, CloudsOfCategories());
  arch.queries.resize(2);
  net->body().SetActive(arch);
  EXPECT_LT(LargestDifference(LogitsOf(*net, CloudsOfCategories()), all), 1e-6);
}

TEST(PctTest, DropoutActsOnlyInTraining) {
  const auto net = MakeNet(Small(PublishedPct(PctPort::kMenghao, 3, 7)));
  const at::Tensor points = RandomTensor({3, 40, 3}, 1);
  const at::NoGradGuard no_grad;
  net->eval();
  EXPECT_TRUE(at::equal(LogitsOf(*net, points), LogitsOf(*net, points)));
  net->train();
  EXPECT_FALSE(at::equal(LogitsOf(*net, points), LogitsOf(*net, points)));
}

TEST(PctTest, ThePortsDifferInSampling) {
  at::Tensor xyz = RandomTensor({1, 40, 3}, 1);
  xyz.select(1, 5).fill_(0.001);  // near the origin
  const auto picks = [&](PctPort port) {
    PctArch arch = Small(PublishedPct(port, 3, 7));
    arch.picked = {40, 12};
    ModuleGroup root;
    return PctClassification(root, arch, 0.5).Groups(xyz)[0].picked.eq(5).any().item<bool>();
  };
  EXPECT_TRUE(picks(PctPort::kMenghao));
  EXPECT_FALSE(picks(PctPort::kPytorch));
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
