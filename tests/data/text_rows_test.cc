// Text as different tools write it.
#include "worker/data/files/text_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/data/data_folders.h"
#include "worker/data/files/source_files.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Table> ReadTableOf(const std::string& text) {
  const TempFolder folder;
  WriteText(folder.path() + "/t.txt", text);
  return ReadTable(folder.path() + "/t.txt", {"x", "y"});
}

Result<std::vector<ListedName>> ReadNamesOf(const std::string& text) {
  const TempFolder folder;
  WriteText(folder.path() + "/l.txt", text);
  return ReadNameList(folder.path() + "/l.txt", "scan");
}

TEST(ReadTableTest, LeavesOutCommentsBlankLinesAndAByteOrderMark) {
  const auto table = ReadTableOf(
      "\xEF\xBB\xBF# x y\n\n1 2\n  # half\n \t\n3,4 # last one\n//5 6\n;7;8;\n\t9\t10#11\n\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->values, ElementsAre(1, 2, 3, 4, 7, 8, 9, 10));
  EXPECT_THAT(table->lines, ElementsAre(3, 6, 8, 9));
}

// A comment, a blank line and two rows, with `end` behind each but the last.
std::string RowsEndingIn(const std::string& end, const std::string& last) {
  return "# a" + end + end + "1 2" + end + "3 4" + last;
}

TEST(ReadTableTest, TakesEveryEndOfALine) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    for (const std::string last : {"", "\n", "\r\n", "\r"}) {
      const auto table = ReadTableOf(RowsEndingIn(end, last));
      ASSERT_TRUE(table.ok()) << table.status();
      EXPECT_THAT(table->values, ElementsAre(1, 2, 3, 4));
      EXPECT_THAT(table->lines, ElementsAre(3, 4));
    }
  }
}

TEST(ReadTableTest, TakesNumbersWithAPlusAndSuchAsAreTooSmall) {
  const auto table = ReadTableOf(
      "+0.25 1e-46\n-1e-46 1E-400\n+1e+3 -0\n1e-40 1.17549435e-38\n4.9e-324 "
      "0.00000000000000000000000"
      "000000000000000000000000001\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->values, ElementsAre(0.25F, 0, 0, 0, 1000, 0, 1e-40F, 1.17549435e-38F, 0, 0));
  EXPECT_TRUE(std::signbit(table->values[2]));
}

TEST(ReadTableTest, RefusesWhatIsNoFiniteNumberNamingTheLine) {
  for (const std::string word : {"1e39", "-1e39", "1e400", "nan", "+inf", "+-1", "++1", "+",
                                 "1.2.3", "0x10", "1e", "one", "1\xC2\xA0-2"}) {
    const auto table = ReadTableOf("# x y\n1 2\n3 " + word + "\n");
    ASSERT_FALSE(table.ok()) << word;
    EXPECT_EQ(table.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(table.status().message(),
                HasSubstr("/t.txt: line 3: expected a finite number, found \"" + word + "\""));
  }
}

TEST(ReadTableTest, RefusesUtf16) {
  for (const std::string begin : {"\xFF\xFE", "\xFE\xFF"}) {
    const auto table = ReadTableOf(begin + std::string("1\0 \0", 4));
    ASSERT_FALSE(table.ok());
    EXPECT_THAT(table.status().message(), HasSubstr("/t.txt: the text is UTF-16; expected UTF-8"));
  }
}

TEST(ReadTableTest, SaysWhenNothingButCommentsIsThere) {
  EXPECT_THAT(ReadTableOf("# nothing\n\n").status().message(),
              HasSubstr("/t.txt: the file has no"));
}

TEST(ReadNameListTest, NamesMayHoldWhatBeginsACommentElsewhere) {
  const auto names =
      ReadNamesOf("\xEF\xBB\xBF# scans\r\n\r\nroom#1\r\n  a/b \t\r\nroom 2 # dark\r\n//c\r\nlast");
  ASSERT_TRUE(names.ok()) << names.status();
  std::vector<std::string> found;
  std::vector<int64_t> lines;
  for (const ListedName& listed : *names) {
    found.push_back(listed.name);
    lines.push_back(listed.line);
  }
  EXPECT_THAT(found, ElementsAre("room#1", "a/b", "room 2", "last"));
  EXPECT_THAT(lines, ElementsAre(3, 4, 5, 7));
}

TEST(ReadNameListTest, RefusesANameThatIsListedTwice) {
  EXPECT_THAT(ReadNamesOf("# a\na\n\n a # again\n").status().message(),
              HasSubstr("/l.txt: line 4: scan \"a\" is listed already"));
}

TEST(FileFinderTest, FindsExtensionsInAnyCase) {
  const TempFolder folder;
  for (const char* name : {"/a.bin", "/b.BIN", "/c.Bin", "/c2.bin", "/d.bin2"}) {
    WriteText(folder.path() + name, "x");
  }
  FileFinder finder;
  const auto find = [&](const std::string& stem) {
    return finder.Find(folder.path() + stem, ".bin").substr(folder.path().size());
  };
  EXPECT_EQ(find("/a"), "/a.bin");
  EXPECT_EQ(find("/b"), "/b.BIN");
  EXPECT_EQ(find("/c"), "/c.Bin");
  EXPECT_EQ(find("/d"), "/d.bin");  // there is none, messages name it as expected
  EXPECT_EQ(find("/nowhere/a"), "/nowhere/a.bin");
}

TEST(ListFolderTest, LeavesOutNamesThatBeginWithADot) {
  const TempFolder folder;
  for (const char* name : {"/b", "/.DS_Store", "/a", "/._a"}) WriteText(folder.path() + name, "x");
  const auto names = ListFolder(folder.path());
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_THAT(*names, ElementsAre("a", "b"));
  EXPECT_EQ(ListFolder(folder.path() + "/none").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace voxbit::data
