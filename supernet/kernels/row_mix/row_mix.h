// Weighted sums of rows: the arithmetic shared by point-to-voxel means and trilinear
// interpolation, and the tables that drive it.
#pragma once

#include <cstdint>

#include "supernet/kernels/coords/coord_table.h"

namespace voxbit::kernels {

// A sparse matrix in compressed rows: entries starts[r] .. starts[r+1] of row r. `weights` null
// means 1 everywhere.
struct SparseRows {
  const int64_t* starts = nullptr;  // [num_rows + 1]
  const int32_t* cols = nullptr;
  const float* weights = nullptr;
};

// out[r] = sum over the entries e of row r of weights[e] * in[cols[e]], for r in [begin, end).
//   in [*,channels], out [*,channels] float32, contiguous. A row without entries becomes 0.
void MixRows(const SparseRows& matrix, const float* in, int64_t channels, int64_t begin,
             int64_t end, float* out);

// The eight voxels around each point and their trilinear weights, for points in [begin, end).
//   table   of voxel coordinates at multiples of `stride`
//   points  [*,4] float32 (x, y, z, batch), voxel units at stride 1
//   stride  [3]
//   index   [*,8] int32, corner 4 ox + 2 oy + oz, -1 where the voxel does not exist
//   weights [*,8] float32, 0 for a missing voxel, renormalised by (sum + 1e-8)
// A voxel's feature sits at its lowest corner. Source: spvnas core/models/utils.py and
// torchsparse 1.4 calc_ti_weights.
void TrilinearMap(const CoordTable& table, const float* points, const int32_t* stride,
                  int64_t begin, int64_t end, int32_t* index, float* weights);

// index[i] = row of the voxel that holds point i at `stride`, or -1 (skipped everywhere).
void PointToVoxelIndex(const CoordTable& table, const float* points, const int32_t* stride,
                       int64_t begin, int64_t end, int32_t* index);

// Number of entries of each column of a matrix given by `cols` [n] (negative: skipped), as
// counts [num_cols].
void CountColumns(const int32_t* cols, int64_t n, int64_t num_cols, int32_t* counts);

// Compressed rows of the n = num_rows * per_row entries (index, weights), entries with a negative
// index or a weight of 0 left out. cols and out_weights have room for n. Returns the number kept.
int64_t CompressRows(const int32_t* index, const float* weights, int64_t num_rows, int64_t per_row,
                     int64_t* starts, int32_t* cols, float* out_weights);

// The transpose of `matrix` [num_rows, num_cols], columns ascending in each row.
//   starts [num_cols + 1], cols and weights as many as the matrix has entries
void TransposeRows(const SparseRows& matrix, int64_t num_rows, int64_t num_cols, int64_t* starts,
                   int32_t* cols, float* weights);

}  // namespace voxbit::kernels
