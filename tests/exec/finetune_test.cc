// Fine-tuning returns the better of its start and its end.
#include <gtest/gtest.h>

#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

using FinetuneTest = ExecTest;

TEST_F(FinetuneTest, KeepsTheStartWhenTrainingSpoilsIt) {
  Train(40);
  const auto inherited = Run(EvaluateSpec());
  ASSERT_TRUE(inherited.ok()) << inherited.status();
  search::TaskSpec spec = FinetuneSpec(20);
  spec.settings["finetune"]["lr"] = 3.0;
  const auto result = Run(spec);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->detail.at("kept"), "start");
  EXPECT_LT(result->detail.at("end_miou"), result->detail.at("start_miou"));
  for (const search::Measurement& measurement : result->measurements) {
    EXPECT_EQ(measurement.detail.at("kept"), "start") << measurement.metric;
    EXPECT_EQ(measurement.detail.at("start"), measurement.value) << measurement.metric;
    EXPECT_NE(measurement.detail.at("end"), measurement.value) << measurement.metric;
  }
  EXPECT_DOUBLE_EQ(result->measurements.at(0).value, inherited->measurements.at(0).value);
}

TEST_F(FinetuneTest, KeepsTheEndWhenTrainingHelps) {
  Train(4);
  const auto result = Run(FinetuneSpec(40));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->detail.at("kept"), "end");
  EXPECT_DOUBLE_EQ(result->measurements.at(0).value, result->detail.at("end_miou"));
  EXPECT_EQ(result->measurements.at(0).detail.at("kept"), "end");
  EXPECT_EQ(result->measurements.at(0).detail.at("start"), result->detail.at("start_miou"));
  EXPECT_EQ(result->measurements.at(0).detail.at("end"), result->detail.at("end_miou"));
}

TEST_F(FinetuneTest, ScoresTheSplitOfTheStudyButChoosesByValidation) {
  Train(4);
  search::TaskSpec spec = FinetuneSpec(20);
  const auto on_val = Run(spec);
  spec.settings["evaluate"]["split"] = "train";
  const auto on_train = Run(spec);
  ASSERT_TRUE(on_val.ok() && on_train.ok()) << on_val.status() << on_train.status();
  EXPECT_EQ(on_val->detail.at("end_miou"), on_train->detail.at("end_miou"));
  EXPECT_EQ(on_val->measurements.at(0).value, on_val->detail.at("end_miou"));
  EXPECT_NE(on_train->measurements.at(0).value, on_val->measurements.at(0).value);
  EXPECT_FALSE(on_val->measurements.at(0).detail.contains("test"));
}

}  // namespace
}  // namespace voxbit::worker
