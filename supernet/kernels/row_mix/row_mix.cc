#include "supernet/kernels/row_mix/row_mix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "supernet/kernels/voxelize/voxelize.h"

namespace voxbit::kernels {

void MixRows(const SparseRows& matrix, const float* in, int64_t channels, int64_t begin,
             int64_t end, float* out) {
  for (int64_t r = begin; r < end; ++r) {
    float* __restrict to = out + r * channels;
    std::fill(to, to + channels, 0.0F);
    for (int64_t e = matrix.starts[r]; e < matrix.starts[r + 1]; ++e) {
      const float weight = matrix.weights == nullptr ? 1.0F : matrix.weights[e];
      const float* from = in + int64_t{matrix.cols[e]} * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] += weight * from[c];
    }
  }
}

void TrilinearMap(const CoordTable& table, const float* points, const int32_t* stride,
                  int64_t begin, int64_t end, int32_t* index, float* weights) {
  for (int64_t i = begin; i < end; ++i) {
    const float* point = points + 4 * i;
    std::array<int32_t, 4> base{};
    FloorToCells(point, 1, stride, base.data());
    std::array<float, 3> fraction{};
    for (size_t axis = 0; axis < 3; ++axis) {
      fraction[axis] =
          (point[axis] - static_cast<float>(base[axis])) / static_cast<float>(stride[axis]);
    }
    float sum = 0.0F;
    for (size_t corner = 0; corner < 8; ++corner) {
      std::array<int32_t, 4> wanted = base;
      float weight = 1.0F;
      for (size_t axis = 0; axis < 3; ++axis) {
        const bool upper = ((corner >> (2 - axis)) & 1) != 0;
        if (upper) wanted[axis] += stride[axis];
        weight *= upper ? fraction[axis] : 1.0F - fraction[axis];
      }
      const int32_t row = table.Find(wanted.data());
      if (row < 0) weight = 0.0F;
      index[8 * i + static_cast<int64_t>(corner)] = row;
      weights[8 * i + static_cast<int64_t>(corner)] = weight;
      sum += weight;
    }
    for (int64_t corner = 0; corner < 8; ++corner) weights[8 * i + corner] /= sum + 1e-8F;
  }
}

void PointToVoxelIndex(const CoordTable& table, const float* points, const int32_t* stride,
                       int64_t begin, int64_t end, int32_t* index) {
  for (int64_t i = begin; i < end; ++i) {
    std::array<int32_t, 4> cell{};
    FloorToCells(points + 4 * i, 1, stride, cell.data());
    index[i] = table.Find(cell.data());
  }
}

void CountColumns(const int32_t* cols, int64_t n, int64_t num_cols, int32_t* counts) {
  std::fill(counts, counts + num_cols, 0);
  for (int64_t i = 0; i < n; ++i) {
    if (cols[i] >= 0) ++counts[cols[i]];
  }
}

int64_t CompressRows(const int32_t* index, const float* weights, int64_t num_rows, int64_t per_row,
                     int64_t* starts, int32_t* cols, float* out_weights) {
  int64_t count = 0;
  for (int64_t r = 0; r < num_rows; ++r) {
    starts[r] = count;
    for (int64_t e = r * per_row; e < (r + 1) * per_row; ++e) {
      if (index[e] < 0 || weights[e] == 0.0F) continue;
      cols[count] = index[e];
      out_weights[count++] = weights[e];
    }
  }
  starts[num_rows] = count;
  return count;
}

void TransposeRows(const SparseRows& matrix, int64_t num_rows, int64_t num_cols, int64_t* starts,
                   int32_t* cols, float* weights) {
  std::fill(starts, starts + num_cols + 1, 0);
  const int64_t entries = matrix.starts[num_rows];
  for (int64_t e = 0; e < entries; ++e) ++starts[matrix.cols[e] + 1];
  for (int64_t c = 0; c < num_cols; ++c) starts[c + 1] += starts[c];
  std::vector<int64_t> next(starts, starts + num_cols);
  for (int64_t r = 0; r < num_rows; ++r) {
    for (int64_t e = matrix.starts[r]; e < matrix.starts[r + 1]; ++e) {
      const int64_t at = next[static_cast<size_t>(matrix.cols[e])]++;
      cols[at] = static_cast<int32_t>(r);
      weights[at] = matrix.weights == nullptr ? 1.0F : matrix.weights[e];
    }
  }
}

}  // namespace voxbit::kernels
