// Means of a few rows weighted by inverse distance, and their gradient.
#pragma once

#include <cstdint>

#include "supernet/kernels/isa.h"

namespace voxbit::kernels {

struct InterpolateKernels {
  // weights [*,k] = 1 / (d + 1e-8), divided by their sum over the row; d the squared distance of
  // `squares` [*,k], or its root when `euclidean`. Where every distance is infinite the weights are
  // equal. The weights of a row are finite and sum to 1 within rounding. Rows [begin, end).
  void (*weights)(const float* squares, int64_t k, bool euclidean, int64_t begin, int64_t end,
                  float* weights);
  // out [*,channels], rows [begin, end): out[r] = sum over j of weights[r][j] * in[index[r][j]],
  // added in the order of j.
  //   index [*,k] int64, weights [*,k] float32
  void (*mix)(const float* in, const int64_t* index, const float* weights, int64_t k,
              int64_t channels, int64_t begin, int64_t end, float* out);
  // The transpose of mix, for the channels [begin, end) of all rows in order:
  // out[index[r][j]] += weights[r][j] * in[r].
  //   in [rows,channels], out [*,channels]; weights null: 1
  void (*spread)(const float* in, const int64_t* index, const float* weights, int64_t k,
                 int64_t channels, int64_t rows, int64_t begin, int64_t end, float* out);
};

// Requires: IsaAvailable(isa). Every instruction set gives the same bits.
// Source: PointNet++ (squared distance), POSTECH point-transformer (Euclidean).
const InterpolateKernels& InterpolateKernelsFor(Isa isa);

}  // namespace voxbit::kernels
