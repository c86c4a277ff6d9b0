#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "common/files.h"
#include "storage/store.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::Take;
using testing::TempDir;

constexpr uid_t kNobody = 65534;

// The superuser may write anywhere: acts as somebody else meanwhile.
class OrdinaryUser {
 public:
  OrdinaryUser() : is_root_(::geteuid() == 0) {
    if (is_root_) Become(kNobody);
  }
  ~OrdinaryUser() {
    if (is_root_) Become(0);
  }

 private:
  static void Become(uid_t user) { EXPECT_EQ(::seteuid(user), 0); }

  bool is_root_;
};

class StoreOpenTest : public ::testing::Test {
 protected:
  // At once: a store that is in use is refused without waiting.
  Status Open() {
    return Store::Open(folder_.path(), clock_, {.lock_patience = Milliseconds(0)}).status();
  }
  void SetMode(const std::string& path, std::filesystem::perms mode) {
    std::filesystem::permissions(path, mode);
  }

  TempDir folder_;
  ManualClock clock_;
};

TEST_F(StoreOpenTest, CreatesTheFolder) {
  auto store = Take(Store::Open(folder_.File("a/b"), clock_));
  EXPECT_TRUE(std::filesystem::exists(folder_.File("a/b/voxbit.db")));
}

TEST_F(StoreOpenTest, RefusesAFolderThatMayOnlyBeRead) {
  SetMode(folder_.path(), static_cast<std::filesystem::perms>(0555));
  {
    const OrdinaryUser user;
    const Status status = Open();
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied) << status;
    EXPECT_EQ(status.reason(), "STORE_READ_ONLY");
    EXPECT_NE(status.message().find(folder_.path()), std::string::npos) << status;
  }
  SetMode(folder_.path(), std::filesystem::perms::owner_all);
}

TEST_F(StoreOpenTest, RefusesADatabaseThatMayOnlyBeRead) {
  ASSERT_TRUE(Open().ok());
  SetMode(folder_.path(), static_cast<std::filesystem::perms>(0777));
  SetMode(folder_.File("voxbit.lock"), static_cast<std::filesystem::perms>(0666));
  SetMode(folder_.File("voxbit.db"), static_cast<std::filesystem::perms>(0444));
  const OrdinaryUser user;
  const Status status = Open();
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied) << status;
  EXPECT_EQ(status.reason(), "STORE_READ_ONLY");
}

TEST_F(StoreOpenTest, TakesNothingWhileItsFilesAreGone) {
  const std::string path = folder_.File("store");
  const auto store = Take(Store::Open(path, clock_));
  const auto create = [&](const std::string& name) {
    const search::StudyConfig config = testing::StudyNamed(name);
    return store->CreateStudy(config, CanonicalJson(ToJson(config))).status();
  };
  ASSERT_TRUE(create("first").ok());
  std::filesystem::rename(path, folder_.File("away"));
  EXPECT_EQ(create("second").reason(), "STORE_GONE");
  ASSERT_TRUE(MakeFolders(path).ok());
  ASSERT_TRUE(WriteFileAtomically(path + "/voxbit.db", "another file").ok());
  EXPECT_EQ(create("second").code(), StatusCode::kUnavailable);
  std::filesystem::remove_all(path);
  std::filesystem::rename(folder_.File("away"), path);
  EXPECT_TRUE(create("second").ok());
  EXPECT_EQ(Take(store->ListStudies(0, 9)).size(), 2U);
  std::filesystem::remove(path + "/voxbit.db-wal");
  EXPECT_EQ(create("third").reason(), "STORE_GONE");
}

TEST_F(StoreOpenTest, RefusesAPathThatIsAFile) {
  ASSERT_TRUE(WriteFileAtomically(folder_.File("file"), "x").ok());
  const Status status = Store::Open(folder_.File("file"), clock_).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("file"), std::string::npos) << status;
}

TEST_F(StoreOpenTest, RefusesAFileThatIsNoDatabase) {
  for (const std::string& content :
       {std::string("hello"), std::string(100'000, 'x'),
        std::string("SQLite format 3") + '\0' + std::string(5000, 'y')}) {
    ASSERT_TRUE(WriteFileAtomically(folder_.File("voxbit.db"), content).ok());
    const Status status = Open();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status;
    EXPECT_EQ(Take(ReadFile(folder_.File("voxbit.db"))), content);
  }
}

TEST_F(StoreOpenTest, RefusesAStoreThatIsOpen) {
  auto store = Take(Store::Open(folder_.path(), clock_));
  Status status = Open();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "STORE_IN_USE");
  store.reset();
  EXPECT_TRUE(Open().ok());
}

TEST_F(StoreOpenTest, RefusesAStoreThatAnotherProcessHasUntilItEnds) {
  int ready[2];
  int end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  char byte = 0;
  if (child == 0) {
    ::close(end[1]);
    const auto store = Store::Open(folder_.path(), clock_);
    byte = store.ok() ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    // Until the parent closes its end; then dies without closing anything.
    (void)!::read(end[0], &byte, 1);
    ::_exit(0);
  }
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const Status status = Open();
  EXPECT_EQ(status.reason(), "STORE_IN_USE");
  EXPECT_NE(status.message().find(std::to_string(child)), std::string::npos) << status;
  for (const int descriptor : {end[0], end[1], ready[0], ready[1]}) ::close(descriptor);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Open().ok());
}

// A killed process that is slow to end, as on a busy machine.
TEST_F(StoreOpenTest, WaitsForAProcessThatIsEnding) {
  auto store = Take(Store::Open(folder_.path(), clock_));
  std::jthread ending([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    store.reset();
  });
  EXPECT_TRUE(Store::Open(folder_.path(), clock_, {.lock_patience = Milliseconds(60'000)}).ok());
}

}  // namespace
}  // namespace voxbit::storage
