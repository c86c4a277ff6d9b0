#include "worker/loop/artifact_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/files.h"
#include "tests/support/fake_coordinator.h"
#include "tests/support/temp_dir.h"

namespace voxbit::worker {
namespace {

namespace fs = std::filesystem;
using testing::FakeCoordinator;
using testing::TempDir;

class ArtifactCacheTest : public ::testing::Test {
 protected:
  std::unique_ptr<ArtifactCache> Open(int64_t max_bytes = 1'000'000) {
    Result<std::unique_ptr<ArtifactCache>> cache =
        ArtifactCache::Open({.folder = folder_.path(),
                             .max_bytes = max_bytes,
                             .backoff = {Milliseconds(1), Milliseconds(2)}},
                            server_, clock_);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *std::move(cache);
  }
  bool Cached(const std::string& sha256) const { return fs::exists(folder_.path() + "/" + sha256); }
  size_t FilesInFolder() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  TempDir folder_;
  FakeCoordinator server_;
  ManualClock clock_;
};

TEST_F(ArtifactCacheTest, FetchesOnceAndKeepsTheFile) {
  const std::string sha256 = server_.AddArtifact("weights");
  const auto cache = Open();
  cache->BeginTask({});
  const Result<std::string> path = cache->Fetch(sha256);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(*ReadFile(*path), "weights");
  ASSERT_TRUE(cache->Fetch(sha256).ok());
  EXPECT_EQ(server_.downloads(), 1);
  EXPECT_EQ(FilesInFolder(), 1U);
}

TEST_F(ArtifactCacheTest, UsesWhatAnEarlierProcessFetched) {
  const std::string sha256 = server_.AddArtifact("weights");
  ASSERT_TRUE(Open()->Fetch(sha256).ok());
  ASSERT_TRUE(Open()->Fetch(sha256).ok());
  EXPECT_EQ(server_.downloads(), 1);
}

TEST_F(ArtifactCacheTest, FetchesAgainWhatIsDamagedOnDisk) {
  const std::string sha256 = server_.AddArtifact("weights");
  std::ofstream(folder_.path() + "/" + sha256) << "wei";
  const auto cache = Open();
  const Result<std::string> path = cache->Fetch(sha256);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(*ReadFile(*path), "weights");
}

TEST_F(ArtifactCacheTest, WaitsForAServerThatIsAway) {
  const std::string sha256 = server_.AddArtifact("weights");
  server_.FailDownload(Unavailable("away"));
  server_.FailDownload({StatusCode::kDeadlineExceeded, "slow"});
  const auto cache = Open();
  EXPECT_TRUE(cache->Fetch(sha256).ok());
  EXPECT_EQ(server_.downloads(), 3);
}

TEST_F(ArtifactCacheTest, StopsWaitingWhenTheTaskIsStopped) {
  const std::string sha256 = server_.AddArtifact("weights");
  server_.FailDownload(Unavailable("away"));
  std::stop_source source;
  source.request_stop();
  const auto cache = Open();
  cache->BeginTask(source.get_token());
  EXPECT_EQ(cache->Fetch(sha256).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(FilesInFolder(), 0U);
}

TEST_F(ArtifactCacheTest, ReportsAnArtifactThatTheServerDoesNotHave) {
  const auto cache = Open();
  EXPECT_EQ(cache->Fetch(Sha256Hex("nothing")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(cache->Fetch("../../etc/passwd").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(FilesInFolder(), 0U);
}

TEST_F(ArtifactCacheTest, EvictsWhatWasUsedLongestAgo) {
  const std::string a = server_.AddArtifact(std::string(40, 'a'));
  const std::string b = server_.AddArtifact(std::string(40, 'b'));
  const std::string c = server_.AddArtifact(std::string(40, 'c'));
  const auto cache = Open(100);
  const auto use = [&](const std::string& sha256) {
    clock_.Advance(Milliseconds(1000));
    cache->BeginTask({});
    EXPECT_TRUE(cache->Fetch(sha256).ok());
  };
  use(a);
  use(b);
  use(a);
  use(c);
  EXPECT_TRUE(Cached(a));
  EXPECT_FALSE(Cached(b));
  EXPECT_TRUE(Cached(c));
}

TEST_F(ArtifactCacheTest, KeepsWhatTheTaskUsesEvenAboveTheLimit) {
  const std::string a = server_.AddArtifact(std::string(80, 'a'));
  const std::string b = server_.AddArtifact(std::string(80, 'b'));
  const auto cache = Open(100);
  cache->BeginTask({});
  ASSERT_TRUE(cache->Fetch(a).ok());
  ASSERT_TRUE(cache->Fetch(b).ok());
  EXPECT_TRUE(Cached(a));
  EXPECT_TRUE(Cached(b));
  cache->BeginTask({});
  ASSERT_TRUE(cache->Put("c").ok());
  EXPECT_FALSE(Cached(a));
}

TEST_F(ArtifactCacheTest, LeavesAloneWhatAnotherWorkerUses) {
  const std::string a = server_.AddArtifact(std::string(80, 'a'));
  const std::string b = server_.AddArtifact(std::string(80, 'b'));
  const auto one = Open(100);
  const auto two = Open(100);
  ASSERT_TRUE(one->Fetch(a).ok());
  ASSERT_TRUE(two->Fetch(b).ok());
  EXPECT_TRUE(Cached(a));
  one->BeginTask({});
  two->BeginTask({});
  ASSERT_TRUE(two->Fetch(b).ok());
  ASSERT_TRUE(two->Put("c").ok());
  EXPECT_FALSE(Cached(a));
  EXPECT_TRUE(Cached(b));
}

TEST_F(ArtifactCacheTest, UploadsWhatTheTaskStoredAndNothingElse) {
  const std::string fetched = server_.AddArtifact("fetched");
  const auto cache = Open();
  cache->BeginTask({});
  ASSERT_TRUE(cache->Fetch(fetched).ok());
  const Result<std::string> stored = cache->Put("stored");
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_TRUE(cache->Put("left over").ok());
  const Status uploaded = cache->Upload({{"old", fetched}, {"new", *stored}});
  EXPECT_TRUE(uploaded.ok()) << uploaded;
  EXPECT_EQ(server_.uploads(), 1);
  EXPECT_EQ(server_.artifacts().at(*stored), "stored");
}

TEST_F(ArtifactCacheTest, UploadInsistsWhileTheServerIsAwayOrItsDiskFails) {
  server_.FailUpload(Unavailable("away"));
  server_.FailUpload(ResourceExhausted("disk full", "STORE_DISK_FULL"));
  server_.FailUpload(Status(StatusCode::kPermissionDenied, "read-only file system"));
  server_.FailUpload(Internal("input/output error"));
  const auto cache = Open();
  cache->BeginTask({});
  const Result<std::string> stored = cache->Put("stored");
  ASSERT_TRUE(stored.ok());
  EXPECT_TRUE(cache->Upload({{"weights", *stored}}).ok());
  EXPECT_EQ(server_.uploads(), 5);
}

TEST_F(ArtifactCacheTest, RefusesToReportAnArtifactThatNobodyStored) {
  const auto cache = Open();
  cache->BeginTask({});
  EXPECT_EQ(cache->Upload({{"weights", Sha256Hex("x")}}).code(), StatusCode::kFailedPrecondition);
}

TEST_F(ArtifactCacheTest, RemovesTemporariesOfDeadProcessesOnly) {
  const std::string old_part = folder_.path() + "/" + Sha256Hex("x") + ".1.part";
  const std::string new_part = folder_.path() + "/" + Sha256Hex("y") + ".2.part";
  const std::string foreign = folder_.path() + "/notes.txt";
  for (const std::string& path : {old_part, new_part, foreign}) std::ofstream(path) << "x";
  const SystemClock now;
  clock_.Advance(Milliseconds(now.NowMs() - clock_.NowMs()));
  for (const std::string& path : {old_part, foreign}) {
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(48));
  }
  Open();
  EXPECT_FALSE(fs::exists(old_part));
  EXPECT_TRUE(fs::exists(new_part));
  EXPECT_TRUE(fs::exists(foreign));
}

TEST_F(ArtifactCacheTest, NamesAFolderThatCannotBeMade) {
  std::ofstream(folder_.path() + "/file") << "x";
  const Result<std::unique_ptr<ArtifactCache>> cache =
      ArtifactCache::Open({.folder = folder_.path() + "/file/cache"}, server_, clock_);
  ASSERT_FALSE(cache.ok());
  EXPECT_THAT(cache.status().message(), ::testing::HasSubstr(folder_.path()));
}

}  // namespace
}  // namespace voxbit::worker
