#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "supernet/kernels/coords/coord_hash.h"
#include "supernet/kernels/coords/coord_table.h"

namespace voxbit::kernels {
namespace {

using Coord = std::array<int32_t, 4>;

// Golden values: sparse_convolution.md 2.1, computed from the definition in torchsparse 1.4.
TEST(CoordHashTest, HasPublishedValues) {
  struct Row {
    Coord coord;
    uint64_t unfolded;
    uint64_t folded;
  };
  const std::vector<Row> rows = {
      {{0, 0, 0, 0}, 5558979605539197941ULL, 947293587111810033ULL},
      {{1, 2, 3, 0}, 13725382282878218641ULL, 1043245732202901914ULL},
      {{-1, -1, -1, 0}, 16156798375124093692ULL, 15897310628236018ULL},
      {{16, 32, 48, 1}, 7076832893474431810ULL, 159303865833349956ULL},
      {{1592, 1598, 553, 0}, 16584038368491153282ULL, 443137303995295628ULL}};
  for (const Row& row : rows) {
    EXPECT_EQ(CoordHash(row.coord.data()), row.unfolded);
    EXPECT_EQ(FoldedCoordHash(row.coord.data()), row.folded);
  }
}

TEST(CoordTableTest, FindsEveryRowAndNothingElse) {
  std::vector<int32_t> coords;
  for (int32_t b = 0; b < 2; ++b) {
    for (int32_t x = -3; x < 4; ++x) {
      for (int32_t y = -3; y < 4; ++y) coords.insert(coords.end(), {x, y, x * y, b});
    }
  }
  const auto n = static_cast<int64_t>(coords.size() / 4);
  const CoordTable table(coords.data(), n);
  for (int64_t row = 0; row < n; ++row) EXPECT_EQ(table.Find(coords.data() + 4 * row), row);
  for (const Coord& absent : {Coord{4, 0, 0, 0}, Coord{0, 0, 0, 2}, Coord{0, 0, 1, 0}}) {
    EXPECT_EQ(table.Find(absent.data()), -1);
  }
  EXPECT_EQ(table.num_duplicates(), 0);
}

TEST(CoordTableTest, KeepsFirstOfEqualRowsAndCountsTheRest) {
  const std::vector<int32_t> coords = {5, 5, 5, 0, 1, 2, 3, 0, 5, 5, 5, 0};
  const CoordTable table(coords.data(), 3);
  EXPECT_EQ(table.Find(coords.data() + 8), 0);
  EXPECT_EQ(table.num_duplicates(), 1);
}

TEST(CoordTableTest, EmptyTableFindsNothing) {
  const CoordTable table(nullptr, 0);
  const Coord any = {0, 0, 0, 0};
  EXPECT_EQ(table.Find(any.data()), -1);
}

}  // namespace
}  // namespace voxbit::kernels
