// How the values of a stored tensor are written.
#pragma once

namespace voxbit::quant {

enum class Coding {
  kLinear,    // value = (code - zero) * scale
  kCodebook,  // value = codebook[code]; a code of -1 stands for an exact 0 (a pruned weight)
  kHalf,      // float16 values
  kFloat,     // float32 values
};

}  // namespace voxbit::quant
