#include "supernet/kernels/row_mix/row_mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace voxbit::kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(TrilinearMapTest, IntegerPointAtStrideOneTakesItsOwnVoxel) {
  const std::vector<int32_t> voxels = {3, 4, 5, 0, 3, 4, 6, 0};
  const CoordTable table(voxels.data(), 2);
  const std::vector<float> point = {3, 4, 5, 0};
  const std::vector<int32_t> stride = {1, 1, 1};
  std::vector<int32_t> index(8);
  std::vector<float> weights(8);
  TrilinearMap(table, point.data(), stride.data(), 0, 1, index.data(), weights.data());
  EXPECT_THAT(index, ElementsAre(0, 1, -1, -1, -1, -1, -1, -1));
  EXPECT_EQ(weights[0], 1.0F);
  EXPECT_EQ(weights[1], 0.0F);
}

TEST(TrilinearMapTest, RenormalisesOverTheVoxelsThatExist) {
  const std::vector<int32_t> voxels = {-2, 0, 0, 0, 0, 0, 0, 0};
  const CoordTable table(voxels.data(), 2);
  // x = -0.5 at stride 2: fraction 0.75 between -2 and 0; y fraction 0.5, of which half is missing.
  const std::vector<float> point = {-0.5F, 1.0F, 0.0F, 0};
  const std::vector<int32_t> stride = {2, 2, 2};
  std::vector<int32_t> index(8);
  std::vector<float> weights(8);
  TrilinearMap(table, point.data(), stride.data(), 0, 1, index.data(), weights.data());
  EXPECT_THAT(index, ElementsAre(0, -1, -1, -1, 1, -1, -1, -1));
  EXPECT_THAT(weights[0], FloatNear(0.25F, 1e-6F));
  EXPECT_THAT(weights[4], FloatNear(0.75F, 1e-6F));
}

TEST(PointToVoxelIndexTest, LooksUpTheCellAndTheBatch) {
  const std::vector<int32_t> voxels = {-2, 0, 0, 0, 0, 0, 0, 1};
  const CoordTable table(voxels.data(), 2);
  const std::vector<float> points = {-0.1F, 1.9F, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0};
  const std::vector<int32_t> stride = {2, 2, 2};
  std::vector<int32_t> index(3);
  PointToVoxelIndex(table, points.data(), stride.data(), 0, 3, index.data());
  EXPECT_THAT(index, ElementsAre(0, 1, -1));
}

TEST(RowMixTest, SkipsMissingEntriesAndTransposes) {
  const std::vector<int32_t> index = {1, -1, 0, 1, 2, 2};
  const std::vector<float> weights = {0.5F, 9.0F, 2.0F, 1.0F, 0.0F, 3.0F};
  std::vector<int64_t> starts(4);
  std::vector<int32_t> cols(6);
  std::vector<float> kept(6);
  ASSERT_EQ(
      CompressRows(index.data(), weights.data(), 3, 2, starts.data(), cols.data(), kept.data()), 4);
  EXPECT_THAT(starts, ElementsAre(0, 1, 3, 4));
  const SparseRows matrix = {starts.data(), cols.data(), kept.data()};
  const std::vector<float> in = {1, 10, 2, 20, 3, 30};
  std::vector<float> out(6);
  MixRows(matrix, in.data(), 2, 0, 3, out.data());
  EXPECT_THAT(out, ElementsAre(1, 10, 4, 40, 9, 90));

  std::vector<int64_t> t_starts(4);
  std::vector<int32_t> t_cols(4);
  std::vector<float> t_weights(4);
  TransposeRows(matrix, 3, 3, t_starts.data(), t_cols.data(), t_weights.data());
  EXPECT_THAT(t_starts, ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(t_cols, ElementsAre(1, 0, 1, 2));
  EXPECT_THAT(t_weights, ElementsAre(2.0F, 0.5F, 1.0F, 3.0F));
}

TEST(RowMixTest, RowWithoutEntriesIsZero) {
  const std::vector<int64_t> starts = {0, 0};
  std::vector<float> out = {7, 7};
  MixRows({starts.data(), nullptr, nullptr}, nullptr, 2, 0, 1, out.data());
  EXPECT_THAT(out, ElementsAre(0, 0));
}

TEST(CountColumnsTest, SkipsNegativeEntries) {
  const std::vector<int32_t> cols = {1, -1, 1, 0};
  std::vector<int32_t> counts(3);
  CountColumns(cols.data(), 4, 3, counts.data());
  EXPECT_THAT(counts, ElementsAre(1, 2, 0));
}

}  // namespace
}  // namespace voxbit::kernels
