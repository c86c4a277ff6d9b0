#include "storage/fsck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/time.h>

#include "common/files.h"
#include "storage/artifact_store.h"
#include "storage/backup.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StoreTest;
using testing::Take;

class FsckTest : public StoreTest {
 protected:
  // The checkpoint of a training that is done.
  std::string Checkpoint(const std::string& bytes) {
    std::string sha256 = Put(bytes);
    AddTrials(study_, next_++, 1);
    search::TaskResult result = testing::ResultOf("miou", 0.5);
    result.artifacts["checkpoint"] = sha256;
    const search::Task task = Claim();
    EXPECT_TRUE(store_->CompleteTask(task.id, task.lease_token, result).ok());
    return sha256;
  }
  std::string Put(const std::string& bytes) {
    return Take(Take(ArtifactStore::Open(folder_.File("store/artifacts")))->Put(bytes));
  }
  std::string PathOf(const std::string& sha256) const {
    return folder_.File("store/artifacts/" + sha256.substr(0, 2) + "/" + sha256);
  }
  void SetAge(const std::string& sha256, Milliseconds age) {
    const int64_t seconds = (clock_.NowMs() - age.count()) / 1000;
    const timeval times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimes(PathOf(sha256).c_str(), times), 0);
  }
  FsckReport Check(bool repair = false, const std::string& folder = "store") {
    return Take(Fsck(folder_.File(folder), repair, clock_, [](const FsckReport&) {}));
  }
  void SetUp() override {
    StoreTest::SetUp();
    study_ = NewStudy("lidar").id;
  }

  int64_t study_ = 0;
  int32_t next_ = 0;
};

TEST_F(FsckTest, AStoreThatIsInUseIsSound) {
  Checkpoint("weights");
  const FsckReport report = Check();
  EXPECT_TRUE(report.is_sound());
  EXPECT_EQ(report.artifacts, 1);
  EXPECT_EQ(report.bytes, 7);
  EXPECT_EQ(report.unused, 0);
}

TEST_F(FsckTest, ADamagedArtifactIsRemovedAndComesAgain) {
  const std::string sha256 = Checkpoint("weights");
  ASSERT_TRUE(WriteFileAtomically(PathOf(sha256), "Weights").ok());
  const FsckReport found = Check();
  ASSERT_EQ(found.faults.size(), 1U);
  EXPECT_EQ(found.faults[0].sha256, sha256);
  EXPECT_FALSE(found.faults[0].is_missing);
  EXPECT_THAT(found.faults[0].needed_by, ElementsAre("study lidar: checkpoint of evaluate"));
  EXPECT_EQ(found.removed, 0);
  EXPECT_EQ(Check().faults.size(), 1U) << "nothing was changed";

  store_.reset();
  EXPECT_EQ(Check(/*repair=*/true).removed, 1);
  const FsckReport repaired = Check();
  ASSERT_EQ(repaired.faults.size(), 1U);
  EXPECT_TRUE(repaired.faults[0].is_missing);
  EXPECT_EQ(Put("weights"), sha256);
  EXPECT_TRUE(Check().is_sound());
}

TEST_F(FsckTest, OnlyWhatNothingHasNamedForADayIsUnused) {
  const std::string needed = Checkpoint("weights");
  const std::string orphan = Put("orphan");
  const std::string fresh = Put("about to be named");
  SetAge(needed, 2 * kUnusedAfter);
  SetAge(orphan, kUnusedAfter + Milliseconds(2'000));
  SetAge(fresh, kUnusedAfter - Milliseconds(2'000));
  FsckReport report = Check();
  EXPECT_TRUE(report.is_sound());
  EXPECT_EQ(report.unused, 1);
  EXPECT_EQ(report.unused_bytes, 6);
  store_.reset();
  EXPECT_EQ(Check(/*repair=*/true).removed, 1);
  const auto artifacts = ArtifactStore::ReadOnly(folder_.File("store/artifacts"));
  EXPECT_FALSE(artifacts.Has(orphan));
  EXPECT_TRUE(artifacts.Has(needed));
  EXPECT_TRUE(artifacts.Has(fresh));
}

TEST_F(FsckTest, WhatALateResultNamesIsEvidenceAndStays) {
  const std::string late = Put("late weights");
  SetAge(late, 2 * kUnusedAfter);
  AddTrials(study_, next_++, 1);
  const search::Task first = Claim();
  clock_.Advance(policy_.lease_duration + Milliseconds(1));
  Take(store_->ExpireLeases(policy_));
  clock_.Advance(policy_.max_backoff);
  Complete(Claim("w2"));
  search::TaskResult result = testing::ResultOf("miou", 0.5);
  result.artifacts["checkpoint"] = late;
  EXPECT_EQ(Take(store_->CompleteTask(first.id, first.lease_token, result)),
            search::Verdict::kSuperseded);
  EXPECT_EQ(Check().unused, 0);
}

TEST_F(FsckTest, RulesOfTheDatabaseAndFilesOfStatesAreChecked) {
  ASSERT_TRUE(store_->SaveAlgorithmState(study_, {std::string(kLargeStateBytes + 1, 's'), 0}).ok());
  EXPECT_TRUE(Check().is_sound());
  std::filesystem::remove_all(folder_.File("store/states"));
  EXPECT_THAT(Check().broken,
              ElementsAre(HasSubstr("the file of a large algorithm state is there: study ")));
  store_.reset();
}

TEST_F(FsckTest, ABackupIsCheckedAsWell) {
  Checkpoint("weights");
  ASSERT_TRUE(
      BackUp(folder_.File("store"), folder_.File("backup"), clock_, [](const CopyReport&) {}).ok());
  const FsckReport report = Check(/*repair=*/false, "backup");
  EXPECT_TRUE(report.is_sound());
  EXPECT_EQ(report.artifacts, 1);
}

TEST_F(FsckTest, RepairsNoStoreThatIsInUseAndChecksNoOtherFolder) {
  const OnChecked nothing = [](const FsckReport&) {};
  EXPECT_EQ(Fsck(folder_.File("store"), true, clock_, nothing).status().reason(), "STORE_IN_USE");
  EXPECT_EQ(Fsck(folder_.File("none"), false, clock_, nothing).status().code(),
            StatusCode::kNotFound);
}

}  // namespace
}  // namespace voxbit::storage
