// What evaluate.batch must not change: statistics, ranges and all that rests on them.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

// Scans with quantized inputs, or objects that are classified as a whole.
class EvaluateBatchTest : public ExecTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    ExecTest::SetUp();
    Json supernet = {{"kind", "spvnas"}, {"width", 0.25}};
    if (GetParam() == std::string("pct")) {
      supernet = {{"kind", "pct"}, {"channels", 8}, {"picked", {16, 8}}, {"neighbours", {4}}};
      dataset_ = data::ParseDatasetConfig(data::BuiltinDatasets(),
                                          {{"kind", "synthetic_objects"},
                                           {"task", "class"},
                                           {"points", 32},
                                           {"object_points", 64},
                                           {"train_objects", 24},
                                           {"val_objects", 16},
                                           {"test_objects", 0},
                                           {"features", {"x", "y", "z"}}},
                                          "/dataset")
                     .value();
    }
    supernet["quantization"] = {{"weight_bits", {4, 8}}, {"activation_bits", {4, 8}}};
    search::SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    auto spec = registry.Find(supernet.at("kind").get<std::string>()).value()(supernet, "");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = std::move(spec).value();
    Train(6);
  }

  // What the task says with batches of 1, 2 and 64.
  std::vector<search::TaskResult> WithBatches(search::TaskSpec spec) {
    std::vector<search::TaskResult> results;
    for (const int64_t batch : {1, 2, 64}) {
      spec.settings["evaluate"] = {{"calibration_scans", 16}, {"batch", batch}};
      auto result = Run(spec);
      EXPECT_TRUE(result.ok()) << result.status();
      if (result.ok()) results.push_back(std::move(result).value());
    }
    EXPECT_EQ(results.size(), 3U);
    for (search::TaskResult& result : results) result.detail.erase("seconds");
    return results;
  }

  search::TaskSpec ExportSpec() const {
    return Spec(search::TaskKind::kExport,
                {{"manifest", Json::object()}, {"weights", ""}, {"evaluate", Json::object()}});
  }
};

TEST_P(EvaluateBatchTest, TheScoreOfACandidateIsTheSame) {
  const auto results = WithBatches(EvaluateSpec());
  EXPECT_EQ(results[1].measurements, results[0].measurements);
  EXPECT_EQ(results[2].measurements, results[0].measurements);
}

TEST_P(EvaluateBatchTest, StartEndAndTeacherOfAFineTuningAreTheSame) {
  search::TaskSpec spec = FinetuneSpec(2);
  spec.settings["finetune"]["distillation"] = "mse";
  const auto results = WithBatches(spec);
  EXPECT_EQ(results[1].detail, results[0].detail);
  EXPECT_EQ(results[2].detail, results[0].detail);
  EXPECT_EQ(results[2].measurements, results[0].measurements);
  EXPECT_EQ(results[2].artifacts, results[0].artifacts);
}

TEST_P(EvaluateBatchTest, ExportedWeightsAreTheSame) {
  const auto results = WithBatches(ExportSpec());
  for (const char* file : {"weights.safetensors", "weights.vxb"}) {
    EXPECT_EQ(results[1].artifacts.at(file), results[0].artifacts.at(file)) << file;
    EXPECT_EQ(results[2].artifacts.at(file), results[0].artifacts.at(file)) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Supernets, EvaluateBatchTest, ::testing::Values("spvnas", "pct"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace voxbit::worker
