#include <gtest/gtest.h>
#include <torch/torch.h>

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
  train::EvaluationSet calibration(*source_, data::Split::kTrain, {0, 1, 2, 3}, 2,
                                   at::Device(at::kCPU));
  ASSERT_TRUE(train::CalibrateBatchNorm(*supernet, calibration, {}).ok());
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
