#include "worker/data/objects/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tests/data/object_folders.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A dataset that is there for its Prepare.
std::unique_ptr<Dataset> Preparing(const Json& more) {
  auto dataset = OpenKind("synthetic_objects", more);
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return std::move(dataset).value();
}

// Points on a helix, point i with the normal (0, i, 0) and the part 36 or 37 in turn.
Scan Helix(int64_t num) {
  std::vector<float> table;
  for (int64_t i = 0; i < num; ++i) {
    const auto t = static_cast<float>(i);
    for (const float v : {std::cos(t), t / 10, std::sin(t), 0.0F, t, 0.0F}) table.push_back(v);
  }
  Scan scan = MakeObjectScan(table, 6);
  scan.name = "helix";
  scan.source = "helix.txt";
  scan.category = 11;
  for (int64_t i = 0; i < num; ++i) scan.labels.push_back(36 + static_cast<int32_t>(i % 2));
  return scan;
}

// The number of the point a row of features x, y, z, nx, ny, nz stands for.
std::vector<int64_t> RowsOf(const PreparedScan& scan) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < scan.num_rows(); ++i) {
    rows.push_back(std::lround(scan.feats[static_cast<size_t>(i * scan.num_features + 4)]));
  }
  return rows;
}

const Json kNormals = {{"features", {"x", "y", "z", "nx", "ny", "nz"}}};

Json With(Json base, const Json& more) {
  base.update(more);
  return base;
}

TEST(ObjectsTest, CentresAndScalesToTheUnitSphere) {
  const auto dataset = Preparing({{"points", 50}, {"features", {"x", "y", "z"}}});
  const auto prepared = dataset->Prepare(Helix(50), nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  double mean[3] = {0, 0, 0};
  double farthest = 0;
  for (size_t i = 0; i < prepared->feats.size(); i += 3) {
    const float* xyz = &prepared->feats[i];
    for (size_t axis = 0; axis < 3; ++axis) mean[axis] += xyz[axis] / 50;
    farthest = std::max<double>(farthest, std::hypot(xyz[0], xyz[1], xyz[2]));
  }
  for (const double value : mean) EXPECT_NEAR(value, 0, 1e-6);  // float32
  EXPECT_NEAR(farthest, 1, 1e-6);
}

TEST(ObjectsTest, EvaluationSamplesByNameWithoutRepetition) {
  const auto dataset = Preparing(With(kNormals, {{"points", 20}}));
  Scan scan = Helix(50);
  const auto first = dataset->Prepare(scan, nullptr);
  const auto again = dataset->Prepare(scan, nullptr);
  scan.name = "other";
  const auto other = dataset->Prepare(scan, nullptr);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok()) << first.status();
  const auto rows = RowsOf(*first);
  EXPECT_EQ(first->feats, again->feats);
  EXPECT_NE(first->feats, other->feats);
  EXPECT_EQ(std::set<int64_t>(rows.begin(), rows.end()).size(), 20U);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(first->labels[i], 36 + rows[i] % 2);
}

TEST(ObjectsTest, TooFewPointsAreAllTakenThenRepeated) {
  const auto dataset = Preparing(With(kNormals, {{"points", 16}}));
  const auto prepared = dataset->Prepare(Helix(5), nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto rows = RowsOf(*prepared);
  ASSERT_EQ(rows.size(), 16U);
  EXPECT_THAT(std::vector<int64_t>(rows.begin(), rows.begin() + 5), ElementsAre(0, 1, 2, 3, 4));
}

TEST(ObjectsTest, ScaleAndShiftMoveOnlyPositions) {
  const auto dataset = Preparing(
      With(kNormals, {{"points", 30}, {"scale_min", 2}, {"scale_max", 2}, {"shift", 0.5}}));
  const auto plain = dataset->Prepare(Helix(30), nullptr);
  Rng rng(1);
  const auto moved = dataset->Prepare(Helix(30), &rng);
  ASSERT_TRUE(plain.ok() && moved.ok()) << moved.status();
  float shift[3] = {0, 0, 0};
  for (size_t i = 0; i < plain->feats.size(); ++i) {
    const size_t column = i % 6;
    if (column >= 3) {
      EXPECT_EQ(moved->feats[i], plain->feats[i]);
      continue;
    }
    const float offset = moved->feats[i] - 2 * plain->feats[i];
    if (i < 6) shift[column] = offset;
    EXPECT_LE(std::fabs(offset), 0.5F);
    EXPECT_NEAR(offset, shift[column], 1e-6);  // float32
  }
}

TEST(ObjectsTest, RotationTurnsPositionsAndNormalsAboutTheUpAxis) {
  const Json still = {
      {"points", 8}, {"scale_min", 1}, {"scale_max", 1}, {"shift", 0}, {"rotate", true}};
  for (const std::string up : {"x", "y", "z"}) {
    const auto dataset = Preparing(With(With(kNormals, still), {{"up_axis", up}}));
    Scan scan = Helix(8);
    // Normals along the positions: they must stay so.
    const auto plain = dataset->Prepare(scan, nullptr);
    for (size_t i = 0; i < 8; ++i) {
      for (size_t axis = 0; axis < 3; ++axis) {
        scan.extra[axis].values[i] = plain->feats[6 * i + axis];
      }
    }
    Rng rng(2);
    const auto turned = dataset->Prepare(scan, &rng);
    ASSERT_TRUE(turned.ok()) << turned.status();
    const size_t fixed = up == "x" ? 0 : up == "y" ? 1 : 2;
    EXPECT_NE(turned->feats[(fixed + 1) % 3], plain->feats[(fixed + 1) % 3]);
    for (size_t i = 0; i < 8; ++i) {
      const float* row = &turned->feats[6 * i];
      EXPECT_EQ(row[fixed], plain->feats[6 * i + fixed]);
      for (size_t axis = 0; axis < 3; ++axis) EXPECT_EQ(row[axis], row[axis + 3]);
      EXPECT_NEAR(std::hypot(row[0], row[1], row[2]),
                  std::hypot(plain->feats[6 * i], plain->feats[6 * i + 1], plain->feats[6 * i + 2]),
                  1e-6);  // float32
    }
  }
}

TEST(ObjectsTest, JitterMovesEveryPointOnItsOwn) {
  const auto dataset = Preparing(
      With(kNormals,
           {{"points", 2000}, {"scale_min", 1}, {"scale_max", 1}, {"shift", 0}, {"jitter", 0.05}}));
  const auto plain = dataset->Prepare(Helix(2000), nullptr);
  Rng rng(3);
  const auto moved = dataset->Prepare(Helix(2000), &rng);
  ASSERT_TRUE(plain.ok() && moved.ok());
  double square = 0;
  for (size_t i = 0; i < plain->feats.size(); i += 6) {
    square += std::pow(moved->feats[i] - plain->feats[i], 2);
  }
  EXPECT_NEAR(std::sqrt(square / 2000), 0.05, 0.004);  // four standard deviations
}

TEST(ObjectsTest, DropoutRepeatsTheFirstPointWithItsLabel) {
  const auto dataset = Preparing(With(kNormals, {{"points", 400}, {"dropout_max", 0.9}}));
  Rng rng(4);
  const auto prepared = dataset->Prepare(Helix(400), &rng);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto rows = RowsOf(*prepared);
  const auto copies = std::count(rows.begin(), rows.end(), rows.front());
  EXPECT_GT(copies, 20);
  EXPECT_LT(copies, 380);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(prepared->labels[i], 36 + rows[i] % 2);
}

TEST(ObjectsTest, CategoryIsOneHot) {
  const auto dataset = Preparing({{"points", 4}, {"features", {"x", "y", "z", "category", "ny"}}});
  EXPECT_EQ(dataset->num_features(), 20);
  const auto prepared = dataset->Prepare(Helix(4), nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  for (size_t row = 0; row < 4; ++row) {
    for (size_t c = 0; c < 16; ++c) {
      EXPECT_EQ(prepared->feats[20 * row + 3 + c], c == 11 ? 1 : 0);
    }
    EXPECT_EQ(prepared->feats[20 * row + 19], static_cast<float>(row));
  }
}

TEST(ObjectsTest, TheTaskClassHasOneLabelAndNoCategoryFeature) {
  const auto dataset = Preparing({{"task", "class"}, {"points", 4}});
  EXPECT_EQ(dataset->num_features(), 6);
  EXPECT_EQ(dataset->num_classes(), 16);
  EXPECT_EQ(dataset->class_names()[11], "Mug");
  EXPECT_EQ(dataset->traits().scoring, Scoring::kObjects);
  const auto prepared = dataset->Prepare(Helix(4), nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(prepared->labels, ElementsAre(11));
  EXPECT_TRUE(prepared->inverse.empty());
  EXPECT_TRUE(prepared->point_labels.empty());
}

TEST(ObjectsTest, HasTheFiftyPartsOfThePublishedNumbering) {
  const auto dataset = Preparing(Json::object());
  EXPECT_EQ(dataset->num_classes(), 50);
  EXPECT_EQ(dataset->num_features(), 22);
  ASSERT_EQ(dataset->parts_of_category().size(), 16U);
  EXPECT_EQ(dataset->category_names()[10], "Motorbike");
  EXPECT_THAT(dataset->parts_of_category()[10], ElementsAre(30, 31, 32, 33, 34, 35));
  EXPECT_THAT(dataset->parts_of_category()[15], ElementsAre(47, 48, 49));
  EXPECT_EQ(dataset->class_names()[7], "Cap peak");
}

TEST(ObjectsTest, RefusesCloudsItCannotUseNamingTheSource) {
  const auto dataset = Preparing({{"points", 4}});
  const auto expect = [&](const Scan& scan, const std::string& message) {
    const Status status = dataset->Prepare(scan, nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(status.message(), HasSubstr("helix.txt: " + message));
  };
  Scan empty = Helix(3);
  empty.points.clear();
  expect(empty, "the cloud has no points");
  Scan far = Helix(3);
  far.points[5] = std::numeric_limits<float>::quiet_NaN();
  expect(far, "point 1 has a coordinate that is not finite");
  Scan normal = Helix(3);
  normal.extra[2].values[2] = std::numeric_limits<float>::infinity();
  expect(normal, "point 2 has a normal that is not finite");
  Scan flat = Helix(3);
  flat.extra.clear();
  expect(flat, "the scan carries no feature \"nx\"");
  Scan point = Helix(3);
  for (size_t i = 4; i < point.points.size(); ++i) point.points[i] = point.points[i % 4];
  expect(point, "all of its 3 points lie in one place");
  expect(Helix(1), "there is only one point; an object needs some extent");
  Scan cut = Helix(3);
  cut.labels.pop_back();
  expect(cut, "3 points but 2 labels");
  Scan stray = Helix(3);
  stray.category = -1;
  expect(stray, "the object has no category");
}

TEST(ObjectsTest, AnObjectWithoutLabelsIsNoneToTrainOn) {
  const auto dataset = Preparing({{"points", 4}});
  Scan unlabelled = Helix(3);
  unlabelled.labels.clear();
  const auto prepared = dataset->Prepare(unlabelled, nullptr);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_TRUE(prepared->labels.empty());
  EXPECT_TRUE(prepared->point_labels.empty());
  EXPECT_EQ(prepared->point_index.size(), 4U);
  Rng augment(1);
  EXPECT_THAT(dataset->Prepare(unlabelled, &augment).status().message(),
              HasSubstr("helix.txt: 3 points but 0 labels"));
}

TEST(ObjectsTest, RefusesWrongSettingsNamingThePointer) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"features", {"x", "z", "y"}}}, "/dataset/features: expected x, y, z first"},
      {{{"features", {"x", "y"}}}, "/dataset/features: expected x, y, z first"},
      {{{"features", {"x", "y", "z", "colour"}}}, "/dataset/features/3"},
      {{{"task", "class"}, {"features", {"x", "y", "z", "category"}}}, "\"category\" gives away"},
      {{{"task", "boxes"}}, "/dataset/task"},
      {{{"up_axis", "w"}}, "/dataset/up_axis"},
      {{{"dropout_max", 1}}, "/dataset/dropout_max"},
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
