// Every task on clouds instead of voxels: parts of objects, and classes of objects.
#include <gtest/gtest.h>

#include "search/space/layer_table.h"
#include "tests/exec/exec_fixture.h"
#include "tests/support/toy_cloud_net.h"
#include "tests/support/toy_clouds.h"
#include "worker/exec/context.h"

namespace voxbit::worker {
namespace {

using data::Scoring;
using testing::ToyClouds;
using testing::ToyCloudSpec;

class CloudExecTest : public ExecTest, public ::testing::WithParamInterface<Scoring> {
 protected:
  void SetUp() override {
    spec_ = std::make_unique<ToyCloudSpec>(GetParam() == Scoring::kParts);
    dataset_ = ToyClouds::Config(GetParam());
    ExecPlugins plugins;
    plugins.datasets.Add("toy_clouds", testing::ToyCloudsKind(), "for tests");
    plugins.supernets.Add("toy_cloud", &testing::MakeToyCloudNet, "for tests");
    executor_ = MakeExecutor({}, std::move(plugins));
  }

  std::string Primary() const { return ToyClouds(GetParam()).traits().metrics.front(); }
};

TEST_P(CloudExecTest, ProfileCountsThePointsOfACloud) {
  const auto result = Run(Spec(search::TaskKind::kProfile, Json::object()));
  ASSERT_TRUE(result.ok()) << result.status();
  const auto workload = search::ParseWorkload(result->detail.at("workload"));
  ASSERT_TRUE(workload.ok()) << workload.status();
  EXPECT_NEAR(workload->counts.at(search::PointsKey()), ToyClouds::kPoints, 1e-9);
  EXPECT_EQ(workload->in_channels, ToyClouds(GetParam()).num_features());
}

TEST_P(CloudExecTest, EvaluationMeasuresWhatTheDatasetScores) {
  Train();
  const auto result = Run(EvaluateSpec());
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<std::string> names;
  for (const search::Measurement& row : result->measurements) names.push_back(row.metric);
  EXPECT_EQ(names, ToyClouds(GetParam()).traits().metrics);
}

// The executor keeps networks and prepared batches between tasks; none of it may hide new weights.
TEST_P(CloudExecTest, ScoresChangeWithTheCheckpoint) {
  Train(1);
  const auto early = Run(EvaluateSpec());
  const std::string first = checkpoint_;
  Train(150);
  const auto late = Run(EvaluateSpec());
  ASSERT_TRUE(early.ok() && late.ok()) << early.status() << late.status();
  EXPECT_GT(late->measurements.front().value, early->measurements.front().value);
  checkpoint_ = first;
  EXPECT_EQ(Run(EvaluateSpec())->measurements, early->measurements);
}

TEST_P(CloudExecTest, LatencySaysHowManyPointsTheCloudHas) {
  const auto result = Run(Spec(search::TaskKind::kMeasureLatency, {{"repeats", 2}}));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->measurements.at(0).detail.at("points"), ToyClouds::kPoints);
  EXPECT_FALSE(result->measurements.at(0).detail.contains("voxels"));
}

TEST_P(CloudExecTest, FinetuningComparesThePrimaryMetric) {
  Train(1);
  search::TaskSpec spec = FinetuneSpec(100);
  spec.settings["train"]["optimizer"] = "adam";
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->detail.at("kept"), "end");
  EXPECT_LT(result->detail.at("start_" + Primary()), result->detail.at("end_" + Primary()));
  EXPECT_EQ(result->measurements.front().metric, Primary());
  EXPECT_EQ(result->measurements.front().value, result->detail.at("end_" + Primary()));
}

TEST_P(CloudExecTest, FinetuningAlsoTellsTheValueOnTheTestSplit) {
  Train(1);
  search::TaskSpec spec = FinetuneSpec(10);
  const auto on_val = Run(spec);
  spec.settings["evaluate"]["split"] = "test";
  const auto on_test = Run(spec);
  ASSERT_TRUE(on_val.ok() && on_test.ok()) << on_val.status() << on_test.status();
  for (size_t i = 0; i < on_val->measurements.size(); ++i) {
    EXPECT_EQ(on_val->measurements[i].detail.at("test"), on_test->measurements[i].value);
    EXPECT_FALSE(on_test->measurements[i].detail.contains("test"));
  }
}

TEST_P(CloudExecTest, EvaluationScoresTheSplitThatIsNamed) {
  Train(5);
  const auto points_of = [&](const std::string& split) {
    search::TaskSpec spec = EvaluateSpec();
    spec.settings["evaluate"]["split"] = split;
    const auto result = Run(spec);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->measurements.front().samples : 0;
  };
  const ToyClouds dataset(GetParam());
  EXPECT_EQ(points_of("train") * dataset.size(data::Split::kVal),
            points_of("val") * dataset.size(data::Split::kTrain));
  EXPECT_EQ(points_of("test") * dataset.size(data::Split::kVal),
            points_of("val") * dataset.size(data::Split::kTest));
}

TEST_P(CloudExecTest, TheManifestTakesTheContractsOfTheDataset) {
  Train(1);
  const auto result =
      Run(Spec(search::TaskKind::kExport,
               {{"manifest", Json::object()}, {"weights", ""}, {"evaluate", EvaluateJson()}}));
  ASSERT_TRUE(result.ok()) << result.status();
  const auto manifest = ReadJsonFile(artifacts_.PathOf(result->artifacts.at("manifest.json")));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const ToyClouds dataset(GetParam());
  EXPECT_EQ(manifest->at("input"), dataset.InputContract());
  EXPECT_EQ(manifest->at("output"), dataset.OutputContract());
  EXPECT_FALSE(manifest->at("weights").at("layout").contains("kernel_offsets"));
}

INSTANTIATE_TEST_SUITE_P(All, CloudExecTest, ::testing::Values(Scoring::kParts, Scoring::kObjects),
                         [](const auto& test) {
                           return std::string(test.param == Scoring::kParts ? "Parts" : "Objects");
                         });

}  // namespace
}  // namespace voxbit::worker
