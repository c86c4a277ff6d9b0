// What a study's creation refuses before any data is read.
#include "server/study/study_plan.h"

#include <gtest/gtest.h>

#include "tests/support/toy_clouds.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

class StudyPlanTest : public ::testing::Test {
 protected:
  StudyPlanTest() { plugins_.datasets.Add("toy_clouds", ToyCloudsKind(), "for tests"); }

  Status Create(const Json& config) const {
    return server::StudyPlan::Create(config, "/studies/0", plugins_).status();
  }

  static void ExpectRefusal(const Status& status, const std::vector<std::string>& words) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    for (const std::string& word : words) {
      EXPECT_NE(status.message().find(word), std::string::npos) << status << " lacks " << word;
    }
  }

  server::Plugins plugins_ = ToyPlugins();
};

TEST_F(StudyPlanTest, RefusesAnObjectiveThatTheDatasetDoesNotMeasure) {
  Json config = ToyStudy("a", 8);
  config["objectives"] = {{{"metric", "macs"}}, {{"metric", "instance_miou"}}};
  ExpectRefusal(Create(config), {"/studies/0/objectives/1/metric", "instance_miou",
                                 "synthetic_lidar", "miou, accuracy"});
}

TEST_F(StudyPlanTest, RefusesAConstraintThatTheDatasetDoesNotMeasure) {
  Json config = ToyStudy("a", 8);
  config["constraints"] = {{{"metric", "balanced_accuracy"}, {"min", 0.5}}};
  ExpectRefusal(Create(config), {"/studies/0/constraints/0/metric", "balanced_accuracy"});
}

TEST_F(StudyPlanTest, TakesLatenciesCostsAndEveryMetricOfTheDataset) {
  Json config = ToyStudy("a", 8);
  config["objectives"] = {{{"metric", "accuracy"}}, {{"metric", "latency_ms"}}};
  config["constraints"] = {{{"metric", "miou"}, {"min", 0.1}}, {{"metric", "macs"}, {"max", 1e9}}};
  const Status status = Create(config);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(StudyPlanTest, RefusesASupernetThatCannotReadTheDataset) {
  Json config = ToyStudy("a", 8);
  config["dataset"] = ToyClouds::Config(data::Scoring::kParts);
  config["objectives"] = {{{"metric", "instance_miou"}}};
  ExpectRefusal(Create(config), {"/studies/0/supernet/kind", "\"toy\" reads voxels",
                                 "\"toy_clouds\" gives clouds"});
}

}  // namespace
}  // namespace voxbit::testing
