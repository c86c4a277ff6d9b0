// What supernets over clouds have in common: slices of weights, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>
#include <string>

#include "supernet/models/supernet.h"
#include "supernet/nn/layer_list.h"
#include "supernet/ops/cloud_cache.h"
#include "tests/supernet/test_tensors.h"
#include "tests/support/net_cases.h"

namespace voxbit::supernet {
namespace {

using ::testing::HasSubstr;
using testing::NetCase;

std::vector<NetCase> CloudNets() {
  std::vector<NetCase> nets;
  for (const NetCase& net : testing::SmallNets()) {
    if (net.config.at("kind") != "spvnas") nets.push_back(net);
  }
  return nets;
}

class CloudNetTest : public ::testing::TestWithParam<NetCase> {
 protected:
  // What the network says of `input`.
  std::string ErrorOf(const NetInput& input) const {
    const auto net = testing::MakeNet(GetParam());
    try {
      net->Forward(input);
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "";
  }
  at::Tensor Clouds(int64_t num = 60) const {
    return RandomTensor({2, num, GetParam().in_channels}, 1);
  }
};

TEST_P(CloudNetTest, ReadsClouds) {
  EXPECT_EQ(testing::MakeNet(GetParam())->spec().input_form(), search::InputForm::kClouds);
}

TEST_P(CloudNetTest, LayersStandInTheOrderOfRegistration) {
  const auto net = testing::MakeNet(GetParam());
  const search::SearchSpace& space = net->spec().space();
  for (const search::Candidate& candidate : {space.Smallest(), space.Largest()}) {
    std::vector<std::string> rows;
    for (const auto& layer :
         net->spec().Expand(candidate, GetParam().in_channels, GetParam().num_classes)) {
      rows.push_back(layer.name);
    }
    std::vector<std::string> modules;
    for (const auto& layer : QuantizableLayers(*net->Standalone(candidate))) {
      modules.push_back(layer.name);
    }
    EXPECT_EQ(rows, modules);
  }
}

// Of every weight, the smallest candidate has and trains a leading slice.
TEST_P(CloudNetTest, GradientsStayInsideTheSlice) {
  const auto net = testing::MakeNet(GetParam());
  const search::Candidate smallest = net->spec().space().Smallest();
  net->Forward(MakeCloudInput(Clouds()), smallest).square().sum().backward();
  const TensorMap slices = net->Extract(smallest);
  for (const auto& item : net->named_parameters()) {
    if (!item.value().grad().defined()) continue;
    at::Tensor grad = item.value().grad().clone();
    const auto slice = slices.find(item.key());
    if (slice != slices.end()) {
      at::Tensor inside = grad;
      for (int64_t axis = 0; axis < grad.dim(); ++axis) {
        inside = inside.narrow(axis, 0, slice->second.size(axis));
      }
      inside.zero_();
    }
    EXPECT_EQ(grad.abs().sum().item<float>(), 0.0F) << item.key();
  }
}

TEST_P(CloudNetTest, RefusesInputThatItCannotRead) {
  for (const int64_t columns : {GetParam().in_channels - 1, GetParam().in_channels + 1}) {
    if (columns < 3) continue;  // no cloud
    EXPECT_THAT(ErrorOf(MakeCloudInput(RandomTensor({2, 60, columns}, 1))),
                HasSubstr("numbers per point"));
  }
  EXPECT_THAT(ErrorOf(MakeCloudInput(Clouds(/*num=*/0))), HasSubstr("points per cloud"));
  const at::Tensor coords = RandomVoxels(10, 1, 8, 1);
  EXPECT_THAT(ErrorOf(MakeNetInput(coords, RandomTensor({10, 4}, 1), 1)),
              HasSubstr("reads point clouds"));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor clouds = Clouds();
    clouds[1][3][2] = bad;
    EXPECT_THAT(ErrorOf(MakeCloudInput(clouds)), HasSubstr("not finite"));
  }
}

TEST_P(CloudNetTest, EqualPointsStayFinite) {
  const auto net = testing::MakeNet(GetParam());
  const NetInput input = MakeCloudInput(at::full({2, 60, GetParam().in_channels}, 0.5F));
  net->train();
  const at::Tensor logits = net->Forward(input, net->spec().space().Largest());
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
}

// A cache that was filled without gradients, in inference mode, serves training as well.
TEST_P(CloudNetTest, TrainsOnABatchThatWasEvaluatedFirst) {
  const auto net = testing::MakeNet(GetParam());
  const NetInput input = MakeCloudInput(Clouds());
  {
    const c10::InferenceMode inference;
    net->eval();
    net->Forward(input);
  }
  net->train();
  net->Forward(input).square().mean().backward();
  EXPECT_EQ(input.cloud_cache->size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(All, CloudNetTest, ::testing::ValuesIn(CloudNets()),
                         [](const auto& net) { return net.param.name; });

TEST(MakeCloudInputTest, RefusesOtherShapesAndTypes) {
  EXPECT_THROW(MakeCloudInput(at::zeros({2, 5, 2})), c10::Error);
  EXPECT_THROW(MakeCloudInput(at::zeros({5, 3})), c10::Error);
  EXPECT_THROW(MakeCloudInput(at::zeros({2, 5, 3}, at::kDouble)), c10::Error);
}

}  // namespace
}  // namespace voxbit::supernet
