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
  EXPECT_TRUE(trained->measurements.at(0).detail.contains("quantization_error"));
  // The supernet that later tasks share is untouched.
  EXPECT_EQ(Run(EvaluateSpec())->measurements, inherited->measurements);
  EXPECT_EQ(Run(spec)->measurements, trained->measurements);
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
