// Random inputs and numerical gradients for the tests of operators and networks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace voxbit::supernet {

// `num` distinct voxels per batch index in a cube of `edge`, shifted so that coordinates of both
// signs occur, rows in random order. [num * batches, 4] int32, multiples of `stride`.
at::Tensor RandomVoxels(int64_t num, int64_t batches, int32_t edge, uint64_t seed,
                        int32_t stride = 1);

// Uniform in [-1, 1), float32 unless told.
at::Tensor RandomTensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType type = at::kFloat);

// Largest difference between the gradient that autograd gives for `input` and central differences
// of sum(function(input) * direction), relative to the largest numerical entry. `input` is double
// (step 1e-6) or, for functions that are linear in it, float32 (step 0.5, exact up to rounding).
double GradientError(const std::function<at::Tensor(const at::Tensor&)>& function,
                     const at::Tensor& input);

double LargestDifference(const at::Tensor& a, const at::Tensor& b);

}  // namespace voxbit::supernet
