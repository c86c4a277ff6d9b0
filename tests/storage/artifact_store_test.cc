#include "storage/artifact_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>
#include <vector>

#include "common/files.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temp_dir.h"

namespace voxbit::storage {
namespace {

using testing::Take;
using testing::TempDir;

int CountFiles(const std::string& folder) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  return files;
}

class ArtifactStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { store_ = Take(ArtifactStore::Open(folder_.path())); }

  TempDir folder_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactStoreTest, KeepsBytesUnderTheirDigest) {
  const std::string digest = Take(store_->Put("abc"));
  EXPECT_EQ(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Take(store_->Path(digest)), folder_.File("ba/" + digest));
  EXPECT_EQ(Take(ReadFile(Take(store_->Path(digest)))), "abc");
  EXPECT_EQ(Take(store_->SizeBytes(digest)), 3);
}

TEST_F(ArtifactStoreTest, KeepsAnEmptyBlob) {
  const std::string digest = Take(store_->Put(""));
  EXPECT_TRUE(store_->Has(digest));
  EXPECT_EQ(Take(store_->SizeBytes(digest)), 0);
}

TEST_F(ArtifactStoreTest, JoinsWhatIsAppended) {
  auto writer = Take(store_->NewWriter());
  ASSERT_TRUE(writer->Append("ab").ok());
  ASSERT_TRUE(writer->Append("c").ok());
  const std::string digest = Sha256Hex("abc");
  EXPECT_EQ(Take(writer->Commit(digest)), digest);
  EXPECT_EQ(Take(ReadFile(Take(store_->Path(digest)))), "abc");
}

TEST_F(ArtifactStoreTest, CopiesFiles) {
  const std::string bytes(3 << 20, 'x');
  TempDir elsewhere;
  ASSERT_TRUE(WriteFileAtomically(elsewhere.File("big"), bytes).ok());
  const std::string digest = Take(store_->PutFile(elsewhere.File("big")));
  EXPECT_EQ(digest, Sha256Hex(bytes));
  EXPECT_EQ(store_->PutFile(elsewhere.File("none")).status().code(), StatusCode::kNotFound);
}

TEST_F(ArtifactStoreTest, RefusesBytesOfAnotherDigest) {
  auto writer = Take(store_->NewWriter());
  ASSERT_TRUE(writer->Append("abd").ok());
  const Status status = writer->Commit(Sha256Hex("abc")).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.reason(), "ARTIFACT_HASH_MISMATCH");
  writer.reset();
  EXPECT_EQ(CountFiles(folder_.path()), 0);
}

TEST_F(ArtifactStoreTest, LeavesNothingOfAnAbandonedBlob) {
  {
    auto writer = Take(store_->NewWriter());
    ASSERT_TRUE(writer->Append("abc").ok());
  }
  EXPECT_EQ(CountFiles(folder_.path()), 0);
}

TEST_F(ArtifactStoreTest, FindsOnlyDigests) {
  ASSERT_TRUE(WriteFileAtomically(folder_.File("secret"), "x").ok());
  EXPECT_EQ(store_->Path("../secret").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Path("").status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(store_->Has(Sha256Hex("never put")));
  EXPECT_EQ(store_->SizeBytes(Sha256Hex("never put")).status().code(), StatusCode::kNotFound);
}

TEST_F(ArtifactStoreTest, TakesTheSameBlobFromManyThreads) {
  const std::string bytes(200'000, 'y');
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) EXPECT_EQ(Take(store_->Put(bytes)), Sha256Hex(bytes));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(CountFiles(folder_.path()), 1);
  EXPECT_EQ(Take(ReadFile(Take(store_->Path(Sha256Hex(bytes))))), bytes);
}

TEST_F(ArtifactStoreTest, MendsADamagedFileWhenItsBytesComeAgain) {
  const std::string digest = Take(store_->Put("abc"));
  ASSERT_TRUE(WriteFileAtomically(folder_.File("ba/" + digest), "ab").ok());
  ASSERT_EQ(Take(store_->Put("abc")), digest);
  EXPECT_EQ(Take(ReadFile(Take(store_->Path(digest)))), "abc");
}

TEST_F(ArtifactStoreTest, RemovesWhatAKilledWriterLeftButNotALiveOne) {
  auto alive = Take(store_->NewWriter());
  ASSERT_TRUE(alive->Append("ab").ok());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = ArtifactStore::Open(folder_.path());
    auto writer = (*store)->NewWriter();
    (void)(*writer)->Append("lost");
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(CountFiles(folder_.path()), 2);

  auto reopened = Take(ArtifactStore::Open(folder_.path()));
  EXPECT_EQ(CountFiles(folder_.path()), 1);
  ASSERT_TRUE(alive->Append("c").ok());
  const std::string digest = Take(alive->Commit(""));
  EXPECT_TRUE(reopened->Has(digest));
  EXPECT_EQ(CountFiles(folder_.path()), 1);
}

TEST_F(ArtifactStoreTest, SurvivesAFullDisk) {
  const std::string bytes(100'000, 'z');
  {
    const testing::FileSizeLimit limit(50'000);
    const Status status = store_->Put(bytes).status();
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
    EXPECT_EQ(status.reason(), "STORE_DISK_FULL");
    EXPECT_EQ(CountFiles(folder_.path()), 0);
    EXPECT_TRUE(store_->Put("small").ok());
  }
  EXPECT_TRUE(store_->Put(bytes).ok());
}

}  // namespace
}  // namespace voxbit::storage
