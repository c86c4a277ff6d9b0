// Laws of quantized supernets, over every registered supernet and every quantizer of weights.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/rng.h"
#include "search/cost/cost_model.h"
#include "supernet/models/supernet.h"
#include "supernet/nn/elastic_layer.h"
#include "supernet/quant/codes/methods.h"
#include "supernet/quant/quantizer.h"
#include "tests/supernet/test_tensors.h"
#include "tests/support/net_cases.h"

namespace voxbit::supernet {
namespace {

using testing::NetCase;

std::shared_ptr<Supernet> MakeQuantized(NetCase net, const Json& quantization, uint64_t seed = 1) {
  net.config["quantization"] = quantization;
  return testing::MakeNet(net, seed);
}

// What an evaluation does before it scores: ranges, then batch norms.
void Calibrate(Network& net, const NetInput& input) {
  const at::NoGradGuard no_grad;
  net.eval();
  const BatchNormState saved = net.SaveBatchNorm();
  net.BeginCalibration();
  net.BeginRangeCalibration();
  net.Forward(input);
  net.EndRangeCalibration();
  net.EndCalibration();
  net.RestoreBatchNorm(saved);
  net.BeginCalibration();
  net.Forward(input);
  net.EndCalibration();
}

at::Tensor Logits(Network& net, const NetInput& input) {
  const at::NoGradGuard no_grad;
  net.eval();
  return net.Forward(input);
}

at::Tensor CalibratedLogits(Supernet& net, const search::Candidate& candidate,
                            const NetInput& input) {
  const BatchNormState saved = net.SaveBatchNorm();
  net.Select(candidate);
  Calibrate(net, input);
  const at::Tensor logits = Logits(net, input);
  net.RestoreBatchNorm(saved);
  return logits;
}

ElasticLayer& LayerAt(const Network& net, const search::LayerSpec& row) {
  const std::string path = row.tensors.front().substr(0, row.tensors.front().rfind('.'));
  for (const auto& item : net.named_modules("", false)) {
    if (item.key() == path) return *item.value()->as<ElasticLayer>();
  }
  throw std::runtime_error("no layer " + path);
}

int64_t NumDistinct(const at::Tensor& values) { return std::get<0>(at::_unique(values)).numel(); }

// A network and a quantizer of weights.
struct Pairing {
  NetCase net;
  std::string method;
};

// Every kind of supernet with every quantizer, and further networks of a kind with the first one.
std::vector<Pairing> Pairings() {
  std::vector<Pairing> pairings;
  std::set<std::string> kinds;
  for (const NetCase& net : testing::SmallNets()) {
    const bool is_new = kinds.insert(net.config.at("kind").get<std::string>()).second;
    bool is_first = true;
    for (const quant::Method& method : quant::Methods()) {
      if (!method.IsForWeights()) continue;
      if (is_new || is_first) pairings.push_back({net, method.name});
      is_first = false;
    }
  }
  return pairings;
}

std::string NameOf(const ::testing::TestParamInfo<Pairing>& info) {
  return info.param.net.name + "_" + info.param.method;
}

class QuantizedNetTest : public ::testing::TestWithParam<Pairing> {
 protected:
  const NetCase& net_case() const { return GetParam().net; }
  bool HasCodebook() const { return GetParam().method == "kmeans"; }
  std::shared_ptr<Supernet> MakeFloat() const { return testing::MakeNet(net_case()); }
  std::shared_ptr<Supernet> Make(const Json& more, uint64_t seed = 1) const {
    Json quantization = {{"weight_bits", {1, 2, 4, 8}}, {"weight_quantizer", GetParam().method}};
    quantization.update(more);
    return MakeQuantized(net_case(), quantization, seed);
  }
  NetInput InputFor(const Supernet& net) const {
    return testing::MakeInput(net.spec(), net_case().in_channels, 3);
  }
  search::LayerTable Rows(const Supernet& net, const search::Candidate& candidate) const {
    return net.spec().Expand(candidate, net_case().in_channels, net_case().num_classes);
  }
};

TEST_P(QuantizedNetTest, HasTheTensorsOfTheFloatNetwork) {
  const auto net = Make({{"activation_bits", {4}}});
  const TensorMap plain = MakeFloat()->NamedTensors();
  const TensorMap ours = net->NamedTensors();
  ASSERT_EQ(ours.size(), plain.size());
  for (const auto& [name, tensor] : plain) {
    ASSERT_EQ(ours.count(name), 1U) << name;
    EXPECT_TRUE(at::equal(ours.at(name), tensor)) << name;
  }
}

TEST_P(QuantizedNetTest, FullWidthIsTheFloatNetworkBitForBit) {
  const auto plain = MakeFloat();
  const auto net = Make({{"weight_bits", {4, 32}}, {"activation_bits", {4, 32}}});
  const NetInput input = InputFor(*net);
  const search::SearchSpace& space = net->spec().space();
  for (search::Candidate candidate : testing::SomeCandidates(*net, 2)) {
    for (size_t d = 0; d < space.size(); ++d) {
      if (space.dimensions()[d].name.find("_bits") == std::string::npos) continue;
      const auto highest = static_cast<int32_t>(space.dimensions()[d].choices.size()) - 1;
      candidate.choices[d] = space.IsActive(candidate, d) ? highest : 0;
    }
    search::Candidate inner = candidate;
    inner.choices.resize(plain->spec().space().size());
    const at::Tensor expected = CalibratedLogits(*plain, inner, input);
    EXPECT_TRUE(at::equal(CalibratedLogits(*net, candidate, input), expected));
    const auto alone = net->Standalone(candidate);
    Calibrate(*alone, input);
    const auto plain_alone = plain->Standalone(inner);
    Calibrate(*plain_alone, input);
    EXPECT_TRUE(at::equal(Logits(*alone, input), Logits(*plain_alone, input)));
  }
}

TEST_P(QuantizedNetTest, EveryLayerHasTheBitsOfTheCandidate) {
  const auto net = Make({{"activation_bits", {2, 8}}, {"pinned_bits", 8}});
  const NetInput input = InputFor(*net);
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 2)) {
    net->Select(candidate);
    const auto alone = net->Standalone(candidate);
    Calibrate(*alone, input);
    for (const search::LayerSpec& row : Rows(*net, candidate)) {
      for (const Network* owner :
           {static_cast<const Network*>(net.get()), static_cast<const Network*>(alone.get())}) {
        const LayerQuantizers& quantizers = LayerAt(*owner, row).quantizers();
        ASSERT_NE(quantizers.weight, nullptr) << row.name;
        EXPECT_EQ(quantizers.weight->settings().bits, row.weight_bits) << row.name;
        EXPECT_EQ(quantizers.input == nullptr, row.num_activation_ranges == 0) << row.name;
        if (quantizers.input != nullptr) {
          EXPECT_EQ(quantizers.input->settings().bits, row.activation_bits) << row.name;
        }
      }
      const at::Tensor values = quant::Dequantize(LayerAt(*alone, row).ExportWeight());
      EXPECT_LE(NumDistinct(values), int64_t{1} << row.weight_bits) << row.name;
      EXPECT_EQ(values.numel(), row.WeightCount()) << row.name;
    }
  }
}

TEST_P(QuantizedNetTest, StandaloneIsTheCandidateOfTheSupernet) {
  for (const Json& activation_bits : {Json::array(), Json({4, 8})}) {
    const auto net = Make({{"activation_bits", activation_bits}});
    const NetInput input = InputFor(*net);
    for (const search::Candidate& candidate : testing::SomeCandidates(*net, 3)) {
      const auto alone = net->Standalone(candidate);
      Calibrate(*alone, input);
      const at::Tensor shared = CalibratedLogits(*net, candidate, input);
      EXPECT_LT(LargestDifference(Logits(*alone, input), shared), 1e-5);
    }
  }
}

TEST_P(QuantizedNetTest, StateOfAStandaloneNetworkIsListedByTheSpecAndCarriesItsResults) {
  const auto net = Make({{"activation_bits", {4, 8}}});
  const NetInput input = InputFor(*net);
  const search::Candidate candidate = testing::SomeCandidates(*net, 1).back();
  const auto alone = net->Standalone(candidate);
  Calibrate(*alone, input);
  std::multiset<std::string> listed;
  for (const search::LayerSpec& row : Rows(*net, candidate)) {
    listed.insert(row.tensors.begin(), row.tensors.end());
  }
  std::multiset<std::string> found;
  for (const auto& [name, tensor] : alone->NamedTensors()) found.insert(name);
  EXPECT_EQ(listed, found);
  // Into a network of other weights.
  const auto other = Make({{"activation_bits", {4, 8}}}, 2)->Standalone(candidate);
  const TensorMap from = alone->NamedTensors();
  {
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : other->NamedTensors()) {
      at::Tensor(tensor).copy_(from.at(name));
    }
  }
  EXPECT_TRUE(at::equal(Logits(*other, input), Logits(*alone, input)));
}

TEST_P(QuantizedNetTest, GradientsReachEveryWeightThroughTheQuantizers) {
  const auto net = Make({{"weight_bits", {2, 8}}, {"activation_bits", {4}}});
  const NetInput input = InputFor(*net);
  const search::Candidate candidate = testing::SomeCandidates(*net, 1).back();
  const auto alone = net->Standalone(candidate);
  Calibrate(*alone, input);
  alone->train();
  alone->Forward(input).square().mean().backward();
  const TensorMap tensors = alone->NamedTensors();
  for (const search::LayerSpec& row : Rows(*net, candidate)) {
    const at::Tensor grad = tensors.at(row.tensors.front()).grad();
    ASSERT_TRUE(grad.defined()) << row.name;
    EXPECT_TRUE(grad.isfinite().all().item<bool>()) << row.name;
    EXPECT_GT(grad.abs().sum().item<double>(), 0) << row.name;
  }
}

TEST_P(QuantizedNetTest, SupernetTrainsInFloatUnlessToldOtherwise) {
  const auto plain = MakeFloat();
  const NetInput input = InputFor(*plain);
  plain->train();
  const at::Tensor expected = plain->Forward(input);
  const auto in_float = Make({{"activation_bits", {2}}});
  in_float->train();
  EXPECT_TRUE(at::equal(in_float->Forward(input), expected));
  const auto sampled = Make({{"activation_bits", {2}}, {"train_bits", "sampled"}});
  sampled->train();
  sampled->Select(sampled->spec().space().Smallest());
  std::map<std::string, at::Tensor> before;
  for (const auto& item : sampled->named_parameters()) {
    before[item.key()] = item.value().detach().clone();
  }
  const at::Tensor logits = sampled->Forward(input);
  logits.square().mean().backward();
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
  sampled->AfterStep();
  for (const auto& item : sampled->named_parameters()) {
    const at::Tensor grad = item.value().grad();
    EXPECT_FALSE(grad.defined() && !grad.isfinite().all().item<bool>()) << item.key();
    EXPECT_TRUE(at::equal(item.value(), before.at(item.key()))) << item.key();
  }
  const auto float_again = MakeFloat();
  float_again->train();
  search::Candidate inner = sampled->spec().space().Smallest();
  inner.choices.resize(float_again->spec().space().size());
  EXPECT_GT(LargestDifference(float_again->Forward(input, inner), logits), 1e-4);
}

TEST_P(QuantizedNetTest, SizeModelCountsTheBytesThatPackingGives) {
  for (const bool per_channel : {false, true}) {
    Json more = {{"activation_bits", {4}}, {"pinned_bits", 8}, {"per_channel", per_channel}};
    if (per_channel && HasCodebook()) continue;
    const auto net = Make(more);
    const NetInput input = InputFor(*net);
    for (const search::Candidate& candidate : testing::SomeCandidates(*net, 1)) {
      const auto alone = net->Standalone(candidate);
      Calibrate(*alone, input);
      const TensorMap tensors = alone->NamedTensors();
      int64_t total = 0;
      for (const search::LayerSpec& row : Rows(*net, candidate)) {
        ElasticLayer& layer = LayerAt(*alone, row);
        const auto& quantizer = *layer.quantizers().weight;
        const int64_t packed = quant::Pack(layer.ExportWeight(), quantizer.StoresZeros()).Bytes();
        EXPECT_EQ(packed, row.WeightBytes()) << row.name << " " << row.weight_bits;
        EXPECT_EQ(packed, quantizer.StoredBytes(row.WeightCount())) << row.name;
        total += packed;
        for (size_t i = 1; i < row.tensors.size(); ++i) {
          const at::Tensor& tensor = tensors.at(row.tensors[i]);
          const bool is_shared = tensor.data_ptr() == tensors.at(row.tensors.front()).data_ptr();
          if (is_shared || row.tensors[i].find(quant::kWeightQuantizer) != std::string::npos) {
            continue;
          }
          total += static_cast<int64_t>(tensor.nbytes());
        }
      }
      cost::CostModelRegistry models("cost model");
      cost::RegisterBuiltins(models);
      const auto model = (*models.Find("size_bytes"))();
      EXPECT_EQ(model->Cost(Rows(*net, candidate), {}).value(), static_cast<double>(total));
    }
  }
}

TEST_P(QuantizedNetTest, StepsOfAnOptimizerKeepTheNumberOfLevels) {
  const auto net = Make({{"weight_bits", {1, 2, 3}}});
  const NetInput input = InputFor(*net);
  const search::Candidate candidate = testing::SomeCandidates(*net, 1).back();
  const auto alone = net->Standalone(candidate);
  Calibrate(*alone, input);
  const at::Tensor before = Logits(*alone, input);
  alone->train();
  torch::optim::SGD optimizer(alone->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    alone->Forward(input).square().mean().backward();
    optimizer.step();
    alone->AfterStep();
  }
  const TensorMap tensors = alone->NamedTensors();
  for (const search::LayerSpec& row : Rows(*net, candidate)) {
    if (!row.chooses_weight_bits) continue;
    const int64_t levels = int64_t{1} << row.weight_bits;
    EXPECT_LE(NumDistinct(quant::Dequantize(LayerAt(*alone, row).ExportWeight())), levels);
    if (HasCodebook()) {
      EXPECT_LE(NumDistinct(tensors.at(row.tensors.front())), levels) << row.name;
    }
  }
  EXPECT_GT(LargestDifference(Logits(*alone, input), before), 1e-4);
}

TEST_P(QuantizedNetTest, WeightsWithoutSpreadGiveFiniteLogitsAndGradients) {
  for (const double value : {0.0, 0.25}) {
    const auto net = Make({{"activation_bits", {1, 4}}});
    const NetInput input = InputFor(*net);
    {
      const at::NoGradGuard no_grad;
      for (const at::Tensor& parameter : net->parameters()) parameter.fill_(value);
    }
    const search::Candidate smallest = net->spec().space().Smallest();
    EXPECT_TRUE(CalibratedLogits(*net, smallest, input).isfinite().all().item<bool>());
    const auto alone = net->Standalone(smallest);
    Calibrate(*alone, input);
    alone->train();
    torch::optim::SGD optimizer(alone->parameters(), torch::optim::SGDOptions(0.01));
    alone->Forward(input).square().mean().backward();
    optimizer.step();
    alone->AfterStep();
    for (const auto& [name, tensor] : alone->NamedTensors()) {
      EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
    }
    EXPECT_TRUE(Logits(*alone, input).isfinite().all().item<bool>());
  }
}

TEST_P(QuantizedNetTest, LogitsFollowTheBitsAndTheWeights) {
  const auto net = Make({{"weight_bits", {2, 8}}, {"activation_bits", {2, 8}}});
  const NetInput input = InputFor(*net);
  const search::Candidate largest = net->spec().space().Largest();
  const at::Tensor logits = CalibratedLogits(*net, largest, input);
  size_t changed = 0;
  for (size_t d = 0; d < largest.choices.size(); ++d) {
    const std::string& name = net->spec().space().dimensions()[d].name;
    if (name.find("_bits") == std::string::npos) continue;
    // A query shifts the logits of all its neighbours alike, which their softmax takes away but for
    // the ReLU in between: with fresh weights it may not show at all.
    if (name.find("w_qs") != std::string::npos) continue;
    if (++changed % 7 != 0) continue;  // some of them
    search::Candidate other = largest;
    other.choices[d] = 0;
    EXPECT_GT(LargestDifference(CalibratedLogits(*net, other, input), logits), 1e-6) << name;
  }
  {
    const at::NoGradGuard no_grad;
    net->NamedTensors().at(Rows(*net, largest)[1].tensors.front()).mul_(-1);
  }
  // Without another Select: what was kept of the weight must not be used again.
  EXPECT_GT(LargestDifference(Logits(*net, input), logits), 1e-4);
}

TEST_P(QuantizedNetTest, EvaluationsOfCandidatesDoNotInfluenceEachOther) {
  const auto net = Make({{"activation_bits", {2, 4}}});
  const NetInput input = InputFor(*net);
  const auto candidates = testing::SomeCandidates(*net, 2);
  std::vector<at::Tensor> first;
  for (const auto& candidate : candidates) {
    first.push_back(CalibratedLogits(*net, candidate, input));
  }
  for (size_t i = candidates.size(); i > 0; --i) {
    EXPECT_TRUE(at::equal(CalibratedLogits(*net, candidates[i - 1], input), first[i - 1]));
  }
}

TEST_P(QuantizedNetTest, AnExportedWeightLoadsIntoTheSameResults) {
  Json more = {{"activation_bits", {8}}, {"per_channel", !HasCodebook()}};
  const auto net = Make(more);
  const NetInput input = InputFor(*net);
  const search::Candidate candidate = testing::SomeCandidates(*net, 1).back();
  const auto alone = net->Standalone(candidate);
  Calibrate(*alone, input);
  const auto other = net->Standalone(candidate);
  {
    const at::NoGradGuard no_grad;
    const TensorMap from = alone->NamedTensors();
    for (const auto& [name, tensor] : other->NamedTensors()) {
      at::Tensor(tensor).copy_(from.at(name));
    }
  }
  for (const search::LayerSpec& row : Rows(*net, candidate)) {
    if (row.weight_bits == 32) continue;
    const auto packed = quant::Pack(LayerAt(*alone, row).ExportWeight(),
                                    LayerAt(*alone, row).quantizers().weight->StoresZeros());
    ASSERT_TRUE(LayerAt(*other, row).LoadExportedWeight(quant::Unpack(packed).value()).ok());
  }
  EXPECT_LT(LargestDifference(Logits(*other, input), Logits(*alone, input)), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Builtin, QuantizedNetTest, ::testing::ValuesIn(Pairings()), &NameOf);

// Remembers the smallest value that it was calibrated with.
class Lowest final : public quant::Quantizer {
 public:
  Lowest() : Quantizer(quant::QuantizerSettings()) {}
  at::Tensor Surrogate(const at::Tensor& x) const override { return x; }
  void Calibrate(const at::Tensor& x, quant::Calibration /*how*/) override {
    value = std::min(value, x.min().item<double>());
  }
  double value = 0;

 protected:
  void Prepare(const at::Tensor& /*x*/) override {}
  quant::QuantizedTensor Encode(const at::Tensor& /*x*/) const override { return {}; }
  int64_t BytesOf(int64_t /*num_values*/) const override { return 0; }
};

TEST(SignedInputTest, LayersOfUnsignedInputsReadNothingBelowZero) {
  for (const NetCase& net_case : testing::SmallNets()) {
    const auto net = testing::MakeNet(net_case);
    const NetInput input = testing::MakeInput(net->spec(), net_case.in_channels, 3);
    int64_t num_unsigned = 0;
    for (const search::Candidate& candidate : testing::SomeCandidates(*net, 1)) {
      net->Select(candidate);
      const search::LayerTable rows =
          net->spec().Expand(candidate, net_case.in_channels, net_case.num_classes);
      std::map<std::string, std::shared_ptr<Lowest>> lowest;
      for (const search::LayerSpec& row : rows) {
        lowest[row.name] = std::make_shared<Lowest>();
        LayerAt(*net, row).SetQuantizers({nullptr, lowest[row.name], quant::Calibration::kRange,
                                          LayerQuantizers::Scope::kEvaluation});
      }
      const at::NoGradGuard no_grad;
      net->eval();
      net->BeginCalibration();
      net->BeginRangeCalibration();
      net->Forward(input);
      net->EndRangeCalibration();
      net->EndCalibration();
      for (const search::LayerSpec& row : rows) {
        if (row.signed_input) continue;
        ++num_unsigned;
        EXPECT_GE(lowest[row.name]->value, 0) << net_case.name << " " << row.name;
      }
    }
    EXPECT_GT(num_unsigned, 0) << net_case.name;
  }
}

// ---- what the registries do not vary ----

std::shared_ptr<Supernet> MakeSpvnas(const Json& quantization) {
  return MakeQuantized(testing::SmallNets().front(), quantization);
}

NetInput InputFor(const Supernet& net) { return testing::MakeInput(net.spec(), 4, 3); }

TEST(QuantizedSpvnasTest, TorchOperationsGiveTheSameLogits) {
  const auto net = MakeSpvnas({{"weight_bits", {2, 4}}});
  const NetInput input = InputFor(*net);
  for (const search::Candidate& candidate : testing::SomeCandidates(*net, 1)) {
    const at::Tensor ours = CalibratedLogits(*net, candidate, input);
    const ComputePathGuard guard(ComputePath::kTorch);
    // As exact as whole networks are compared with recordings: relative to the largest logit.
    const auto scale = ours.abs().max().item<double>();
    EXPECT_LT(LargestDifference(CalibratedLogits(*net, candidate, input), ours) / scale, 1e-4);
  }
}

TEST(QuantizedSpvnasTest, GradientsOfSampledBitsStayInsideTheSlice) {
  const auto net = MakeSpvnas({{"weight_bits", {2}}, {"train_bits", "sampled"}});
  const NetInput input = InputFor(*net);
  const search::Candidate smallest = net->spec().space().Smallest();
  net->train();
  net->Forward(input, smallest).square().mean().backward();
  for (const search::LayerSpec& row : net->spec().Expand(smallest, 4, 5)) {
    const at::Tensor grad = net->NamedTensors().at(row.tensors.front()).grad();
    // Rows of [.., in, out] or columns of [out, in] that are used.
    const int64_t used = (grad != 0).sum().item<int64_t>();
    EXPECT_GT(used, 0) << row.name;
    EXPECT_LE(used, row.WeightCount()) << row.name;
  }
}

TEST(QuantizedSpvnasTest, AllCalibrationsAndActivationQuantizersWork) {
  for (const std::string calibration : {"published", "range", "kl"}) {
    for (const std::string quantizer : {"wave", "lsq"}) {
      const auto net = MakeSpvnas({{"weight_bits", {4}},
                                   {"weight_quantizer", "linear"},
                                   {"activation_bits", {3}},
                                   {"activation_quantizer", quantizer},
                                   {"calibration", calibration}});
      const NetInput input = InputFor(*net);
      const search::Candidate candidate = net->spec().space().Smallest();
      const auto alone = net->Standalone(candidate);
      Calibrate(*alone, input);
      EXPECT_LT(LargestDifference(Logits(*alone, input), CalibratedLogits(*net, candidate, input)),
                1e-5);
      // The learned ranges are trained with the weights.
      const TensorMap tensors = alone->NamedTensors();
      const at::Tensor range = tensors.at("stem.3.input_quantizer." +
                                          std::string(quantizer == "wave" ? "range" : "step"));
      const double before = range.item<double>();
      alone->train();
      torch::optim::SGD optimizer(alone->parameters(), torch::optim::SGDOptions(1.0));
      alone->Forward(input).square().mean().backward();
      optimizer.step();
      EXPECT_NE(range.item<double>(), before) << quantizer;
    }
  }
}

}  // namespace
}  // namespace voxbit::supernet
