#include "worker/data/lidar/scan_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/data_folders.h"

namespace voxbit::data {
namespace {

using ::testing::HasSubstr;

Scan OffsetScan(float x, float y, size_t num = 10) {
  Scan scan;
  scan.source = "folder/s.bin";
  for (size_t i = 0; i < num; ++i) {
    scan.points.insert(scan.points.end(), {x + static_cast<float>(i % 3), y, 1, 0});
    scan.labels.push_back(0);
  }
  return scan;
}

std::vector<std::string> Kinds(const Scan& scan, const LidarSettings& settings) {
  std::vector<std::string> kinds;
  for (const ScanWarning& warning : WarningsOf(scan, settings)) {
    EXPECT_THAT(warning.message, HasSubstr("folder/s.bin: "));
    kinds.push_back(warning.kind);
  }
  return kinds;
}

TEST(ScanChecksTest, TheStepIsThatOfFloat32WhereMostPointsLie) {
  const CoordinateStep step = CoarsestStep(OffsetScan(771250, 6277550));
  EXPECT_EQ(step.axis, 'y');
  EXPECT_EQ(step.step_m, 0.5);
  EXPECT_EQ(CoarsestStep(OffsetScan(771250, 0)).step_m, 0.0625);
  EXPECT_EQ(CoarsestStep(OffsetScan(-771250, 0)).step_m, 0.0625);
  EXPECT_EQ(CoarsestStep({}).step_m, 0);
}

TEST(ScanChecksTest, StrayInvalidAndMissingPointsDoNotChangeTheStep) {
  Scan scan = OffsetScan(771250, 0);
  scan.points.insert(scan.points.end(), {3e38F, 0, 0, 0, NAN, 0, 0, 0});
  scan.points.insert(scan.points.end(), 400, 0);
  EXPECT_EQ(CoarsestStep(scan).step_m, 0.0625);
}

TEST(ScanChecksTest, WarnsOfAStepThatIsATenthOfAVoxel) {
  LidarSettings settings;
  settings.voxel_m = 0.5;
  EXPECT_THAT(Kinds(OffsetScan(771250, 0), settings), ::testing::ElementsAre("step"));
  settings.voxel_m = 0.7;
  EXPECT_TRUE(Kinds(OffsetScan(771250, 0), settings).empty());
}

TEST(ScanChecksTest, WarnsOfPointsAtTheOriginWithTheirShareAndTheWayOut) {
  Scan scan = OffsetScan(10, 0, 60);
  scan.points.resize(400, 0);
  EXPECT_EQ(ShareAtOrigin(scan), 0.4);
  LidarSettings settings;
  EXPECT_THAT(Kinds(scan, settings), ::testing::ElementsAre("origin"));
  const std::string message = WarningsOf(scan, settings).front().message;
  EXPECT_THAT(message, HasSubstr("40 % (40 of 100)"));
  EXPECT_THAT(message, HasSubstr("drop_origin"));
  settings.drop_origin = true;
  EXPECT_TRUE(Kinds(scan, settings).empty());
}

TEST(ScanChecksTest, WarnsOfAStrayPointUnlessItIsDropped) {
  Scan scan = OffsetScan(10, 0, 200);
  scan.points[4 * 7 + 1] = 90000;
  LidarSettings settings;
  EXPECT_THAT(Kinds(scan, settings), ::testing::ElementsAre("stray"));
  EXPECT_THAT(WarningsOf(scan, settings).front().message, HasSubstr("point 7 lies 90000 m from"));
  settings.keep_range_m = 100;
  EXPECT_TRUE(Kinds(scan, settings).empty());
}

TEST(ScanChecksTest, WarnsOfWhatTheSettingsDropButForTheUsual) {
  Scan scan = OffsetScan(10, 0, 10);
  scan.points[1] = NAN;
  LidarSettings settings;
  settings.drop_invalid = true;
  settings.keep_range_m = 20;
  EXPECT_THAT(Kinds(scan, settings), ::testing::ElementsAre("invalid"));
  settings.keep_range_m = 5;
  EXPECT_THAT(Kinds(scan, settings), ::testing::ElementsAre("invalid", "range"));
}

TEST(ScanChecksTest, ADatasetNamesAScanOnceAndOnlyTheFirstFew) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  std::string names;
  for (int i = 0; i < 9; ++i) {
    const std::string name = "s" + std::to_string(i);
    names += name + "\n";
    WriteArray<float>(folder.path() + "/velodyne/" + name + ".bin", {0, 0, 0, 0, 1, 0, 0, 0});
    WriteArray<uint32_t>(folder.path() + "/labels/" + name + ".label", {10, 10});
  }
  WriteText(folder.path() + "/train.txt", names);
  const auto dataset = OpenFolder(folder.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ::testing::internal::CaptureStderr();
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < 9; ++i) {
      const auto scan = (*dataset)->Load(Split::kTrain, i);
      ASSERT_TRUE(scan.ok());
      EXPECT_TRUE((*dataset)->Prepare(*scan, nullptr).ok());
    }
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  const auto count = [&log](const std::string& text) {
    int64_t found = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("s0.bin: 50 % (1 of 2) of the points lie at exactly (0, 0, 0)"), 1) << log;
  EXPECT_EQ(count("lie at exactly"), 5) << log;
  EXPECT_EQ(count("further such scans are not named"), 1) << log;
}

TEST(ScanChecksTest, SettingsSinceVersion01EnterTheDigestOnlyWhereTheyAreSet) {
  const TempFolder folder;
  WriteSmallFolder(folder.path());
  const auto dataset = OpenFolder(folder.path());
  ASSERT_TRUE(dataset.ok());
  // As version 0.1 computed it.
  EXPECT_EQ((*dataset)->Describe()["digest"],
            "f3af2b504d215117a41116fb9ba802f635ff6fe87fa398f01f7ab4e44f9e36d4");
  const auto other = OpenFolder(folder.path(), {{"drop_invalid", true}});
  ASSERT_TRUE(other.ok());
  EXPECT_NE((*other)->Describe()["digest"],
            "f3af2b504d215117a41116fb9ba802f635ff6fe87fa398f01f7ab4e44f9e36d4");
}

}  // namespace
}  // namespace voxbit::data
