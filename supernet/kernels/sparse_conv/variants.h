// The entry points of each instruction set; ConvKernelsFor in sparse_conv.h chooses.
#pragma once

#include <cstdint>

#include "supernet/kernels/sparse_conv/sparse_conv.h"

namespace voxbit::kernels {

namespace ref {
void ConvRows(const ConvPairs& pairs, const float* x, int64_t ldx, const float* packed, int64_t in,
              int64_t out, const float* bias, float* y, int64_t ldy, int64_t begin, int64_t end);
void ConvWeightGrad(const int32_t* gather, const int32_t* scatter, int64_t n, const float* x,
                    int64_t ldx, const float* dy, int64_t ldy, int64_t in, int64_t out, float* dw,
                    int64_t ldw);
}  // namespace ref

namespace avx2 {
void ConvRows(const ConvPairs& pairs, const float* x, int64_t ldx, const float* packed, int64_t in,
              int64_t out, const float* bias, float* y, int64_t ldy, int64_t begin, int64_t end);
void ConvWeightGrad(const int32_t* gather, const int32_t* scatter, int64_t n, const float* x,
                    int64_t ldx, const float* dy, int64_t ldy, int64_t in, int64_t out, float* dw,
                    int64_t ldw);
}  // namespace avx2

}  // namespace voxbit::kernels
