// Layers of supernet/nn that are not of one network.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "supernet/nn/elastic.h"
#include "supernet/nn/layer_list.h"
#include "supernet/nn/loss.h"
#include "supernet/nn/mlp.h"
#include "supernet/nn/recompute.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

TEST(ElasticLinearTest, ComputesThePointwiseConvolutionOfItsWeight) {
  ElasticLinear layer(3, 4, {/*bias=*/true, /*kernel_axes=*/2});
  at::Generator generator = at::detail::createCPUGenerator(2);
  layer.Initialize(generator);
  const at::Tensor x = RandomTensor({2, 5, 6, 3}, 1);
  const at::Tensor expected =
      at::conv2d(x.permute({0, 3, 1, 2}), layer.weight, layer.bias).permute({0, 2, 3, 1});
  EXPECT_LT(LargestDifference(layer.Forward(x), expected), 1e-5);
}

TEST(ElasticLinearTest, RunsAnActiveSliceWithoutBias) {
  ElasticLinear layer(6, 5, {/*bias=*/false, /*kernel_axes=*/0});
  at::Generator generator = at::detail::createCPUGenerator(1);
  layer.Initialize(generator);
  EXPECT_FALSE(layer.bias.defined());
  const at::Tensor x = RandomTensor({2, 7, 4}, 2);
  const at::Tensor y = layer.Forward(x, 3);
  const at::Tensor active = layer.weight.slice(0, 0, 3).slice(1, 0, 4);
  EXPECT_LT(LargestDifference(y, at::linear(x, active)), 1e-6);
  y.sum().backward();
  EXPECT_EQ(layer.weight.grad().slice(1, 4).abs().sum().item<float>(), 0.0F);
}

// Rounds to whole numbers and counts how often.
class Counting final : public quant::Quantizer {
 public:
  Counting() : Quantizer(quant::QuantizerSettings()) {}
  at::Tensor Surrogate(const at::Tensor& x) const override { return x; }
  void Calibrate(const at::Tensor& /*x*/, quant::Calibration /*how*/) override {}
  mutable int count = 0;

 protected:
  void Prepare(const at::Tensor& /*x*/) override {}
  quant::QuantizedTensor Encode(const at::Tensor& x) const override {
    ++count;
    quant::QuantizedTensor out;
    out.values = (4 * x).round();
    return out;
  }
  int64_t BytesOf(int64_t num_values) const override { return num_values; }
};

TEST(ElasticLayerTest, QuantizesTheActiveSliceOnceInEvaluation) {
  ElasticLinear layer(6, 5, {/*bias=*/false, /*kernel_axes=*/1});
  at::Generator generator = at::detail::createCPUGenerator(1);
  layer.Initialize(generator);
  const auto counting = std::make_shared<Counting>();
  layer.SetQuantizers(
      {counting, nullptr, quant::Calibration::kRange, LayerQuantizers::Scope::kCandidate});
  const at::Tensor x = RandomTensor({7, 4}, 2);
  const auto expected = [&] {
    return at::linear(x, (4 * layer.weight.slice(0, 0, 3).slice(1, 0, 4).flatten(1)).round());
  };
  layer.eval();
  {
    const at::NoGradGuard no_grad;
    for (int i = 0; i < 3; ++i) EXPECT_LT(LargestDifference(layer.Forward(x, 3), expected()), 1e-5);
    EXPECT_EQ(counting->count, 1);
    layer.weight.mul_(2);
    EXPECT_LT(LargestDifference(layer.Forward(x, 3), expected()), 1e-5);
    EXPECT_EQ(counting->count, 2);
    layer.Forward(x, 2);
    EXPECT_EQ(counting->count, 3);
  }
  // With gradients nothing is kept, and they go straight through to the slice.
  const at::Tensor y = layer.Forward(x, 3);
  EXPECT_EQ(counting->count, 4);
  y.sum().backward();
  const at::Tensor grad = layer.weight.grad().flatten(1);
  EXPECT_LT(LargestDifference(grad.slice(0, 0, 3).slice(1, 0, 4), x.sum(0).expand({3, 4})), 1e-5);
  EXPECT_EQ(grad.slice(1, 4).abs().sum().item<float>(), 0.0F);
  EXPECT_EQ(grad.slice(0, 3).abs().sum().item<float>(), 0.0F);
}

TEST(ElasticLayerTest, QuantizersOfAnEvaluationRestInTraining) {
  ElasticLinear layer(3, 2);
  at::Generator generator = at::detail::createCPUGenerator(1);
  layer.Initialize(generator);
  const auto weight = std::make_shared<Counting>();
  const auto input = std::make_shared<Counting>();
  layer.SetQuantizers(
      {weight, input, quant::Calibration::kRange, LayerQuantizers::Scope::kEvaluation});
  const at::Tensor x = RandomTensor({4, 3}, 2);
  layer.train();
  EXPECT_LT(LargestDifference(layer.Forward(x), at::linear(x, layer.weight, layer.bias)), 1e-6);
  EXPECT_EQ(weight->count + input->count, 0);
  layer.eval();
  layer.Forward(x);
  EXPECT_EQ(weight->count, 1);
  EXPECT_EQ(input->count, 1);
  EXPECT_TRUE(layer.named_buffers().is_empty());
  EXPECT_EQ(layer.children().size(), 0U);
}

TEST(ElasticBatchNormTest, NormalizesOverAllAxesButTheLast) {
  ElasticBatchNorm norm(3);
  const at::Tensor x = RandomTensor({2, 5, 4, 3}, 1);
  const at::Tensor y = norm.Forward(x, {}, false);
  EXPECT_EQ(y.sizes(), x.sizes());
  EXPECT_LT(y.mean({0, 1, 2}).abs().max().item<float>(), 1e-6F);
  EXPECT_LT(LargestDifference(norm.running_mean, 0.1 * x.mean({0, 1, 2})), 1e-6);
}

TEST(MlpTest, NumbersItsLayersWithTheActivations) {
  const Mlp mlp({3, 4, 5});
  std::vector<std::string> names;
  for (const QuantizableLayer& layer : QuantizableLayers(mlp)) names.push_back(layer.name);
  EXPECT_EQ(names, (std::vector<std::string>{"0", "2"}));
}

TEST(RecomputedTest, GivesTheGradientsOfTheBody) {
  const at::Tensor weight = RandomTensor({3, 3}, 1, at::kDouble).requires_grad_();
  const at::Tensor x = RandomTensor({4, 3}, 2, at::kDouble).requires_grad_();
  const at::Tensor constant = RandomTensor({4, 3}, 3, at::kDouble);
  int runs = 0;
  const auto body = [&](const std::vector<at::Tensor>& in) {
    ++runs;
    return (in[0].mm(weight) * in[1]).tanh();
  };
  const at::Tensor once = body({x, constant});
  once.square().sum().backward();
  const at::Tensor of_x = x.grad().clone();
  const at::Tensor of_weight = weight.grad().clone();
  x.mutable_grad().reset();
  weight.mutable_grad().reset();
  runs = 0;
  const at::Tensor again = Recomputed(body, {x, constant});
  EXPECT_TRUE(at::equal(again, once));
  again.square().sum().backward();
  EXPECT_EQ(runs, 2);
  EXPECT_LT(LargestDifference(x.grad(), of_x), 1e-12);
  EXPECT_LT(LargestDifference(weight.grad(), of_weight), 1e-12);
}

TEST(CrossEntropyTest, SpreadsOverTheOtherClasses) {
  const at::Tensor logits = RandomTensor({4, 5}, 1);
  const at::Tensor target = at::tensor(std::vector<int64_t>{0, 4, 2, 2});
  const at::Tensor plain = CrossEntropy(logits, target);
  EXPECT_LT(LargestDifference(plain, at::cross_entropy_loss(logits, target)), 1e-6);
  // 0.8 for the target and 0.05 for each of the others.
  at::Tensor wanted = at::full({4, 5}, 0.05);
  wanted.scatter_(1, target.unsqueeze(1), 0.8);
  const at::Tensor expected = -(wanted * at::log_softmax(logits, 1)).sum(1).mean();
  EXPECT_LT(LargestDifference(CrossEntropy(logits, target, {.smoothing = 0.2}), expected), 1e-6);
}

TEST(CrossEntropyTest, LeavesOutWhatIsIgnoredAndWeighsClasses) {
  const at::Tensor logits = RandomTensor({4, 3}, 1);
  const at::Tensor target = at::tensor(std::vector<int64_t>{0, 255, 2, 2});
  const at::Tensor weights = at::tensor(std::vector<float>{3, 1, 0.5});
  const at::Tensor log_probability = at::log_softmax(logits, 1);
  const at::Tensor expected =
      -(3 * log_probability[0][0] + 0.5 * log_probability[2][2] + 0.5 * log_probability[3][2]) / 4;
  const at::Tensor loss = CrossEntropy(logits, target, {.class_weights = weights, .ignored = 255});
  EXPECT_LT(LargestDifference(loss, expected), 1e-6);
}

TEST(CrossEntropyTest, IsZeroForOneClass) {
  const at::Tensor loss = CrossEntropy(RandomTensor({3, 1}, 1), at::zeros({3}, at::kLong));
  EXPECT_EQ(loss.item<float>(), 0.0F);
}

TEST(CrossEntropyTest, HasTheRightGradient) {
  const at::Tensor target = at::tensor(std::vector<int64_t>{0, 4, 2});
  const auto loss = [&](const at::Tensor& x) {
    return CrossEntropy(x, target, {.smoothing = 0.2});
  };
  EXPECT_LT(GradientError(loss, RandomTensor({3, 5}, 1, at::kDouble)), 1e-6);
}

}  // namespace
}  // namespace voxbit::supernet
