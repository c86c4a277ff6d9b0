// Between points and voxels: means over the points of a voxel, and trilinear interpolation.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "supernet/kernels/row_mix/row_mix.h"
#include "supernet/ops/sparse_tensor.h"

namespace voxbit::supernet {

// A sparse matrix with its transpose: row r of the output is a weighted sum of input rows.
// Immutable after construction, except for the device copies. Thread-safe.
class RowMap {
 public:
  int64_t num_rows = 0;
  int64_t num_cols = 0;
  bool identity = false;             // output equals input
  at::Tensor starts, cols, weights;  // int64, int32, float32
  at::Tensor transpose_starts, transpose_cols, transpose_weights;
  // What it was made from, for comparison: [num_rows, per_row] int32 (-1 missing) and float32.
  at::Tensor index, index_weights;

  kernels::SparseRows Rows() const;
  kernels::SparseRows Transpose() const;

  struct Entries {
    at::Tensor rows, cols;  // int64
    at::Tensor weights;     // float32
  };
  Entries OnDevice(const at::Device& device) const;

 private:
  mutable Mutex mutex_;
  mutable std::map<std::string, Entries> on_device_ VOXBIT_GUARDED_BY(mutex_);
};

// From index and weights [num_rows, per_row]; entries that are negative or weigh 0 are left out.
std::shared_ptr<const RowMap> MakeRowMap(const at::Tensor& index, const at::Tensor& weights,
                                         int64_t num_cols);
// Mean over the rows with index v, for each v in [0, num_voxels); index [P] int32, -1 skipped.
std::shared_ptr<const RowMap> MakeMeanMap(const at::Tensor& index, int64_t num_voxels);

// Point maps of one input, keyed by voxel coordinates and stride. Thread-safe.
class PointMapCache {
 public:
  // Mean of the points in each voxel of `voxels`.
  std::shared_ptr<const RowMap> ToVoxels(const SparseTensor& voxels, const at::Tensor& points);
  // Trilinear interpolation at each point among `voxels`.
  std::shared_ptr<const RowMap> ToPoints(const SparseTensor& voxels, const at::Tensor& points);

 private:
  struct Entry {
    at::Tensor coords;
    Triple stride;
    std::shared_ptr<const RowMap> to_voxels;
    std::shared_ptr<const RowMap> to_points;
  };
  Entry& Find(const SparseTensor& voxels) VOXBIT_REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Entry> entries_ VOXBIT_GUARDED_BY(mutex_);
};

// out [num_rows,C] = map * feats [num_cols,C], with gradient.
at::Tensor MixRows(const at::Tensor& feats, const std::shared_ptr<const RowMap>& map);

// Voxel features = mean of the points in the voxel, 0 where there is none; a point outside every
// voxel is skipped. Coordinates and caches are those of `voxels`. Gradient to the point features.
// Source: spvnas core/models/utils.py (point_to_voxel).
SparseTensor PointToVoxel(const SparseTensor& voxels, const PointTensor& points);

// Point features = trilinear interpolation among the voxels; gradient to the voxel features.
// Source: spvnas core/models/utils.py (voxel_to_point).
PointTensor VoxelToPoint(const SparseTensor& voxels, const PointTensor& points);

// Voxels of points at stride 1, sorted by (batch, x, y, z), with mean features.
struct Voxelized {
  SparseTensor voxels;
  PointTensor points;  // coordinates in units of the new voxels
};

// Scales point coordinates by init_resolution / after_resolution, floors them to voxels and
// averages. Source: spvnas core/models/utils.py (initial_voxelize).
Voxelized InitialVoxelize(const PointTensor& points, double init_resolution,
                          double after_resolution);

}  // namespace voxbit::supernet
