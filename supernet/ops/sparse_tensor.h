// Sparse voxel tensors and point tensors, with the maps that they share.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>

namespace voxbit::supernet {

using Triple = std::array<int32_t, 3>;

class MapCache;
class PointMapCache;

// Features on voxels. All tensors that derive from one input share its cache, so that every
// kernel map is built once, whatever number of networks runs on the input.
struct SparseTensor {
  at::Tensor feats;   // [N,C] float, any device
  at::Tensor coords;  // [N,4] int32 (x, y, z, batch) on the CPU, multiples of stride
  Triple stride = {1, 1, 1};
  std::shared_ptr<MapCache> cache;

  // The same voxels with other features [N, any].
  SparseTensor WithFeats(at::Tensor other) const {
    return {std::move(other), coords, stride, cache};
  }
  int64_t num_voxels() const { return coords.size(0); }
};

// Features on points. Point tensors of one input share its cache.
struct PointTensor {
  at::Tensor feats;   // [P,C] float, any device
  at::Tensor coords;  // [P,4] float32 (x, y, z, batch) on the CPU, voxel units at stride 1
  std::shared_ptr<PointMapCache> cache;

  PointTensor WithFeats(at::Tensor other) const { return {std::move(other), coords, cache}; }
};

// A sparse tensor with a fresh cache.
//   coords [N,4] int32 (x, y, z, batch), unique rows, multiples of stride, CPU
//   feats  [N,C]
// Requires: unique rows (checked).
SparseTensor MakeSparseTensor(const at::Tensor& coords, const at::Tensor& feats,
                              Triple stride = {1, 1, 1});

// A point tensor with a fresh cache. coords [P,4] float32 on the CPU.
PointTensor MakePointTensor(const at::Tensor& coords, const at::Tensor& feats);

}  // namespace voxbit::supernet
