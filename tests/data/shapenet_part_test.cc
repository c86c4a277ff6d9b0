#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/data/object_folders.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The same mugs without folders.
void WritePlainFolder(const std::string& root) {
  WriteText(root + "/train.txt", "a\nb\r\n\n");
  WriteText(root + "/val.txt", "c\n");
  for (const char* name : {"/a.txt", "/b.txt", "/c.txt"}) WriteText(root + name, kMugRows);
}

TEST(ShapeNetPartTest, ReadsThePublishedLayout) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 3);
  EXPECT_EQ((*dataset)->size(Split::kVal), 1);
  EXPECT_EQ((*dataset)->size(Split::kTest), 1);
  const auto mug = (*dataset)->Load(Split::kTrain, 2);
  ASSERT_TRUE(mug.ok()) << mug.status();
  EXPECT_EQ(mug->name, "03797390/c");
  EXPECT_EQ(mug->source, folder.path() + "/03797390/c.txt");
  EXPECT_EQ(mug->category, 11);
  EXPECT_THAT(mug->points, ElementsAre(0, 0, 0, 0, 1, 0, 0.5F, 0, 0, 2, 0, 0));
  EXPECT_THAT(mug->labels, ElementsAre(36, 37, 37));
  ASSERT_EQ(mug->extra.size(), 3U);
  EXPECT_EQ(mug->extra[2].name, "nz");
  EXPECT_THAT(mug->extra[2].values, ElementsAre(0, 0, -1));
  const auto cap = (*dataset)->Load(Split::kTrain, 1);
  ASSERT_TRUE(cap.ok()) << cap.status();
  EXPECT_EQ(cap->category, 2);
  EXPECT_THAT(cap->labels, ElementsAre(6, 7));
}

TEST(ShapeNetPartTest, ReadsOneFolderAndTellsTheCategoryByTheParts) {
  const TempFolder folder;
  WritePlainFolder(folder.path());
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 2);
  EXPECT_EQ((*dataset)->size(Split::kTest), 0);
  const auto mug = (*dataset)->Load(Split::kVal, 0);
  ASSERT_TRUE(mug.ok()) << mug.status();
  EXPECT_EQ(mug->name, "c");
  EXPECT_EQ(mug->category, 11);
  WriteText(folder.path() + "/test.txt", "b\n");
  EXPECT_FALSE((*dataset)->IsCurrent());
  const auto with_test = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(with_test.ok()) << with_test.status();
  EXPECT_EQ((*with_test)->size(Split::kTest), 1);
}

TEST(ShapeNetPartTest, TheTaskClassLeavesOutTheParts) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}, {"task", "class"}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->num_classes(), 16);
  const auto cap = (*dataset)->Load(Split::kTrain, 1);
  ASSERT_TRUE(cap.ok()) << cap.status();
  EXPECT_TRUE(cap->labels.empty());
  EXPECT_EQ(cap->category, 2);
}

// One thing wrong with an otherwise good folder, and what the user is told about it.
struct BadObject {
  std::string name;
  std::string file;  // of the folder, to be overwritten; removed when there is no text
  std::string text;
  StatusCode code;
  std::string message;
};

class BadShapeNetTest : public ::testing::TestWithParam<BadObject> {};

TEST_P(BadShapeNetTest, NamesFileAndFault) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  const std::string path = folder.path() + GetParam().file;
  if (GetParam().text == "remove") {
    std::filesystem::remove_all(path);
  } else {
    WriteText(path, GetParam().text);
  }
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  const Status status =
      dataset.ok() ? (*dataset)->Load(Split::kTrain, 0).status() : dataset.status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(status.message(), HasSubstr(folder.path()));
  EXPECT_THAT(status.message(), HasSubstr(GetParam().message));
}

constexpr auto kInvalid = StatusCode::kInvalidArgument;
constexpr char kMug[] = "/03797390/a.txt";
constexpr char kTrainList[] = "/train_test_split/shuffled_train_file_list.json";
constexpr char kSynsets[] = "/synsetoffset2category.txt";

INSTANTIATE_TEST_SUITE_P(
    All, BadShapeNetTest,
    ::testing::Values(
        BadObject{"MissingFolder", "", "remove", StatusCode::kNotFound, "/dataset/root: no such"},
        BadObject{"UnknownLayout", kSynsets, "remove", StatusCode::kNotFound,
                  "neither a file synsetoffset2category.txt nor train.txt and val.txt"},
        BadObject{"UnknownCategory", kSynsets, "Mug\t03797390\nBoat\t02858304\n", kInvalid,
                  "/synsetoffset2category.txt: line 2: expected a category of ShapeNet-part"},
        BadObject{"NoSynset", kSynsets, "Mug\n", kInvalid, "/synsetoffset2category.txt: line 1"},
        BadObject{"UnknownSynset", kSynsets, "Mug\t03797390\n", kInvalid,
                  "_train_file_list.json: entry 1: the synset of \"shape_data/02954340/b\" is not"},
        BadObject{"MissingSplitFile", "/train_test_split/shuffled_test_file_list.json", "remove",
                  StatusCode::kNotFound, "shuffled_test_file_list.json: missing split file"},
        BadObject{"BrokenSplitFile", kTrainList, "[1", kInvalid, "_train_file_list.json"},
        BadObject{"SplitFileOfAnotherKind", kTrainList, "{}", kInvalid,
                  "_train_file_list.json: expected a list"},
        BadObject{"EntryWithoutSynset", kTrainList, R"(["a"])", kInvalid,
                  "_train_file_list.json: entry 0: expected \"shape_data/SYNSET/ID\""},
        BadObject{"EntryThatIsNoText", kTrainList, "[3]", kInvalid, "entry 0: expected"},
        BadObject{"EmptySplit", kTrainList, "[]", kInvalid, "the split train has no objects"},
        BadObject{"MissingObject", kMug, "remove", StatusCode::kNotFound,
                  "/03797390/a.txt: missing file of an object"},
        BadObject{"EmptyObject", kMug, "\n", kInvalid, "/03797390/a.txt: the file has no points"},
        BadObject{"TruncatedRow", kMug, "0 0 0 1 0 0 36\n1 0 0.5 0", StatusCode::kDataLoss,
                  "/03797390/a.txt: line 2: expected 7 numbers (x y z nx ny nz part), found 4"},
        BadObject{"LongRow", kMug, "0 0 0 1 0 0 36 5\n", kInvalid,
                  "/03797390/a.txt: line 1: expected 7 numbers (x y z nx ny nz part), found 8"},
        BadObject{"BlankRow", kMug, "0 0 0 1 0 0 36\n\n0 0 0 1 0 0 36\n", StatusCode::kDataLoss,
                  "/03797390/a.txt: line 2"},
        BadObject{"NanCoordinate", kMug, "0 0 0 1 0 0 36\n0 nan 0 1 0 0 36\n", kInvalid,
                  "/03797390/a.txt: line 2: expected a finite number, found \"nan\""},
        BadObject{"NoNumber", kMug, "0 0 0 1 0 0 36\n0 0 0 1 0 one 36\n", kInvalid,
                  "/03797390/a.txt: line 2: expected a finite number, found \"one\""},
        BadObject{"PartOfAnotherCategory", kMug, "0 0 0 1 0 0 36\n0 0 0 1 0 0 38\n", kInvalid,
                  "/03797390/a.txt: line 2: expected a part from 36 to 37, those of Mug"},
        BadObject{"FractionalPart", kMug, "0 0 0 1 0 0 36.5\n", kInvalid,
                  "/03797390/a.txt: line 1: expected a part from 36 to 37"},
        BadObject{"NegativePart", kMug, "0 0 0 1 0 0 -1\n", kInvalid, "/03797390/a.txt: line 1"}),
    [](const ::testing::TestParamInfo<BadObject>& test) { return test.param.name; });

TEST(ShapeNetPartTest, RefusesBadPlainFolders) {
  const auto status_with = [](const std::string& file, const std::string& text) {
    const TempFolder folder;
    WritePlainFolder(folder.path());
    if (text.empty()) {
      std::filesystem::remove(folder.path() + file);
    } else {
      WriteText(folder.path() + file, text);
    }
    const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
    return dataset.ok() ? (*dataset)->Load(Split::kTrain, 0).status() : dataset.status();
  };
  EXPECT_THAT(status_with("/val.txt", "").message(), HasSubstr("/val.txt: missing split file"));
  EXPECT_THAT(status_with("/train.txt", "a\na\n").message(),
              HasSubstr("/train.txt: line 2: object \"a\" is listed already"));
  EXPECT_THAT(status_with("/train.txt", "a\nz\n").message(), HasSubstr("/z.txt: missing file"));
  EXPECT_THAT(status_with("/a.txt", "0 0 0 1 0 0 50\n").message(),
              HasSubstr("/a.txt: line 1: expected a part from 0 to 49"));
  EXPECT_THAT(status_with("/a.txt", "0 0 0 1 0 0 36\n0 0 0 1 0 0 4\n").message(),
              HasSubstr("/a.txt: line 2: expected a part from 36 to 37"));
}

TEST(ShapeNetPartTest, TheDigestIsThatOfTheFilesWhereverTheyLie) {
  const TempFolder here;
  const TempFolder there;
  const auto digest = [](const TempFolder& folder) {
    const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return (*dataset)->Describe()["digest"];
  };
  WriteShapeNet(here.path());
  WriteShapeNet(there.path());
  EXPECT_EQ(digest(here), digest(there));
  WriteText(there.path() + "/03797390/e.txt", "0 0 0 1 0 0 36\n");
  EXPECT_NE(digest(here), digest(there));
}

TEST(ShapeNetPartTest, IsNoLongerCurrentOnceAFileHasChanged) {
  for (const std::string file : {kSynsets, kTrainList, kMug}) {
    const TempFolder folder;
    WriteShapeNet(folder.path());
    const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_TRUE((*dataset)->IsCurrent());
    const std::string path = folder.path() + file;
    std::filesystem::last_write_time(
        path, std::filesystem::last_write_time(path) + std::chrono::milliseconds(1));
    EXPECT_FALSE((*dataset)->IsCurrent()) << file;
  }
}

TEST(ShapeNetPartTest, ColumnsThatAreNotUsedAreNotJudged) {
  const TempFolder folder;
  WritePlainFolder(folder.path());
  WriteText(folder.path() + "/a.txt", "0 0 0 nan - 1 36\n1 0 0.5 0 1 inf 37\n");
  const auto open = [&](const Json& more) {
    Json config = {{"root", folder.path()}, {"points", 4}};
    config.update(more);
    return OpenKind("shapenet_part", config).value();
  };
  const auto used = open(Json::object());
  EXPECT_THAT(used->Load(Split::kTrain, 0).status().message(),
              HasSubstr("a.txt: line 1: expected a finite number, found \"nan\""));
  const auto unused = open({{"features", {"x", "y", "z"}}});
  const auto scan = unused->Load(Split::kTrain, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_TRUE(unused->Prepare(*scan, nullptr).ok());
}

TEST(ShapeNetPartTest, PartsAreNotJudgedWhereTheCategoryIsKnownAndWanted) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  WriteText(folder.path() + "/03797390/c.txt", "0 0 0 1 0 0 99\n1 0 0.5 0 1 0 ?\n");
  const auto parts = OpenKind("shapenet_part", {{"root", folder.path()}}).value();
  EXPECT_FALSE(parts->Load(Split::kTrain, 2).ok());
  const auto classes =
      OpenKind("shapenet_part", {{"root", folder.path()}, {"task", "class"}}).value();
  const auto mug = classes->Load(Split::kTrain, 2);
  ASSERT_TRUE(mug.ok()) << mug.status();
  EXPECT_EQ(mug->category, 11);
}

TEST(ShapeNetPartTest, AFileWithoutPointsIsAnEmptyScan) {
  const TempFolder folder;
  WritePlainFolder(folder.path());
  WriteText(folder.path() + "/a.txt", "\n");
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}}).value();
  const Status status = dataset->Load(Split::kTrain, 0).status();
  EXPECT_TRUE(IsEmptyScan(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("a.txt: the file has no points"));
}

}  // namespace
}  // namespace voxbit::data
