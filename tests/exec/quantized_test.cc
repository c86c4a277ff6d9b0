// Tasks on a quantized supernet: evaluation, fine-tuning and export of one candidate agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

class QuantizedExecTest : public ExecTest {
 protected:
  void SetUp() override {
    ExecTest::SetUp();
    search::SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    Json config = spec_->config();
    config["quantization"] = {
        {"weight_bits", {2, 4}}, {"activation_bits", {6, 8}}, {"weight_quantizer", "kmeans"}};
    auto spec = registry.Find("spvnas").value()(config, "");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = std::move(spec).value();
  }
};

TEST_F(QuantizedExecTest, FineTuningStartsWithWhatWasEvaluated) {
  Train(20);
  const auto evaluated = Run(EvaluateSpec());
  ASSERT_TRUE(evaluated.ok()) << evaluated.status();
  search::TaskSpec spec = FinetuneSpec(2);
  spec.settings["finetune"]["lr"] = 1e-6;
  const auto finetuned = Run(spec);
  ASSERT_TRUE(finetuned.ok()) << finetuned.status();
  EXPECT_NEAR(finetuned->detail.at("start_miou").get<double>(), evaluated->measurements.at(0).value,
              1e-6);
}

TEST_F(QuantizedExecTest, ShortTrainingBeforeTheScoreChangesItAndNothingElse) {
  Train(4);
  const auto inherited = Run(EvaluateSpec());
  search::TaskSpec spec = EvaluateSpec();
  spec.settings["evaluate"]["finetune_steps"] = 20;
  const auto trained = Run(spec);
  ASSERT_TRUE(inherited.ok() && trained.ok()) << inherited.status() << trained.status();
  EXPECT_GT(trained->measurements.at(0).value, inherited->measurements.at(0).value);
  // The supernet that later tasks share is untouched.
  EXPECT_EQ(Run(EvaluateSpec())->measurements, inherited->measurements);
  EXPECT_EQ(Run(spec)->measurements, trained->measurements);
}

TEST_F(QuantizedExecTest, ErrorsOfTheWeightsAreReportedWhereTheyAreAskedFor) {
  Train(4);
  search::TaskSpec spec = EvaluateSpec();
  const auto plain = Run(spec);
  spec.settings["quantization_error"] = true;
  const auto asked = Run(spec);
  ASSERT_TRUE(plain.ok() && asked.ok()) << plain.status() << asked.status();
  search::Measurement scored = asked->measurements.at(0);
  const Json errors = scored.detail.at("quantization_error");
  for (const auto& layer : spec_->Expand(spec.candidate, 5, 2)) {
    if (layer.weight_bits == 32) {
      EXPECT_FALSE(errors.contains(layer.name)) << layer.name;
    } else {
      EXPECT_GT(errors.at(layer.name).at(std::to_string(layer.weight_bits)), 0) << layer.name;
    }
  }
  scored.detail.erase("quantization_error");
  EXPECT_EQ(plain->measurements.at(0), scored);
}

TEST_F(QuantizedExecTest, LatencySaysThatItsBitsAreSimulated) {
  const auto result = Run(Spec(search::TaskKind::kMeasureLatency, {{"warmup", 0}, {"repeats", 1}}));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->measurements.at(0).detail.at("arithmetic"), "float32, bits simulated");
}

// The teacher is the candidate in full precision, as an unquantized study would score it.
TEST_F(QuantizedExecTest, DistillationPullsTowardsTheCandidateInFullPrecision) {
  Train(4);
  search::TaskSpec in_float = EvaluateSpec();
  in_float.supernet = spec_->trained().config();
  in_float.space_digest = spec_->trained().space().digest();
  in_float.candidate = spec_->trained().space().Smallest();
  const auto teacher = Run(in_float);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const auto finetuned = [&](const char* distillation, double weight) {
    search::TaskSpec spec = FinetuneSpec(20);
    spec.settings["finetune"]["distillation"] = distillation;
    spec.settings["finetune"]["distillation_weight"] = weight;
    return Run(spec);
  };
  const auto alone = finetuned("none", 1);
  const auto unmoved = finetuned("mse", 0);
  ASSERT_TRUE(alone.ok() && unmoved.ok()) << alone.status() << unmoved.status();
  EXPECT_FALSE(alone->detail.contains("teacher_miou"));
  EXPECT_EQ(unmoved->detail.at("end_miou"), alone->detail.at("end_miou"));
  for (const char* distillation : {"mse", "kl"}) {
    const auto pulled = finetuned(distillation, 1);
    ASSERT_TRUE(pulled.ok()) << distillation << pulled.status();
    EXPECT_NEAR(pulled->detail.at("teacher_miou").get<double>(), teacher->measurements.at(0).value,
                1e-6);
    EXPECT_EQ(pulled->detail.at("start_miou"), alone->detail.at("start_miou"));
    EXPECT_NE(pulled->detail.at("end_miou"), alone->detail.at("end_miou")) << distillation;
  }
}

TEST_F(QuantizedExecTest, EveryExportedTensorBelongsToALayer) {
  Train(2);
  const search::TaskSpec spec = Spec(
      search::TaskKind::kExport,
      {{"manifest", {{"format", "voxbit-export"}}}, {"weights", ""}, {"evaluate", EvaluateJson()}});
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  const Json manifest =
      ReadJsonFile(artifacts_.PathOf(result->artifacts.at("manifest.json"))).value();
  std::vector<std::string> in_file;
  for (const Json& row : manifest.at("weights").at("tensors")) in_file.push_back(row.at("name"));
  std::vector<std::string> of_layers;
  const auto num_classes = static_cast<int64_t>(manifest.at("output").at("class_names").size());
  for (const auto& layer : spec_->Expand(spec.candidate, 5, num_classes)) {
    of_layers.insert(of_layers.end(), layer.tensors.begin(), layer.tensors.end());
  }
  EXPECT_THAT(of_layers, ::testing::UnorderedElementsAreArray(in_file));
}

}  // namespace
}  // namespace voxbit::worker
