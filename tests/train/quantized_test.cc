// Training and evaluation of quantized networks.
#include <gtest/gtest.h>

#include "supernet/nn/elastic_layer.h"
#include "tests/train/train_fixture.h"
#include "worker/train/bn_calibration.h"
#include "worker/train/evaluator.h"

namespace voxbit::train {
namespace {

class QuantizedTrainingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    source_ = OpenTiny();
    net_ = MakeNet({{"weight_bits", {2, 4}}, {"activation_bits", {4, 8}}});
    calibration_ = WholeSplit(*source_, data::Split::kTrain);
    scans_ = WholeSplit(*source_, data::Split::kVal);
  }

  std::shared_ptr<supernet::Supernet> MakeNet(const Json& quantization) const {
    supernet::SupernetRegistry registry("supernet");
    supernet::RegisterBuiltinSupernets(registry);
    Json config = {{"kind", "spvnas"}, {"width", 0.25}};
    if (!quantization.is_null()) config["quantization"] = quantization;
    auto net = registry.Find("spvnas").value()(config, "/supernet", 5,
                                               source_->dataset().num_classes(), 1);
    EXPECT_TRUE(net.ok()) << net.status();
    return std::move(net).value();
  }

  std::vector<search::Measurement> Score(const search::Candidate& candidate) {
    const auto result = EvaluateCandidate(*net_, candidate, *calibration_, *scans_, OnCpu());
    EXPECT_TRUE(result.ok()) << result.status();
    return result->measurements;
  }

  std::unique_ptr<ScanSource> source_;
  std::shared_ptr<supernet::Supernet> net_;
  std::unique_ptr<EvaluationSet> calibration_;
  std::unique_ptr<EvaluationSet> scans_;
};

search::TrainSettings Steps(int64_t steps) {
  search::TrainSettings settings;
  settings.steps = steps;
  settings.sampling = "sandwich";
  return settings;
}

TEST_F(QuantizedTrainingTest, AStepInFloatIsThatOfTheFloatSupernet) {
  const auto plain = MakeNet({});
  // The first step of the sandwich is the largest candidate of either space.
  ASSERT_TRUE(TrainSupernet(*plain, *source_, Steps(1), 1, OnCpu()).ok());
  ASSERT_TRUE(TrainSupernet(*net_, *source_, Steps(1), 1, OnCpu()).ok());
  EXPECT_TRUE(SameBits(plain->NamedTensors(), net_->NamedTensors()));
}

TEST_F(QuantizedTrainingTest, SampledBitsTrain) {
  const auto sampled =
      MakeNet({{"weight_bits", {2, 8}}, {"weight_quantizer", "linear"}, {"train_bits", "sampled"}});
  const auto report = TrainSupernet(*sampled, *source_, Steps(4), 1, OnCpu());
  ASSERT_TRUE(report.ok()) << report.status();
}

TEST_F(QuantizedTrainingTest, ScoresOfACandidateDoNotDependOnWhatCameBefore) {
  ASSERT_TRUE(TrainSupernet(*net_, *source_, Steps(8), 1, OnCpu()).ok());
  const supernet::TensorMap before = CopyOf(net_->NamedTensors());
  const search::SearchSpace& space = net_->spec().space();
  const auto first = Score(space.Largest());
  const auto small = Score(space.Smallest());
  EXPECT_EQ(Score(space.Largest())[0].value, first[0].value);
  EXPECT_EQ(Score(space.Smallest())[0].detail, small[0].detail);
  EXPECT_NE(first[0].detail, small[0].detail);
  EXPECT_TRUE(SameBits(before, net_->NamedTensors()));
}

TEST_F(QuantizedTrainingTest, CalibratingRangesLeavesTheStatistics) {
  const auto alone = net_->Standalone(net_->spec().space().Largest());
  const supernet::TensorMap before = CopyOf(alone->NamedTensors());
  ASSERT_TRUE(CalibrateRanges(*alone, *calibration_, {}).ok());
  int64_t num_changed = 0;
  for (const auto& [name, tensor] : alone->NamedTensors()) {
    const bool is_range = name.find("input_quantizer.range") != std::string::npos;
    num_changed += !at::equal(tensor, before.at(name));
    EXPECT_TRUE(is_range || at::equal(tensor, before.at(name))) << name;
  }
  EXPECT_GT(num_changed, 0);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(CalibrateRanges(*alone, *calibration_, stop.get_token()).code(),
            StatusCode::kCancelled);
}

TEST_F(QuantizedTrainingTest, FineTuningKeepsCodebooks) {
  const search::Candidate candidate = net_->spec().space().Smallest();
  const auto alone = net_->Standalone(candidate);
  ASSERT_TRUE(CalibrateRanges(*alone, *calibration_, {}).ok());
  ASSERT_TRUE(TrainNetwork(*alone, "the candidate", *source_, Steps(3), 1, OnCpu()).ok());
  int64_t num_quantized = 0;
  for (const auto& module : alone->modules(/*include_self=*/false)) {
    const auto* layer = module->as<supernet::ElasticLayer>();
    if (layer == nullptr || layer->quantizers().weight == nullptr) continue;
    ++num_quantized;
    const at::Tensor weight = layer->parameters(/*recurse=*/false).front();
    EXPECT_LE(std::get<0>(at::_unique(weight)).numel(), 4);
  }
  EXPECT_GT(num_quantized, 30);
}

}  // namespace
}  // namespace voxbit::train
