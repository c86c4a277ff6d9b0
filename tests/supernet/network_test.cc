// The elastic supernet as users of supernet.h see it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "common/rng.h"
#include "supernet/export/tensor_io.h"
#include "supernet/models/spvnas/spvnas.h"
#include "supernet/models/supernet.h"
#include "supernet/models/unet/unet.h"
#include "supernet/ops/kernel_map.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

std::shared_ptr<Supernet> MakeNet(double dropout = 0.0, uint64_t seed = 1) {
  SupernetRegistry registry("supernet");
  RegisterBuiltinSupernets(registry);
  return registry.Find("spvnas")
      .value()(Json{{"kind", "spvnas"}, {"width", 0.25}, {"dropout", dropout}}, "", 4, 5, seed)
      .value();
}

NetInput SomeInput(int64_t per_batch = 120) {
  const at::Tensor coords = RandomVoxels(per_batch, 2, 12, 3);
  return MakeNetInput(coords, RandomTensor({coords.size(0), 4}, 4), 2);
}

std::vector<search::Candidate> SomeCandidates(const Supernet& net, int num) {
  Rng rng(5);
  const search::SearchSpace& space = net.spec().space();
  std::vector<search::Candidate> candidates = {space.Smallest(), space.Largest()};
  for (int i = 0; i < num; ++i) candidates.push_back(space.Sample(rng));
  return candidates;
}

TEST(SupernetTest, LargestAndSmallestRunForwardAndBackward) {
  const auto net = MakeNet(0.3);
  const NetInput input = SomeInput();
  for (const search::Candidate& candidate : SomeCandidates(*net, 2)) {
    net->zero_grad();
    const at::Tensor logits = net->Forward(input, candidate);
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{240, 5}));
    logits.square().mean().backward();
    EXPECT_GT(net->NamedTensors().at("stem.0.kernel").grad().abs().sum().item<float>(), 0.0F);
    for (const at::Tensor& parameter : net->parameters()) {
      if (parameter.grad().defined()) {
        EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>());
      }
    }
  }
}

TEST(SupernetTest, LayerTableCountsTheParametersOfTheModule) {
  const auto net = MakeNet();
  for (const search::Candidate& candidate : SomeCandidates(*net, 5)) {
    int64_t total = 0;
    for (const auto& layer : net->spec().Expand(candidate, 4, 5)) total += layer.ParameterCount();
    EXPECT_EQ(net->Standalone(candidate)->CountParameters(), total);
  }
}

TEST(SupernetTest, StandaloneGivesTheSameLogitsAndGoesThroughAFile) {
  const auto net = MakeNet();
  const NetInput input = SomeInput();
  net->train();
  const auto candidates = SomeCandidates(*net, 3);
  for (const search::Candidate& candidate : candidates) net->Forward(input, candidate);
  net->eval();
  const at::NoGradGuard no_grad;
  for (const search::Candidate& candidate : candidates) {
    const at::Tensor shared = net->Forward(input, candidate);
    const auto small = net->Standalone(candidate);
    EXPECT_LT(LargestDifference(small->Forward(input), shared), 1e-5);
    // Written, read, and loaded into a fresh network of that architecture.
    const std::string bytes = exporter::Serialize(net->Extract(candidate), {}).value();
    const auto file = exporter::Safetensors::Parse(bytes).value();
    const auto& spec = static_cast<const SpvnasSpec&>(net->spec());
    UNet loaded(spec.Arch(candidate, 4, 5), {UNetKind::kSpvnas, 0.0});
    ASSERT_TRUE(exporter::LoadState(loaded, exporter::ToTensors(file)).ok());
    loaded.eval();
    EXPECT_LT(LargestDifference(loaded.Forward(input), shared), 1e-5);
  }
}

TEST(SupernetTest, GradientsStayInsideTheSlice) {
  const auto net = MakeNet();
  const search::Candidate smallest = net->spec().space().Smallest();
  net->Forward(SomeInput(), smallest).sum().backward();
  const at::Tensor grad =
      net->NamedTensors().at("downsample.0.feature.layers.0.net.layers.1.net.conv.kernel").grad();
  const auto& spec = static_cast<const SpvnasSpec&>(net->spec());
  const UNetArch arch = spec.Arch(smallest, 4, 5);
  const int64_t in = arch.stages[0].mid[0];
  const int64_t out = arch.output_channels[1];
  EXPECT_GT(grad.narrow(1, 0, in).narrow(2, 0, out).abs().sum().item<float>(), 0.0F);
  EXPECT_EQ(grad.narrow(1, in, grad.size(1) - in).abs().sum().item<float>(), 0.0F);
  EXPECT_EQ(grad.narrow(2, out, grad.size(2) - out).abs().sum().item<float>(), 0.0F);
}

TEST(SupernetTest, OneInputServesManyCandidatesWithoutNewMaps) {
  const auto net = MakeNet();
  net->eval();
  const at::NoGradGuard no_grad;
  const NetInput input = SomeInput();
  const auto candidates = SomeCandidates(*net, 4);
  const at::Tensor first = net->Forward(input, candidates[0]);
  // Five 3^3 maps and four 2^3 maps.
  EXPECT_EQ(input.voxels.cache->num_maps(), 9);
  for (const search::Candidate& candidate : candidates) net->Forward(input, candidate);
  EXPECT_EQ(input.voxels.cache->num_maps(), 9);
  EXPECT_TRUE(at::equal(net->Forward(input, candidates[0]), first));
}

TEST(SupernetTest, CalibrationOfACandidateIsUndoneByRestore) {
  const auto net = MakeNet();
  net->eval();
  const at::NoGradGuard no_grad;
  const NetInput input = SomeInput();
  const search::Candidate candidate = SomeCandidates(*net, 1).back();
  const at::Tensor before = net->Forward(input, candidate);
  const BatchNormState saved = net->SaveBatchNorm();
  net->BeginCalibration();
  const at::Tensor by_batch = net->Forward(input, candidate);
  net->EndCalibration();
  // Calibrated on this very batch, the running statistics are the batch's own.
  EXPECT_LT(LargestDifference(net->Forward(input, candidate), by_batch), 1e-4);
  EXPECT_GT(LargestDifference(before, by_batch), 1e-3);
  net->RestoreBatchNorm(saved);
  EXPECT_TRUE(at::equal(net->Forward(input, candidate), before));
}

TEST(SupernetTest, TorchOperationsGiveTheSameLogits) {
  const auto net = MakeNet();
  net->eval();
  const at::NoGradGuard no_grad;
  const NetInput input = SomeInput();
  for (const search::Candidate& candidate : SomeCandidates(*net, 1)) {
    const at::Tensor ours = net->Forward(input, candidate);
    const ComputePathGuard guard(ComputePath::kTorch);
    EXPECT_LT(LargestDifference(net->Forward(input, candidate), ours), 1e-5);
  }
}

TEST(SupernetTest, SeedDecidesTheWeights) {
  const auto a = MakeNet(0.0, 7)->NamedTensors();
  const auto b = MakeNet(0.0, 7)->NamedTensors();
  const auto c = MakeNet(0.0, 8)->NamedTensors();
  EXPECT_TRUE(at::equal(a.at("stem.0.kernel"), b.at("stem.0.kernel")));
  EXPECT_FALSE(at::equal(a.at("stem.0.kernel"), c.at("stem.0.kernel")));
}

TEST(SupernetTest, TrainingStepsReduceTheLoss) {
  const auto net = MakeNet();
  net->train();
  const NetInput input = SomeInput();
  const at::Tensor labels = (input.voxels.coords.select(1, 2) > 5).to(at::kLong);
  torch::optim::SGD optimiser(net->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  Rng rng(9);
  double first = 0;
  double last = 0;
  for (int step = 0; step < 30; ++step) {
    optimiser.zero_grad();
    const at::Tensor loss =
        at::cross_entropy_loss(net->Forward(input, net->spec().space().Sample(rng)), labels);
    loss.backward();
    optimiser.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  EXPECT_LT(last, 0.5 * first);
}

TEST(SupernetTest, OneVoxelPerBatchRuns) {
  const auto net = MakeNet();
  const at::Tensor coords = at::tensor({-5, 3, 2, 0, 100, 0, 0, 1}, at::kInt).view({2, 4});
  const NetInput input = MakeNetInput(coords, RandomTensor({2, 4}, 11), 2);
  for (const bool train : {true, false}) {
    net->train(train);
    const at::Tensor logits = net->Forward(input, net->spec().space().Smallest());
    EXPECT_TRUE(logits.isfinite().all().item<bool>());
  }
}

}  // namespace
}  // namespace voxbit::supernet
