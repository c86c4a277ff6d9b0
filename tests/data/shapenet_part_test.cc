#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/data/object_folders.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kMug[] = "/03797390/a.txt";
constexpr char kTrainList[] = "/train_test_split/shuffled_train_file_list.json";
constexpr char kSynsets[] = "/synsetoffset2category.txt";

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

TEST(ShapeNetPartTest, AListedCategoryMayBeMissingAltogether) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  WriteText(folder.path() + kSynsets, "Cap\t02954340\nMug\t03797390\nCar\t02958343\n");
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->num_classes(), 50);
}

TEST(ShapeNetPartTest, ReadsListsAndObjectsAsOtherToolsWriteThem) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  WriteText(folder.path() + kSynsets,
            "\xEF\xBB\xBF# name, folder\r\nCap\t02954340\r\n\r\n Mug  03797390 # x\r\n");
  WriteText(folder.path() + kTrainList,
            "\xEF\xBB\xBF[\"shape_data/03797390/a\",\r\n\"shape_data/02954340/b\"]\r\n");
  WriteText(folder.path() + kMug,
            "\xEF\xBB\xBF# x y z nx ny nz part\r\n\r\n+0.5 1e-46 0 1 0 0 36\r\n# done\r\n");
  const auto renamed = [&](const char* from, const char* to) {
    std::filesystem::rename(folder.path() + from, folder.path() + to);
  };
  renamed("/02954340/b.txt", "/02954340/b.TXT");
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto mug = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_TRUE(mug.ok()) << mug.status();
  EXPECT_THAT(mug->points, ElementsAre(0.5F, 0, 0, 0));
  EXPECT_TRUE((*dataset)->Load(Split::kTrain, 1).ok());
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

TEST(OwnPartsTest, EverythingFollowsTheTable) {
  const TempFolder folder;
  WriteOwnParts(folder.path());
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}, {"points", 16}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->num_classes(), 14);
  EXPECT_EQ((*dataset)->class_names()[13], "Valve part 13");
  EXPECT_THAT((*dataset)->category_names(), ElementsAre("Valve"));
  ASSERT_EQ((*dataset)->parts_of_category().size(), 1U);
  EXPECT_EQ((*dataset)->parts_of_category()[0].size(), 14U);
  EXPECT_EQ((*dataset)->num_features(), 7);  // the category is one channel
  const auto valve = (*dataset)->Load(Split::kTest, 0);
  ASSERT_TRUE(valve.ok()) << valve.status();
  EXPECT_EQ(valve->category, 0);
  EXPECT_EQ(valve->labels.front(), 0);
  EXPECT_EQ(valve->labels.back(), 13);
  const auto prepared = (*dataset)->Prepare(*valve, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->feats[6], 1);
  const Json contract = (*dataset)->OutputContract();
  EXPECT_EQ(contract["raw_ids"], Json({1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40}));
  EXPECT_EQ(contract["tensors"][0]["shape"].back(), 14);
  EXPECT_EQ((*dataset)->InputContract()["category_names"], Json::array({"Valve"}));
}

TEST(OwnPartsTest, ThePublishedLayoutMayBringATableToo) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  WriteText(folder.path() + "/parts.tsv",
            "Cap of mine\t6\tall\nMug\t37\tcup\nCap of mine\t7\tpeak\nMug\t36\thandle\n");
  WriteText(folder.path() + kSynsets, "Cap of mine\t02954340\nMug\t03797390\n");
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(),
              ElementsAre("Cap of mine all", "Cap of mine peak", "Mug cup", "Mug handle"));
  EXPECT_EQ((*dataset)->OutputContract()["raw_ids"], Json({6, 7, 37, 36}));
  const auto mug = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_TRUE(mug.ok()) << mug.status();
  EXPECT_EQ(mug->category, 1);
  EXPECT_THAT(mug->labels, ElementsAre(3, 2, 2));
  const auto categories = OpenKind("shapenet_part", {{"root", folder.path()}, {"task", "class"}});
  ASSERT_TRUE(categories.ok()) << categories.status();
  EXPECT_THAT((*categories)->class_names(), ElementsAre("Cap of mine", "Mug"));
}

TEST(OwnPartsTest, TheDigestKnowsTheTable) {
  const TempFolder folder;
  WriteOwnParts(folder.path());
  const auto open = [&] { return OpenKind("shapenet_part", {{"root", folder.path()}}).value(); };
  const auto dataset = open();
  EXPECT_TRUE(dataset->IsCurrent());
  const std::string table = ReadFile(folder.path() + "/parts.tsv").value();
  WriteText(folder.path() + "/parts.tsv", table + "Valve\t99\tcap\n");
  EXPECT_FALSE(dataset->IsCurrent());
  EXPECT_NE(open()->Describe()["digest"], dataset->Describe()["digest"]);
  WriteText(folder.path() + "/parts.tsv", table + "# a comment\n");
  EXPECT_EQ(open()->Describe()["digest"], dataset->Describe()["digest"]);
}

TEST(OwnPartsTest, RefusesWhatTheTableDoesNotSayNamingFileAndLine) {
  struct Case {
    std::string file;
    std::string text;
    std::string message;
    std::string task = "parts";
  };
  const std::string gate = "Gate\t2\twheel\nGate\t3\tstem\n";
  const std::string table = "Valve\t1\ta\nValve\t4\tb\n" + gate;
  const std::string row = "0 0 0 0 0 1 ";
  const std::vector<Case> cases = {
      {"/a.txt", row + "1\n\n" + row + "2\n",
       "/a.txt: line 3: expected one of the parts 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, "
       "40, those of Valve, found 2"},
      {"/a.txt", row + "41\n", "/a.txt: line 1: expected one of the parts 1, 4, "},
      {"/parts.tsv", "Valve\t1\ta\n", "/parts.tsv: 1 part; expected 2 to 255"},
      {"/parts.tsv", "# none\n", "/parts.tsv: 0 parts; expected 2 to 255"},
      {"/parts.tsv", "Valve\t1\ta\nValve\t1\tb\n",
       "/parts.tsv: line 2: the id 1 is listed already in line 1"},
      {"/parts.tsv", "category\tpart_id\tname\nValve\t1\ta\nValve\t2\ta\n",
       "/parts.tsv: line 3: the part \"Valve a\" is listed already in line 2"},
      {"/parts.tsv", "A\t1\tb c\nA b\t2\tc\n", "/parts.tsv: line 2: the part \"A b c\" is listed"},
      {"/parts.tsv", "Valve\t1\n", "/parts.tsv: line 1: expected a category, the id of a part and"},
      {"/parts.tsv", "Valve 1 a\n",
       "/parts.tsv: line 1: expected a category, the id of a part and"},
      {"/parts.tsv", "Valve\t1\t\n", "/parts.tsv: line 1: expected a category, the id of a part"},
      {"/parts.tsv", "Valve\t-1\ta\n",
       "/parts.tsv: line 1: expected the id of a part from 0 to 16777215, found \"-1\""},
      {"/parts.tsv", "part\tcategory\tname\n", "line 1: expected the id of a part"},
      {"/parts.tsv", "Valve\t1\ta\nValve\t4\tb\n", "/dataset/task: with one category in ", "class"},
      {"/parts.tsv", table,
       "/a.txt: line 5: expected one of the parts 1, 4, those of Valve, found 7"},
      {"/parts.tsv", gate + "Valve\t1\ta\n",
       "/a.txt: line 3: expected one of the parts 1, those of Valve, found 4"},
  };
  for (const Case& bad : cases) {
    const TempFolder folder;
    WriteOwnParts(folder.path());
    WriteText(folder.path() + bad.file, bad.text);
    const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}, {"task", bad.task}});
    const Status status =
        dataset.ok() ? (*dataset)->Load(Split::kTrain, 0).status() : dataset.status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad.text;
    EXPECT_THAT(status.message(), HasSubstr(bad.message)) << bad.text;
    EXPECT_THAT(status.message(), HasSubstr(folder.path())) << bad.text;
  }
}

TEST(OwnPartsTest, NamesTheCategoryThatAPartBelongsTo) {
  const TempFolder folder;
  WriteShapeNet(folder.path());
  WriteText(folder.path() + "/parts.tsv", "Cap\t6\ta\nCap\t7\tb\nMug\t36\tc\nMug\t40\td\n");
  const auto dataset = OpenKind("shapenet_part", {{"root", folder.path()}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  WriteText(folder.path() + kMug, "0 0 0 1 0 0 36\n0 0 0 1 0 0 7\n");
  EXPECT_THAT((*dataset)->Load(Split::kTrain, 0).status().message(),
              HasSubstr("/03797390/a.txt: line 2: expected one of the parts 36, 40, those of Mug, "
                        "found 7, a part of Cap"));
  WriteText(folder.path() + "/parts.tsv", "Cap\t6\ta\nCap\t7\tb\n");
  EXPECT_THAT(OpenKind("shapenet_part", {{"root", folder.path()}}).status().message(),
              HasSubstr("/synsetoffset2category.txt: line 2: expected a category of parts.tsv and "
                        "its synset, found \"Mug\t03797390\""));
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
        BadObject{"LineBehindBlankOnes", kMug, "# by hand\n0 0 0 1 0 0 36\n\n0 0 0 1 0 0 38\n",
                  kInvalid, "/03797390/a.txt: line 4: expected a part from 36 to 37"},
        BadObject{"SynsetListedTwice", kSynsets, "Cap\t02954340\n# twice\nMug\t02954340\n",
                  kInvalid, "/synsetoffset2category.txt: line 3: the synset 02954340 is listed"},
        BadObject{"CategoryWithoutTrainingObjects", kTrainList, R"(["shape_data/03797390/a"])",
                  kInvalid, "/02954340: the category has no training objects; expected some in "},
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
