#include "storage/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "common/files.h"
#include "storage/artifact_store.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StoreTest;
using testing::Take;

class BackupTest : public StoreTest {
 protected:
  static std::string Large(char fill) { return std::string(kLargeStateBytes + 1, fill); }

  std::string Put(const std::string& bytes) {
    return Take(Take(ArtifactStore::Open(folder_.File("store/artifacts")))->Put(bytes));
  }
  Result<CopyReport> TryBackUp(const OnCopied& on_copied = [](const CopyReport&) {}) {
    return BackUp(folder_.File("store"), folder_.File("backup"), clock_, on_copied);
  }
  // Restores into a new folder and opens that.
  std::unique_ptr<Store> Restored() {
    const std::string to = folder_.File("restored" + std::to_string(restored_++));
    const auto report = Restore(folder_.File("backup"), to, [](const CopyReport&) {});
    EXPECT_TRUE(report.ok()) << report.status();
    auto store = Take(Store::Open(to, clock_));
    EXPECT_THAT(Take(store->CheckInvariants()), ElementsAre());
    return store;
  }
  std::string RestoredFile(const std::string& sha256) {
    const auto artifacts = ArtifactStore::ReadOnly(
        folder_.File("restored" + std::to_string(restored_ - 1)) + "/artifacts");
    return Take(ReadFile(Take(artifacts.Path(sha256))));
  }

  int restored_ = 0;
};

TEST_F(BackupTest, TakesAStoreThatIsInUseAsItIsAtOneMoment) {
  const int64_t study = NewStudy().id;
  AddTrials(study, 0, 3);
  Complete(Claim());
  ASSERT_TRUE(store_->SaveAlgorithmState(study, {Large('a'), 1}).ok());
  const std::string checkpoint = Put("weights");
  const CopyReport report = Take(TryBackUp());
  EXPECT_EQ(report.studies, 1);
  EXPECT_EQ(report.trials, 3);
  EXPECT_EQ(report.files_copied, 1);
  EXPECT_EQ(report.bytes_copied, 7);

  Complete(Claim());  // what comes later is not in it
  const auto restored = Restored();
  EXPECT_EQ(Take(restored->CountTrials(study)).succeeded, 1);
  EXPECT_EQ(Take(restored->LoadAlgorithmState(study))->blob, Large('a'));
  EXPECT_EQ(RestoredFile(checkpoint), "weights");
  EXPECT_EQ(Take(store_->CountTrials(study)).succeeded, 2);
}

TEST_F(BackupTest, TheNextOneCopiesWhatIsNew) {
  const int64_t study = NewStudy().id;
  Put("first");
  ASSERT_TRUE(store_->SaveAlgorithmState(study, {Large('a'), 0}).ok());
  Take(TryBackUp());
  Put("second one");
  ASSERT_TRUE(store_->SaveAlgorithmState(study, {Large('b'), 0}).ok());
  const CopyReport report = Take(TryBackUp());
  EXPECT_EQ(report.files_copied, 1);
  EXPECT_EQ(report.bytes_copied, 10);
  EXPECT_EQ(report.files_kept, 1);
  EXPECT_EQ(Take(Restored()->LoadAlgorithmState(study))->blob, Large('b'));
  const auto states =
      ArtifactStore::ReadOnly(folder_.File("backup/states/" + std::to_string(study)));
  EXPECT_EQ(Take(states.List()).size(), 1U) << "a superseded state is not kept";
}

TEST_F(BackupTest, IsSoundWhileTheServerWrites) {
  const int64_t study = NewStudy().id;
  AddTrials(study, 0, 1);
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    for (int32_t i = 1; !is_over; ++i) {
      AddTrials(study, i, 1);
      Complete(Claim());
      ASSERT_TRUE(
          store_->SaveAlgorithmState(study, {Large(static_cast<char>('a' + i % 20)), i}).ok());
    }
  });
  for (int i = 0; i < 5; ++i) {
    Take(TryBackUp());
    const auto restored = Restored();
    const auto state = Take(restored->LoadAlgorithmState(study));
    if (state.has_value()) {
      EXPECT_LE(state->told_sequence, Take(restored->CountTrials(study)).succeeded);
    }
  }
  is_over = true;
  writer.join();
}

TEST_F(BackupTest, OneThatIsKilledLeavesTheEarlierOneWhole) {
  const int64_t study = NewStudy().id;
  AddTrials(study, 0, 2);
  const std::string first = Put("first");
  Take(TryBackUp());
  AddTrials(study, 2, 2);
  Put("second");
  store_.reset();  // a child must not close what the parent has open
  const pid_t child = ::fork();
  if (child == 0) {
    (void)TryBackUp([](const CopyReport&) { ::_exit(9); });
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 9);
  EXPECT_EQ(Take(Restored()->CountTrials(study)).proposed, 2);
  EXPECT_EQ(RestoredFile(first), "first");
  Take(TryBackUp());
  EXPECT_EQ(Take(Restored()->CountTrials(study)).proposed, 4);
}

TEST_F(BackupTest, ADamagedArtifactIsNamedAndNotCopied) {
  NewStudy();
  const std::string good = Put("good");
  const std::string bad = Put("bad");
  ASSERT_TRUE(
      WriteFileAtomically(folder_.File("store/artifacts/" + bad.substr(0, 2) + "/" + bad), "worse")
          .ok());
  const CopyReport report = Take(TryBackUp());
  EXPECT_THAT(report.damaged, ElementsAre(bad));
  EXPECT_EQ(report.files_copied, 1);
  Restored();
  EXPECT_EQ(RestoredFile(good), "good");
}

TEST_F(BackupTest, RefusesWhatItWouldOverwriteOrCannotRead) {
  NewStudy();
  const OnCopied nothing = [](const CopyReport&) {};
  EXPECT_EQ(BackUp(folder_.File("none"), folder_.File("b"), clock_, nothing).status().code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b")));
  EXPECT_EQ(Restore(folder_.File("store"), folder_.File("b"), nothing).status().code(),
            StatusCode::kNotFound);
  ASSERT_TRUE(MakeFolders(folder_.File("full")).ok());
  ASSERT_TRUE(WriteFileAtomically(folder_.File("full/thesis.txt"), "mine").ok());
  const Status full = BackUp(folder_.File("store"), folder_.File("full"), clock_, nothing).status();
  EXPECT_EQ(full.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(full.message(), HasSubstr("is not empty"));
  Take(TryBackUp());
  EXPECT_EQ(Restore(folder_.File("backup"), folder_.File("store"), nothing).status().reason(),
            "STORE_IN_USE");
  EXPECT_EQ(Store::Open(folder_.File("backup"), clock_).status().reason(), "STORE_IS_BACKUP");
  store_.reset();
  EXPECT_EQ(Restore(folder_.File("backup"), folder_.File("store"), nothing).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST_F(BackupTest, ABrokenDatabaseReplacesNoBackup) {
  const int64_t study = NewStudy().id;
  AddTrials(study, 0, 400);
  Take(TryBackUp());
  store_.reset();
  std::string bytes = Take(ReadFile(folder_.File("store/voxbit.db")));
  std::fill(bytes.begin() + 8192, bytes.end(), '\x5a');
  ASSERT_TRUE(WriteFileAtomically(folder_.File("store/voxbit.db"), bytes).ok());
  EXPECT_EQ(TryBackUp().status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(Take(Restored()->CountTrials(study)).proposed, 400);
}

}  // namespace
}  // namespace voxbit::storage
