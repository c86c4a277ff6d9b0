#include "supernet/kernels/unit_sphere/unit_sphere.h"

#include <algorithm>
#include <cmath>

namespace voxbit::kernels {

void ScaleToUnitSphere(float* xyz, int64_t n, int64_t stride) {
  double mean[3] = {0, 0, 0};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t axis = 0; axis < 3; ++axis) mean[axis] += xyz[i * stride + axis];
  }
  for (double& value : mean) value /= static_cast<double>(n);
  double farthest = 0;
  for (int64_t i = 0; i < n; ++i) {
    double square = 0;
    for (int64_t axis = 0; axis < 3; ++axis) {
      const double centred = xyz[i * stride + axis] - mean[axis];
      square += centred * centred;
    }
    farthest = std::max(farthest, square);
  }
  const double scale = farthest > 0 ? 1 / std::sqrt(farthest) : 1;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t axis = 0; axis < 3; ++axis) {
      float& value = xyz[i * stride + axis];
      value = static_cast<float>((value - mean[axis]) * scale);
    }
  }
}

}  // namespace voxbit::kernels
