// Sparse convolution for AVX2 and FMA. Built with flags of its own: nothing here but the two entry
// points may be visible outside, and only these headers may be included.
//
// Forward: for each block of output rows and each offset, tiles of several pairs by one panel of
// 16 (or 8) output channels stay in registers over the whole input width, as in a GEMM that reads
// its left matrix through a row index. Weight gradient: tiles of 6 input by 16 output channels
// stay in registers over a block of pairs that fits the first-level cache.
#include <immintrin.h>

#include <cstdint>

#include "supernet/kernels/sparse_conv/variants.h"

namespace voxbit::kernels::avx2 {
namespace {

constexpr int64_t kPairBlock = 64;  // pairs of one weight-gradient block

// First `lanes` (0 to 8) lanes.
__m256i LaneMask(int64_t lanes) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes)), index);
}

// Columns of one panel: the last vector may be partial.
struct Panel {
  __m256i mask;     // of the last vector
  int64_t vectors;  // 1 or 2
  int lanes;        // of the last vector
  bool partial;
};

Panel PanelAt(int64_t first, int64_t out) {
  const int64_t left = out - first;
  Panel panel;
  panel.vectors = left > 8 ? 2 : 1;
  const int64_t lanes = left - 8 * (panel.vectors - 1);
  panel.partial = lanes < 8;
  panel.lanes = static_cast<int>(lanes < 8 ? lanes : 8);
  panel.mask = LaneMask(panel.lanes);
  return panel;
}

template <bool kPartial>
__m256 Load(const float* from, __m256i mask) {
  if constexpr (kPartial) return _mm256_maskload_ps(from, mask);
  return _mm256_loadu_ps(from);
}

// Masked stores are microcoded on AMD processors (tens of cycles), hence the pieces.
inline void StoreLanes(float* to, int lanes, __m256 value) {
  __m128 half = _mm256_castps256_ps128(value);
  if (lanes == 8) {
    _mm256_storeu_ps(to, value);
    return;
  }
  if ((lanes & 4) != 0) {
    _mm_storeu_ps(to, half);
    half = _mm256_extractf128_ps(value, 1);
    to += 4;
  }
  if ((lanes & 2) != 0) {
    _mm_storel_pi(reinterpret_cast<__m64*>(to), half);
    half = _mm_movehl_ps(half, half);
    to += 2;
  }
  if ((lanes & 1) != 0) _mm_store_ss(to, half);
}

template <bool kPartial>
void Store(float* to, int lanes, __m256 value) {
  if constexpr (kPartial) {
    StoreLanes(to, lanes, value);
  } else {
    _mm256_storeu_ps(to, value);
  }
}

// y[r] += x[r] * panel for kRows pairs.
template <int64_t kRows, int64_t kVectors, bool kPartial>
inline __attribute__((always_inline)) void Tile(const float* const* x, float* const* y,
                                                const float* panel, int64_t in, const Panel& at) {
  __m256 sum[uint64_t{kRows}][uint64_t{kVectors}];
#pragma GCC unroll 12
  for (int64_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors - 1; ++v) sum[r][v] = _mm256_loadu_ps(y[r] + 8 * v);
    sum[r][kVectors - 1] = Load<kPartial>(y[r] + 8 * (kVectors - 1), at.mask);
  }
  for (int64_t i = 0; i < in; ++i, panel += 8 * kVectors) {
    __m256 weight[uint64_t{kVectors}];
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors; ++v) weight[v] = _mm256_loadu_ps(panel + 8 * v);
#pragma GCC unroll 12
    for (int64_t r = 0; r < kRows; ++r) {
      const __m256 value = _mm256_broadcast_ss(x[r] + i);
#pragma GCC unroll 2
      for (int64_t v = 0; v < kVectors; ++v)
        sum[r][v] = _mm256_fmadd_ps(value, weight[v], sum[r][v]);
    }
  }
#pragma GCC unroll 12
  for (int64_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors - 1; ++v) _mm256_storeu_ps(y[r] + 8 * v, sum[r][v]);
    Store<kPartial>(y[r] + 8 * (kVectors - 1), at.lanes, sum[r][kVectors - 1]);
  }
}

// Where a pair's rows are.
struct PairRows {
  const int32_t* gather;  // null: row == pair number
  const int32_t* scatter;
  const float* x;
  int64_t ldx;
  float* y;
  int64_t ldy;
};

template <int64_t kRows, int64_t kVectors, bool kPartial>
void TilesOf(const PairRows& rows, int64_t first_column, const float* panel, int64_t in,
             const Panel& at, int64_t begin, int64_t end) {
  const float* x[uint64_t{kRows}];
  float* y[uint64_t{kRows}];
  int64_t pair = begin;
  for (; pair + kRows <= end; pair += kRows) {
    for (int64_t r = 0; r < kRows; ++r) {
      const int64_t from = rows.gather == nullptr ? pair + r : rows.gather[pair + r];
      const int64_t to = rows.scatter == nullptr ? pair + r : rows.scatter[pair + r];
      x[r] = rows.x + from * rows.ldx;
      y[r] = rows.y + to * rows.ldy + first_column;
    }
    Tile<kRows, kVectors, kPartial>(x, y, panel, in, at);
  }
  if constexpr (kRows > 1) {
    if (pair < end) {
      TilesOf<(kRows > 4 ? 4 : kRows / 2), kVectors, kPartial>(rows, first_column, panel, in, at,
                                                               pair, end);
    }
  }
}

// All pairs [begin, end) of one offset, panel by panel.
void Offset(const PairRows& rows, const float* packed, int64_t in, int64_t out, int64_t begin,
            int64_t end) {
  for (int64_t first = 0; first < out; first += 16) {
    const Panel panel = PanelAt(first, out);
    if (panel.vectors == 2) {
      if (panel.partial) {
        TilesOf<6, 2, true>(rows, first, packed, in, panel, begin, end);
      } else {
        TilesOf<6, 2, false>(rows, first, packed, in, panel, begin, end);
      }
    } else if (panel.partial) {
      TilesOf<8, 1, true>(rows, first, packed, in, panel, begin, end);
    } else {
      TilesOf<8, 1, false>(rows, first, packed, in, panel, begin, end);
    }
    packed += in * 8 * panel.vectors;
  }
}

// First position in [first, last) whose value is at least `value`.
int64_t LowerBound(const int32_t* values, int64_t first, int64_t last, int64_t value) {
  while (first < last) {
    const int64_t middle = first + (last - first) / 2;
    if (values[middle] < value) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

void FillRows(const float* bias, int64_t out, float* y, int64_t ldy, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    float* to = y + row * ldy;
    for (int64_t first = 0; first < out; first += 8) {
      const int lanes = static_cast<int>(out - first < 8 ? out - first : 8);
      const __m256 value =
          bias == nullptr ? _mm256_setzero_ps() : _mm256_maskload_ps(bias + first, LaneMask(lanes));
      Store<true>(to + first, lanes, value);
    }
  }
}

// dw[i][o] += sum over the pairs of x[i] * dy[o] for kRows inputs and one panel of outputs.
template <int64_t kRows, int64_t kVectors, bool kPartial>
void GradTile(const float* const* x, const float* const* dy, int64_t n, int64_t first_in,
              int64_t first_out, float* dw, int64_t ldw, const Panel& at) {
  __m256 sum[uint64_t{kRows}][uint64_t{kVectors}];
#pragma GCC unroll 12
  for (int64_t r = 0; r < kRows; ++r) {
    const float* from = dw + (first_in + r) * ldw + first_out;
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors - 1; ++v) sum[r][v] = _mm256_loadu_ps(from + 8 * v);
    sum[r][kVectors - 1] = Load<kPartial>(from + 8 * (kVectors - 1), at.mask);
  }
  for (int64_t pair = 0; pair < n; ++pair) {
    const float* from = x[pair] + first_in;
    const float* grad = dy[pair] + first_out;
    __m256 column[uint64_t{kVectors}];
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors - 1; ++v) column[v] = _mm256_loadu_ps(grad + 8 * v);
    column[kVectors - 1] = Load<kPartial>(grad + 8 * (kVectors - 1), at.mask);
#pragma GCC unroll 12
    for (int64_t r = 0; r < kRows; ++r) {
      const __m256 value = _mm256_broadcast_ss(from + r);
#pragma GCC unroll 2
      for (int64_t v = 0; v < kVectors; ++v)
        sum[r][v] = _mm256_fmadd_ps(value, column[v], sum[r][v]);
    }
  }
#pragma GCC unroll 12
  for (int64_t r = 0; r < kRows; ++r) {
    float* to = dw + (first_in + r) * ldw + first_out;
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors - 1; ++v) _mm256_storeu_ps(to + 8 * v, sum[r][v]);
    Store<kPartial>(to + 8 * (kVectors - 1), at.lanes, sum[r][kVectors - 1]);
  }
}

template <int64_t kRows, int64_t kVectors, bool kPartial>
void GradColumn(const float* const* x, const float* const* dy, int64_t n, int64_t first_in,
                int64_t in, int64_t first_out, float* dw, int64_t ldw, const Panel& at) {
  int64_t i = first_in;
  for (; i + kRows <= in; i += kRows) {
    GradTile<kRows, kVectors, kPartial>(x, dy, n, i, first_out, dw, ldw, at);
  }
  if constexpr (kRows > 1) {
    if (i < in) {
      GradColumn<(kRows > 4 ? 4 : kRows / 2), kVectors, kPartial>(x, dy, n, i, in, first_out, dw,
                                                                  ldw, at);
    }
  }
}

}  // namespace

void ConvRows(const ConvPairs& pairs, const float* x, int64_t ldx, const float* packed, int64_t in,
              int64_t out, const float* bias, float* y, int64_t ldy, int64_t begin, int64_t end) {
  FillRows(bias, out, y, ldy, begin, end);
  const PairRows rows = {pairs.gather, pairs.scatter, x, ldx, y, ldy};
  if (pairs.starts == nullptr) {
    Offset(rows, packed, in, out, begin, end);
    return;
  }
  for (int64_t k = 0; k < pairs.num_offsets; ++k) {
    const int64_t last = pairs.starts[k + 1];
    const int64_t first = LowerBound(pairs.scatter, pairs.starts[k], last, begin);
    const int64_t stop = LowerBound(pairs.scatter, first, last, end);
    if (first < stop) Offset(rows, packed + k * PackedSize(1, in, out), in, out, first, stop);
  }
}

void ConvWeightGrad(const int32_t* gather, const int32_t* scatter, int64_t n, const float* x,
                    int64_t ldx, const float* dy, int64_t ldy, int64_t in, int64_t out, float* dw,
                    int64_t ldw) {
  const float* from[kPairBlock];
  const float* grad[kPairBlock];
  for (int64_t begin = 0; begin < n; begin += kPairBlock) {
    const int64_t count = n - begin < kPairBlock ? n - begin : kPairBlock;
    for (int64_t p = 0; p < count; ++p) {
      from[p] = x + (gather == nullptr ? begin + p : gather[begin + p]) * ldx;
      grad[p] = dy + (scatter == nullptr ? begin + p : scatter[begin + p]) * ldy;
    }
    for (int64_t first = 0; first < out; first += 16) {
      const Panel panel = PanelAt(first, out);
      if (panel.vectors == 2) {
        if (panel.partial) {
          GradColumn<6, 2, true>(from, grad, count, 0, in, first, dw, ldw, panel);
        } else {
          GradColumn<6, 2, false>(from, grad, count, 0, in, first, dw, ldw, panel);
        }
      } else if (panel.partial) {
        GradColumn<8, 1, true>(from, grad, count, 0, in, first, dw, ldw, panel);
      } else {
        GradColumn<8, 1, false>(from, grad, count, 0, in, first, dw, ldw, panel);
      }
    }
  }
}

}  // namespace voxbit::kernels::avx2
