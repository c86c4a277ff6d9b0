#include "supernet/ops/point_ops.h"

#include <torch/torch.h>

#include <algorithm>

#include "supernet/kernels/kernel_map/kernel_map.h"
#include "supernet/kernels/voxelize/voxelize.h"
#include "supernet/ops/kernel_map.h"
#include "supernet/ops/parallel.h"
#include "supernet/ops/sparse_conv.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kPointGrain = 2048;

at::Tensor Apply(const at::Tensor& in, const kernels::SparseRows& matrix, int64_t num_rows) {
  at::Tensor out = at::empty({num_rows, in.size(1)}, in.options());
  if (out.numel() == 0) return out;
  const auto* from = in.data_ptr<float>();
  auto* to = out.data_ptr<float>();
  const int64_t channels = in.size(1);
  ParallelFor(num_rows, kPointGrain, [&](int64_t begin, int64_t end) {
    kernels::MixRows(matrix, from, channels, begin, end, to);
  });
  return out;
}

struct MixPlan : torch::CustomClassHolder {
  std::shared_ptr<const RowMap> map;
};

class MixFunction : public torch::autograd::Function<MixFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& feats,
                            const c10::intrusive_ptr<MixPlan>& plan) {
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return Apply(feats.contiguous(), plan->map->Rows(), plan->map->num_rows);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const RowMap& map = *static_cast<const MixPlan&>(*capsule).map;
    return {Apply(grads[0].contiguous(), map.Transpose(), map.num_cols), at::Tensor()};
  }
};

bool IsIdentity(const RowMap& map) {
  if (map.num_rows != map.num_cols || map.cols.size(0) != map.num_rows) return false;
  const auto* starts = map.starts.data_ptr<int64_t>();
  const auto* cols = map.cols.data_ptr<int32_t>();
  const auto* weights = map.weights.data_ptr<float>();
  for (int64_t r = 0; r < map.num_rows; ++r) {
    if (starts[r] != r || cols[r] != r || weights[r] != 1.0F) return false;
  }
  return true;
}

void Transpose(RowMap& map) {
  const int64_t entries = map.cols.size(0);
  map.transpose_starts = at::empty({map.num_cols + 1}, at::kLong);
  map.transpose_cols = at::empty({entries}, at::kInt);
  map.transpose_weights = at::empty({entries}, at::kFloat);
  kernels::TransposeRows(
      map.Rows(), map.num_rows, map.num_cols, map.transpose_starts.data_ptr<int64_t>(),
      map.transpose_cols.data_ptr<int32_t>(), map.transpose_weights.data_ptr<float>());
  map.identity = IsIdentity(map);
}

void CheckPoints(const at::Tensor& points) {
  TORCH_CHECK(points.device().is_cpu() && points.scalar_type() == at::kFloat && points.dim() == 2 &&
                  points.size(1) == 4 && points.is_contiguous(),
              "point coordinates must be a contiguous [P,4] float32 tensor on the CPU");
}

// Row of each point's voxel, -1 where it has none.
at::Tensor VoxelIndex(const SparseTensor& voxels, const at::Tensor& points) {
  CheckPoints(points);
  const auto table = voxels.cache->Table(voxels.coords);
  at::Tensor index = at::empty({points.size(0)}, at::kInt);
  ParallelFor(points.size(0), kPointGrain, [&](int64_t begin, int64_t end) {
    kernels::PointToVoxelIndex(*table, points.data_ptr<float>(), voxels.stride.data(), begin, end,
                               index.data_ptr<int32_t>());
  });
  return index;
}

}  // namespace

kernels::SparseRows RowMap::Rows() const {
  return {starts.data_ptr<int64_t>(), cols.data_ptr<int32_t>(), weights.data_ptr<float>()};
}

kernels::SparseRows RowMap::Transpose() const {
  return {transpose_starts.data_ptr<int64_t>(), transpose_cols.data_ptr<int32_t>(),
          transpose_weights.data_ptr<float>()};
}

RowMap::Entries RowMap::OnDevice(const at::Device& device) const {
  MutexLock lock(mutex_);
  Entries& entries = on_device_[device.str()];
  if (!entries.cols.defined()) {
    const at::Tensor counts = starts.narrow(0, 1, num_rows) - starts.narrow(0, 0, num_rows);
    entries.rows = at::repeat_interleave(counts).to(device);
    entries.cols = cols.to(at::kLong).to(device);
    entries.weights = weights.to(device);
  }
  return entries;
}

std::shared_ptr<const RowMap> MakeRowMap(const at::Tensor& index, const at::Tensor& weights,
                                         int64_t num_cols) {
  auto map = std::make_shared<RowMap>();
  map->num_rows = index.size(0);
  map->num_cols = num_cols;
  map->index = index;
  map->index_weights = weights;
  map->starts = at::empty({map->num_rows + 1}, at::kLong);
  at::Tensor cols = at::empty({index.numel()}, at::kInt);
  at::Tensor kept = at::empty({index.numel()}, at::kFloat);
  const int64_t count =
      kernels::CompressRows(index.data_ptr<int32_t>(), weights.data_ptr<float>(), map->num_rows,
                            index.dim() == 1 ? 1 : index.size(1), map->starts.data_ptr<int64_t>(),
                            cols.data_ptr<int32_t>(), kept.data_ptr<float>());
  map->cols = cols.narrow(0, 0, count);
  map->weights = kept.narrow(0, 0, count);
  Transpose(*map);
  return map;
}

std::shared_ptr<const RowMap> MakeMeanMap(const at::Tensor& index, int64_t num_voxels) {
  const int64_t num_points = index.size(0);
  at::Tensor counts = at::empty({num_voxels}, at::kInt);
  kernels::CountColumns(index.data_ptr<int32_t>(), num_points, num_voxels,
                        counts.data_ptr<int32_t>());
  // One entry per point with 1 / count, then transposed: rows are voxels.
  at::Tensor weights = at::empty({num_points}, at::kFloat);
  const auto* voxel = index.data_ptr<int32_t>();
  for (int64_t i = 0; i < num_points; ++i) {
    const int32_t count = voxel[i] < 0 ? 0 : counts.data_ptr<int32_t>()[voxel[i]];
    weights.data_ptr<float>()[i] = count == 0 ? 0.0F : 1.0F / static_cast<float>(count);
  }
  const auto by_point = MakeRowMap(index, weights, num_voxels);
  auto map = std::make_shared<RowMap>();
  map->num_rows = num_voxels;
  map->num_cols = num_points;
  map->index = index;
  map->index_weights = counts;
  map->starts = by_point->transpose_starts;
  map->cols = by_point->transpose_cols;
  map->weights = by_point->transpose_weights;
  map->transpose_starts = by_point->starts;
  map->transpose_cols = by_point->cols;
  map->transpose_weights = by_point->weights;
  map->identity = IsIdentity(*map);
  return map;
}

PointMapCache::Entry& PointMapCache::Find(const SparseTensor& voxels) {
  for (Entry& entry : entries_) {
    if (entry.coords.data_ptr() == voxels.coords.data_ptr() && entry.stride == voxels.stride &&
        entry.coords.size(0) == voxels.coords.size(0)) {
      return entry;
    }
  }
  entries_.push_back({voxels.coords, voxels.stride, nullptr, nullptr});
  return entries_.back();
}

std::shared_ptr<const RowMap> PointMapCache::ToVoxels(const SparseTensor& voxels,
                                                      const at::Tensor& points) {
  MutexLock lock(mutex_);
  Entry& entry = Find(voxels);
  if (entry.to_voxels == nullptr) {
    const c10::InferenceMode no_inference(false);
    entry.to_voxels = MakeMeanMap(VoxelIndex(voxels, points), voxels.num_voxels());
  }
  return entry.to_voxels;
}

std::shared_ptr<const RowMap> PointMapCache::ToPoints(const SparseTensor& voxels,
                                                      const at::Tensor& points) {
  MutexLock lock(mutex_);
  Entry& entry = Find(voxels);
  if (entry.to_points == nullptr) {
    const c10::InferenceMode no_inference(false);
    CheckPoints(points);
    const auto table = voxels.cache->Table(voxels.coords);
    const int64_t n = points.size(0);
    at::Tensor index = at::empty({n, 8}, at::kInt);
    at::Tensor weights = at::empty({n, 8}, at::kFloat);
    ParallelFor(n, kPointGrain, [&](int64_t begin, int64_t end) {
      kernels::TrilinearMap(*table, points.data_ptr<float>(), voxels.stride.data(), begin, end,
                            index.data_ptr<int32_t>(), weights.data_ptr<float>());
    });
    entry.to_points = MakeRowMap(index, weights, voxels.num_voxels());
  }
  return entry.to_points;
}

at::Tensor MixRows(const at::Tensor& feats, const std::shared_ptr<const RowMap>& map) {
  TORCH_CHECK(feats.size(0) == map->num_cols, "expected ", map->num_cols, " rows, found ",
              feats.size(0));
  if (map->identity) return feats;
  if (UsesKernels(feats)) {
    auto plan = c10::make_intrusive<MixPlan>();
    plan->map = map;
    return MixFunction::apply(feats, plan);
  }
  const RowMap::Entries entries = map->OnDevice(feats.device());
  const at::Tensor terms =
      feats.index({entries.cols}) * entries.weights.to(feats.scalar_type()).unsqueeze(1);
  // Repeated rows and columns: index and index_put sum them in one order on a GPU, index_add not.
  return at::zeros({map->num_rows, feats.size(1)}, feats.options())
      .index_put({entries.rows}, terms, /*accumulate=*/true);
}

SparseTensor PointToVoxel(const SparseTensor& voxels, const PointTensor& points) {
  return voxels.WithFeats(MixRows(points.feats, points.cache->ToVoxels(voxels, points.coords)));
}

PointTensor VoxelToPoint(const SparseTensor& voxels, const PointTensor& points) {
  return points.WithFeats(MixRows(voxels.feats, points.cache->ToPoints(voxels, points.coords)));
}

PointTensor MakePointTensor(const at::Tensor& coords, const at::Tensor& feats) {
  CheckPoints(coords);
  TORCH_CHECK(coords.size(0) == feats.size(0), "points have ", coords.size(0), " coordinates but ",
              feats.size(0), " feature rows");
  return {feats, coords, std::make_shared<PointMapCache>()};
}

Voxelized InitialVoxelize(const PointTensor& points, double init_resolution,
                          double after_resolution) {
  CheckPoints(points.coords);
  const int64_t n = points.coords.size(0);
  at::Tensor scaled = points.coords.clone();
  scaled.narrow(1, 0, 3).mul_(init_resolution).div_(after_resolution);
  at::Tensor cells = at::empty({n, 4}, at::kInt);
  const Triple ones = {1, 1, 1};
  kernels::FloorToCells(scaled.data_ptr<float>(), n, ones.data(), cells.data_ptr<int32_t>());
  const int64_t count = kernels::SortUniqueCoords(cells.data_ptr<int32_t>(), n);
  const PointTensor moved = MakePointTensor(scaled, points.feats);
  SparseTensor voxels = MakeSparseTensor(cells.narrow(0, 0, count).clone(),
                                         at::empty({count, 0}, points.feats.options()));
  voxels = PointToVoxel(voxels, moved);
  return {voxels, moved};
}

}  // namespace voxbit::supernet
