#include "common/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>

#include "tests/support/temp_dir.h"

namespace voxbit {
namespace {

TEST(FilesTest, NewContentTakesThePlaceOfTheOld) {
  const testing::TempDir dir;
  const std::string path = dir.File("front.svg");
  for (const char* content : {"old", "new"}) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
    EXPECT_EQ(ReadFile(path).value(), content);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

// Whoever may write to /dev would lose the device, or /dev/stdout, which is a link.
TEST(FilesTest, OnlyAFileIsReplacedByAFile) {
  const testing::TempDir dir;
  const std::string pipe = dir.File("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string file = dir.File("file");
  ASSERT_TRUE(WriteFileAtomically(file, "old").ok());
  const std::string link = dir.File("link");
  std::filesystem::create_symlink(file, link);
  for (const std::string& path : {pipe, link, dir.path()}) {
    EXPECT_EQ(WriteFileAtomically(path, "svg").code(), StatusCode::kInvalidArgument) << path;
  }
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(ReadFile(file).value(), "old");
}

TEST(FilesTest, WhetherAFolderCanBeWrittenIsKnownBeforeItIsMade) {
  const testing::TempDir dir;
  EXPECT_TRUE(CheckFolderWritable(dir.path()).ok());
  EXPECT_TRUE(CheckFolderWritable(dir.File("new/and/deep")).ok());
  EXPECT_TRUE(CheckFolderWritable("").ok());
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  ASSERT_TRUE(WriteFileAtomically(dir.File("file"), "").ok());
  for (const std::string& path : {dir.File("file"), dir.File("file/new"), std::string("/proc/x")}) {
    const Status status = CheckFolderWritable(path);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(status.message().rfind(path + " cannot be written: ", 0), 0U) << status;
  }
}

}  // namespace
}  // namespace voxbit
