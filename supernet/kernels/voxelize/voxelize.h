// From points to voxels: rounding to the grid, one point per voxel, and the floor rule.
#pragma once

#include <cstdint>

namespace voxbit::kernels {

// grid[i] = round-half-to-even(xyz[i] / voxel), divided in float32 as the official pipeline does.
//   points  row i starts at points + i * point_stride; its first three values are x, y, z, metres
//   voxel   edge of a voxel, metres, > 0
//   grid    [n,3] int32, voxel units
// Returns -1, or the first row with a value that is not finite or beyond +-2^30 voxels; then grid
// is written only up to that row.
// Source: spvnas core/datasets/semantic_kitti.py.
int64_t RoundToGrid(const float* points, int64_t n, int64_t point_stride, float voxel,
                    int32_t* grid);

// Subtracts the smallest value of each axis from grid [n,3], so that all coordinates start at 0.
// minimum [3] receives what was subtracted (zeros when n is 0).
void SubtractMinimum(int32_t* grid, int64_t n, int32_t* minimum);

// Keeps the first point of every voxel.
//   grid          [n,3] int32, any sign
//   unique_index  [n] capacity: first row of each distinct cell, cells in lexicographic (x, y, z)
//                 order
//   inverse       [n]: position in unique_index of each row's cell; may be null
// Returns the number of distinct cells. O(n log n).
// Source: torchsparse utils/quantize.py (sparse_quantize).
int64_t SparseQuantize(const int32_t* grid, int64_t n, int64_t* unique_index, int64_t* inverse);

// Sorts coords [n,4] (x, y, z, batch) by (batch, x, y, z) and drops repeated rows, in place.
// Returns the number of rows kept. O(n log n).
int64_t SortUniqueCoords(int32_t* coords, int64_t n);

// cells[i] = (floor(x / stride_x) * stride_x, ..., batch) of points [n,4] float32
// (x, y, z, batch), voxel units. cells [n,4] int32. Requires: finite values within int32.
void FloorToCells(const float* points, int64_t n, const int32_t* stride, int32_t* cells);

}  // namespace voxbit::kernels
