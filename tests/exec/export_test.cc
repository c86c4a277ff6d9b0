#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "common/clock.h"
#include "tests/exec/exec_fixture.h"
#include "worker/exec/checkpoint.h"
#include "worker/train/bn_calibration.h"
#include "worker/train/loader.h"

namespace voxbit::worker {
namespace {

class ExportTest : public ExecTest {
 protected:
  search::TaskSpec ExportSpec(const std::string& weights) const {
    return Spec(search::TaskKind::kExport,
                {{"manifest", {{"format", "voxbit-export"}, {"study", "tiny"}}},
                 {"weights", weights},
                 {"evaluate", EvaluateJson()}});
  }

  void OpenSource() {
    auto dataset = data::OpenDataset(data::BuiltinDatasets(), dataset_, "");
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    source_ = std::make_unique<train::ScanSource>(
        std::move(dataset).value(), std::make_shared<train::ByteBudget>(int64_t{1} << 28));
  }

  std::shared_ptr<supernet::Supernet> FreshNet(uint64_t seed) const {
    supernet::SupernetRegistry registry("supernet");
    supernet::RegisterBuiltinSupernets(registry);
    auto net = registry.Find("spvnas").value()(spec_->config(), "", 5,
                                               source_->dataset().num_classes(), seed);
    EXPECT_TRUE(net.ok()) << net.status();
    (*net)->eval();
    return std::move(net).value();
  }

  at::Tensor LogitsOfScan(supernet::Network& net) {
    const at::NoGradGuard no_grad;
    const int64_t first = 0;
    const auto batch = train::EvaluationBatch(*source_, data::Split::kVal, std::span(&first, 1),
                                              at::Device(at::kCPU));
    EXPECT_TRUE(batch.ok()) << batch.status();
    return net.Forward(batch->input);
  }

  Json ManifestOf(const search::TaskResult& result) const {
    const auto json = ReadJsonFile(artifacts_.PathOf(result.artifacts.at("manifest.json")));
    EXPECT_TRUE(json.ok()) << json.status();
    return *json;
  }

  std::unique_ptr<train::ScanSource> source_;
};

TEST_F(ExportTest, TheBundleComputesWhatTheSupernetComputes) {
  Train();
  OpenSource();
  const auto result = Run(ExportSpec(""));
  ASSERT_TRUE(result.ok()) << result.status();

  const auto supernet = FreshNet(1);
  ASSERT_TRUE(LoadCheckpoint(artifacts_.PathOf(checkpoint_), *supernet).ok());
  supernet->Select(spec_->space().Smallest());
  const auto samples = train::CalibrationSamples(*source_, 4, at::Device(at::kCPU));
  ASSERT_TRUE(train::CalibrateBatchNorm(*supernet, *samples, {}).ok());
  const at::Tensor expected = LogitsOfScan(*supernet);

  // Other initial weights, so that nothing but the file can explain equal logits.
  const auto exported = FreshNet(2)->Standalone(spec_->space().Smallest());
  exported->eval();
  EXPECT_FALSE(at::allclose(LogitsOfScan(*exported), expected, 1e-2, 1e-2));
  const Status loaded =
      LoadWeights(artifacts_.PathOf(result->artifacts.at("weights.safetensors")), *exported);
  ASSERT_TRUE(loaded.ok()) << loaded;
  EXPECT_TRUE(at::allclose(LogitsOfScan(*exported), expected, 1e-5, 1e-5));
}

TEST_F(ExportTest, TheManifestSaysHowToFeedTheNetwork) {
  Train();
  const auto result = Run(ExportSpec(""));
  ASSERT_TRUE(result.ok()) << result.status();
  const Json manifest = ManifestOf(*result);
  EXPECT_EQ(manifest.at("study"), "tiny");
  EXPECT_EQ(manifest.at("input").at("features"), Json({"x", "y", "z", "intensity", "height"}));
  EXPECT_EQ(manifest.at("input").at("voxel_m"), 0.5);
  EXPECT_EQ(manifest.at("input").at("tensors").at(1).at("shape"), Json::array({"voxels", 5}));
  const Json& names = manifest.at("output").at("class_names");
  EXPECT_EQ(manifest.at("output").at("tensors").at(0).at("shape").at(1), names.size());
  EXPECT_EQ(manifest.at("weights").at("sha256"), result->artifacts.at("weights.safetensors"));
  EXPECT_EQ(manifest.at("weights").at("source"), "supernet");
  // The tensors are those of the layer table: their values add up to its parameters.
  int64_t values = 0;
  for (const Json& row : manifest.at("weights").at("tensors")) {
    if (row.at("name").get<std::string>().find("running_") != std::string::npos) continue;
    int64_t size = 1;
    for (const Json& dim : row.at("shape")) size *= dim.get<int64_t>();
    values += size;
  }
  int64_t expected = 0;
  for (const auto& layer :
       spec_->Expand(spec_->space().Smallest(), 5, static_cast<int64_t>(names.size()))) {
    expected += layer.ParameterCount();
  }
  EXPECT_EQ(values, expected);
}

TEST_F(ExportTest, TheManifestSaysWhereTheNetworkComesFrom) {
  Train();
  executor_ = MakeExecutor({.version = "1.2.3"});
  const SystemClock clock;
  const int64_t before_ms = clock.NowMs();
  const auto result = Run(ExportSpec(""));
  ASSERT_TRUE(result.ok()) << result.status();
  const Json manifest = ManifestOf(*result);
  const Json& provenance = manifest.at("provenance");
  EXPECT_EQ(provenance.at("version"), "1.2.3");
  EXPECT_GE(provenance.at("exported_unix_ms"), before_ms);
  EXPECT_THAT(provenance.at("exported_utc").get<std::string>(),
              ::testing::MatchesRegex("20..-..-..T..:..:..Z"));
  const Json& dataset = manifest.at("dataset");
  EXPECT_EQ(dataset.at("config"), dataset_);
  EXPECT_EQ(dataset.at("scans").at("val"), 2);
  EXPECT_EQ(dataset.at("digest"), manifest.at("dataset_digest"));
}

TEST_F(ExportTest, TheManifestSaysHowToComputeTheFeatures) {
  Train();
  const auto result = Run(ExportSpec(""));
  ASSERT_TRUE(result.ok()) << result.status();
  const Json input = ManifestOf(*result).at("input");
  for (const Json& feature : input.at("features")) {
    EXPECT_FALSE(
        input.at("feature_texts").at(feature.get<std::string>()).get<std::string>().empty())
        << feature;
  }
  EXPECT_EQ(input.at("center"), true);
  EXPECT_THAT(input.at("center_text").get<std::string>(), ::testing::HasSubstr("mean"));
}

TEST_F(ExportTest, EveryTensorBelongsToOneLayerOfTheManifest) {
  Train();
  search::TaskSpec spec = ExportSpec("");
  const auto num_classes = static_cast<int64_t>(
      data::OpenDataset(data::BuiltinDatasets(), dataset_, "").value()->num_classes());
  std::vector<std::string> of_layers;
  for (const auto& layer : spec_->Expand(spec_->space().Smallest(), 5, num_classes)) {
    EXPECT_FALSE(layer.tensors.empty()) << layer.name;
    of_layers.insert(of_layers.end(), layer.tensors.begin(), layer.tensors.end());
  }
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  const Json weights = ManifestOf(*result).at("weights");
  std::vector<std::string> in_file;
  for (const Json& row : weights.at("tensors")) in_file.push_back(row.at("name"));
  EXPECT_THAT(of_layers, ::testing::UnorderedElementsAreArray(in_file));
  const Json& layout = weights.at("layout");
  EXPECT_EQ(layout.at("batch_norm").at("eps"), 1e-5);
  // Odd volume: x fastest; even: z fastest.
  const Json& offsets = layout.at("kernel_offsets");
  EXPECT_EQ(offsets.at("27").at(1), Json({0, -1, -1}));
  EXPECT_EQ(offsets.at("27").size(), 27U);
  EXPECT_EQ(offsets.at("8").at(1), Json({0, 0, 1}));
}

TEST_F(ExportTest, TakesFinetunedWeightsAsTheyAre) {
  Train();
  const auto finetuned = Run(FinetuneSpec(2));
  ASSERT_TRUE(finetuned.ok()) << finetuned.status();
  const std::string weights = finetuned->artifacts.at("finetuned_weights");
  const auto result = Run(ExportSpec(weights));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->artifacts.at("weights.safetensors"), weights);
  EXPECT_EQ(ManifestOf(*result).at("weights").at("source"), "finetune");
}

TEST_F(ExportTest, RefusesWeightsOfAnotherCandidate) {
  Train();
  const auto finetuned = Run(FinetuneSpec(1));
  ASSERT_TRUE(finetuned.ok()) << finetuned.status();
  search::TaskSpec spec = ExportSpec(finetuned->artifacts.at("finetuned_weights"));
  spec.candidate = spec_->space().Largest();
  EXPECT_EQ(Run(spec).status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace voxbit::worker
