// Normalisation of a cloud, as the object data sets have it.
#pragma once

#include <cstdint>

namespace voxbit::kernels {

// Moves the mean of xyz [n,3] (float32, rows `stride` apart) to the origin and scales the farthest
// point to distance 1. A cloud without extent only moves. Requires: n > 0, stride >= 3.
// Source: pc_normalize of PointNet++.
void ScaleToUnitSphere(float* xyz, int64_t n, int64_t stride);

}  // namespace voxbit::kernels
