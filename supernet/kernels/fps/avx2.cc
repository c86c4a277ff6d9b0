// Farthest-point sampling for AVX2. Every leaf, and every group of 8 leaves (a node), knows the
// farthest of its points. A pick can only change a leaf whose box is nearer to it than that, so
// late picks touch a few leaves each; picking is a maximum over the nodes.
#include <immintrin.h>

#include <cstdint>

#include "supernet/kernels/fps/variants.h"

namespace voxbit::kernels::avx2 {
namespace {

#include "supernet/kernels/point_tree/avx2.inc"

struct Query {
  __m256 x, y, z;
};

// The lanes of a group whose box is nearer to the query than far[lane].
uint32_t Nearer(const Query& q, const BoxGroup& group, const float* far) {
  const __m256 bound = BoxBound(q, group);
  return static_cast<uint32_t>(
      _mm256_movemask_ps(_mm256_cmp_ps(bound, _mm256_loadu_ps(far), _CMP_LT_OQ)));
}

__m256 Largest(__m256 v) {  // in every lane
  v = _mm256_max_ps(v, _mm256_permute2f128_ps(v, v, 1));
  v = _mm256_max_ps(v, _mm256_permute_ps(v, 0x4e));
  return _mm256_max_ps(v, _mm256_permute_ps(v, 0xb1));
}

int32_t Smallest(__m256i v) {
  __m128i half = _mm_min_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_min_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_min_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return _mm_cvtsi128_si32(half);
}

// Distance -1 (not to be picked) is below every other as an integer too.
int64_t Key(float distance, int32_t index) {
  const int32_t bits = _mm_cvtsi128_si32(_mm_castps_si128(_mm_set_ss(distance)));
  return (int64_t{bits} << 32) | (kNoPoint - index);  // larger: farther, then the lower index
}

float DistanceOf(int64_t key) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(key >> 32))));
}

constexpr int64_t kVectors = kLeafPoints / 8;

// The key of the leaf's farthest point, after a pick at `q` when kUpdate.
template <bool kUpdate>
int64_t VisitLeaf(const PointTreeView& points, const Query& q, int64_t leaf, float* distances) {
  const int64_t first = leaf * kLeafPoints;
  __m256 distance[uint64_t{kVectors}];
  __m256 top = _mm256_set1_ps(-1.0F);
#pragma GCC unroll 8
  for (int64_t v = 0; v < kVectors; ++v) {
    const int64_t i = first + 8 * v;
    distance[v] = _mm256_loadu_ps(distances + i);
    if constexpr (kUpdate) {
      const __m256 square =
          SquaredDistance(q, _mm256_loadu_ps(points.x + i), _mm256_loadu_ps(points.y + i),
                          _mm256_loadu_ps(points.z + i));
      distance[v] = _mm256_min_ps(distance[v], square);
      _mm256_storeu_ps(distances + i, distance[v]);
    }
    top = _mm256_max_ps(top, distance[v]);
  }
  top = Largest(top);
  __m256i lowest = _mm256_set1_epi32(kNoPoint);
#pragma GCC unroll 8
  for (int64_t v = 0; v < kVectors; ++v) {
    const __m256i index =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(points.index + first + 8 * v));
    const __m256 is_top = _mm256_cmp_ps(distance[v], top, _CMP_EQ_OQ);
    lowest = _mm256_min_epi32(lowest, _mm256_blendv_epi8(_mm256_set1_epi32(kNoPoint), index,
                                                         _mm256_castps_si256(is_top)));
  }
  return Key(_mm256_cvtss_f32(top), Smallest(lowest));
}

int64_t LargestKey(const int64_t* keys) {  // of 8
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys + 4));
  __m256i top = _mm256_blendv_epi8(b, a, _mm256_cmpgt_epi64(a, b));
  const __m256i swapped = _mm256_permute4x64_epi64(top, 0x4e);
  top = _mm256_blendv_epi8(top, swapped, _mm256_cmpgt_epi64(swapped, top));
  const int64_t even = _mm256_extract_epi64(top, 0);
  const int64_t odd = _mm256_extract_epi64(top, 1);
  return even > odd ? even : odd;
}

class Sampler {
 public:
  Sampler(const PointTreeView& points, bool skip_near_origin, const FpsScratch& scratch)
      : points_(points), distances_(scratch.distance) {
    FillDistances(skip_near_origin);
    int64_t start = 0;
    for (int level = 0; level < points.num_levels; ++level) {
      best_[level] = scratch.best + start;
      far_[level] = scratch.far + start;
      const int64_t count = points.num_nodes[level];
      const int64_t padded = (count + 7) / 8 * 8;
      for (int64_t node = 0; node < padded; ++node) {
        int64_t best = Key(-1.0F, kNoPoint);
        if (node < count) {
          best = level == 0 ? VisitLeaf<false>(points, Query{}, node, distances_)
                            : LargestKey(best_[level - 1] + 8 * node);
        }
        Set(level, node, best);
      }
      start += padded;
    }
  }

  void Pick(int64_t index) {
    const float* at = points_.xyz + 3 * index;
    const Query q = {_mm256_set1_ps(at[0]), _mm256_set1_ps(at[1]), _mm256_set1_ps(at[2])};
    UpdateGroup(q, points_.num_levels - 1, 0);
  }

  // The next pick, or -1 when no point may be picked.
  int64_t Farthest() const {
    const int64_t best = LargestKey(best_[points_.num_levels - 1]);
    return best < 0 ? -1 : kNoPoint - (best & 0xffffffff);
  }

 private:
  void FillDistances(bool skip_near_origin) {
    const __m256 infinity = _mm256_castsi256_ps(_mm256_set1_epi32(0x7f800000));
    const Query origin = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (int64_t i = 0; i < points_.num_nodes[0] * kLeafPoints; i += 8) {
      const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(points_.index + i));
      __m256 skip = _mm256_castsi256_ps(_mm256_cmpeq_epi32(index, _mm256_set1_epi32(kNoPoint)));
      if (skip_near_origin) {
        const __m256 square =
            SquaredDistance(origin, _mm256_loadu_ps(points_.x + i), _mm256_loadu_ps(points_.y + i),
                            _mm256_loadu_ps(points_.z + i));
        skip = _mm256_or_ps(skip, _mm256_cmp_ps(square, _mm256_set1_ps(kNearOrigin), _CMP_LE_OQ));
      }
      _mm256_storeu_ps(distances_ + i, _mm256_blendv_ps(infinity, _mm256_set1_ps(-1.0F), skip));
    }
  }

  void Set(int level, int64_t node, int64_t best) {
    best_[level][node] = best;
    far_[level][node] = DistanceOf(best);
  }

  // Nodes 8 * group to 8 * group + 7. Lanes past the last node have the distance -1: nothing is
  // nearer than that.
  void UpdateGroup(const Query& q, int level, int64_t group) {
    auto near = Nearer(q, points_.groups[level][group], far_[level] + 8 * group);
    for (; near != 0; near &= near - 1) {
      const int64_t node = 8 * group + __builtin_ctz(near);
      if (level == 0) {
        Set(level, node, VisitLeaf<true>(points_, q, node, distances_));
      } else {
        UpdateGroup(q, level - 1, node);
        Set(level, node, LargestKey(best_[level - 1] + 8 * node));
      }
    }
  }

  const PointTreeView& points_;
  float* const distances_;
  int64_t* best_[kMaxTreeLevels];  // key of the farthest point of each node
  float* far_[kMaxTreeLevels];     // and its distance
};

}  // namespace

void Fps(const PointTreeView& points, int64_t num, const FpsOptions& options,
         const FpsScratch& scratch, int64_t* out) {
  Sampler sampler(points, options.skip_near_origin, scratch);
  out[0] = options.first;
  for (int64_t s = 1; s < num; ++s) {
    sampler.Pick(out[s - 1]);
    const int64_t next = sampler.Farthest();
    out[s] = next < 0 ? options.first : next;
  }
}

}  // namespace voxbit::kernels::avx2
