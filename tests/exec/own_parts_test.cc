// Categories and parts of one's own through every task, with networks that read the category.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/object_folders.h"
#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

using ::testing::HasSubstr;

class OwnPartsExecTest : public ExecTest {
 protected:
  void SetUp() override {
    data::WriteOwnParts(folder_.path());
    const Json dataset = {{"kind", "shapenet_part"}, {"root", folder_.path()}, {"points", 28}};
    dataset_ = data::ParseDatasetConfig(data::BuiltinDatasets(), dataset, "/dataset").value();
    executor_ = MakeExecutor({});
  }

  void UseSupernet(const Json& config) {
    search::SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    auto spec = registry.Find(config.at("kind").get<std::string>()).value()(config, "/supernet");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = std::move(spec).value();
  }

  const testing::TempDir folder_;
};

Json PctOf(int64_t categories) {
  return {{"kind", "pct"}, {"task", "segmentation"}, {"channels", 8}, {"categories", categories}};
}

TEST_F(OwnPartsExecTest, EveryTaskFollowsTheTable) {
  for (const Json& supernet : {PctOf(1), Json({{"kind", "point_transformer"},
                                               {"width", 0.0625},
                                               {"channels", 8},
                                               {"levels", 2},
                                               {"neighbours", {4}}})}) {
    UseSupernet(supernet);
    checkpoint_.clear();
    const auto profile = Run(Spec(search::TaskKind::kProfile, Json::object()));
    ASSERT_TRUE(profile.ok()) << profile.status();
    const auto workload = search::ParseWorkload(profile->detail.at("workload"));
    ASSERT_TRUE(workload.ok()) << workload.status();
    EXPECT_EQ(workload->in_channels, 7);
    EXPECT_EQ(workload->num_classes, 14);

    Train(3);
    const auto scored = Run(EvaluateSpec());
    ASSERT_TRUE(scored.ok()) << scored.status();
    EXPECT_EQ(scored->measurements.front().metric, "instance_miou");
    const search::Measurement& class_miou = scored->measurements.at(1);
    ASSERT_EQ(class_miou.metric, "class_miou");
    const Json& by_category = class_miou.detail.at("category_miou");
    EXPECT_EQ(by_category.size(), 1U);
    EXPECT_TRUE(by_category.contains("Valve"));

    const auto exported =
        Run(Spec(search::TaskKind::kExport,
                 {{"manifest", Json::object()}, {"weights", ""}, {"evaluate", EvaluateJson()}}));
    ASSERT_TRUE(exported.ok()) << exported.status();
    const Json manifest =
        ReadJsonFile(artifacts_.PathOf(exported->artifacts.at("manifest.json"))).value();
    EXPECT_EQ(manifest.at("input").at("category_names"), Json::array({"Valve"}));
    EXPECT_EQ(manifest.at("output").at("class_names").size(), 14U);
    EXPECT_EQ(manifest.at("output").at("raw_ids").back(), 40);
  }
}

TEST_F(OwnPartsExecTest, ANetworkForOtherCategoriesIsRefused) {
  UseSupernet(PctOf(16));
  const auto trained = Run(TrainSpec(1));
  ASSERT_FALSE(trained.ok());
  EXPECT_EQ(trained.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(trained.status().message(),
              HasSubstr("/supernet/categories: expected 1, as many as the dataset has, found 16"));
  UseSupernet(PctOf(1));
  dataset_["features"] = {"x", "y", "z"};
  EXPECT_THAT(Run(TrainSpec(1)).status().message(),
              HasSubstr("the points have 3; expected the feature \"category\""));
}

}  // namespace
}  // namespace voxbit::worker
