// Nearest neighbours for AVX2: nodes of the tree from the nearest on, 8 boxes or points at a time,
// against the distance of the k-th neighbour so far.
//
// A candidate is one integer, the bits of its squared distance above its index: a distance is not
// negative, so its bits order like its value, and equal distances fall to the lower index. Padding
// has an infinite distance and the largest index: it comes after every point, and k <= num_points.
// The k smallest so far are kept ascending, up to 32 of them in registers.
#include <immintrin.h>

#include <cstdint>

#include "supernet/kernels/knn/variants.h"

namespace voxbit::kernels::avx2 {
namespace {

constexpr int64_t kUnset = (int64_t{0x7f800000} << 32) | 0xffffffff;  // after every candidate

#include "supernet/kernels/point_tree/avx2.inc"

struct Query {
  __m256 x, y, z;
};

float FloatOf(int64_t key) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(key >> 32))));
}

// The k smallest candidates so far in registers, behind kLanes - k that are below everything.
template <int64_t kVectors>
class RegisterRow {
 public:
  RegisterRow(int64_t k, int64_t* /*storage*/) : k_(k) {
    alignas(32) int64_t keys[uint64_t{kLanes}];
    for (int64_t i = 0; i < kLanes; ++i) keys[i] = i < kLanes - k ? INT64_MIN : kUnset;
    for (int64_t v = 0; v < kVectors; ++v) {
      keys_[v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(keys + 4 * v));
    }
  }

  // The distance of the k-th, in all lanes.
  __m256 Worst() const {
    return _mm256_castsi256_ps(
        _mm256_permutevar8x32_epi32(keys_[kVectors - 1], _mm256_set1_epi32(7)));
  }

  // Each entry becomes the middle one of itself, its predecessor and the new key. A key beyond all
  // changes nothing.
  void Add(int64_t candidate) {
    const __m256i key = _mm256_set1_epi64x(candidate);
    __m256i before = _mm256_set1_epi64x(INT64_MIN);
#pragma GCC unroll 8
    for (int64_t v = 0; v < kVectors; ++v) {
      const __m256i rotated = _mm256_permute4x64_epi64(keys_[v], 0x93);
      const __m256i previous = _mm256_blend_epi32(rotated, before, 0x03);
      before = rotated;
      const __m256i larger = _mm256_blendv_epi8(key, previous, _mm256_cmpgt_epi64(previous, key));
      keys_[v] = _mm256_blendv_epi8(keys_[v], larger, _mm256_cmpgt_epi64(keys_[v], key));
    }
  }

  void Store(int64_t* row) const {
    alignas(32) int64_t keys[uint64_t{kLanes}];
    for (int64_t v = 0; v < kVectors; ++v) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(keys + 4 * v), keys_[v]);
    }
    for (int64_t j = 0; j < k_; ++j) row[j] = keys[kLanes - k_ + j];
  }

 private:
  static constexpr int64_t kLanes = int64_t{4} * kVectors;

  int64_t k_;
  __m256i keys_[uint64_t{kVectors}];
};

// Any number of them in the output row.
class MemoryRow {
 public:
  MemoryRow(int64_t k, int64_t* storage) : k_(k), keys_(storage) {
    for (int64_t j = 0; j < k; ++j) keys_[j] = kUnset;
  }

  __m256 Worst() const { return _mm256_set1_ps(FloatOf(keys_[k_ - 1])); }

  void Add(int64_t key) {
    if (key >= keys_[k_ - 1]) return;
    int64_t at = k_ - 1;
    for (; at > 0 && keys_[at - 1] > key; --at) keys_[at] = keys_[at - 1];
    keys_[at] = key;
  }

  void Store(int64_t* /*row*/) const {}

 private:
  int64_t k_;
  int64_t* keys_;
};

template <class Row>
void VisitLeaf(const PointTreeView& points, const Query& q, int64_t leaf, Row& row) {
  const int64_t first = leaf * kLeafPoints;
  for (int64_t i = first; i < first + kLeafPoints; i += 8) {
    const __m256 square =
        SquaredDistance(q, _mm256_loadu_ps(points.x + i), _mm256_loadu_ps(points.y + i),
                        _mm256_loadu_ps(points.z + i));
    auto near =
        static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(square, row.Worst(), _CMP_LE_OQ)));
    if (near == 0) continue;
    alignas(32) int32_t bits[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(bits), _mm256_castps_si256(square));
    for (; near != 0; near &= near - 1) {
      const int lane = __builtin_ctz(near);
      row.Add((int64_t{bits[lane]} << 32) | points.index[i + lane]);
    }
  }
}

// Nodes to visit, the next one last: bound, level and number in one integer, so that they sort.
struct Stack {
  int64_t entries[8 * kMaxTreeLevels];
  int size = 0;
};

constexpr int kLevelShift = 28;  // 2^28 leaves are more than a tree can have
constexpr int64_t kNodeMask = (int64_t{1} << kLevelShift) - 1;

// Adds the nodes of a group that are not beyond `worst`, the nearest on top.
inline void Push(const PointTreeView& points, const Query& q, int level, int64_t group,
                 __m256 worst, Stack& stack) {
  const __m256 bound = BoxBound(q, points.groups[level][group]);
  auto near = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(bound, worst, _CMP_LE_OQ)));
  const int64_t left = points.num_nodes[level] - 8 * group;
  if (left < 8) near &= (1U << left) - 1;
  alignas(32) int32_t bits[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(bits), _mm256_castps_si256(bound));
  const int bottom = stack.size;
  for (; near != 0; near &= near - 1) {
    const int lane = __builtin_ctz(near);
    const int64_t entry =
        (int64_t{bits[lane]} << 32) | (int64_t{level} << kLevelShift) | (8 * group + lane);
    int at = stack.size++;
    for (; at > bottom && stack.entries[at - 1] < entry; --at) {
      stack.entries[at] = stack.entries[at - 1];
    }
    stack.entries[at] = entry;
  }
}

template <class Row>
void NearestOf(const PointTreeView& points, const float* query, int64_t k, int64_t* out) {
  Row row(k, out);
  const Query q = {_mm256_set1_ps(query[0]), _mm256_set1_ps(query[1]), _mm256_set1_ps(query[2])};
  Stack stack;
  Push(points, q, points.num_levels - 1, 0, row.Worst(), stack);
  while (stack.size > 0) {
    const int64_t entry = stack.entries[--stack.size];
    // Not >=: at an equal distance there may be a lower index.
    if (FloatOf(entry) > _mm256_cvtss_f32(row.Worst())) continue;
    const int64_t node = entry & kNodeMask;
    const int level = static_cast<int>((entry >> kLevelShift) & 15);
    if (level == 0) {
      VisitLeaf(points, q, node, row);
    } else {
      Push(points, q, level - 1, node, row.Worst(), stack);
    }
  }
  row.Store(out);
}

void Nearest(const PointTreeView& points, const float* query, int64_t k, int64_t begin, int64_t end,
             int64_t* index, float* squares) {
  const auto nearest_of = k <= 4    ? &NearestOf<RegisterRow<1>>
                          : k <= 8  ? &NearestOf<RegisterRow<2>>
                          : k <= 16 ? &NearestOf<RegisterRow<4>>
                          : k <= 32 ? &NearestOf<RegisterRow<8>>
                                    : &NearestOf<MemoryRow>;
  for (int64_t i = begin; i < end; ++i) {
    int64_t* row = index + i * k;
    nearest_of(points, query + 3 * i, k, row);
    for (int64_t j = 0; j < k; ++j) {
      if (squares != nullptr) squares[i * k + j] = FloatOf(row[j]);
      row[j] &= 0xffffffff;
    }
  }
}

}  // namespace

KnnKernels Knn() { return {&Nearest}; }

}  // namespace voxbit::kernels::avx2
