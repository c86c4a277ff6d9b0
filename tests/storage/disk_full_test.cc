#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/file_size_limit.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::FileSizeLimit;
using testing::StoreTest;
using testing::Take;
using testing::TempDir;

class DiskFullTest : public StoreTest {
 protected:
  // A state too large for what is left.
  Status SaveLarge(int64_t study) {
    return store_->SaveAlgorithmState(study, {std::string(2 << 20, 'x'), 0});
  }
};

void ExpectDiskFull(const Status& status) {
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(status.reason(), "STORE_DISK_FULL") << status;
}

TEST_F(DiskFullTest, SaysSoAndGoesOnWhenThereIsSpaceAgain) {
  const search::Study study = NewStudy();
  AddTrials(study.id, 0, 3);
  const auto before = Take(store_->GetTrial(study.id, 1));
  {
    const FileSizeLimit limit(1 << 20);
    for (int i = 0; i < 3; ++i) ExpectDiskFull(SaveLarge(study.id));
    EXPECT_EQ(Take(store_->LoadAlgorithmState(study.id))->blob, "state");
  }
  EXPECT_TRUE(SaveLarge(study.id).ok());
  Complete(Claim());
  ExpectSound();
  Reopen();
  EXPECT_EQ(Take(store_->GetTrial(study.id, 1)).digest, before.digest);
  EXPECT_EQ(Take(store_->LoadAlgorithmState(study.id))->blob.size(), size_t{2} << 20);
}

// Small enough for SQLite's cache: the commit fails. Too large for it: a verb fails, and a body
// that goes on regardless must not leave half of its work behind.
TEST_F(DiskFullTest, KeepsAWholeTransactionOrNothingOfIt) {
  const search::Study study = NewStudy();
  for (const size_t bytes : {size_t{2} << 20, size_t{40} << 20}) {
    const std::string name = "of-" + std::to_string(bytes);
    {
      const FileSizeLimit limit(1 << 20);
      NewTrial large = testing::TrialOf(1, {});
      large.origin = std::string(bytes, 'x');
      const Status status = store_->Write([&]() -> Status {
        NewStudy(name);
        (void)store_->AppendTrials(study.id, {large}, {});
        return OkStatus();
      });
      EXPECT_TRUE(status.ok() || status.reason() == "STORE_ROLLED_BACK" ||
                  status.reason() == "STORE_DISK_FULL")
          << status;
      EXPECT_EQ(store_->GetStudy(name).ok(), status.ok());
    }
    EXPECT_EQ(Take(store_->CountTrials(study.id)).proposed, 0);
    ExpectSound();
  }
  NewStudy("later");
}

TEST_F(DiskFullTest, FillsUpStepByStepAndLosesNothing) {
  const search::Study study = NewStudy();
  int32_t added = 0;
  {
    const FileSizeLimit limit(400'000);
    while (true) {
      const auto numbers =
          store_->AppendTrials(study.id, {testing::TrialOf(added, {search::TaskKind::kEvaluate})},
                               {std::string(3000, 'x'), 0});
      if (!numbers.ok()) {
        ExpectDiskFull(numbers.status());
        break;
      }
      ASSERT_LT(++added, 100'000);
    }
  }
  EXPECT_GT(added, 0);
  EXPECT_EQ(Take(store_->CountTrials(study.id)).proposed, added);
  Reopen();
  EXPECT_EQ(Take(store_->CountTrials(study.id)).proposed, added);
  AddTrials(study.id, added, 10);
}

TEST(DiskFullOpenTest, SaysSoWhenAStoreCannotBeCreated) {
  TempDir folder;
  const ManualClock clock;
  {
    const FileSizeLimit limit(2000);
    ExpectDiskFull(Store::Open(folder.path(), clock).status());
  }
  EXPECT_TRUE(Store::Open(folder.path(), clock).ok());
}

}  // namespace
}  // namespace voxbit::storage
