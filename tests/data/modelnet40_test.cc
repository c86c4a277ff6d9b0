#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/data/object_folders.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x of every point.
std::vector<float> Xs(const Scan& scan) {
  std::vector<float> xs;
  for (size_t i = 0; i < scan.points.size(); i += 4) xs.push_back(scan.points[i]);
  return xs;
}

Result<Scan> FirstScan(const std::string& root, Json more = Json::object()) {
  more["root"] = root;
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, OpenKind("modelnet40", more));
  return dataset->Load(Split::kTrain, 0);
}

TEST(ModelNet40Test, ReadsTextFilesCutToTheirFirstPoints) {
  const TempFolder folder;
  WriteModelNet(folder.path());
  const auto dataset =
      OpenKind("modelnet40", {{"root", folder.path()}, {"points", 4}, {"val_share", 0.34}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("chair", "night_stand"));
  EXPECT_EQ((*dataset)->traits().scoring, Scoring::kObjects);
  EXPECT_EQ((*dataset)->size(Split::kTrain), 4);
  EXPECT_EQ((*dataset)->size(Split::kVal), 2);
  EXPECT_EQ((*dataset)->size(Split::kTest), 2);
  const auto scan = (*dataset)->Load(Split::kVal, 1);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->name, "night_stand_0003");
  EXPECT_EQ(scan->source, folder.path() + "/night_stand/night_stand_0003.txt");
  EXPECT_EQ(scan->category, 1);
  EXPECT_THAT(Xs(*scan), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(scan->extra[2].values, ElementsAre(1, 1, 1, 1));
  EXPECT_TRUE(scan->labels.empty());
  const auto test = (*dataset)->Load(Split::kTest, 0);
  ASSERT_TRUE(test.ok());
  EXPECT_EQ(test->name, "chair_0004");
}

TEST(ModelNet40Test, ValidatesOnTheTestObjectsWhenNoShareIsHeldOut) {
  const TempFolder folder;
  WriteModelNet(folder.path());
  const auto dataset = OpenKind("modelnet40", {{"root", folder.path()}, {"val_share", 0}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 6);
  EXPECT_EQ((*dataset)->Load(Split::kVal, 1)->name, (*dataset)->Load(Split::kTest, 1)->name);
}

TEST(ModelNet40Test, CutsByFarthestPointsOrNotAtAll) {
  const TempFolder folder;
  WriteModelNet(folder.path());
  const Json base = {{"points", 3}, {"val_share", 0}};
  Json farthest = base;
  farthest["cut"] = "farthest";
  const auto spread = FirstScan(folder.path(), farthest);
  ASSERT_TRUE(spread.ok()) << spread.status();
  EXPECT_THAT(Xs(*spread), ElementsAre(0, 11, 5));
  Json none = base;
  none["cut"] = "none";
  const auto all = FirstScan(folder.path(), none);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->num_points(), 12);
}

TEST(ModelNet40Test, SamplesMeshesBySeedAndName) {
  const TempFolder folder;
  WriteMeshes(folder.path());
  const Json config = {{"val_share", 0.25}, {"mesh_points", 200}, {"points", 50}};
  const auto scan = FirstScan(folder.path(), config);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->name, "bed_0001");
  EXPECT_EQ(scan->num_points(), 50);
  for (size_t i = 0; i < 50; ++i) {
    const float* point = &scan->points[4 * i];
    EXPECT_TRUE(point[0] >= 0 && point[0] <= 2 && point[1] >= 0 && point[1] <= 2);
    EXPECT_EQ(point[2], 1);
    EXPECT_EQ(scan->extra[2].values[i], 1);
  }
  EXPECT_EQ(FirstScan(folder.path(), config)->points, scan->points);
  Json reseeded = config;
  reseeded["seed"] = 1;
  EXPECT_NE(FirstScan(folder.path(), reseeded)->points, scan->points);
}

TEST(ModelNet40Test, MeshFoldersGiveClassesAndSplits) {
  const TempFolder folder;
  WriteMeshes(folder.path());
  const auto dataset = OpenKind("modelnet40", {{"root", folder.path()}, {"val_share", 0.25}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("bed", "desk"));
  EXPECT_EQ((*dataset)->size(Split::kTrain), 3);
  EXPECT_EQ((*dataset)->size(Split::kVal), 1);
  EXPECT_EQ((*dataset)->size(Split::kTest), 2);
  EXPECT_EQ((*dataset)->Load(Split::kVal, 0)->name, "desk_0002");
  WriteText(folder.path() + "/desk/train/desk_0009.off", kSquareOff);
  EXPECT_FALSE((*dataset)->IsCurrent());
}

TEST(ModelNet40Test, TakesExtensionsInAnyCaseAndLeavesOutHiddenFiles) {
  const TempFolder folder;
  WriteMeshes(folder.path());
  const std::string train = folder.path() + "/bed/train/";
  std::filesystem::rename(train + "bed_0001.off", train + "bed_0001.OFF");
  WriteText(train + "._bed_0001.off", "Mac OS X");
  WriteText(train + ".DS_Store", "x");
  WriteText(folder.path() + "/.cache/train/a.off", kSquareOff);
  const auto dataset = OpenKind("modelnet40", {{"root", folder.path()}, {"val_share", 0}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("bed", "desk"));
  EXPECT_EQ((*dataset)->size(Split::kTrain), 4);
  const auto scan = (*dataset)->Load(Split::kTrain, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->name, "bed_0001");
}

TEST(ModelNet40Test, ReadsTextsAsOtherToolsWriteThem) {
  const TempFolder folder;
  WriteModelNet(folder.path());
  WriteText(folder.path() + "/modelnet40_shape_names.txt",
            "\xEF\xBB\xBF# names\r\n chair\r\n\r\nnight_stand # with a lamp\r\n");
  WriteText(folder.path() + "/chair/chair_0001.txt",
            "// x, y, z\r\n1;2;3;0;0;1\r\n\r\n# half\r\n+4, 5, 6, 0, 0, 1e-50\r\n7,8,9,0,0,1\r\n");
  const auto scan = FirstScan(folder.path(), {{"val_share", 0}, {"points", 2}});
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_THAT(Xs(*scan), ElementsAre(1, 4));
}

TEST(ModelNet40Test, AShareOfLessThanOneObjectIsRefusedWithOneThatWorks) {
  const TempFolder folder;
  WriteMeshes(folder.path());
  const auto refused = OpenKind("modelnet40", {{"root", folder.path()}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(),
              HasSubstr("/dataset/val_share: 0.1 of 4 training objects is less than one object; "
                        "expected at least 0.25, or 0 to validate on the test objects"));
  EXPECT_TRUE(OpenKind("modelnet40", {{"root", folder.path()}, {"val_share", 0.25}}).ok());
}

TEST(ModelNet40Test, RangesOfNumbersAreWrittenAsPeopleWriteThem) {
  const TempFolder folder;
  WriteMeshes(folder.path());
  EXPECT_THAT(
      OpenKind("modelnet40", {{"root", folder.path()}, {"val_share", 1}}).status().message(),
      HasSubstr("/dataset/val_share: expected a number from 0 to 0.5, found 1"));
}

TEST(ModelNet40Test, AClassWithoutTrainingObjectsIsRefusedByItsFolder) {
  const TempFolder meshes;
  WriteMeshes(meshes.path());
  std::filesystem::remove_all(meshes.path() + "/desk/train");
  WriteText(meshes.path() + "/desk/train/desk_0001.ply", "ply");
  const Status none = FirstScan(meshes.path(), {{"val_share", 0}}).status();
  EXPECT_EQ(none.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(none.message(),
              HasSubstr(meshes.path() +
                        "/desk/train: the class \"desk\" has no training objects; expected files"));
  WriteText(meshes.path() + "/desk/train/desk_0001.off", kSquareOff);
  EXPECT_THAT(FirstScan(meshes.path(), {{"val_share", 0.4}}).status().message(),
              HasSubstr("/desk/train: the class \"desk\" has no training objects but those that "
                        "val_share holds out"));
  const TempFolder texts;
  WriteModelNet(texts.path());
  WriteText(texts.path() + "/modelnet40_train.txt", "chair_0001\n");
  EXPECT_THAT(FirstScan(texts.path(), {{"val_share", 0}}).status().message(),
              HasSubstr(texts.path() + "/night_stand: the class \"night_stand\" has no training "
                                       "objects; expected lines CLASS_ID in "));
}

TEST(ModelNet40Test, RefusesMoreClassesThanLabelsCanName) {
  const TempFolder folder;
  for (int i = 0; i < 256; ++i) {
    std::filesystem::create_directories(folder.path() + "/class" + std::to_string(i) + "/train");
  }
  const auto dataset = OpenKind("modelnet40", {{"root", folder.path()}});
  ASSERT_FALSE(dataset.ok());
  EXPECT_EQ(dataset.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(dataset.status().message(), HasSubstr("256 classes; there can be 255"));
}

TEST(ModelNet40Test, RefusesBadFoldersNamingFileAndFault) {
  struct Case {
    void (*write)(const std::string& root);
    std::string file;
    std::string text;
    StatusCode code;
    std::string message;
  };
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  const std::string chair = "/chair/chair_0001.txt";
  const std::string bed = "/bed/train/bed_0001.off";
  const std::vector<Case> cases = {
      {WriteModelNet, "", "remove", StatusCode::kNotFound, "/dataset/root: no such folder"},
      {WriteModelNet, "/modelnet40_shape_names.txt", "remove", StatusCode::kNotFound,
       "neither a file modelnet40_shape_names.txt nor two or more folders"},
      {WriteModelNet, "/modelnet40_train.txt", "remove", StatusCode::kNotFound,
       "/modelnet40_train.txt: missing split file"},
      {WriteModelNet, "/modelnet40_test.txt", "chair_0004\nsofa_0001\n", kInvalid,
       "/modelnet40_test.txt: line 2: expected CLASS_ID, such as \"chair_0001\", with a CLASS that "
       "is listed in "},
      {WriteModelNet, "/modelnet40_test.txt", "chair_0004\nsofa_0001\n", kInvalid,
       "/modelnet40_shape_names.txt, found \"sofa_0001\""},
      {WriteModelNet, "/modelnet40_train.txt", "chair\n", kInvalid,
       "/modelnet40_train.txt: line 1: expected CLASS_ID, such as \"chair_0001\""},
      {WriteModelNet, "/modelnet40_train.txt", "chair/chair_0001.txt\n", kInvalid,
       "found \"chair/chair_0001.txt\""},
      {WriteModelNet, "/modelnet40_train.txt", "\n", kInvalid, "the split train has no objects"},
      {WriteModelNet, chair, "remove", StatusCode::kNotFound, chair + ": missing file"},
      {WriteModelNet, chair, "", kInvalid, chair + ": the file has no points"},
      {WriteModelNet, chair, "1,2,3,0,0,1\n1,2,3\n", StatusCode::kDataLoss,
       chair + ": line 2: expected 6 numbers (x y z nx ny nz), found 3"},
      {WriteModelNet, chair, "1,2,3\n4,5,6\n", kInvalid,
       chair + ": line 1: x y z without the normals that the features nx, ny and nz need; the "
               "setting \"features\": [\"x\",\"y\",\"z\"] does without them"},
      {WriteModelNet, chair, "1,2,inf,0,0,1\n", kInvalid, chair + ": line 1: expected a finite"},
      {WriteMeshes, "/desk", "remove", StatusCode::kNotFound, "nor two or more folders"},
      {WriteMeshes, bed, "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n", kInvalid,
       bed + ": line 6: expected face 0 to name a vertex"},
      {WriteMeshes, bed, "OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n", kInvalid,
       bed + ": the faces of the mesh have no area"},
  };
  for (const Case& bad : cases) {
    const TempFolder folder;
    bad.write(folder.path());
    if (bad.text == "remove") {
      std::filesystem::remove_all(folder.path() + bad.file);
    } else {
      WriteText(folder.path() + bad.file, bad.text);
    }
    const Status status = FirstScan(folder.path(), {{"val_share", 0}}).status();
    EXPECT_EQ(status.code(), bad.code) << status;
    EXPECT_THAT(status.message(), HasSubstr(folder.path()));
    EXPECT_THAT(status.message(), HasSubstr(bad.message));
  }
}

TEST(ModelNet40Test, TheHelpNamesFilesAsTheyAreLookedFor) {
  std::string help;
  for (const FieldHelp& field : BuiltinDatasets().Find("modelnet40")->help()) {
    if (field.name == "root") help = field.help;
  }
  EXPECT_THAT(help, HasSubstr(" CLASS/CLASS_ID.txt,"));
}

TEST(ModelNet40Test, NormalsThatAreNotUsedAreNotJudged) {
  const TempFolder folder;
  WriteModelNet(folder.path());
  WriteText(folder.path() + "/chair/chair_0001.txt", "0,0,0,nan,nan,nan\n1,0,0,-,-,-\n");
  EXPECT_FALSE(FirstScan(folder.path(), {{"val_share", 0}}).ok());
  const auto scan = FirstScan(folder.path(), {{"val_share", 0}, {"features", {"x", "y", "z"}}});
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_THAT(Xs(*scan), ElementsAre(0, 1));
}

}  // namespace
}  // namespace voxbit::data
