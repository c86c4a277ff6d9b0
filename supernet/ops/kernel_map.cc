#include "supernet/ops/kernel_map.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>

#include "supernet/kernels/voxelize/voxelize.h"
#include "supernet/ops/parallel.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kLookupGrain = 8192;

at::Tensor Int32(int64_t n) { return at::empty({n}, at::kInt); }

bool SameGeometry(const kernels::ConvGeometry& a, const kernels::ConvGeometry& b) {
  return std::equal(a.kernel, a.kernel + 3, b.kernel) &&
         std::equal(a.stride, a.stride + 3, b.stride) &&
         std::equal(a.tensor_stride, a.tensor_stride + 3, b.tensor_stride) &&
         a.dilation == b.dilation;
}

bool SameCoords(const at::Tensor& a, const at::Tensor& b) {
  return a.data_ptr() == b.data_ptr() && a.size(0) == b.size(0);
}

at::Tensor OutputCoords(const kernels::ConvGeometry& geometry, const at::Tensor& coords) {
  if (std::all_of(geometry.stride, geometry.stride + 3, [](int32_t s) { return s == 1; })) {
    return coords;
  }
  const int64_t n = coords.size(0);
  at::Tensor out = at::empty({kernels::DownsampleCapacity(geometry, n), 4}, at::kInt);
  const int64_t count =
      kernels::DownsampleCoords(geometry, coords.data_ptr<int32_t>(), n, out.data_ptr<int32_t>());
  return out.narrow(0, 0, count).clone();
}

// Offsets 0 .. count-1 looked up for every output voxel: [count, num_out].
at::Tensor LookUp(const kernels::CoordTable& table, const std::vector<int32_t>& offsets,
                  int64_t count, const at::Tensor& out_coords) {
  const int64_t num_out = out_coords.size(0);
  at::Tensor neighbours = at::empty({count, num_out}, at::kInt);
  auto* to = neighbours.data_ptr<int32_t>();
  const auto* queries = out_coords.data_ptr<int32_t>();
  const int64_t blocks = (num_out + kLookupGrain - 1) / kLookupGrain;
  ParallelFor(count * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t k = task / blocks;
      const int64_t first = task % blocks * kLookupGrain;
      kernels::FindNeighbours(table, queries, offsets.data() + 3 * k, first,
                              std::min(num_out, first + kLookupGrain), to + k * num_out);
    }
  });
  return neighbours;
}

// Fills starts and pairs. For a sub-manifold odd kernel only half of the offsets were looked up:
// the rest is the identity in the centre and the mirror images, whose maps are transposes.
void FillPairs(const at::Tensor& neighbours, bool mirrored, KernelMap& map, int64_t num_offsets) {
  const int64_t num_out = map.num_out();
  const int64_t looked_up = neighbours.size(0);
  const auto* found = neighbours.data_ptr<int32_t>();
  std::vector<int64_t> counts(static_cast<size_t>(num_offsets), num_out);
  ParallelFor(looked_up, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t count = kernels::CompactPairs(found + k * num_out, num_out, nullptr, nullptr);
      counts[static_cast<size_t>(k)] = count;
      if (mirrored) counts[static_cast<size_t>(num_offsets - 1 - k)] = count;
    }
  });
  map.starts.assign(1, 0);
  for (const int64_t count : counts) map.starts.push_back(map.starts.back() + count);
  const int64_t total = map.starts.back();
  map.in_rows = Int32(total);
  map.out_rows = Int32(total);
  map.in_rows_by_in = Int32(total);
  map.out_rows_by_in = Int32(total);
  auto* in = map.in_rows.data_ptr<int32_t>();
  auto* out = map.out_rows.data_ptr<int32_t>();
  auto* in_by_in = map.in_rows_by_in.data_ptr<int32_t>();
  auto* out_by_in = map.out_rows_by_in.data_ptr<int32_t>();
  ParallelFor(looked_up, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t at = map.starts[static_cast<size_t>(k)];
      const int64_t count = counts[static_cast<size_t>(k)];
      kernels::CompactPairs(found + k * num_out, num_out, in + at, out + at);
      kernels::SortPairsByInput(in + at, out + at, count, map.num_in(), in_by_in + at,
                                out_by_in + at);
      if (!mirrored) continue;
      const int64_t mirror = map.starts[static_cast<size_t>(num_offsets - 1 - k)];
      std::copy_n(out_by_in + at, count, in + mirror);
      std::copy_n(in_by_in + at, count, out + mirror);
      std::copy_n(out + at, count, in_by_in + mirror);
      std::copy_n(in + at, count, out_by_in + mirror);
    }
  });
  if (!mirrored) return;
  const int64_t centre = map.starts[static_cast<size_t>(num_offsets / 2)];
  for (int32_t* rows : {in, out, in_by_in, out_by_in}) {
    for (int64_t i = 0; i < num_out; ++i) rows[centre + i] = static_cast<int32_t>(i);
  }
}

std::shared_ptr<const KernelMap> BuildMap(const kernels::CoordTable& table,
                                          const at::Tensor& coords,
                                          const kernels::ConvGeometry& geometry) {
  auto map = std::make_shared<KernelMap>();
  map->geometry = geometry;
  map->in_coords = coords;
  map->out_coords = OutputCoords(geometry, coords);
  const int64_t num_offsets = kernels::KernelVolume(geometry);
  std::vector<int32_t> offsets(static_cast<size_t>(3 * num_offsets));
  kernels::KernelOffsets(geometry, offsets.data());
  const bool mirrored = num_offsets % 2 == 1 && SameCoords(map->in_coords, map->out_coords);
  const at::Tensor neighbours =
      LookUp(table, offsets, mirrored ? num_offsets / 2 : num_offsets, map->out_coords);
  FillPairs(neighbours, mirrored, *map, num_offsets);
  return map;
}

}  // namespace

kernels::ConvPairs KernelMap::ToOutput() const {
  return {num_offsets(), starts.data(), in_rows.data_ptr<int32_t>(), out_rows.data_ptr<int32_t>()};
}

kernels::ConvPairs KernelMap::ToInput() const {
  return {num_offsets(), starts.data(), out_rows_by_in.data_ptr<int32_t>(),
          in_rows_by_in.data_ptr<int32_t>()};
}

std::vector<OffsetRows> KernelMap::OnDevice(const at::Device& device) const {
  MutexLock lock(mutex_);
  std::vector<OffsetRows>& rows = on_device_[device.str()];
  if (rows.empty()) {
    const at::Tensor in = in_rows.to(at::kLong).to(device);
    const at::Tensor out = out_rows.to(at::kLong).to(device);
    for (size_t k = 0; k + 1 < starts.size(); ++k) {
      const int64_t count = starts[k + 1] - starts[k];
      rows.push_back({in.narrow(0, starts[k], count), out.narrow(0, starts[k], count)});
    }
  }
  return rows;
}

std::shared_ptr<const KernelMap> MapCache::Find(const at::Tensor& coords,
                                                const kernels::ConvGeometry& geometry) {
  MutexLock lock(mutex_);
  for (const auto& map : maps_) {
    if (SameCoords(map->in_coords, coords) && SameGeometry(map->geometry, geometry)) return map;
  }
  const c10::InferenceMode no_inference(false);  // the maps outlive an inference-mode caller
  maps_.push_back(BuildMap(*TableLocked(coords), coords, geometry));
  return maps_.back();
}

std::shared_ptr<const KernelMap> MapCache::FindByOutput(const at::Tensor& coords,
                                                        const kernels::ConvGeometry& geometry) {
  MutexLock lock(mutex_);
  for (const auto& map : maps_) {
    if (SameCoords(map->out_coords, coords) && SameGeometry(map->geometry, geometry)) return map;
  }
  return nullptr;
}

std::shared_ptr<const kernels::CoordTable> MapCache::Table(const at::Tensor& coords) {
  MutexLock lock(mutex_);
  return TableLocked(coords);
}

std::shared_ptr<const kernels::CoordTable> MapCache::TableLocked(const at::Tensor& coords) {
  for (const auto& [known, table] : tables_) {
    if (SameCoords(known, coords)) return table;
  }
  TORCH_CHECK(coords.device().is_cpu() && coords.scalar_type() == at::kInt && coords.dim() == 2 &&
                  coords.size(1) == 4 && coords.is_contiguous(),
              "voxel coordinates must be a contiguous [N,4] int32 tensor on the CPU");
  auto table =
      std::make_shared<const kernels::CoordTable>(coords.data_ptr<int32_t>(), coords.size(0));
  TORCH_CHECK(table->num_duplicates() == 0, table->num_duplicates(), " of ", coords.size(0),
              " voxel coordinates are repeated");
  tables_.emplace_back(coords, table);
  return table;
}

int64_t MapCache::num_maps() {
  MutexLock lock(mutex_);
  return static_cast<int64_t>(maps_.size());
}

SparseTensor MakeSparseTensor(const at::Tensor& coords, const at::Tensor& feats, Triple stride) {
  TORCH_CHECK(coords.size(0) == feats.size(0), "voxels have ", coords.size(0), " coordinates but ",
              feats.size(0), " feature rows");
  SparseTensor tensor{feats, coords.contiguous(), stride, std::make_shared<MapCache>()};
  tensor.cache->Table(tensor.coords);  // checks the coordinates
  return tensor;
}

}  // namespace voxbit::supernet
