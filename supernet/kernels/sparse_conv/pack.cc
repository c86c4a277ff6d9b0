// Weight panels, shared by all instruction sets.
#include <algorithm>

#include "supernet/kernels/sparse_conv/sparse_conv.h"

namespace voxbit::kernels {

void PackWeights(const WeightView& weight, int64_t k_begin, int64_t k_end, float* packed) {
  const int64_t in = weight.in.count;
  const int64_t out = weight.out.count;
  for (int64_t k = k_begin; k < k_end; ++k) {
    float* to = packed + k * PackedSize(1, in, out);
    for (int64_t first = 0; first < out; first += 16) {
      const int64_t width = std::min<int64_t>(16, PackedColumns(out) - first);
      const int64_t used = std::min<int64_t>(width, out - first);
      for (int64_t i = 0; i < in; ++i, to += width) {
        const float* row = weight.data + k * weight.stride_k + weight.in.At(i) * weight.stride_in;
        for (int64_t c = 0; c < used; ++c) {
          to[c] = row[weight.out.At(first + c) * weight.stride_out];
        }
        std::fill(to + used, to + width, 0.0F);
      }
    }
  }
}

}  // namespace voxbit::kernels
