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

using Task = PointTransformerConfig::Task;

PointTransformerConfig PublishedCls(int64_t input_dim) {
  PointTransformerConfig config;
  config.task = Task::kClassification;
  config.input_dim = input_dim;
  config.num_classes = 40;
  return config;
}

PointTransformerConfig Small(Task task) {
  PointTransformerConfig config;
  config.task = task;
  config.num_points = 64;
  config.num_blocks = 2;
  config.num_neighbours = 8;
  config.model_dim = 16;
  config.input_dim = 6;
  config.num_classes = 5;
  return config;
}

std::shared_ptr<PointTransformer> MakeNet(const PointTransformerConfig& config) {
  auto net = std::make_shared<PointTransformer>(config);
  net->body().Initialize(1);
  return net;
}

int64_t CountParameters(const torch::nn::Module& net) {
  int64_t count = 0;
  for (const at::Tensor& parameter : net.parameters()) count += parameter.numel();
  return count;
}

TEST(PointTransformerTest, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(CountParameters(PointTransformer(PointTransformerConfig())), 19397362);
  EXPECT_EQ(CountParameters(PointTransformer(PublishedCls(6))), 9584136);
  EXPECT_EQ(CountParameters(PointTransformer(PublishedCls(3))), 9584040);
}

TEST(PointTransformerTest, ListsTheQuantizableLayersOfThePublishedNetwork) {
  const PointTransformer net{PointTransformerConfig()};
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
  const PointTransformer net{PointTransformerConfig()};
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
  const PointTransformer net(Small(Task::kSegmentation));
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
  EXPECT_EQ(MakeNet(Small(Task::kSegmentation))->Forward(points).sizes(),
            (std::vector<int64_t>{2, 64, 5}));
  EXPECT_EQ(MakeNet(Small(Task::kClassification))->Forward(points).sizes(),
            (std::vector<int64_t>{2, 5}));
}

TEST(PointTransformerTest, TakesCloudsOfAnotherSizeThanItWasMadeFor) {
  const auto net = MakeNet(Small(Task::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  EXPECT_EQ(net->Forward(RandomTensor({1, 100, 6}, 1)).size(1), 100);
  EXPECT_EQ(net->Forward(RandomTensor({1, 16, 6}, 1)).size(1), 16);
}

TEST(PointTransformerTest, RefusesPointsOfAnotherWidth) {
  EXPECT_THROW(MakeNet(Small(Task::kSegmentation))->Forward(RandomTensor({1, 64, 5}, 1)),
               c10::Error);
}

TEST(PointTransformerTest, EvaluatesEqually) {
  const auto net = MakeNet(Small(Task::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  EXPECT_TRUE(at::equal(net->Forward(points), net->Forward(points)));
}

TEST(PointTransformerTest, EvaluatesACloudAloneAsInABatch) {
  const auto net = MakeNet(Small(Task::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor points = RandomTensor({3, 64, 6}, 1);
  const at::Tensor alone = net->Forward(points.slice(0, 1, 2));
  EXPECT_LT(LargestDifference(net->Forward(points).slice(0, 1, 2), alone), 1e-5);
}

// Levels of one point, and fewer points than neighbours: 64, 16, 4, 1.
TEST(PointTransformerTest, RunsWithFewerPointsThanNeighbours) {
  PointTransformerConfig config = Small(Task::kSegmentation);
  config.num_blocks = 3;
  config.num_neighbours = 16;
  const auto net = MakeNet(config);
  net->train();
  const at::Tensor logits = net->Forward(RandomTensor({2, 64, 6}, 1));
  logits.square().mean().backward();
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
  for (const auto& item : net->named_parameters()) {
    EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
  }
}

TEST(PointTransformerTest, GradientsReachEveryParameter) {
  for (const Task task : {Task::kSegmentation, Task::kClassification}) {
    const auto net = MakeNet(Small(task));
    net->train();
    net->Forward(RandomTensor({2, 64, 6}, 1)).square().mean().backward();
    for (const auto& item : net->named_parameters()) {
      EXPECT_TRUE(item.value().grad().defined()) << item.key();
      if (item.key().find(".weight") == std::string::npos) continue;  // some biases cancel out
      EXPECT_GT(item.value().grad().abs().max().item<float>(), 0.0F) << item.key();
    }
  }
}

TEST(PointTransformerTest, LevelsServeAnyNumberOfPasses) {
  const auto net = MakeNet(Small(Task::kSegmentation));
  net->eval();
  const at::NoGradGuard no_grad;
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  const auto levels = net->body().Levels(points.slice(2, 0, 3).contiguous());
  ASSERT_EQ(levels.size(), 3U);
  EXPECT_EQ(levels[1].xyz.size(1), 16);
  EXPECT_EQ(levels[2].neighbours.sizes(), (std::vector<int64_t>{2, 4, 4}));
  EXPECT_EQ(levels[1].picked.select(1, 0).sum().item<int64_t>(), 0);
  EXPECT_TRUE(at::equal(net->body().Forward(points, levels), net->Forward(points)));
}

// Gradients of all parameters by name after one step.
exporter::TensorMap Step(const PointTransformerConfig& config, const at::Tensor& points,
                         at::Tensor* logits) {
  const auto net = MakeNet(config);
  net->train();
  *logits = net->Forward(points);
  logits->square().mean().backward();
  exporter::TensorMap gradients;
  for (const auto& item : net->named_parameters()) gradients[item.key()] = item.value().grad();
  return gradients;
}

TEST(PointTransformerTest, RunsInPiecesAsInOne) {
  PointTransformerConfig config = Small(Task::kSegmentation);
  const at::Tensor points = RandomTensor({2, 64, 6}, 1);
  at::Tensor whole_logits;
  const exporter::TensorMap whole = Step(config, points, &whole_logits);
  config.piece_entries = 7 * 8 * 16;  // seven points; pieces cross from cloud to cloud
  at::Tensor logits;
  const exporter::TensorMap pieces = Step(config, points, &logits);
  EXPECT_LT(LargestDifference(logits, whole_logits), 1e-5);
  double largest = 0;
  for (const auto& [name, gradient] : whole) {
    largest = std::max(largest, gradient.abs().max().item<double>());
  }
  for (const auto& [name, gradient] : whole) {
    EXPECT_LT(LargestDifference(pieces.at(name), gradient), 1e-5 * largest) << name;
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
    block.Forward(level, RandomTensor({1, 20, 8}, 2)).square().sum().backward();
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
  const auto of_features = [&](const at::Tensor& x) { return block.Forward(level, x); };
  EXPECT_LT(GradientError(of_features, features), 1e-6);
  const auto of_positions = [&](const at::Tensor& x) {
    return block.Forward({x, level.neighbours, {}}, features);
  };
  EXPECT_LT(GradientError(of_positions, xyz), 1e-6);
}

}  // namespace
}  // namespace voxbit::supernet
