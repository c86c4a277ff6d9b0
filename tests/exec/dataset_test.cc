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

// A share that is not mounted costs no candidate its chances; a wrong folder in a new study is told
// at once.
TEST_F(DatasetChangeTest, FilesThatAreAwayAreTheWorkersTroubleOnceTheyWereSeen) {
  const std::string digest = Digest();
  std::filesystem::rename(folder_.path() + "/velodyne", folder_.path() + "/away");
  const Status known = Run(ProfileSpec(digest)).status();
  EXPECT_EQ(known.code(), StatusCode::kUnavailable) << known;
  EXPECT_EQ(known.reason(), "DATASET_UNREADABLE") << known;
  EXPECT_EQ(Run(ProfileSpec()).status().code(), StatusCode::kNotFound);
  std::filesystem::rename(folder_.path() + "/away", folder_.path() + "/velodyne");
  EXPECT_TRUE(Run(ProfileSpec(digest)).ok());
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
