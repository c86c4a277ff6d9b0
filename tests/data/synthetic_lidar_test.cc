#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/data_folders.h"
#include "worker/data/files/writer.h"

namespace voxbit::data {
namespace {

using ::testing::HasSubstr;

TEST(SyntheticLidarTest, EveryClassIsPresentInEightScansOfEitherSplit) {
  const auto dataset = OpenSynthetic();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  for (const Split split : {Split::kTrain, Split::kVal}) {
    std::vector<int64_t> counts(256, 0);
    for (int64_t i = 0; i < 8; ++i) {
      const auto scan = (*dataset)->Load(split, i);
      ASSERT_TRUE(scan.ok()) << scan.status();
      for (const int32_t label : scan->labels) ++counts[static_cast<size_t>(label)];
    }
    for (size_t c = 0; c < (*dataset)->class_names().size(); ++c) {
      EXPECT_GE(counts[c], 50) << (*dataset)->class_names()[c];
    }
    EXPECT_GT(counts[kIgnoredLabel], 0);
  }
}

TEST(SyntheticLidarTest, LooksLikeAStreetScan) {
  const auto dataset = OpenSynthetic();
  ASSERT_TRUE(dataset.ok());
  const auto scan = (*dataset)->Load(Split::kTrain, 3);
  ASSERT_TRUE(scan.ok());
  EXPECT_GT(scan->num_points(), 32 * 512 / 2);
  EXPECT_LT(scan->num_points(), 32 * 512);
  for (int64_t i = 0; i < scan->num_points(); ++i) {
    const float* point = &scan->points[static_cast<size_t>(4 * i)];
    const double range = std::hypot(point[0], point[1], point[2]);
    EXPECT_GT(range, 1.5);
    EXPECT_LT(range, 50.5);
    EXPECT_GE(point[3], 0);
    EXPECT_LE(point[3], 1);
    if (scan->labels[static_cast<size_t>(i)] == 0) {
      EXPECT_LT(point[2], 0) << "road";
    }
  }
}

TEST(SyntheticLidarTest, ScansDifferBetweenIndicesSplitsAndSeeds) {
  const auto dataset = OpenSynthetic();
  const auto other_seed = OpenSynthetic({{"seed", 1}});
  ASSERT_TRUE(dataset.ok() && other_seed.ok());
  const auto base = (*dataset)->Load(Split::kTrain, 0)->points;
  EXPECT_NE(base, (*dataset)->Load(Split::kTrain, 1)->points);
  EXPECT_NE(base, (*dataset)->Load(Split::kVal, 0)->points);
  EXPECT_NE(base, (*other_seed)->Load(Split::kTrain, 0)->points);
}

TEST(SyntheticLidarTest, AScanDoesNotDependOnTheNumberOfScans) {
  const auto small = OpenSynthetic({{"train_scans", 4}});
  const auto large = OpenSynthetic({{"train_scans", 1000000}});
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_EQ((*small)->Load(Split::kTrain, 3)->points, (*large)->Load(Split::kTrain, 3)->points);
  EXPECT_TRUE((*large)->Load(Split::kTrain, 999999).ok());
}

TEST(SyntheticLidarTest, SurvivesWritingAndReading) {
  const TempFolder folder;
  const auto dataset =
      OpenSynthetic({{"train_scans", 2}, {"val_scans", 1}, {"beams", 8}, {"azimuth_steps", 64}});
  ASSERT_TRUE(dataset.ok());
  ASSERT_TRUE(WriteSemanticKittiFolder(**dataset, folder.path()).ok());
  const auto read = OpenFolder(folder.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->class_names(), (*dataset)->class_names());
  for (const Split split : {Split::kTrain, Split::kVal}) {
    ASSERT_EQ((*read)->size(split), (*dataset)->size(split));
    for (int64_t i = 0; i < (*dataset)->size(split); ++i) {
      const auto written = (*dataset)->Load(split, i);
      const auto back = (*read)->Load(split, i);
      ASSERT_TRUE(written.ok() && back.ok()) << back.status();
      EXPECT_EQ(back->name, written->name);
      EXPECT_EQ(back->points, written->points);
      EXPECT_EQ(back->labels, written->labels);
    }
  }
}

TEST(SyntheticLidarTest, WritingToAnImpossibleFolderIsAnError) {
  const TempFolder folder;
  WriteText(folder.path() + "/file", "x");
  const auto dataset = OpenSynthetic({{"beams", 1}, {"azimuth_steps", 8}});
  ASSERT_TRUE(dataset.ok());
  const Status status = WriteSemanticKittiFolder(**dataset, folder.path() + "/file/below");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr(folder.path()));
}

TEST(SyntheticLidarTest, RefusesWrongConfigurationsNamingThePointer) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"beams", 0}}, "/dataset/beams"},
      {{{"azimuth_steps", 100000}}, "/dataset/azimuth_steps"},
      {{{"train_scans", 0}}, "/dataset/train_scans"},
      {{{"seed", -1}}, "/dataset/seed"},
      {{{"noise_m", -0.1}}, "/dataset/noise_m"},
      {{{"vertical_fov_low_deg", 20}}, "/dataset/vertical_fov_low_deg"},
      {{{"features", {"x", "returns"}}}, "/dataset/features/1"},
  };
  for (const auto& [fields, message] : cases) {
    const auto opened = OpenSynthetic(fields);
    ASSERT_FALSE(opened.ok()) << fields;
    EXPECT_EQ(opened.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(opened.status().message(), HasSubstr(message));
  }
}

TEST(SyntheticLidarTest, SaysSoWhenNoRayMeetsAnything) {
  const auto dataset = OpenSynthetic({{"vertical_fov_low_deg", 80}, {"vertical_fov_high_deg", 89}});
  ASSERT_TRUE(dataset.ok());
  const auto scan = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_FALSE(scan.ok());
  EXPECT_THAT(scan.status().message(), HasSubstr("no ray met anything"));
}

}  // namespace
}  // namespace voxbit::data
