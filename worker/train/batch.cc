#include "worker/train/batch.h"

#include <torch/torch.h>

#include <algorithm>

namespace voxbit::train {
namespace {

// Per voxel: the pairs of the 3^3 and 2^3 maps of five strides in both orders (16 bytes each, about
// 25 pairs), coordinates, hash tables, and the point maps of three strides with their transposes.
constexpr int64_t kMapBytesPerVoxel = 1500;

struct Sizes {
  int64_t voxels = 0;
  int64_t points = 0;
  int64_t features = 0;
};

Result<Sizes> CheckScans(const std::vector<data::PreparedScan>& scans, BatchUse use) {
  Sizes sizes;
  if (scans.empty()) return InvalidArgument("a batch needs at least one scan");
  for (const data::PreparedScan& scan : scans) {
    const int64_t rows = scan.num_voxels();
    if (rows == 0) return InvalidArgument(scan.name + ": no voxel is left");
    const int64_t features = static_cast<int64_t>(scan.feats.size()) / rows;
    if (sizes.features == 0) sizes.features = features;
    if (features != sizes.features) {
      return InvalidArgument(scan.name + ": " + std::to_string(features) +
                             " features, but other scans of the batch have " +
                             std::to_string(sizes.features));
    }
    const bool lost =
        std::any_of(scan.inverse.begin(), scan.inverse.end(), [](int64_t row) { return row < 0; });
    if (lost && use == BatchUse::kEvaluation) {
      return InvalidArgument(scan.name + ": an evaluation scan may not lose points");
    }
    sizes.voxels += rows;
    sizes.points += scan.num_points();
  }
  return sizes;
}

// [M] int64 of one scan, written to `out`; returns how many count.
int64_t CopyLabels(const data::PreparedScan& scan, int64_t* out) {
  const auto rows = static_cast<size_t>(scan.num_voxels());
  if (scan.labels.empty()) {
    std::fill(out, out + rows, data::kIgnoredLabel);
    return 0;
  }
  std::copy(scan.labels.begin(), scan.labels.end(), out);
  return std::count_if(scan.labels.begin(), scan.labels.end(),
                       [](int32_t label) { return label != data::kIgnoredLabel; });
}

void AppendPoints(const data::PreparedScan& scan, int64_t first_row, Batch& batch) {
  for (const int64_t row : scan.inverse) batch.inverse.push_back(first_row + row);
  if (scan.point_labels.empty()) {
    batch.point_labels.insert(batch.point_labels.end(), scan.inverse.size(), data::kIgnoredLabel);
  } else {
    batch.point_labels.insert(batch.point_labels.end(), scan.point_labels.begin(),
                              scan.point_labels.end());
  }
}

}  // namespace

int64_t Batch::bytes() const {
  const auto voxels = num_voxels();
  const int64_t features = input.voxels.feats.size(1);
  return voxels * (kMapBytesPerVoxel + 4 * (4 + 4 + 2 * features) + 8) +
         static_cast<int64_t>(inverse.size()) * 12;
}

Result<Batch> Collate(const std::vector<data::PreparedScan>& scans, BatchUse use,
                      const at::Device& device) {
  VOXBIT_ASSIGN_OR_RETURN(const Sizes sizes, CheckScans(scans, use));
  at::Tensor coords = at::empty({sizes.voxels, 4}, at::kInt);
  at::Tensor feats = at::empty({sizes.voxels, sizes.features}, at::kFloat);
  at::Tensor labels = at::empty({sizes.voxels}, at::kLong);
  auto* coord = coords.data_ptr<int32_t>();
  auto* feat = feats.data_ptr<float>();

  Batch batch;
  int64_t first_row = 0;
  for (size_t s = 0; s < scans.size(); ++s) {
    const data::PreparedScan& scan = scans[s];
    for (int64_t i = 0; i < scan.num_voxels(); ++i) {
      coord = std::copy_n(&scan.coords[static_cast<size_t>(3 * i)], 3, coord);
      *coord++ = static_cast<int32_t>(s);
    }
    feat = std::copy(scan.feats.begin(), scan.feats.end(), feat);
    batch.num_labelled += CopyLabels(scan, labels.data_ptr<int64_t>() + first_row);
    if (use == BatchUse::kEvaluation) AppendPoints(scan, first_row, batch);
    batch.names.push_back(scan.name);
    first_row += scan.num_voxels();
  }
  batch.labels = labels.to(device);
  batch.input =
      supernet::MakeNetInput(coords, feats.to(device), static_cast<int64_t>(scans.size()));
  return batch;
}

}  // namespace voxbit::train
