// Nearest neighbours by comparing a query with every point: the specification.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "supernet/kernels/knn/variants.h"

namespace voxbit::kernels::ref {
namespace {

float SquaredDistance(const float* a, const float* b) {
  const float dx = a[0] - b[0];
  const float dy = a[1] - b[1];
  const float dz = a[2] - b[2];
  return dx * dx + dy * dy + dz * dz;
}

void Nearest(const PointTreeView& points, const float* query, int64_t k, int64_t begin, int64_t end,
             int64_t* index, float* squares) {
  std::vector<std::pair<float, int64_t>> all(static_cast<size_t>(points.num_points));
  for (int64_t q = begin; q < end; ++q) {
    for (int64_t i = 0; i < points.num_points; ++i) {
      all[static_cast<size_t>(i)] = {SquaredDistance(points.xyz + 3 * i, query + 3 * q), i};
    }
    std::partial_sort(all.begin(), all.begin() + k, all.end());
    for (int64_t j = 0; j < k; ++j) {
      const auto& [square, i] = all[static_cast<size_t>(j)];
      index[q * k + j] = i;
      if (squares != nullptr) squares[q * k + j] = square;
    }
  }
}

}  // namespace

KnnKernels Knn() { return {&Nearest}; }

}  // namespace voxbit::kernels::ref
