// Sparse convolutions and linear layers with gradients, on elastic slices of their weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "supernet/kernels/kernel_map/kernel_map.h"
#include "supernet/kernels/sparse_conv/sparse_conv.h"
#include "supernet/ops/sparse_tensor.h"

namespace voxbit::supernet {

class KernelMap;

// How the operators of this thread compute. kAuto: kernels for float32 on the CPU, torch
// operations for everything else (other devices, double). kTorch forces the torch operations.
enum class ComputePath { kAuto, kTorch };

// Sets the path of this thread until it is destroyed.
class ComputePathGuard {
 public:
  explicit ComputePathGuard(ComputePath path);
  ~ComputePathGuard();
  ComputePathGuard(const ComputePathGuard&) = delete;
  ComputePathGuard& operator=(const ComputePathGuard&) = delete;

 private:
  ComputePath previous_;
};

// True when `feats` is to be computed by our kernels under the path of this thread.
bool UsesKernels(const at::Tensor& feats);

struct ConvOptions {
  Triple kernel = {3, 3, 3};
  Triple stride = {1, 1, 1};
  int32_t dilation = 1;
  bool transposed = false;
};

// Active part of a weight [K, in, out]: `in` input rows, `out` output columns. `in_split` input
// rows come from the front and the rest from row `in_second` on; in_split < 0: all from the front.
struct WeightSlice {
  int64_t in = 0;
  int64_t out = 0;
  int64_t in_split = -1;
  int64_t in_second = 0;

  kernels::AxisSlice InAxis() const {
    return in_split < 0 ? kernels::AxisSlice{in, in, 0}
                        : kernels::AxisSlice{in, in_split, in_second};
  }
  kernels::AxisSlice OutAxis() const { return {out, out, 0}; }
  friend bool operator==(const WeightSlice&, const WeightSlice&) = default;
};

// That part of a weight [K, Imax, Omax] or [Imax, Omax], as [K, in, out] or [in, out]: a view where
// the rows stand together. Gradients flow to the weight.
at::Tensor ActiveWeight(const at::Tensor& weight, const WeightSlice& slice);

// Sparse convolution.
//   x       feats [N, slice.in]
//   weight  [K, Imax, Omax], or [Imax, Omax] for kernel volume 1; contiguous
//   bias    [Omax] or undefined
// Output feats [M, slice.out]; M and the coordinates from the kernel map (sub-manifold: those of
// x; strided: kernels::DownsampleCoords; transposed: the finer voxels that the strided convolution
// of the same options was given). Gradients for x.feats, weight (zero outside the slice) and bias.
// Throws c10::Error when a transposed convolution has no strided counterpart in the cache.
// Source: reference of torchsparse 1.4 nn/functional/conv.py.
SparseTensor SparseConv3d(const SparseTensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const ConvOptions& options, const WeightSlice& slice);

// The whole weight.
SparseTensor SparseConv3d(const SparseTensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const ConvOptions& options);

// x [N, in] times the slice [:out, :in] of weight [Omax, Imax], plus bias [:out] if defined.
at::Tensor ElasticLinearRows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             int64_t out);

// Kernel volume, geometry and map of a convolution of `x`.
kernels::ConvGeometry GeometryOf(const SparseTensor& x, const ConvOptions& options);
std::shared_ptr<const KernelMap> MapOf(const SparseTensor& x, const ConvOptions& options);

}  // namespace voxbit::supernet
