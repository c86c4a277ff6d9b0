// Files that lie in no folder of a dataset: how they are found, read and mapped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/data/object_folders.h"
#include "worker/data/files/class_map.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Result<std::unique_ptr<Dataset>> OpenAs(const Dataset& dataset, const FileList& files) {
  return OpenFiles(BuiltinDatasets(), dataset.Describe(), files);
}

class ScanListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteSmallFolder(trained_.path());
    auto dataset = OpenFolder(trained_.path(), {{"drop_origin", true}});
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = std::move(dataset).value();
  }

  TempFolder trained_;
  TempFolder folder_;
  std::unique_ptr<Dataset> dataset_;
};

TEST_F(ScanListTest, ScansOfAnyFolderArePreparedAsInTraining) {
  const std::string path = folder_.path() + "/anything.BIN";
  WriteArray(path, ThreePoints());
  std::filesystem::remove_all(trained_.path() + "/velodyne");
  const auto files = OpenAs(*dataset_, {{path}, ""});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ((*files)->size(Split::kTrain), 0);
  ASSERT_EQ((*files)->size(Split::kVal), 1);
  EXPECT_EQ((*files)->InputContract(), dataset_->InputContract());
  EXPECT_EQ((*files)->OutputContract(), dataset_->OutputContract());
  const auto scan = (*files)->Load(Split::kVal, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->points, ThreePoints());
  EXPECT_THAT(scan->labels, IsEmpty());
  const auto prepared = (*files)->Prepare(*scan, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(prepared->point_index, ElementsAre(1, 2)) << "point 0 lies at the origin";
  EXPECT_EQ(prepared->num_points(), 2);
}

TEST_F(ScanListTest, LabelsBesideAScanAreItsTruth) {
  const std::string beside = folder_.path() + "/a.bin";
  WriteArray(beside, ThreePoints());
  WriteArray<uint32_t>(folder_.path() + "/a.label", {20, 10, 0});
  const std::string apart = folder_.path() + "/velodyne/b.bin";
  WriteArray(apart, ThreePoints());
  WriteArray<uint32_t>(folder_.path() + "/labels/b.label", {0, 20, 10});
  const auto files = OpenAs(*dataset_, {{beside, apart}, ""});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT((*files)->Load(Split::kVal, 0)->labels, ElementsAre(1, 0, 255));
  EXPECT_THAT((*files)->Load(Split::kVal, 1)->labels, ElementsAre(255, 1, 0));
}

TEST_F(ScanListTest, EveryClassHasARawIdToBeWrittenAs) {
  EXPECT_THAT(dataset_->raw_ids(), ElementsAre(10, 20));
  EXPECT_EQ(dataset_->unlabelled_raw_id(), 0U);
  EXPECT_EQ(dataset_->OutputContract().at("raw_ids"), Json({10, 20}));
}

TEST_F(ScanListTest, SaysWhatIsMissing) {
  EXPECT_EQ(OpenAs(*dataset_, {{folder_.path() + "/no.bin"}, ""}).status().code(),
            StatusCode::kNotFound);
  const std::string path = folder_.path() + "/a.bin";
  WriteArray(path, ThreePoints());
  Json description = dataset_->Describe();
  description["config"]["features"] = {"z", "returns"};
  const auto alone = OpenFiles(BuiltinDatasets(), description, {{path}, ""});
  ASSERT_TRUE(alone.ok()) << alone.status() << ": other files can still be used";
  EXPECT_THAT((*alone)->Load(Split::kVal, 0).status().message(),
              HasSubstr(path + ": no file .returns"));
  description.erase("class_map");
  EXPECT_THAT(OpenFiles(BuiltinDatasets(), description, {{path}, ""}).status().message(),
              HasSubstr("/dataset/class_map: missing; export again"));
  description["class_map"] = {{"names", {"a"}}, {"raw_to_train", {{1, 3}}}, {"train_to_raw", {1}}};
  EXPECT_THAT(OpenFiles(BuiltinDatasets(), description, {{path}, ""}).status().message(),
              HasSubstr("train id 3 is that of no class"));
}

TEST(ClassMapTest, TheFirstRawIdOfAClassStandsForIt) {
  const auto map = ParseClassMap(
      "raw_id\ttrain_id\tname\n7\t1\ttree\n0\t0\tground\n3\t255\tvoid\n2\t1\tbush\n9\t255\tnone\n",
      "t");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(map->train_to_raw, ElementsAre(0, 7));
  EXPECT_EQ(UnlabelledRawId(*map), 3U) << "0 is a class here";
  const auto again = ParseClassMapDescription(DescribeClassMap(*map), "/map");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(DescribeClassMap(*again), DescribeClassMap(*map));
}

TEST(ClassMapTest, TheBenchmarksInverseMapNamesVehiclesAsItDoes) {
  for (const char* which : {"spvnas", "official"}) {
    const ClassMap map = SemanticKittiClassMap(which);
    ASSERT_EQ(map.train_to_raw.size(), map.names.size());
    for (size_t i = 0; i < map.names.size(); ++i) {
      EXPECT_EQ(map.raw_to_train.at(map.train_to_raw[i]), static_cast<int32_t>(i)) << map.names[i];
    }
    EXPECT_EQ(map.train_to_raw[4], 20U);
  }
}

class ObjectListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteShapeNet(trained_.path());
    auto dataset = OpenKind("shapenet_part", {{"root", trained_.path()}, {"points", 4}});
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = std::move(dataset).value();
  }
  std::string Write(const std::string& name, const std::string& rows) const {
    std::string path = folder_.path() + "/" + name;
    WriteText(path, rows);
    return path;
  }
  // The only object, or what is wrong with it.
  Result<Scan> Load(const FileList& files) const {
    const auto dataset = OpenAs(*dataset_, files);
    if (!dataset.ok()) return dataset.status();
    return (*dataset)->Load(Split::kVal, 0);
  }

  TempFolder trained_;
  TempFolder folder_;
  std::unique_ptr<Dataset> dataset_;
};

constexpr char kTwoRows[] = "0 0 0 1 0 0\n1 0 0.5 0 1 0\n";

TEST_F(ObjectListTest, TheCategoryComesFromTheFlagTheFolderOrTheParts) {
  const auto given = Load({{Write("x.txt", kTwoRows)}, "Cap"});
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->category, 2);
  EXPECT_THAT(given->labels, IsEmpty());
  EXPECT_EQ(given->num_points(), 2);
  const auto synset = Load({{Write("03797390/x.txt", kTwoRows)}, ""});
  ASSERT_TRUE(synset.ok()) << synset.status();
  EXPECT_EQ(synset->category, 11);
  EXPECT_EQ(synset->name, "03797390/x") << "the sample of points hangs on the name";
  EXPECT_EQ(Load({{Write("Mug/x.txt", kTwoRows)}, ""})->category, 11);
  const auto parts = Load({{Write("y.txt", kMugRows)}, ""});
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ(parts->category, 11);
  EXPECT_THAT(parts->labels, ElementsAre(36, 37, 37));
}

TEST_F(ObjectListTest, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(Load({{Write("x.txt", kTwoRows)}, ""}).status().message(),
              HasSubstr("x.txt: nothing says what the object is; give its category, one of "
                        "Airplane, Bag"));
  EXPECT_THAT(Load({{Write("x.txt", kTwoRows)}, "Cup"}).status().message(),
              HasSubstr("no category is called \"Cup\"; there are Airplane"));
  EXPECT_THAT(Load({{Write("x.txt", "0 0 0\n1 1 1\n")}, "Cap"}).status().message(),
              HasSubstr("line 1: x y z without the normals that the features nx, ny and nz need; "
                        "the setting \"features\": [\"x\",\"y\",\"z\",\"category\"] does"));
  EXPECT_THAT(Load({{Write("x.txt", kMugRows)}, "Cap"}).status().message(),
              HasSubstr("x.txt: line 1: expected a part of Cap, found 36"));
}

TEST_F(ObjectListTest, PositionsWillDoWhereNoFeatureNeedsNormals) {
  Json description = dataset_->Describe();
  description["config"]["features"] = {"x", "y", "z", "category"};
  const auto files =
      OpenFiles(BuiltinDatasets(), description, {{Write("x.txt", "0 0 0\n1 1 1\n2 0 0\n")}, "Cap"});
  ASSERT_TRUE(files.ok()) << files.status();
  const auto scan = (*files)->Load(Split::kVal, 0);
  ASSERT_TRUE(scan.ok()) << scan.status();
  const auto prepared = (*files)->Prepare(*scan, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->num_rows(), 4);
  EXPECT_THAT(prepared->labels, IsEmpty());
}

TEST_F(ObjectListTest, ObjectsToClassifyMayBeMeshesOrTables) {
  WriteMeshes(folder_.path());
  const auto trained =
      OpenKind("modelnet40", {{"root", folder_.path()}, {"points", 4}, {"val_share", 0.5}});
  ASSERT_TRUE(trained.ok()) << trained.status();
  const std::string table = Write("new/x.txt", ModelNetRows());
  const std::string mesh = folder_.path() + "/desk/test/desk_0003.off";
  const auto files = OpenAs(**trained, {{table, mesh}, ""});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ((*files)->Load(Split::kVal, 0)->category, -1);
  const auto desk = (*files)->Load(Split::kVal, 1);
  ASSERT_TRUE(desk.ok()) << desk.status();
  EXPECT_EQ(desk->category, 1) << "its folder is named after a class";
  EXPECT_EQ(desk->points, (*trained)->Load(Split::kTest, 1)->points);
  EXPECT_THAT((*files)->Prepare(*(*files)->Load(Split::kVal, 0), nullptr)->labels, IsEmpty());
}

}  // namespace
}  // namespace voxbit::data
