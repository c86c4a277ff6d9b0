// Kernel maps and their cache: built once per input, used by every layer and every network.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "supernet/kernels/coords/coord_table.h"
#include "supernet/kernels/kernel_map/kernel_map.h"
#include "supernet/kernels/sparse_conv/sparse_conv.h"
#include "supernet/ops/sparse_tensor.h"

namespace voxbit::supernet {

// Rows of the pairs of one kernel offset on a device.
struct OffsetRows {
  at::Tensor in;   // [n] int64
  at::Tensor out;  // [n] int64
};

// Immutable after construction, except for the device copies. Thread-safe.
class KernelMap {
 public:
  int64_t num_in() const { return in_coords.size(0); }
  int64_t num_out() const { return out_coords.size(0); }
  int64_t num_offsets() const { return static_cast<int64_t>(starts.size()) - 1; }
  int64_t num_pairs() const { return starts.back(); }
  // Pairs as the forward (to output rows) and the input-gradient pass (to input rows) walk them.
  kernels::ConvPairs ToOutput() const;
  kernels::ConvPairs ToInput() const;
  // The pairs of each offset on `device`; copied at the first call.
  std::vector<OffsetRows> OnDevice(const at::Device& device) const;

  kernels::ConvGeometry geometry;
  at::Tensor in_coords;          // [num_in,4] int32
  at::Tensor out_coords;         // [num_out,4] int32
  std::vector<int64_t> starts;   // [num_offsets + 1]
  at::Tensor in_rows, out_rows;  // [num_pairs] int32, ascending output row in each offset
  at::Tensor in_rows_by_in, out_rows_by_in;  // the same pairs, ascending input row

 private:
  mutable Mutex mutex_;
  mutable std::map<std::string, std::vector<OffsetRows>> on_device_ VOXBIT_GUARDED_BY(mutex_);
};

// All maps of one input. Keyed by the coordinate tensor and the geometry, so that maps of other
// coordinates can never be mixed up. Thread-safe.
class MapCache {
 public:
  // The map of a convolution of voxels `coords` with this geometry.
  std::shared_ptr<const KernelMap> Find(const at::Tensor& coords,
                                        const kernels::ConvGeometry& geometry);
  // The map whose OUTPUT is `coords`, for the transposed convolution; null when no strided
  // convolution of this geometry made them.
  std::shared_ptr<const KernelMap> FindByOutput(const at::Tensor& coords,
                                                const kernels::ConvGeometry& geometry);
  // The table of a coordinate tensor. Requires: unique rows (checked).
  std::shared_ptr<const kernels::CoordTable> Table(const at::Tensor& coords);

  // Number of maps built so far.
  int64_t num_maps();

 private:
  std::shared_ptr<const kernels::CoordTable> TableLocked(const at::Tensor& coords)
      VOXBIT_REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<std::shared_ptr<const KernelMap>> maps_ VOXBIT_GUARDED_BY(mutex_);
  // The tensors keep the coordinates that the tables point into.
  std::vector<std::pair<at::Tensor, std::shared_ptr<const kernels::CoordTable>>> tables_
      VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::supernet
