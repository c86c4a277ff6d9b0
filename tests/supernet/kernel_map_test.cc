#include "supernet/kernels/kernel_map/kernel_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <tuple>
#include <vector>

namespace voxbit::kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Pair = std::tuple<int64_t, int32_t, int32_t>;  // offset, input row, output row

std::vector<Pair> PairsOf(const ConvGeometry& geometry, const std::vector<int32_t>& in,
                          const std::vector<int32_t>& out) {
  const auto num_in = static_cast<int64_t>(in.size() / 4);
  const auto num_out = static_cast<int64_t>(out.size() / 4);
  const CoordTable table(in.data(), num_in);
  const int64_t volume = KernelVolume(geometry);
  std::vector<int32_t> offsets(static_cast<size_t>(3 * volume));
  KernelOffsets(geometry, offsets.data());
  std::vector<Pair> pairs;
  std::vector<int32_t> found(static_cast<size_t>(num_out));
  for (int64_t k = 0; k < volume; ++k) {
    FindNeighbours(table, out.data(), offsets.data() + 3 * k, 0, num_out, found.data());
    std::vector<int32_t> in_rows(found.size());
    std::vector<int32_t> out_rows(found.size());
    const int64_t n = CompactPairs(found.data(), num_out, in_rows.data(), out_rows.data());
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      pairs.emplace_back(k, in_rows[i], out_rows[i]);
    }
  }
  return pairs;
}

ConvGeometry Halving() {
  ConvGeometry geometry;
  for (int axis = 0; axis < 3; ++axis) geometry.kernel[axis] = geometry.stride[axis] = 2;
  return geometry;
}

std::vector<int32_t> Down(const ConvGeometry& geometry, const std::vector<int32_t>& coords) {
  const auto n = static_cast<int64_t>(coords.size() / 4);
  std::vector<int32_t> out(static_cast<size_t>(4 * DownsampleCapacity(geometry, n)));
  const int64_t count = DownsampleCoords(geometry, coords.data(), n, out.data());
  out.resize(static_cast<size_t>(4 * count));
  return out;
}

// Golden test 1 of sparse_convolution.md section 11.
TEST(KernelMapTest, SubmanifoldPairsOfFourVoxels) {
  const std::vector<int32_t> voxels = {0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 5, 5, 5, 0};
  EXPECT_THAT(PairsOf(ConvGeometry(), voxels, voxels),
              UnorderedElementsAre(Pair(13, 0, 0), Pair(13, 1, 1), Pair(13, 2, 2), Pair(13, 3, 3),
                                   Pair(14, 1, 0), Pair(12, 0, 1), Pair(16, 2, 1), Pair(10, 1, 2),
                                   Pair(17, 2, 0), Pair(9, 0, 2)));
}

// Golden test 2.
TEST(KernelMapTest, HalvingPairsOfFourVoxels) {
  const std::vector<int32_t> voxels = {0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 5, 5, 5, 0};
  const std::vector<int32_t> out = Down(Halving(), voxels);
  EXPECT_THAT(out, ElementsAre(0, 0, 0, 0, 4, 4, 4, 0));
  EXPECT_THAT(PairsOf(Halving(), voxels, out),
              UnorderedElementsAre(Pair(0, 0, 0), Pair(4, 1, 0), Pair(6, 2, 0), Pair(7, 3, 1)));
}

TEST(KernelMapTest, BatchesDoNotMeet) {
  const std::vector<int32_t> voxels = {0, 0, 0, 0, 1, 0, 0, 1};
  EXPECT_THAT(PairsOf(ConvGeometry(), voxels, voxels),
              UnorderedElementsAre(Pair(13, 0, 0), Pair(13, 1, 1)));
}

TEST(KernelOffsetsTest, OddVolumeHasXFastestEvenVolumeZFastest) {
  ConvGeometry cube;
  std::vector<int32_t> offsets(81);
  KernelOffsets(cube, offsets.data());
  EXPECT_EQ(offsets[0], -1);
  EXPECT_EQ(offsets[3], 0);  // x moved first
  EXPECT_EQ(offsets[5], -1);
  ConvGeometry half = Halving();
  half.tensor_stride[0] = half.tensor_stride[1] = half.tensor_stride[2] = 4;
  std::vector<int32_t> even(24);
  KernelOffsets(half, even.data());
  EXPECT_THAT(std::vector<int32_t>(even.begin() + 3, even.begin() + 6), ElementsAre(0, 0, 4));
  EXPECT_THAT(std::vector<int32_t>(even.begin() + 12, even.begin() + 15), ElementsAre(4, 0, 0));
}

TEST(KernelOffsetsTest, DilationAndLargerKernels) {
  ConvGeometry geometry;
  geometry.kernel[0] = 5;
  geometry.kernel[1] = geometry.kernel[2] = 1;
  geometry.dilation = 3;
  geometry.tensor_stride[0] = 2;
  std::vector<int32_t> offsets(15);
  KernelOffsets(geometry, offsets.data());
  for (size_t k = 0; k < 5; ++k) EXPECT_EQ(offsets[3 * k], (static_cast<int32_t>(k) - 2) * 6);
  geometry.kernel[0] = 4;
  std::vector<int32_t> even(12);
  KernelOffsets(geometry, even.data());
  for (size_t k = 0; k < 4; ++k) EXPECT_EQ(even[3 * k], (static_cast<int32_t>(k) - 1) * 6);
}

TEST(DownsampleTest, FloorsNegativeCoordinates) {
  EXPECT_THAT(Down(Halving(), {-1, -2, -3, 0, 3, 0, 1, 0}), ElementsAre(-2, -2, -4, 0, 2, 0, 0, 0));
}

TEST(DownsampleTest, StridedCubeKeepsEveryReachedCellNotBelowTheMinimum) {
  ConvGeometry geometry;
  for (int axis = 0; axis < 3; ++axis) geometry.stride[axis] = 2;
  // From (1,1,1) the even cells are 0 and 2 on each axis, but nothing lies below the minimum 1.
  EXPECT_THAT(Down(geometry, {1, 1, 1, 0}), ElementsAre(2, 2, 2, 0));
  EXPECT_EQ(Down(geometry, {1, 1, 1, 0, 0, 0, 0, 0}).size(), 4U * 8U);
}

TEST(DownsampleTest, AcceptsNoVoxels) { EXPECT_TRUE(Down(Halving(), {}).empty()); }

TEST(SortPairsByInputTest, OrdersUnsortedPairs) {
  const std::vector<int32_t> in = {4, 0, 2};
  const std::vector<int32_t> out = {0, 1, 5};
  std::vector<int32_t> sorted_in(3);
  std::vector<int32_t> sorted_out(3);
  SortPairsByInput(in.data(), out.data(), 3, 5, sorted_in.data(), sorted_out.data());
  EXPECT_THAT(sorted_in, ElementsAre(0, 2, 4));
  EXPECT_THAT(sorted_out, ElementsAre(1, 5, 0));
}

}  // namespace
}  // namespace voxbit::kernels
