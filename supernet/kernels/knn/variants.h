// The nearest-neighbour kernels of each instruction set; KnnKernelsFor in knn.h chooses.
#pragma once

#include "supernet/kernels/knn/knn.h"

namespace voxbit::kernels {

namespace ref {
KnnKernels Knn();
}
namespace avx2 {
KnnKernels Knn();
}

}  // namespace voxbit::kernels
