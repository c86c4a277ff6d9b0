// A tensor in its integer form, and the bytes of that form.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "common/status.h"
#include "supernet/quant/codes/coding.h"

namespace voxbit::quant {

struct QuantizedTensor {
  Coding coding = Coding::kFloat;
  int64_t bits = 32;
  at::Tensor codes;     // shape of the tensor, int32, 0 .. 2^bits - 1; kLinear and kCodebook
  at::Tensor scales;    // [1] or [C] float32, one for each index of dimension 0; kLinear
  at::Tensor zeros;     // as scales; a half for one-bit codes, which stand for -scale/2, scale/2
  at::Tensor codebook;  // [K] float32, K <= 2^bits; kCodebook
  at::Tensor values;    // kHalf (float16) and kFloat
};

// The values, float32. This is the only decoder: fake quantization uses it too, which is why an
// export and the tensor that was trained are equal bit for bit. No gradient.
at::Tensor Dequantize(const QuantizedTensor& tensor);

// The form that is stored: codes without gaps (codes/packing.h).
struct PackedTensor {
  Coding coding = Coding::kFloat;
  int64_t bits = 32;
  std::vector<int64_t> shape;
  at::Tensor codes;     // [bytes] uint8; of the kept values where there is a mask
  at::Tensor kept;      // [bytes] uint8, bit i: value i is not pruned; undefined: all are kept
  at::Tensor scales;    // as in QuantizedTensor
  at::Tensor zeros;     // undefined where every zero is `zero`
  double zero = 0;      // the zero of all groups
  at::Tensor codebook;  // as in QuantizedTensor
  at::Tensor values;    // as in QuantizedTensor

  // Of all tensors.
  int64_t Bytes() const;
};

// Zeros are stored when `store_zeros`, else they must all be equal.
// Requires: codes within their range.
PackedTensor Pack(const QuantizedTensor& tensor, bool store_zeros = false);
// DATA_LOSS when the bytes do not fit the shape or a code has no entry in the codebook.
Result<QuantizedTensor> Unpack(const PackedTensor& packed);

}  // namespace voxbit::quant
