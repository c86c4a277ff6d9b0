#include "supernet/models/point_transformer/point_transformer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "supernet/export/tensor_io.h"
#include "supernet/nn/layer_list.h"
#include "tests/supernet/test_tensors.h"
#include "tests/support/shared_data.h"

namespace voxbit::supernet {
namespace {

PointTransformerArch Published() { return UniformPointTransformer(CloudTask::kSegmentation); }

PointTransformerArch PublishedCls(int64_t input_dim) {
  PointTransformerArch arch = UniformPointTransformer(CloudTask::kClassification);
  arch.input_dim = input_dim;
  arch.num_classes = 40;
  return arch;
}

PointTransformerArch Small(CloudTask task, int64_t levels = 2, int64_t neighbours = 8) {
  PointTransformerArch arch = UniformPointTransformer(task, levels, 16, neighbours);
  arch.input_dim = 6;
  arch.num_classes = 5;
  return arch;
}

std::shared_ptr<PointTransformer> MakeNet(const PointTransformerArch& arch,
                                          int64_t piece_entries = kPieceEntries) {
  auto net = std::make_shared<PointTransformer>(arch, piece_entries);
  net->body().Initialize(1);
  return net;
}

at::Tensor LogitsOf(PointTransformer& net, const at::Tensor& points) {
  return net.Forward(MakeCloudInput(points));
}

TEST(PointTransformerTest, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(PointTransformer(Published()).CountParameters(), 19397362);
  EXPECT_EQ(PointTransformer(PublishedCls(6)).CountParameters(), 9584136);
  EXPECT_EQ(PointTransformer(PublishedCls(3)).CountParameters(), 9584040);
}

TEST(PointTransformerTest, ListsTheQuantizableLayersOfThePublishedNetwork) {
  const PointTransformer net{Published()};
  const std::vector<QuantizableLayer> layers = QuantizableLayers(net);
  ASSERT_EQ(layers.size(), 114U);
  int64_t weights = 0;
  for (const QuantizableLayer& layer : layers) weights += layer.num_weights();
  EXPECT_EQ(weights, 19359360);
  EXPECT_EQ(layers.front().name, "backbone.fc1.0");
  EXPECT_EQ(layers.back().name, "fc3.4");
  // The seed quantises the layers at module indices 6 to 238.
  std::vector<QuantizableLayer> chosen;
  for (const QuantizableLayer& layer : layers) {
    if (layer.module_index >= 6 && layer.module_index <= 238) chosen.push_back(layer);
  }
  ASSERT_EQ(chosen.size(), 100U);
  EXPECT_EQ(chosen[0].name, "backbone.transformer1.fc1");
  EXPECT_EQ(chosen[10].name, "backbone.transition_downs.0.sa.mlp_convs.1");
  EXPECT_EQ(chosen[53].name, "fc2.0");
  EXPECT_EQ(chosen[72].name, "transition_ups.3.fc2.0");
  EXPECT_EQ(chosen[99].name, "transformers.2.w_vs");
}

TEST(PointTransformerTest, NumbersLayersAsTheRecordedPolicyDoes) {
  const auto path = testing::SharedPath("golden/haq/env_sharpiless.safetensors");
  if (!path.has_value()) return;
  const auto file = exporter::Safetensors::Read(*path).value();
  const at::Tensor index = exporter::ToTensor(file, "module_index").value();
  const at::Tensor weights = exporter::ToTensor(file, "weight_count").value();
  const auto names = Json::parse(file.metadata().at("layer_names")).get<std::vector<std::string>>();
  const PointTransformer net{Published()};
  size_t at = 0;
  for (const QuantizableLayer& layer : QuantizableLayers(net)) {
    if (layer.module_index < 6 || layer.module_index > 238) continue;
    ASSERT_LT(at, names.size());
    EXPECT_EQ(layer.name, names[at]);
    EXPECT_EQ(layer.module_index, index.data_ptr<int64_t>()[at]);
    EXPECT_EQ(layer.num_weights(), weights.data_ptr<int64_t>()[at]);
    ++at;
  }
  EXPECT_EQ(at, names.size());
}

TEST(PointTransformerTest, UsesTheOfficialNamesAndShapes) {
  const PointTransformer net(Small(CloudTask::kSegmentation));
  const exporter::TensorMap state = exporter::StateOf(net);
  const auto shape = [&](const std::string& name) { return state.at(name).sizes().vec(); };
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shape("backbone.fc1.2.weight"), (Shape{32, 32}));
  EXPECT_EQ(shape("backbone.transition_downs.1.sa.mlp_convs.0.weight"), (Shape{128, 67, 1, 1}));
  EXPECT_EQ(shape("backbone.transition_downs.1.sa.mlp_bns.1.running_var"), (Shape{128}));
  EXPECT_EQ(shape("backbone.transformers.0.fc_gamma.2.bias"), (Shape{16}));
  EXPECT_EQ(shape("transformer2.w_qs.weight"), (Shape{16, 16}));
  EXPECT_EQ(state.count("transformer2.w_qs.bias"), 0U);
  EXPECT_EQ(shape("transition_ups.0.fc1.2.running_mean"), (Shape{64}));
  EXPECT_EQ(shape("fc3.4.weight"), (Shape{5, 64}));
}

TEST(PointTransformerTest, GivesLogitsOfEveryPointOrCloud) {
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  EXPECT_EQ(LogitsOf(*MakeNet(Small(CloudTask::kSegmentation)), points).sizes(),
            (std::vector<int64_t>{128, 5}));
  EXPECT_EQ(LogitsOf(*MakeNet(Small(CloudTask::kClassification)), points).sizes(),
            (std::vector<int64_t>{2, 5}));
}

TEST(PointTransformerTest, TakesCloudsOfAnySize) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  for (const int64_t num : {16, 19, 100}) {
    EXPECT_EQ(LogitsOf(*net, RandomTensor({1, num, 6}, 1)).size(0), num);
  }
}

TEST(PointTransformerTest, RefusesCloudsWithTooFewPointsForItsLevels) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation));
  EXPECT_THROW(LogitsOf(*net, RandomTensor({1, 15, 6}, 1)), c10::Error);
}

TEST(PointTransformerTest, EvaluatesEqually) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  EXPECT_TRUE(at::equal(LogitsOf(*net, points), LogitsOf(*net, points)));
}

TEST(PointTransformerTest, EvaluatesACloudAloneAsInABatch) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor points = RandomTensor({3, 64, 6}, 1);
  const at::Tensor alone = LogitsOf(*net, points.slice(0, 1, 2));
  EXPECT_LT(LargestDifference(LogitsOf(*net, points).slice(0, 64, 128), alone), 1e-5);
}

// Levels of one point, and fewer points than neighbours: 64, 16, 4, 1.
TEST(PointTransformerTest, RunsWithFewerPointsThanNeighbours) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation, /*levels=*/3, /*neighbours=*/16));
  net->train();
  const at::Tensor logits = LogitsOf(*net, RandomTensor({2, 64, 6}, 1));
  logits.square().mean().backward();
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
  for (const auto& item : net->named_parameters()) {
    EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
  }
}

TEST(PointTransformerTest, GradientsReachEveryParameter) {
  for (const CloudTask task : {CloudTask::kSegmentation, CloudTask::kClassification}) {
    const auto net = MakeNet(Small(task));
    net->train();
    LogitsOf(*net, RandomTensor({2, 64, 6}, 1)).square().mean().backward();
    for (const auto& item : net->named_parameters()) {
      EXPECT_TRUE(item.value().grad().defined()) << item.key();
      if (item.key().find(".weight") == std::string::npos) continue;  // some biases cancel out
      EXPECT_GT(item.value().grad().abs().max().item<float>(), 0.0F) << item.key();
    }
  }
}

TEST(PointTransformerTest, LevelsServeAnyNumberOfPasses) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  const auto levels = net->body().Levels(points.slice(2, 0, 3).contiguous());
  ASSERT_EQ(levels.size(), 3U);
  EXPECT_EQ(levels[1].xyz.size(1), 16);
  EXPECT_EQ(levels[2].neighbours.sizes(), (std::vector<int64_t>{2, 4, 4}));
  EXPECT_EQ(levels[1].picked.select(1, 0).sum().item<int64_t>(), 0);
  EXPECT_TRUE(at::equal(net->body().Forward(points, levels), net->body().Forward(points)));
}

// Gradients of all parameters by name after one step.
exporter::TensorMap Step(const PointTransformerArch& arch, int64_t piece_entries,
                         const at::Tensor& points, at::Tensor* logits) {
  const auto net = MakeNet(Small(CloudTask::kSegmentation), piece_entries);
  net->train();
  net->body().SetActive(arch);
  *logits = LogitsOf(*net, points);
  net->body().SetActive(net->body().largest());  // pieces are computed again with what they had
  logits->square().mean().backward();
  exporter::TensorMap gradients;
  for (const auto& item : net->named_parameters()) gradients[item.key()] = item.value().grad();
  return gradients;
}

PointTransformerArch Slice() {
  PointTransformerArch arch = Small(CloudTask::kSegmentation);
  for (auto& block : arch.blocks) block.model_dim = 12;
  arch.neighbours = {8, 5, 3};
  return arch;
}

TEST(PointTransformerTest, RunsInPiecesAsInOne) {
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  for (const PointTransformerArch& arch : {Small(CloudTask::kSegmentation), Slice()}) {
    at::Tensor whole_logits;
    const exporter::TensorMap whole = Step(arch, kPieceEntries, points, &whole_logits);
    at::Tensor logits;
    // Seven points, nine of a slice; pieces cross from cloud to cloud.
    const exporter::TensorMap pieces = Step(arch, 7 * 8 * 16, points, &logits);
    EXPECT_LT(LargestDifference(logits, whole_logits), 1e-5);
    double largest = 0;
    for (const auto& [name, gradient] : whole) {
      largest = std::max(largest, gradient.abs().max().item<double>());
    }
    for (const auto& [name, gradient] : whole) {
      EXPECT_LT(LargestDifference(pieces.at(name), gradient), 1e-5 * largest) << name;
    }
  }
}

TEST(PointTransformerTest, FrozenProjectionsLeaveTheAttentionTrainable) {
  for (const int64_t piece_entries : {int64_t{1} << 24, int64_t{256}}) {
    TransformerBlock block(8, 16, piece_entries);
    InitializeLayers(block, 1);
    for (const auto& item : block.named_parameters()) {
      item.value().requires_grad_(item.key().rfind("fc_gamma.0", 0) == 0);
    }
    const PointLevel level = MakeLevel(RandomTensor({1, 20, 3}, 1), 4);
    block.Forward(level, RandomTensor({1, 20, 8}, 2), 16).square().sum().backward();
    EXPECT_GT(block.named_parameters()["fc_gamma.0.weight"].grad().abs().max().item<float>(), 0.0F);
  }
}

TEST(PointTransformerTest, AttentionHasTheRightGradients) {
  TransformerBlock block(4, 6, 5 * 3 * 6);  // three pieces
  InitializeLayers(block, 1);
  block.to(at::kDouble);
  const at::Tensor xyz = RandomTensor({1, 12, 3}, 1, at::kDouble);
  const at::Tensor features = RandomTensor({1, 12, 4}, 2, at::kDouble);
  const PointLevel level = MakeLevel(xyz, 3);
  const auto of_features = [&](const at::Tensor& x) { return block.Forward(level, x, 6); };
  EXPECT_LT(GradientError(of_features, features), 1e-6);
  const auto of_positions = [&](const at::Tensor& x) {
    return block.Forward({x, level.neighbours, {}, {}}, features, 6);
  };
  EXPECT_LT(GradientError(of_positions, xyz), 1e-6);
}

}  // namespace
}  // namespace voxbit::supernet
