#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <tuple>

#include "tests/data/object_folders.h"
#include "worker/data/files/writer.h"
#include "worker/data/objects/object_categories.h"
#include "worker/data/objects/object_models.h"

namespace voxbit::data {
namespace {

using ::testing::HasSubstr;

const Json kComplete = {{"occlusion", "none"}, {"noise", 0}, {"normal_noise", 0}};

TEST(ObjectModelsTest, EveryPartOccursAndBelongsToItsCategory) {
  for (int32_t category = 0; category < 16; ++category) {
    const ObjectCategory& own = ShapeNetCategories()[static_cast<size_t>(category)];
    std::set<int32_t> parts;
    for (uint64_t i = 0; i < 40; ++i) {
      Rng rng = Rng(1).Fork("model", i);
      const Mesh mesh = MakeObject(category, rng);
      EXPECT_TRUE(std::isfinite(Area(mesh)));
      parts.insert(mesh.parts.begin(), mesh.parts.end());
    }
    EXPECT_EQ(parts.size(), own.parts.size()) << own.name;
    for (const int32_t part : parts) EXPECT_TRUE(own.HasPart(part)) << own.name << part;
  }
}

TEST(ObjectModelsTest, ObjectsOfACategoryDiffer) {
  for (int32_t category = 0; category < 16; ++category) {
    Rng a = Rng(2).Fork("model", 0);
    Rng b = Rng(2).Fork("model", 1);
    EXPECT_NE(Area(MakeObject(category, a)), Area(MakeObject(category, b))) << category;
  }
}

TEST(SyntheticObjectsTest, CategoriesTakeTurnsAndNormalsHaveLengthOne) {
  const auto dataset = OpenKind("synthetic_objects", {{"object_points", 256}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  for (int64_t i = 0; i < 32; ++i) {
    const auto scan = (*dataset)->Load(Split::kVal, i);
    ASSERT_TRUE(scan.ok()) << scan.status();
    EXPECT_EQ(scan->category, i % 16);
    EXPECT_LE(scan->num_points(), 256);
    for (size_t p = 0; p < scan->labels.size(); ++p) {
      EXPECT_EQ(ShapeNetParts().CategoryOf(scan->labels[p]), scan->category);
      EXPECT_NEAR(
          std::hypot(scan->extra[0].values[p], scan->extra[1].values[p], scan->extra[2].values[p]),
          1, 1e-6);  // float32
    }
  }
  EXPECT_EQ((*dataset)->Load(Split::kVal, 20)->name, "03001627/val_000020");
}

TEST(SyntheticObjectsTest, ObjectsDifferBetweenIndicesSplitsAndSeeds) {
  const auto dataset = OpenKind("synthetic_objects");
  const auto other_seed = OpenKind("synthetic_objects", {{"seed", 1}});
  ASSERT_TRUE(dataset.ok() && other_seed.ok());
  const auto base = (*dataset)->Load(Split::kTrain, 0)->points;
  EXPECT_NE(base, (*dataset)->Load(Split::kTrain, 16)->points);
  EXPECT_NE(base, (*dataset)->Load(Split::kVal, 0)->points);
  EXPECT_NE(base, (*dataset)->Load(Split::kTest, 0)->points);
  EXPECT_NE(base, (*other_seed)->Load(Split::kTrain, 0)->points);
}

TEST(SyntheticObjectsTest, AnObjectDoesNotDependOnTheNumberOfObjects) {
  const auto small = OpenKind("synthetic_objects", {{"train_objects", 4}});
  const auto large = OpenKind("synthetic_objects", {{"train_objects", 1000000}});
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_EQ((*small)->Load(Split::kTrain, 3)->points, (*large)->Load(Split::kTrain, 3)->points);
  EXPECT_TRUE((*large)->Load(Split::kTrain, 999999).ok());
}

TEST(SyntheticObjectsTest, OcclusionTakesPointsAway) {
  // Of points without noise, the share of cells of a grid that are empty tells how much is missing.
  const auto cells = [](const std::string& occlusion, int64_t index) {
    Json config = kComplete;
    config.update({{"occlusion", occlusion}, {"occlusion_share", 1}, {"object_points", 8192}});
    const auto scan = (*OpenKind("synthetic_objects", config))->Load(Split::kTrain, index);
    std::set<std::tuple<int, int, int>> filled;
    for (size_t i = 0; i < scan->points.size(); i += 4) {
      const auto cell = [&](size_t axis) {
        return static_cast<int>(std::floor(scan->points[i + axis] * 10));
      };
      filled.insert({cell(0), cell(1), cell(2)});
    }
    return static_cast<double>(filled.size());
  };
  double whole = 0, seen = 0, cut = 0;
  for (int64_t i = 0; i < 16; ++i) {
    whole += cells("none", i);
    seen += cells("view", i);
    cut += cells("cut", i);
  }
  EXPECT_LT(seen, 0.85 * whole);
  EXPECT_GT(seen, 0.3 * whole);
  EXPECT_LT(cut, 0.95 * whole);
  EXPECT_GT(cut, 0.5 * whole);
}

TEST(SyntheticObjectsTest, SurvivesWritingAndReading) {
  const TempFolder folder;
  const Json sizes = {{"train_objects", 17},
                      {"val_objects", 2},
                      {"test_objects", 1},
                      {"object_points", 100},
                      {"points", 64}};
  const auto dataset = OpenKind("synthetic_objects", sizes);
  ASSERT_TRUE(dataset.ok());
  ASSERT_TRUE(WriteShapeNetPartFolder(**dataset, folder.path()).ok());
  const auto read = OpenKind("shapenet_part", {{"root", folder.path()}, {"points", 64}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->class_names(), (*dataset)->class_names());
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    ASSERT_EQ((*read)->size(split), (*dataset)->size(split));
    for (int64_t i = 0; i < (*dataset)->size(split); ++i) {
      const auto written = (*dataset)->Load(split, i);
      const auto back = (*read)->Load(split, i);
      ASSERT_TRUE(written.ok() && back.ok()) << back.status();
      EXPECT_EQ(back->name, written->name);
      EXPECT_EQ(back->category, written->category);
      EXPECT_EQ(back->points, written->points);
      EXPECT_EQ(back->labels, written->labels);
      EXPECT_EQ((*read)->Prepare(*back, nullptr)->feats,
                (*dataset)->Prepare(*written, nullptr)->feats);
    }
  }
}

TEST(SyntheticObjectsTest, ObjectsWithoutPartsAreNotWritten) {
  const TempFolder folder;
  const auto dataset = OpenKind("synthetic_objects", {{"task", "class"}});
  ASSERT_TRUE(dataset.ok());
  const Status status = WriteShapeNetPartFolder(**dataset, folder.path());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("without labelled parts"));
}

TEST(SyntheticObjectsTest, RefusesWrongConfigurationsNamingThePointer) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"train_objects", 0}}, "/dataset/train_objects"},
      {{{"object_points", 1}}, "/dataset/object_points"},
      {{{"occlusion", "fog"}}, "/dataset/occlusion"},
      {{{"cut_max", 1}}, "/dataset/cut_max"},
      {{{"noise", -1}}, "/dataset/noise"},
      {{{"seed", -1}}, "/dataset/seed"},
  };
  for (const auto& [fields, message] : cases) {
    const auto opened = OpenKind("synthetic_objects", fields);
    ASSERT_FALSE(opened.ok()) << fields;
    EXPECT_EQ(opened.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(opened.status().message(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace voxbit::data
