// Arithmetic of sparse convolutions over pair lists, on elastic slices of the weight.
//
// A call computes y[scatter] += x[gather] * W[k] for the pairs of every offset k. Forward gathers
// input rows and scatters to output rows; the backward pass with respect to the input is the same
// call with the roles exchanged and the weight packed transposed; so are transposed convolutions.
// Rows are the unit of parallelism: a call owns rows [begin, end) of y, needs no atomics, and its
// result does not depend on how the rows are divided.
#pragma once

#include <cstdint>

#include "supernet/kernels/isa.h"

namespace voxbit::kernels {

// Pairs of one kernel map. Inside each offset `scatter` ascends without repetition.
struct ConvPairs {
  int64_t num_offsets = 1;
  const int64_t* starts = nullptr;   // [num_offsets + 1]; null: pair i is (i, i)
  const int32_t* gather = nullptr;   // row of x
  const int32_t* scatter = nullptr;  // row of y
};

// Which indices of a weight axis are active: 0 .. split-1, then second .. second+count-split-1.
// A plain prefix has split == count. The second segment is the skip part of a concatenated input
// (spvnas.md 6.3).
struct AxisSlice {
  int64_t count = 0;
  int64_t split = 0;
  int64_t second = 0;
  int64_t At(int64_t i) const { return i < split ? i : second + i - split; }
};

// A strided view of a weight: element (k, i, o) is at data[k * stride_k + in.At(i) * stride_in +
// out.At(o) * stride_out].
struct WeightView {
  const float* data = nullptr;
  int64_t num_offsets = 1;
  int64_t stride_k = 0;
  int64_t stride_in = 0;
  int64_t stride_out = 0;
  AxisSlice in;
  AxisSlice out;
};

// Output channels are computed in panels of 16 with a last panel of 8 or 16. Number of packed
// columns for `out_channels`: rounded up to a multiple of 8.
constexpr int64_t PackedColumns(int64_t out_channels) { return (out_channels + 7) / 8 * 8; }
constexpr int64_t PackedSize(int64_t num_offsets, int64_t in, int64_t out) {
  return num_offsets * in * PackedColumns(out);
}

// Copies the slice of offset k as panels: packed[panel][i][column], zeros beyond the last output
// channel. Offset k starts at packed + k * PackedSize(1, in.count, out.count).
void PackWeights(const WeightView& weight, int64_t k_begin, int64_t k_end, float* packed);

// One set of conv kernels per instruction set.
struct ConvKernels {
  // y[r] = bias + sum over offsets and pairs with scatter == r of x[gather] * W[k], for r in
  // [begin, end).
  //   x [*,ldx], y [*,ldy] float32; the first in (out) entries of a row are used (written)
  //   packed  from PackWeights; bias [out] or null
  void (*rows)(const ConvPairs& pairs, const float* x, int64_t ldx, const float* packed, int64_t in,
               int64_t out, const float* bias, float* y, int64_t ldy, int64_t begin, int64_t end);
  // dw[i * ldw + o] += sum over the n pairs of x[gather * ldx + i] * dy[scatter * ldy + o], for i
  // in [0, in), o in [0, out). gather and scatter null: pair i is (i, i).
  void (*weight_grad)(const int32_t* gather, const int32_t* scatter, int64_t n, const float* x,
                      int64_t ldx, const float* dy, int64_t ldy, int64_t in, int64_t out, float* dw,
                      int64_t ldw);
};

// Requires: IsaAvailable(isa). The results of the sets agree within rounding.
const ConvKernels& ConvKernelsFor(Isa isa);

}  // namespace voxbit::kernels
