// Ball query for AVX2: visits the nodes of the tree that are within the radius and hold an index
// below the largest one kept so far, 8 boxes or points at a time.
#include <immintrin.h>

#include <cstdint>

#include "supernet/kernels/ball_query/variants.h"

namespace voxbit::kernels::avx2 {
namespace {

#include "supernet/kernels/point_tree/avx2.inc"

struct Query {
  __m256 x, y, z;
  __m256 square;
};

// Lanes within the radius and with index[lane] < limit.
uint32_t Lanes(const Query& q, __m256 square, const int32_t* index, int32_t limit) {
  const __m256i below = _mm256_cmpgt_epi32(
      _mm256_set1_epi32(limit), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)));
  const __m256 within = _mm256_cmp_ps(square, q.square, _CMP_LE_OQ);
  return static_cast<uint32_t>(
      _mm256_movemask_ps(_mm256_and_ps(within, _mm256_castsi256_ps(below))));
}

// The lowest indices found so far, ascending.
struct Row {
  int64_t* index;
  int64_t num;
  int64_t found = 0;
  int32_t limit = kNoPoint;  // an index must be below to be added; padding never is

  void Add(int32_t i) {
    int64_t at = found < num ? found++ : num - 1;
    for (; at > 0 && index[at - 1] > i; --at) index[at] = index[at - 1];
    index[at] = i;
    if (found == num) limit = static_cast<int32_t>(index[num - 1]);
  }
};

void VisitLeaf(const PointTreeView& points, const Query& q, int64_t leaf, Row& row) {
  const int64_t first = leaf * kLeafPoints;
  for (int64_t i = first; i < first + kLeafPoints; i += 8) {
    const __m256 square = SumOfSquares(_mm256_sub_ps(_mm256_loadu_ps(points.x + i), q.x),
                                       _mm256_sub_ps(_mm256_loadu_ps(points.y + i), q.y),
                                       _mm256_sub_ps(_mm256_loadu_ps(points.z + i), q.z));
    for (auto hits = Lanes(q, square, points.index + i, row.limit); hits != 0; hits &= hits - 1) {
      const int32_t index = points.index[i + __builtin_ctz(hits)];
      if (index < row.limit) row.Add(index);
    }
  }
}

// Nodes 8 * group to 8 * group + 7 of a level. The box of a lane past the last node is empty: no
// index in it is below the limit.
void VisitGroup(const PointTreeView& points, const Query& q, int level, int64_t group, Row& row) {
  const BoxGroup& boxes = points.groups[level][group];
  const __m256 bound = BoxBound(q, boxes);
  for (auto near = Lanes(q, bound, boxes.lowest, row.limit); near != 0; near &= near - 1) {
    const int lane = __builtin_ctz(near);
    if (boxes.lowest[lane] >= row.limit) continue;
    if (level == 0) {
      VisitLeaf(points, q, 8 * group + lane, row);
    } else {
      VisitGroup(points, q, level - 1, 8 * group + lane, row);
    }
  }
}

void Within(const PointTreeView& points, const float* query, float square, int64_t num,
            int64_t begin, int64_t end, int64_t* index) {
  for (int64_t i = begin; i < end; ++i) {
    const Query q = {_mm256_set1_ps(query[3 * i]), _mm256_set1_ps(query[3 * i + 1]),
                     _mm256_set1_ps(query[3 * i + 2]), _mm256_set1_ps(square)};
    Row row{index + i * num, num};
    VisitGroup(points, q, points.num_levels - 1, 0, row);
    if (row.found == 0) {
      row.index[0] = -1;
      continue;
    }
    for (int64_t j = row.found; j < num; ++j) row.index[j] = row.index[0];
  }
}

}  // namespace

BallQueryKernels BallQuery() { return {&Within}; }

}  // namespace voxbit::kernels::avx2
