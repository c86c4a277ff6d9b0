// Portable reference of the sparse convolution: the specification of the faster sets.
#include <algorithm>

#include "supernet/kernels/sparse_conv/variants.h"

namespace voxbit::kernels::ref {
namespace {

// to[o] += sum over i of from[i] * W[i][o], W in panels.
void AddProduct(const float* from, const float* panels, int64_t in, int64_t out, float* to) {
  for (int64_t first = 0; first < out; first += 16) {
    const int64_t width = std::min<int64_t>(16, PackedColumns(out) - first);
    const int64_t used = std::min<int64_t>(width, out - first);
    for (int64_t i = 0; i < in; ++i, panels += width) {
      for (int64_t c = 0; c < used; ++c) to[first + c] += from[i] * panels[c];
    }
  }
}

}  // namespace

void ConvRows(const ConvPairs& pairs, const float* x, int64_t ldx, const float* packed, int64_t in,
              int64_t out, const float* bias, float* y, int64_t ldy, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t o = 0; o < out; ++o) y[row * ldy + o] = bias == nullptr ? 0.0F : bias[o];
  }
  if (pairs.starts == nullptr) {
    for (int64_t row = begin; row < end; ++row) {
      AddProduct(x + row * ldx, packed, in, out, y + row * ldy);
    }
    return;
  }
  for (int64_t k = 0; k < pairs.num_offsets; ++k) {
    const int32_t* last = pairs.scatter + pairs.starts[k + 1];
    const int32_t* at = std::lower_bound(pairs.scatter + pairs.starts[k], last, begin);
    for (; at != last && *at < end; ++at) {
      const int32_t source = pairs.gather[at - pairs.scatter];
      AddProduct(x + source * ldx, packed + k * PackedSize(1, in, out), in, out, y + *at * ldy);
    }
  }
}

void ConvWeightGrad(const int32_t* gather, const int32_t* scatter, int64_t n, const float* x,
                    int64_t ldx, const float* dy, int64_t ldy, int64_t in, int64_t out, float* dw,
                    int64_t ldw) {
  for (int64_t pair = 0; pair < n; ++pair) {
    const float* from = x + (gather == nullptr ? pair : gather[pair]) * ldx;
    const float* grad = dy + (scatter == nullptr ? pair : scatter[pair]) * ldy;
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t o = 0; o < out; ++o) dw[i * ldw + o] += from[i] * grad[o];
    }
  }
}

}  // namespace voxbit::kernels::ref
