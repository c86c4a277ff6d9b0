#include "supernet/kernels/voxelize/voxelize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace voxbit::kernels {
namespace {

using ::testing::ElementsAre;

TEST(RoundToGridTest, RoundsHalvesToEven) {
  const std::vector<float> points = {0.5F, 1.5F, -0.5F, 2.5F, -1.5F, 0.49F};
  std::vector<int32_t> grid(6);
  EXPECT_EQ(RoundToGrid(points.data(), 2, 3, 1.0F, grid.data()), -1);
  EXPECT_THAT(grid, ElementsAre(0, 2, 0, 2, -2, 0));
}

TEST(RoundToGridTest, NamesFirstRowWithoutVoxel) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<int32_t> grid(6);
  for (const float bad : {nan, inf, -inf, 1e30F}) {
    const std::vector<float> points = {1, 2, 3, 4, bad, 6};
    EXPECT_EQ(RoundToGrid(points.data(), 2, 3, 0.05F, grid.data()), 1);
  }
}

TEST(SubtractMinimumTest, MovesEachAxisToZero) {
  std::vector<int32_t> grid = {-5, 2, 7, 1, 9, 7};
  std::vector<int32_t> minimum(3);
  SubtractMinimum(grid.data(), 2, minimum.data());
  EXPECT_THAT(grid, ElementsAre(0, 0, 0, 6, 7, 0));
  EXPECT_THAT(minimum, ElementsAre(-5, 2, 7));
}

TEST(SparseQuantizeTest, KeepsFirstPointOfEachCellInLexicographicOrder) {
  const std::vector<int32_t> grid = {2, 0, 0, 0, 9, 0, 2, 0, 0, -1, 5, 5, 0, 1, 9, 0, 9, 0};
  std::vector<int64_t> unique(6);
  std::vector<int64_t> inverse(6);
  const int64_t count = SparseQuantize(grid.data(), 6, unique.data(), inverse.data());
  ASSERT_EQ(count, 4);
  unique.resize(4);
  EXPECT_THAT(unique, ElementsAre(3, 4, 1, 0));
  EXPECT_THAT(inverse, ElementsAre(3, 2, 3, 0, 1, 2));
}

TEST(SparseQuantizeTest, HandlesRangesThatDoNotFitOneKey) {
  const int32_t big = std::numeric_limits<int32_t>::max();
  const int32_t low = std::numeric_limits<int32_t>::min();
  const std::vector<int32_t> grid = {big, big, big, low, low, low, big, big, big, low, big, low};
  std::vector<int64_t> unique(4);
  EXPECT_EQ(SparseQuantize(grid.data(), 4, unique.data(), nullptr), 3);
  unique.resize(3);
  EXPECT_THAT(unique, ElementsAre(1, 3, 0));
}

TEST(SparseQuantizeTest, AcceptsNoPoints) {
  EXPECT_EQ(SparseQuantize(nullptr, 0, nullptr, nullptr), 0);
}

TEST(SortUniqueCoordsTest, SortsByBatchThenSpace) {
  std::vector<int32_t> coords = {1, 0, 0, 1, 5, 0, 0, 0, 1, 0, 0, 1, -2, 9, 9, 0};
  ASSERT_EQ(SortUniqueCoords(coords.data(), 4), 3);
  coords.resize(12);
  EXPECT_THAT(coords, ElementsAre(-2, 9, 9, 0, 5, 0, 0, 0, 1, 0, 0, 1));
}

TEST(FloorToCellsTest, FloorsNegativeCoordinatesDownwards) {
  const std::vector<float> points = {-0.5F, 3.9F, 4.0F, 1.0F};
  const std::vector<int32_t> stride = {2, 2, 2};
  std::vector<int32_t> cells(4);
  FloorToCells(points.data(), 1, stride.data(), cells.data());
  EXPECT_THAT(cells, ElementsAre(-2, 2, 4, 1));
}

}  // namespace
}  // namespace voxbit::kernels
