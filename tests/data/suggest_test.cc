// What is chosen for folders of all kinds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/data/object_folders.h"
#include "tests/support/shared_data.h"
#include "worker/data/files/writer.h"
#include "worker/data/suggest/suggest.h"

namespace voxbit::data {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// A folder with one scan each for training and validation.
class SuggestTest : public ::testing::Test {
 protected:
  void WriteScans(const std::vector<float>& points) const {
    WriteSmallFolder(folder_.path());
    for (const char* name : {"a", "b"}) {
      WriteArray(folder_.path() + "/velodyne/" + name + ".bin", points);
      WriteArray(folder_.path() + "/labels/" + name + ".label",
                 std::vector<uint32_t>(points.size() / 4, 10));
    }
  }
  Suggestion Suggested() const {
    auto suggestion = SuggestFor(folder_.path());
    EXPECT_TRUE(suggestion.ok()) << suggestion.status();
    if (!suggestion.ok()) return {};
    EXPECT_TRUE(suggestion->usable.ok()) << suggestion->usable;
    EXPECT_EQ(suggestion->dataset.at("root"), folder_.path());
    return *suggestion;
  }

  TempFolder folder_;
};

// A tile of 40 x 40 m with its corner at (x, y), a point every 0.2 m, intensities up to
// `brightest`.
std::vector<float> Tile(float x, float y, float brightest) {
  std::vector<float> points;
  for (int i = 0; i < 200; ++i) {
    for (int j = 0; j < 200; ++j) {
      const float bump = (i / 20 + j / 20) % 2 == 0 ? 0.0F : 6.0F;
      points.insert(points.end(),
                    {x + 0.2F * static_cast<float>(i), y + 0.2F * static_cast<float>(j), bump,
                     brightest * static_cast<float>(j) / 200});
    }
  }
  return points;
}

TEST_F(SuggestTest, TilesFromTheAirAreCentredAndGetHeights) {
  WriteScans(Tile(1000, 2000, 1500));
  const Suggestion tiles = Suggested();
  EXPECT_THAT(tiles.what, HasSubstr("pieces of a map"));
  EXPECT_EQ(tiles.example, "quickstart_lidar");
  EXPECT_EQ(tiles.metric, "miou");
  EXPECT_EQ(tiles.dataset.at("kind"), "semantic_kitti");
  EXPECT_EQ(tiles.dataset.at("features"), Json({"z", "intensity", "height"}));
  EXPECT_EQ(tiles.dataset.at("center"), true);
  EXPECT_EQ(tiles.dataset.at("flip"), true);
  EXPECT_EQ(tiles.dataset.at("intensity_scale"), 0.001);
  EXPECT_FALSE(tiles.dataset.contains("drop_origin"));
  // Every 0.2 m a point: at 0.3 m a voxel holds more than one and a half.
  EXPECT_EQ(tiles.dataset.at("voxel_m"), 0.3);
  for (const Choice& choice : tiles.choices) EXPECT_FALSE(choice.why.empty()) << choice.setting;
}

TEST_F(SuggestTest, ASensorAtTheOriginKeepsThePlaceOfItsPoints) {
  const auto streets = OpenSynthetic({{"train_scans", 1}, {"val_scans", 1}});
  ASSERT_TRUE(streets.ok() && WriteSemanticKittiFolder(**streets, folder_.path()).ok());
  const Suggestion car = Suggested();
  EXPECT_THAT(car.what, HasSubstr("a sensor at the origin"));
  EXPECT_EQ(car.dataset.at("features"), Json({"x", "y", "z", "intensity"}));
  EXPECT_FALSE(car.dataset.contains("center"));
  EXPECT_EQ(car.dataset.at("intensity_scale"), 1);
}

TEST_F(SuggestTest, IntensitiesOfAnyRangeEndNearOne) {
  for (const auto& [brightest, scale] :
       std::vector<std::pair<float, double>>{{0.0115F, 100}, {1, 1}, {255, 0.01}, {65535, 1e-5}}) {
    WriteScans(Tile(0, 0, brightest));
    EXPECT_NEAR(Suggested().dataset.at("intensity_scale").get<double>() / scale, 1, 1e-9)
        << brightest;
  }
  WriteScans(Tile(0, 0, 0));
  const Suggestion dark = Suggested();
  EXPECT_EQ(dark.dataset.at("features"), Json({"z", "height"}));
  EXPECT_THAT(dark.hints, Contains(HasSubstr("the intensity is 0 everywhere")));
}

TEST_F(SuggestTest, PulsesWithoutReturnAreDroppedAndSaid) {
  std::vector<float> points = Tile(0, 0, 1);
  points.insert(points.end(), 40'000, 0.0F);
  WriteScans(points);
  const Suggestion suggestion = Suggested();
  EXPECT_EQ(suggestion.dataset.at("drop_origin"), true);
  EXPECT_NEAR(suggestion.found.at("origin_share").get<double>(), 0.2, 1e-3);
}

TEST_F(SuggestTest, AStrayPointDecidesNothing) {
  WriteScans(Tile(0, 0, 1));
  const Suggestion clean = Suggested();
  std::vector<float> points = Tile(0, 0, 1);
  points.insert(points.end(), {90'000, -90'000, 500, 0.5F});
  WriteScans(points);
  EXPECT_EQ(Suggested().dataset, clean.dataset);
}

TEST_F(SuggestTest, ACameraTurnsAboutNoVertical) {
  std::vector<float> points = Tile(0, 0, 1);
  for (size_t i = 0; i < points.size(); i += 4) {
    points[i] = 0.02F * points[i] - 0.4F;
    points[i + 1] = 0.02F * points[i + 1] - 0.4F;
    points[i + 2] = 0.6F + 0.05F * points[i + 2];
  }
  WriteScans(points);
  const Suggestion scene = Suggested();
  EXPECT_THAT(scene.what, HasSubstr("close by"));
  EXPECT_EQ(scene.dataset.at("rotate"), false);
  EXPECT_LT(scene.dataset.at("voxel_m").get<double>(), 0.03);
}

TEST_F(SuggestTest, TheSequencesThatAreThereAreSplit) {
  for (const char* sequence : {"00", "03", "08"}) {
    const std::string root = folder_.path() + "/sequences/" + sequence;
    WriteArray(root + "/velodyne/000000.bin", Tile(0, 0, 1));
    WriteArray(root + "/labels/000000.label", std::vector<uint32_t>(40'000, 40));
  }
  WriteArray(folder_.path() + "/sequences/11/velodyne/000000.bin", Tile(0, 0, 1));
  const Suggestion sequences = Suggested();
  EXPECT_EQ(sequences.dataset.at("train_sequences"), Json({"00", "03"}));
  EXPECT_EQ(sequences.dataset.at("val_sequences"), Json({"08"}));
}

TEST_F(SuggestTest, ObjectsGetTheStudyForObjects) {
  WriteShapeNet(folder_.path());
  const Suggestion parts = Suggested();
  EXPECT_EQ(parts.dataset.at("kind"), "shapenet_part");
  EXPECT_EQ(parts.example, "quickstart_objects");
  EXPECT_EQ(parts.metric, "instance_miou");
  EXPECT_EQ(parts.task, "segmentation");
  const TempFolder meshes;
  WriteMeshes(meshes.path());
  const auto classes = SuggestFor(meshes.path());
  ASSERT_TRUE(classes.ok()) << classes.status();
  EXPECT_EQ(classes->dataset.at("kind"), "modelnet40");
  EXPECT_EQ(classes->metric, "accuracy");
  EXPECT_EQ(classes->task, "classification");
}

TEST_F(SuggestTest, CloudsWithoutNormalsAreNotAskedForThem) {
  WriteModelNet(folder_.path());
  std::string train = "night_stand_0001\n";
  for (const char digit : std::string("123456789")) {
    const std::string name = std::string("chair_100") + digit;
    train += name + "\n";
    WriteText(folder_.path() + "/chair/" + name + ".txt", ModelNetRows());
  }
  WriteText(folder_.path() + "/modelnet40_train.txt", train);
  EXPECT_FALSE(Suggested().dataset.contains("features"));
  WriteText(folder_.path() + "/night_stand/night_stand_0001.txt", "0,0,0\n1,0,0\n0,1,0\n");
  EXPECT_EQ(Suggested().dataset.value("features", Json()), Json({"x", "y", "z"}));
}

// Recordings, as far as they are at hand: what a person who knows them would set.
TEST(SuggestRealDataTest, AirborneTilesGetTheSettingsOfTheExample) {
  const auto folder = voxbit::testing::SharedPath("data/ign_lidarhd");
  if (!folder.has_value()) return;
  const auto suggestion = SuggestFor(*folder);
  ASSERT_TRUE(suggestion.ok() && suggestion->usable.ok()) << suggestion.status();
  const auto example = ReadJsonFile(voxbit::testing::SourceDir() + "/deploy/examples/" +
                                    suggestion->example + ".json");
  ASSERT_TRUE(example.ok()) << example.status();
  Json expected = example->at("studies").at(0).at("dataset");
  expected["root"] = suggestion->dataset.at("root");
  EXPECT_EQ(suggestion->dataset, expected) << "the README's numbers were made with these";
}

TEST(SuggestRealDataTest, OtherSensorsGetWhatTheyNeed) {
  const std::vector<std::pair<std::string, Json>> sets = {
      {"semantickitti",
       {{"features", {"x", "y", "z", "intensity"}}, {"intensity_scale", 1}, {"voxel_m", 0.3}}},
      {"rellis3d",
       {{"features", {"x", "y", "z", "intensity"}},
        {"intensity_scale", 100},
        {"drop_origin", true},
        {"voxel_m", 0.1}}},
      {"ahn3", {{"features", {"z", "intensity", "height"}}, {"center", true}}},
      {"osd_kinect", {{"features", {"x", "y", "z", "intensity"}}, {"rotate", false}}},
      {"shapenetpart_cap", {{"kind", "shapenet_part"}}}};
  for (const auto& [name, expected] : sets) {
    const auto folder = voxbit::testing::SharedPath("data/" + name);
    if (!folder.has_value()) return;
    const auto suggestion = SuggestFor(*folder);
    ASSERT_TRUE(suggestion.ok()) << suggestion.status();
    for (const auto& [setting, value] : expected.items()) {
      EXPECT_EQ(suggestion->dataset.value(setting, Json()), value) << name << " " << setting;
    }
  }
  for (const char* name : {"osd_objects", "modelnet10_voxels"}) {
    EXPECT_EQ(SuggestFor(*voxbit::testing::SharedPath(std::string("data/") + name)).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(SuggestTest, SaysWhatAStudyLacks) {
  WriteScans(Tile(0, 0, 1));
  std::filesystem::remove(folder_.path() + "/val.txt");
  const auto suggestion = SuggestFor(folder_.path());
  ASSERT_TRUE(suggestion.ok()) << suggestion.status();
  EXPECT_THAT(suggestion->usable.message(), HasSubstr("val.txt: missing split file"));
  EXPECT_TRUE(suggestion->dataset.contains("voxel_m")) << "what can be told is told";
}

TEST_F(SuggestTest, RefusesAFolderInNoLayoutSayingWhatIsRight) {
  EXPECT_THAT(SuggestFor(folder_.path() + "/no").status().message(), HasSubstr("no such folder"));
  WriteArray(folder_.path() + "/a.bin", ThreePoints());
  const Status status = SuggestFor(folder_.path()).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("LiDAR scans have velodyne/ and labels/"));
  EXPECT_THAT(status.message(), HasSubstr("there are .bin files in it: put them into velodyne/"));
  const float none = std::numeric_limits<float>::quiet_NaN();
  WriteArray(folder_.path() + "/velodyne/a.bin", std::vector<float>{none, 0, 0, 0});
  EXPECT_THAT(SuggestFor(folder_.path()).status().message(), HasSubstr("no point with finite"));
}

}  // namespace
}  // namespace voxbit::data
