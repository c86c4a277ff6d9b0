// Every supernet of this build as users of supernet.h see it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <set>

#include "common/rng.h"
#include "supernet/export/tensor_io.h"
#include "supernet/models/spvnas/spvnas.h"
#include "supernet/models/supernet.h"
#include "supernet/nn/layer_list.h"
#include "supernet/ops/cloud_cache.h"
#include "supernet/ops/kernel_map.h"
#include "supernet/ops/sparse_conv.h"
#include "tests/supernet/test_tensors.h"
#include "tests/support/net_cases.h"

namespace voxbit::supernet {
namespace {

using testing::NetCase;

class SupernetTest : public ::testing::TestWithParam<NetCase> {
 protected:
  std::shared_ptr<Supernet> Make(uint64_t seed = 1) const {
    return testing::MakeNet(GetParam(), seed);
  }
  NetInput Input(const Supernet& net, uint64_t seed = 3) const {
    return testing::MakeInput(net.spec(), GetParam().in_channels, seed);
  }
  search::LayerTable Expand(const Supernet& net, const search::Candidate& candidate) const {
    return net.spec().Expand(candidate, GetParam().in_channels, GetParam().num_classes);
  }
  int64_t NumRows(const NetInput& input) const {
    return GetParam().labels_clouds ? input.num_samples : testing::NumPoints(input);
  }
};

TEST_P(SupernetTest, LargestAndSmallestRunForwardAndBackward) {
  const auto net = Make();
  net->train();
  const NetInput input = Input(*net);
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 2)) {
    net->zero_grad();
    const at::Tensor logits = net->Forward(input, candidate);
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{NumRows(input), GetParam().num_classes}));
    logits.square().mean().backward();
    const TensorMap tensors = net->NamedTensors();
    for (const auto& layer : Expand(*net, candidate)) {
      const at::Tensor grad = tensors.at(layer.tensors.front()).grad();
      ASSERT_TRUE(grad.defined()) << layer.name;
      EXPECT_TRUE(grad.isfinite().all().item<bool>()) << layer.name;
      EXPECT_GT(grad.abs().sum().item<float>(), 0.0F) << layer.name;
    }
  }
}

TEST_P(SupernetTest, LayerTableCountsTheParametersOfTheModule) {
  const auto net = Make();
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 5)) {
    int64_t total = 0;
    for (const auto& layer : Expand(*net, candidate)) total += layer.ParameterCount();
    EXPECT_EQ(net->Standalone(candidate)->CountParameters(), total);
  }
}

TEST_P(SupernetTest, EveryTensorBelongsToOneLayer) {
  const auto net = Make();
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 3)) {
    const TensorMap tensors = net->Extract(candidate);
    std::set<std::string> of_layers;
    for (const auto& layer : Expand(*net, candidate)) {
      for (const std::string& name : layer.tensors) {
        EXPECT_TRUE(of_layers.insert(name).second) << name << " belongs to two layers";
        EXPECT_EQ(tensors.count(name), 1U) << name;
      }
      ASSERT_FALSE(layer.tensors.empty()) << layer.name;
      EXPECT_EQ(tensors.at(layer.tensors.front()).numel(), layer.WeightCount()) << layer.name;
    }
    EXPECT_EQ(of_layers.size(), tensors.size());
  }
}

// A layer is found by the module path in the name of its weight.
TEST_P(SupernetTest, EveryLayerIsAModuleWithAWeight) {
  const auto net = Make();
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 3)) {
    std::set<std::string> modules;
    for (const auto& layer : QuantizableLayers(*net->Standalone(candidate))) {
      modules.insert(layer.name);
    }
    const search::LayerTable table = Expand(*net, candidate);
    for (const auto& layer : table) {
      const std::string& weight = layer.tensors.front();
      EXPECT_EQ(modules.count(weight.substr(0, weight.rfind('.'))), 1U) << weight;
    }
    EXPECT_EQ(table.size(), modules.size());
  }
}

TEST_P(SupernetTest, CountsAllWorkloadThatLayersName) {
  const auto net = Make();
  const NetInput input = Input(*net);
  const std::map<std::string, double> counts = net->CountWorkload(input);
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 5)) {
    for (const auto& layer : Expand(*net, candidate)) {
      ASSERT_EQ(counts.count(layer.workload), 1U) << layer.name << ": " << layer.workload;
      EXPECT_GT(counts.at(layer.workload), 0) << layer.workload;
    }
  }
}

TEST_P(SupernetTest, StandaloneGivesTheSameLogitsAndGoesThroughAFile) {
  const auto net = Make();
  const auto other = Make(/*seed=*/2);
  const NetInput input = Input(*net);
  net->train();
  const auto candidates = testing::SomeCandidates(*net, 3);
  for (const search::Candidate& candidate : candidates) net->Forward(input, candidate);
  net->eval();
  other->eval();
  const at::NoGradGuard no_grad;
  for (const search::Candidate& candidate : candidates) {
    const at::Tensor shared = net->Forward(input, candidate);
    const auto small = net->Standalone(candidate);
    EXPECT_LT(LargestDifference(small->Forward(Input(*net)), shared), 1e-5);
    // Written, read, and loaded into a network of that architecture with other weights.
    const std::string bytes = exporter::Serialize(net->Extract(candidate), {}).value();
    const auto file = exporter::Safetensors::Parse(bytes).value();
    const auto loaded = other->Standalone(candidate);
    EXPECT_GT(LargestDifference(loaded->Forward(input), shared), 1e-3);
    ASSERT_TRUE(exporter::LoadState(*loaded, exporter::ToTensors(file)).ok());
    EXPECT_LT(LargestDifference(loaded->Forward(input), shared), 1e-5);
  }
}

size_t NumCached(const NetInput& input) {
  return input.clouds.defined() ? input.cloud_cache->size()
                                : static_cast<size_t>(input.voxels.cache->num_maps());
}

TEST_P(SupernetTest, OneInputServesManyCandidatesWithoutNewMaps) {
  const auto net = Make();
  net->eval();
  const at::NoGradGuard no_grad;
  const NetInput input = Input(*net);
  const auto candidates = testing::SomeCandidates(*net, 4);
  const at::Tensor first = net->Forward(input, candidates[0]);
  const size_t maps = NumCached(input);
  EXPECT_GT(maps, 0U);
  const NetInput copy = input;
  for (const search::Candidate& candidate : candidates) net->Forward(copy, candidate);
  EXPECT_EQ(NumCached(input), maps);
  EXPECT_TRUE(at::equal(net->Forward(input, candidates[0]), first));
}

// Largest difference of `a` and `b` relative to the values.
double StatisticsDifference(const BatchNormState& a, const BatchNormState& b) {
  double largest = 0;
  for (size_t i = 0; i < a.buffers.size(); ++i) {
    const at::Tensor difference = (a.buffers[i] - b.buffers[i]).abs() / (1 + b.buffers[i].abs());
    largest = std::max(largest, difference.max().item<double>());
  }
  return largest;
}

TEST_P(SupernetTest, CalibrationOnABatchTakesTheStatisticsThatTrainingWouldTake) {
  const auto net = Make();
  const at::NoGradGuard no_grad;
  const NetInput input = Input(*net);
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 1)) {
    const BatchNormState saved = net->SaveBatchNorm();
    net->eval();
    net->BeginCalibration();
    net->Forward(input, candidate);
    EXPECT_GE(net->EndCalibration(), 2);
    const BatchNormState calibrated = net->SaveBatchNorm();
    net->RestoreBatchNorm(saved);
    net->train();
    net->Forward(input, candidate);
    BatchNormState taken = net->SaveBatchNorm();  // a tenth of it; nothing of unused channels
    for (size_t i = 0; i < taken.buffers.size(); ++i) {
      taken.buffers[i] = (taken.buffers[i] - 0.9 * saved.buffers[i]) / 0.1;
    }
    EXPECT_LT(StatisticsDifference(calibrated, taken), 1e-4);
    EXPECT_GT(StatisticsDifference(calibrated, saved), 1e-2);
    net->RestoreBatchNorm(saved);
  }
}

TEST_P(SupernetTest, CalibrationOfACandidateIsUndoneByRestore) {
  const auto net = Make();
  net->eval();
  const at::NoGradGuard no_grad;
  const NetInput input = Input(*net);
  const search::Candidate candidate = testing::SomeCandidates(*net, 1).back();
  const at::Tensor before = net->Forward(input, candidate);
  const BatchNormState saved = net->SaveBatchNorm();
  net->BeginCalibration();
  const at::Tensor by_batch = net->Forward(input, candidate);
  net->EndCalibration();
  EXPECT_GT(LargestDifference(net->Forward(input, candidate), before), 1e-3);
  EXPECT_GT(LargestDifference(before, by_batch), 1e-3);
  net->RestoreBatchNorm(saved);
  EXPECT_TRUE(at::equal(net->Forward(input, candidate), before));
}

TEST_P(SupernetTest, TheSpecKnowsTheFewestRowsThatABatchNormSees) {
  const auto net = Make();
  const search::SupernetSpec& spec = net->spec();
  if (spec.input_form() == search::InputForm::kVoxels) {
    EXPECT_EQ(spec.FewestNormRows(1000), 0);  // that depends on the data
    return;
  }
  const at::NoGradGuard no_grad;
  net->eval();
  for (const int64_t points : {spec.min_points(), 2 * spec.min_points() + 5}) {
    const NetInput input = testing::MakeInput(spec, GetParam().in_channels, 3, points);
    int64_t fewest = 0;
    for (const auto& candidate : {spec.space().Smallest(), spec.space().Largest()}) {
      const BatchNormState saved = net->SaveBatchNorm();
      net->BeginCalibration();
      net->Forward(input, candidate);
      const int64_t rows = net->EndCalibration();
      net->RestoreBatchNorm(saved);
      fewest = fewest == 0 ? rows : std::min(fewest, rows);
    }
    EXPECT_EQ(fewest, input.num_samples * spec.FewestNormRows(points)) << points;
  }
}

TEST_P(SupernetTest, TorchOperationsGiveTheSameLogits) {
  const auto net = Make();
  net->eval();
  const at::NoGradGuard no_grad;
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 1)) {
    const at::Tensor ours = net->Forward(Input(*net), candidate);
    const ComputePathGuard guard(ComputePath::kTorch);
    EXPECT_LT(LargestDifference(net->Forward(Input(*net), candidate), ours), 1e-5);
  }
}

TEST_P(SupernetTest, SeedDecidesTheWeights) {
  const auto a = Make(7)->NamedTensors();
  const auto b = Make(7)->NamedTensors();
  const auto c = Make(8)->NamedTensors();
  const auto net = Make();
  for (const auto& layer : Expand(*net, net->spec().space().Largest())) {
    const std::string& weight = layer.tensors.front();
    EXPECT_TRUE(at::equal(a.at(weight), b.at(weight))) << weight;
    EXPECT_FALSE(at::equal(a.at(weight), c.at(weight))) << weight;
  }
}

// Something that can be learnt: in which half a point lies, or which cloud this is.
at::Tensor Labels(const NetInput& input, bool of_clouds) {
  if (of_clouds) return at::arange(input.num_samples);
  const at::Tensor height = input.clouds.defined() ? input.clouds.select(2, 2).flatten()
                                                   : input.points.coords.select(1, 2);
  return (height > height.mean()).to(at::kLong);
}

TEST_P(SupernetTest, TrainingStepsReduceTheLoss) {
  const auto net = Make();
  net->train();
  const NetInput input = Input(*net);
  const at::Tensor labels = Labels(input, GetParam().labels_clouds);
  torch::optim::SGD optimiser(net->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  Rng rng(9);
  double first = 0;
  double last = 0;
  for (int step = 0; step < 40; ++step) {
    optimiser.zero_grad();
    const at::Tensor loss =
        at::cross_entropy_loss(net->Forward(input, net->spec().space().Sample(rng)), labels);
    loss.backward();
    optimiser.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  EXPECT_LT(last, 0.5 * first);
}

INSTANTIATE_TEST_SUITE_P(All, SupernetTest, ::testing::ValuesIn(testing::SmallNets()),
                         [](const auto& net) { return net.param.name; });

TEST(SmallNetsTest, HaveEveryRegisteredKind) {
  SupernetRegistry registry("supernet");
  RegisterBuiltinSupernets(registry);
  std::set<std::string> kinds;
  for (const NetCase& net : testing::SmallNets()) kinds.insert(net.config.at("kind"));
  for (const std::string& kind : registry.Names()) EXPECT_EQ(kinds.count(kind), 1U) << kind;
}

// ---- SPVNAS alone ----

std::shared_ptr<Supernet> MakeSpvnas() { return testing::MakeNet(testing::SmallNets().front()); }

TEST(SpvnasNetTest, GradientsStayInsideTheSlice) {
  const auto net = MakeSpvnas();
  const search::Candidate smallest = net->spec().space().Smallest();
  net->Forward(testing::MakeInput(net->spec(), 4, 3), smallest).sum().backward();
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

TEST(SpvnasNetTest, BuildsNineMaps) {
  const auto net = MakeSpvnas();
  const NetInput input = testing::MakeInput(net->spec(), 4, 3);
  net->Forward(input, net->spec().space().Largest());
  EXPECT_EQ(input.voxels.cache->num_maps(), 9);  // five 3^3 maps and four 2^3 maps
}

TEST(SpvnasNetTest, OneVoxelPerBatchRuns) {
  const auto net = MakeSpvnas();
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
