// The norm kernels of each instruction set; NormKernelsFor in norm.h chooses.
#pragma once

#include "supernet/kernels/norm/norm.h"

namespace voxbit::kernels {

namespace ref {
NormKernels Norm();
}
namespace avx2 {
NormKernels Norm();
}

}  // namespace voxbit::kernels
