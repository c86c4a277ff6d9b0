// What a running worker does when the files of a dataset are changed, or are not those of the
// study.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/data/data_folders.h"
#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

using ::testing::HasSubstr;

class DatasetChangeTest : public ExecTest {
 protected:
  void SetUp() override {
    ExecTest::SetUp();
    data::WriteSmallFolder(folder_.path());
    const auto dataset = data::ParseDatasetConfig(
        data::BuiltinDatasets(),
        {{"kind", "semantic_kitti"}, {"root", folder_.path()}, {"voxel_m", 0.5}}, "/dataset");
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *dataset;
  }

  search::TaskSpec ProfileSpec(const std::string& dataset_digest = "") const {
    search::TaskSpec spec = Spec(search::TaskKind::kProfile, Json::object());
    spec.dataset_digest = dataset_digest;
    return spec;
  }
  std::string Digest() {
    const auto result = Run(ProfileSpec());
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->detail.at("dataset_digest").get<std::string>() : "";
  }
  void WriteLabels(const std::vector<uint32_t>& labels) {
    data::WriteArray(folder_.path() + "/labels/b.label", labels);
  }

  testing::TempDir folder_;
};

TEST_F(DatasetChangeTest, ARunningWorkerSeesAMendedClassTable) {
  WriteLabels({10, 20, 30});
  const Status broken = Run(ProfileSpec()).status();
  EXPECT_THAT(broken.message(), HasSubstr("label out of map")) << broken;
  data::WriteText(
      folder_.path() + "/classes.tsv",
      "raw_id\ttrain_id\tname\n0\t255\tvoid\n10\t0\tground\n20\t1\tbuilding\n30\t2\ttree\n");
  const auto mended = Run(ProfileSpec());
  ASSERT_TRUE(mended.ok()) << mended.status();
  EXPECT_EQ(mended->detail.at("workload").at("num_classes"), 3);
}

TEST_F(DatasetChangeTest, ChangedLabelsAreNeverMixedWithTheOldOnes) {
  const std::string before = Digest();
  ASSERT_TRUE(Run(ProfileSpec(before)).ok());
  WriteLabels({10, 10, 10});
  const Status status = Run(ProfileSpec(before)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  EXPECT_EQ(status.reason(), "DATASET_MISMATCH") << status;
  EXPECT_NE(Digest(), before);
  // What it was is fine again.
  WriteLabels({10, (7U << 16) + 20, 0});
  EXPECT_TRUE(Run(ProfileSpec(before)).ok());
}

TEST_F(DatasetChangeTest, FilesThatChangeDuringATaskSpoilItsResult) {
  const auto change = [&](const Json&) { WriteLabels({10, 10}); };
  const Status status = Run(ProfileSpec(), change).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  EXPECT_EQ(status.reason(), "DATASET_CHANGED") << status;
}

// A share that is not mounted costs no candidate its chances; what a folder lacks ends a new study
// at once.
TEST_F(DatasetChangeTest, FilesThatAreAwayAreTheWorkersTroubleOnceTheyWereSeen) {
  const std::string digest = Digest();
  std::filesystem::rename(folder_.path() + "/velodyne", folder_.path() + "/away");
  const Status known = Run(ProfileSpec(digest)).status();
  EXPECT_EQ(known.code(), StatusCode::kUnavailable) << known;
  EXPECT_EQ(known.reason(), "DATASET_UNREADABLE") << known;
  EXPECT_EQ(Run(ProfileSpec()).status().reason(), "DATASET_BROKEN");
  std::filesystem::rename(folder_.path() + "/away", folder_.path() + "/velodyne");
  EXPECT_TRUE(Run(ProfileSpec(digest)).ok());
  dataset_["root"] = folder_.path() + "/not mounted";
  const Status without_folder = Run(ProfileSpec()).status();
  EXPECT_EQ(without_folder.code(), StatusCode::kNotFound) << without_folder;
  EXPECT_EQ(without_folder.reason(), "") << without_folder;
}

TEST_F(DatasetChangeTest, AFileThatContradictsItselfIsAFaultOfTheDataOnEveryWorker) {
  // Calibration comes first, and wants two voxels at the coarsest level.
  data::WriteArray(folder_.path() + "/velodyne/a.bin",
                   std::vector<float>{1, 1, 1, 0, 101, 1, 1, 0, 1, 101, 1, 0});
  WriteLabels({10, 20});
  const Status profile = Run(ProfileSpec()).status();
  EXPECT_EQ(profile.reason(), "DATASET_BROKEN") << profile;
  EXPECT_THAT(profile.message(), HasSubstr("b.label: 2 labels for 3 points"));
  // A study of a version whose profile did not check.
  auto opened = data::OpenFolder(folder_.path(), {{"voxel_m", 0.5}});
  ASSERT_TRUE(opened.ok()) << opened.status();
  search::TaskSpec evaluate = EvaluateSpec();
  evaluate.dataset_digest = (*opened)->Describe().at("digest");
  const Status later = Run(evaluate).status();
  EXPECT_EQ(later.reason(), "DATASET_BROKEN") << later;
  EXPECT_THAT(later.message(), HasSubstr("b.label: 2 labels for 3 points"));
}

TEST_F(DatasetChangeTest, WhatCannotBeOpenedHereButWasElsewhereIsTheWorkersTrouble) {
  const std::string digest = Digest();
  data::WriteText(folder_.path() + "/train.txt", "a\na\n");
  const Status known = Run(ProfileSpec(digest)).status();
  EXPECT_EQ(known.code(), StatusCode::kUnavailable) << known;
  EXPECT_EQ(known.reason(), "DATASET_UNREADABLE") << known;
  EXPECT_EQ(Run(ProfileSpec()).status().reason(), "DATASET_BROKEN");
}

TEST_F(DatasetChangeTest, AProfileChecksEveryScanAndSaysWhatItFound) {
  std::vector<Json> reports;
  const auto result = Run(ProfileSpec(), [&](const Json& now) { reports.push_back(now); });
  ASSERT_TRUE(result.ok()) << result.status();
  const Json& check = result->detail.at("check");
  EXPECT_EQ(check.at("digest"), result->detail.at("dataset_digest"));
  EXPECT_EQ(check.at("splits").size(), 2U);
  EXPECT_EQ(check.at("num_faults"), 0);
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports.front().at("phase"), "check");
  EXPECT_EQ(reports.front().at("steps"), 2);
}

TEST_F(DatasetChangeTest, DataThatWasCheckedIsNotReadAgain) {
  const auto first = Run(ProfileSpec());
  ASSERT_TRUE(first.ok()) << first.status();
  Json kept = first->detail.at("check");
  kept["seconds"] = 12345;
  search::TaskSpec spec = ProfileSpec();
  spec.settings["checks"] = Json::array({kept});
  const auto again = Run(spec);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->detail.at("check"), kept);
  WriteLabels({10, 10, 10});  // other data: what was found before says nothing of it
  const auto changed = Run(spec);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_NE(changed->detail.at("check").at("seconds"), 12345);
}

TEST_F(DatasetChangeTest, TheSameFilesInAnotherFolderServeTheStudy) {
  const std::string digest = Digest();
  const testing::TempDir other;
  data::WriteSmallFolder(other.path());
  dataset_["root"] = other.path();
  EXPECT_TRUE(Run(ProfileSpec(digest)).ok());
}

}  // namespace
}  // namespace voxbit::worker
