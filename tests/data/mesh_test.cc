#include "worker/data/geometry/mesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/data/object_folders.h"
#include "worker/data/geometry/mesh_builder.h"
#include "worker/data/geometry/occlusion.h"

namespace voxbit::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kPi = std::numbers::pi;

Result<Mesh> ReadOffText(const std::string& text) {
  const TempFolder folder;
  WriteText(folder.path() + "/a.off", text);
  return ReadOff(folder.path() + "/a.off");
}

// By the divergence theorem; positive when the triangles of a closed mesh face outwards.
double Volume(const Mesh& mesh) {
  double volume = 0;
  for (const auto& [a, b, c] : mesh.triangles) {
    const auto at = [&](int32_t i) { return mesh.vertices[static_cast<size_t>(i)]; };
    volume += Dot(at(a), Cross(at(b), at(c))) / 6;
  }
  return volume;
}

TEST(OffTest, ReadsAMesh) {
  const auto mesh = ReadOffText(kSquareOff);
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  EXPECT_EQ(mesh->vertices.size(), 4U);
  EXPECT_DOUBLE_EQ(mesh->vertices[2].y, 2);
  EXPECT_THAT(mesh->triangles, ElementsAre(ElementsAre(0, 1, 2), ElementsAre(0, 2, 3)));
  EXPECT_DOUBLE_EQ(Area(*mesh), 4);
}

TEST(OffTest, AcceptsCountsOnTheLineOfTheFirstWord) {
  for (const std::string between : {"", " ", "\t "}) {
    std::string text = kSquareOff;
    text.replace(3, 1, between);  // "OFF4 2 0"
    const auto mesh = ReadOffText(text);
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    EXPECT_EQ(mesh->triangles.size(), 2U);
  }
}

TEST(OffTest, CutsPolygonsAndLeavesOutCommentsAndColours) {
  const auto mesh = ReadOffText(
      "# made by hand\n\nOFF # header\r\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n\n0 1 0\n4 0 1 2 3 255 0 0\n");
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  EXPECT_THAT(mesh->triangles, ElementsAre(ElementsAre(0, 1, 2), ElementsAre(0, 2, 3)));
}

// A triangle whose vertices are followed by `values`.
std::string TriangleOff(const std::string& first_lines, const std::string& values,
                        const std::string& face = "3 0 1 2") {
  return first_lines + "\n0 0 0" + values + "\n2 0 0" + values + "\n0 1 0" + values + "\n" + face +
         "\n";
}

TEST(OffTest, SkipsWhatTheFirstWordAnnouncesOfVertices) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"COFF", " 255 0 0 255"},
      {"COFF", " 0.1 0.2 0.3"},
      {"COFF", "\n255 0 0 255"},
      {"NOFF", " 0 0 1"},
      {"CNOFF", " 0 0 1 255 0 0 255"},
      {"NCOFF", "\n255 0 0 255 0 0 1"},
      {"STOFF", " 0.5 0.5"},
      {"NCSTOFF", " 0 0 1 9 9 9 9 0.5 0.5"},
      {"coff", " 1 2 3 4"},
      {"off", ""},
      {"noff", "\n0 0 1"},
      {"Off", " 7 7 7"}};
  for (const auto& [word, values] : kinds) {
    for (const char* counts : {"\n3 1 0", " 3 1 3", "3 1 0", "\n3 1", "\n3\n1\n0", "\n3 1\n3"}) {
      const auto mesh = ReadOffText(TriangleOff(word + counts, values));
      ASSERT_TRUE(mesh.ok()) << word << counts << ": " << mesh.status();
      EXPECT_EQ(mesh->vertices.size(), 3U);
      EXPECT_DOUBLE_EQ(Area(*mesh), 1) << word << counts;
    }
  }
}

TEST(OffTest, NeedsNoFirstWord) {
  for (const char* first : {"3 1 0", "3 1", "# by hand\n\n3 1 0",
                            "\xEF\xBB\xBF"
                            "3 1 0"}) {
    const auto mesh = ReadOffText(TriangleOff(first, ""));
    ASSERT_TRUE(mesh.ok()) << first << ": " << mesh.status();
    EXPECT_DOUBLE_EQ(Area(*mesh), 1);
  }
}

TEST(OffTest, VerticesAndFacesMayGoOverSeveralLines) {
  const auto mesh = ReadOffText(
      "OFF\n4 2 0\n0\n0 0\n1 0\n0 # first\n1 1 0\n0 1 0\n4 0 1\n\n2 3 255 0 0\n3\n0 1\n2\n");
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  EXPECT_THAT(mesh->triangles,
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(0, 2, 3), ElementsAre(0, 1, 2)));
  EXPECT_DOUBLE_EQ(mesh->vertices[1].x, 1);
}

TEST(OffTest, LeavesOutFacesWithoutAnArea) {
  const auto mesh =
      ReadOffText("OFF\n3 4 0\n0 0 0\n1 0 0\n0 1 0\n2 0 1\n1 2\n3 0 1 2\n2 1 2 5 5 5\n");
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  EXPECT_THAT(mesh->triangles, ElementsAre(ElementsAre(0, 1, 2)));
}

TEST(OffTest, RefusesWrongFilesNamingTheLine) {
  struct Case {
    std::string text;
    std::string message;
    StatusCode code = StatusCode::kInvalidArgument;
  };
  const std::vector<Case> cases = {
      {"", "the file is empty"},
      {"PLY\n", "line 1: expected \"OFF\", perhaps behind ST, C or N, found \"PLY\""},
      {"3DOFF\n", "line 1: expected \"OFF\", perhaps behind ST, C or N, found \"3DOFF\""},
      {"4OFF\n3 1 0\n", "line 1: expected \"OFF\""},
      {"nOFF\n3\n3 1 0\n", "line 1: expected \"OFF\""},
      {"OFF BINARY\n", "line 1: expected \"OFF\""},
      {"OFF\n4\n",
       "line 2: the file is cut short: expected the numbers of vertices and faces, 2 "
       "numbers, found 1",
       StatusCode::kDataLoss},
      {"OFF\n4 2\n", "line 2: the file is cut short: expected vertex 0, 3 numbers, found 0",
       StatusCode::kDataLoss},
      {"OFF\n0 2 0\n", "line 2: expected a number of vertices from 1"},
      {"OFF\n3 1.5 0\n", "expected a number of faces from 1"},
      {"OFF\n3 1 0\n0 0 0\n1 0\n",
       "line 4: the file is cut short: expected vertex 1, 3 numbers, found 2",
       StatusCode::kDataLoss},
      {"OFF\n3 1 0\n0 0 0\n1 nan 0\n", "line 4: expected a finite number, found \"nan\""},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n", "line 4: the file is cut short: expected vertex 2",
       StatusCode::kDataLoss},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n", "the file is cut short: expected face 0",
       StatusCode::kDataLoss},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n",
       "line 6: expected face 0 to name a vertex from 0 to 2, found 3"},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 -1\n", "from 0 to 2, found -1"},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n",
       "line 6: the file is cut short: expected face 0, 4 numbers, found 3", StatusCode::kDataLoss},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n0\n", "to have corners, a number from 1"},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n2 0 1\n", "the faces of the mesh have no area"},
      // A number that is missing is told by the line that lacks it.
      {"OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n",
       "expected face 0, 1 number, found 0; line 4 has too few numbers", StatusCode::kDataLoss},
      {"OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n3 0 1 2\n3 0 1 2\n",
       "line 8: lines are left behind the last face; line 4 has too few numbers"},
      {"OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n", "the faces of the mesh have no area"},
  };
  for (const Case& bad : cases) {
    const auto mesh = ReadOffText(bad.text);
    ASSERT_FALSE(mesh.ok()) << bad.text;
    EXPECT_EQ(mesh.status().code(), bad.code) << bad.text;
    EXPECT_THAT(mesh.status().message(), HasSubstr("/a.off: "));
    EXPECT_THAT(mesh.status().message(), HasSubstr(bad.message));
  }
}

TEST(SampleSurfaceTest, PointsFallOnTrianglesByArea) {
  // A large triangle in z = 0 and one of a third of its area in z = 1, and one without area.
  const Mesh mesh = {{{0, 0, 0}, {3, 0, 0}, {0, 2, 0}, {0, 0, 1}, {1, 0, 1}, {0, 2, 1}},
                     {{0, 1, 1}, {0, 1, 2}, {3, 5, 4}},
                     {7, 8, 9}};
  Rng rng(3);
  constexpr int kNum = 40000;
  const auto points = SampleSurface(mesh, kNum, rng);
  ASSERT_EQ(points.size(), static_cast<size_t>(kNum));
  int high = 0;
  Vec3 mean;
  for (const SurfacePoint& point : points) {
    const bool is_high = point.position.z > 0.5;
    EXPECT_EQ(point.part, is_high ? 9 : 8);
    EXPECT_EQ(point.normal.z, is_high ? -1 : 1);
    EXPECT_LE(point.position.x / (is_high ? 1 : 3) + point.position.y / 2, 1 + 1e-12);
    high += is_high ? 1 : 0;
    if (!is_high) mean = mean + point.position;
  }
  // Four standard deviations of a share of a quarter.
  EXPECT_NEAR(high / static_cast<double>(kNum), 0.25, 4 * std::sqrt(0.25 * 0.75 / kNum));
  EXPECT_NEAR(mean.x / (kNum - high), 1, 0.02);
  EXPECT_NEAR(mean.y / (kNum - high), 2.0 / 3, 0.02);
}

TEST(MeshBuilderTest, BodiesFaceOutwardsAndHaveTheirVolume) {
  struct Case {
    std::function<void(MeshBuilder&, const Affine&)> add;
    double volume;
    double tolerance;  // what a polygon lacks of a circle
  };
  const std::vector<Case> cases = {
      {[](auto& b, const Affine& at) {
         b.Box(1, at, {1, 2, 3});
       },
       48, 1e-9},
      {[](auto& b, const Affine& at) { b.Cone(1, at, 2, 1, 3); }, 7 * kPi, 0.4},
      {[](auto& b, const Affine& at) {
         b.Ball(1, at, {1, 2, 3});
       },
       8 * kPi, 1.2},
      {[](auto& b, const Affine& at) { b.Ring(1, at, 2, 0.5); }, kPi * kPi, 1.2},
      {[](auto& b, const Affine& at) { b.Plate(1, at, Rectangle(1, 2), 0.5); }, 4, 1e-9},
      {[](auto& b, const Affine& at) { b.Plate(1, at, Ellipse(1, 2), 0.5); }, kPi, 0.06},
      {[](auto& b, const Affine& at) {
         b.Bar(1, at, {{0, 0, 0}, {4, 0, 0}}, 0.5);
       },
       kPi, 0.35},
      {[](auto& b, const Affine& at) {
         b.Bar(1, at, {{0, 0, 0}, {0, -4, 0}}, 0.5);
       },
       kPi, 0.35},
  };
  const std::vector<Affine> places = {
      {}, Move(3, -1, 2) * TurnX(1) * TurnY(2) * TurnZ(-0.5), Stretch(1, 1, -1)};
  for (size_t i = 0; i < cases.size(); ++i) {
    for (const Affine& at : places) {
      MeshBuilder builder;
      cases[i].add(builder, at);
      const Mesh mesh = builder.Take();
      EXPECT_NEAR(Volume(mesh), cases[i].volume, cases[i].tolerance) << i;
      EXPECT_EQ(mesh.parts.size(), mesh.triangles.size());
    }
  }
}

TEST(AffineTest, TurnsAreRightHandedAndProductsApplyTheRightOneFirst) {
  const Vec3 moved = (Move(1, 0, 0) * TurnZ(kPi / 2))({2, 0, 0});
  EXPECT_NEAR(moved.x, 1, 1e-12);
  EXPECT_NEAR(moved.y, 2, 1e-12);
  EXPECT_NEAR(TurnX(kPi / 2)({0, 1, 0}).z, 1, 1e-12);
  EXPECT_NEAR(TurnY(kPi / 2)({0, 0, 1}).x, 1, 1e-12);
}

TEST(OcclusionTest, OneSideOfABallIsSeen) {
  MeshBuilder builder;
  builder.Ball(1, {}, {1, 1, 1});
  Rng rng(4);
  const auto points = SampleSurface(builder.Take(), 20000, rng);
  const auto seen = SeenFromAside(points, rng);
  // A hemisphere without most of its edge, which is steeper than the rule sees.
  EXPECT_GT(seen.size(), points.size() * 30 / 100);
  EXPECT_LT(seen.size(), points.size() * 50 / 100);
  Vec3 mean;
  for (const SurfacePoint& point : seen) mean = mean + point.position;
  EXPECT_GT(Length(mean) / static_cast<double>(seen.size()), 0.4);
}

TEST(OcclusionTest, APieceOfTheGivenShareGoes) {
  MeshBuilder builder;
  builder.Box(1, {}, {1, 1, 1});
  Rng rng(5);
  const auto points = SampleSurface(builder.Take(), 1000, rng);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(WithoutAPiece(points, 0.3, rng).size(), 700U);
  }
  EXPECT_EQ(WithoutAPiece(points, 0, rng).size(), 1000U);
}

}  // namespace
}  // namespace voxbit::data
