#include "worker/train/batch.h"

#include <torch/torch.h>

#include <algorithm>

namespace voxbit::train {
namespace {

// Per voxel: the pairs of the 3^3 and 2^3 maps of five strides in both orders (16 bytes each, about
// 25 pairs), coordinates, hash tables, and the point maps of three strides with their transposes.
constexpr int64_t kMapBytesPerVoxel = 1500;

// Per point of a cloud: sixteen neighbours with distances in each of five levels, a quarter of the
// points in each next one, and the ways between the levels.
constexpr int64_t kNeighbourBytesPerPoint = 800;

bool IsCloud(const data::PreparedScan& scan) { return scan.coords.empty(); }

// Classified as a whole: one row of logits.
bool IsObject(const data::PreparedScan& scan) { return IsCloud(scan) && scan.inverse.empty(); }

int64_t RowsOfLogits(const data::PreparedScan& scan) {
  return IsObject(scan) ? 1 : scan.num_rows();
}

Status CheckSame(const data::PreparedScan& scan, const char* what, int64_t value, int64_t others) {
  if (value == others) return OkStatus();
  return InvalidArgument(scan.name + ": " + std::to_string(value) + " " + what +
                         ", but other scans of the batch have " + std::to_string(others));
}

Status CheckScans(const std::vector<data::PreparedScan>& scans, BatchUse use) {
  if (scans.empty()) return InvalidArgument("a batch needs at least one scan");
  const data::PreparedScan& first = scans.front();
  for (const data::PreparedScan& scan : scans) {
    if (scan.num_rows() == 0) return InvalidArgument(scan.name + ": no point is left");
    VOXBIT_RETURN_IF_ERROR(CheckSame(scan, "features", scan.num_features, first.num_features));
    if (IsCloud(scan) != IsCloud(first) || IsObject(scan) != IsObject(first)) {
      return InvalidArgument(scan.name + ": of another form than other scans of the batch");
    }
    if (IsCloud(scan)) {
      VOXBIT_RETURN_IF_ERROR(CheckSame(scan, "points", scan.num_rows(), first.num_rows()));
    }
    if (!scan.labels.empty()) {
      VOXBIT_RETURN_IF_ERROR(
          CheckSame(scan, "labels", static_cast<int64_t>(scan.labels.size()), RowsOfLogits(scan)));
    }
    const bool lost =
        std::any_of(scan.inverse.begin(), scan.inverse.end(), [](int64_t row) { return row < 0; });
    if (lost && use == BatchUse::kEvaluation) {
      return InvalidArgument(scan.name + ": an evaluation scan may not lose points");
    }
  }
  return OkStatus();
}

// [R] int64 of one scan, written to `out`; returns how many count.
int64_t CopyLabels(const data::PreparedScan& scan, int64_t* out) {
  if (scan.labels.empty()) {
    std::fill(out, out + RowsOfLogits(scan), data::kIgnoredLabel);
    return 0;
  }
  std::copy(scan.labels.begin(), scan.labels.end(), out);
  return std::count_if(scan.labels.begin(), scan.labels.end(),
                       [](int32_t label) { return label != data::kIgnoredLabel; });
}

// The points of a scan whose first row is `first_row`; returns their number.
int64_t AppendPoints(const data::PreparedScan& scan, int64_t first_row, Batch& batch) {
  const std::vector<int64_t> whole = {0};
  const auto& inverse = IsObject(scan) ? whole : scan.inverse;
  const auto& labels = IsObject(scan) ? scan.labels : scan.point_labels;
  for (const int64_t row : inverse) batch.inverse.push_back(first_row + row);
  if (labels.empty()) {
    batch.point_labels.insert(batch.point_labels.end(), inverse.size(), data::kIgnoredLabel);
  } else {
    batch.point_labels.insert(batch.point_labels.end(), labels.begin(), labels.end());
  }
  return static_cast<int64_t>(inverse.size());
}

// [M,4] int32 (x, y, z, batch index).
at::Tensor Coordinates(const std::vector<data::PreparedScan>& scans, int64_t num_voxels) {
  at::Tensor coords = at::empty({num_voxels, 4}, at::kInt);
  auto* coord = coords.data_ptr<int32_t>();
  for (size_t s = 0; s < scans.size(); ++s) {
    for (size_t i = 0; i < scans[s].coords.size(); i += 3) {
      coord = std::copy_n(&scans[s].coords[i], 3, coord);
      *coord++ = static_cast<int32_t>(s);
    }
  }
  return coords;
}

}  // namespace

int64_t Batch::num_inputs() const {
  if (input.clouds.defined()) return input.clouds.size(0) * input.clouds.size(1);
  return input.voxels.num_voxels();
}

int64_t Batch::bytes() const {
  const int64_t common = 8 * num_rows() + 12 * static_cast<int64_t>(inverse.size());
  if (input.clouds.defined()) {
    return common + num_inputs() * (kNeighbourBytesPerPoint + 4 * input.clouds.size(2));
  }
  const int64_t features = input.voxels.feats.size(1);
  return common + num_inputs() * (kMapBytesPerVoxel + 4 * (4 + 4 + 2 * features));
}

Result<Batch> Collate(const std::vector<data::PreparedScan>& scans, BatchUse use,
                      const at::Device& device) {
  VOXBIT_RETURN_IF_ERROR(CheckScans(scans, use));
  const data::PreparedScan& first = scans.front();
  int64_t num_inputs = 0;
  int64_t num_rows = 0;
  for (const data::PreparedScan& scan : scans) {
    num_inputs += scan.num_rows();
    num_rows += RowsOfLogits(scan);
  }
  at::Tensor feats = at::empty({num_inputs, first.num_features}, at::kFloat);
  at::Tensor labels = at::empty({num_rows}, at::kLong);
  auto* feat = feats.data_ptr<float>();

  Batch batch;
  int64_t row = 0;
  for (const data::PreparedScan& scan : scans) {
    feat = std::copy(scan.feats.begin(), scan.feats.end(), feat);
    batch.num_labelled += CopyLabels(scan, labels.data_ptr<int64_t>() + row);
    const int64_t num_points = use == BatchUse::kEvaluation ? AppendPoints(scan, row, batch) : 0;
    batch.samples.push_back({scan.name, scan.category, num_points, scan.num_dropped});
    row += RowsOfLogits(scan);
  }
  batch.labels = labels.to(device);
  feats = feats.to(device);
  const auto num_samples = static_cast<int64_t>(scans.size());
  batch.input = IsCloud(first)
                    ? supernet::MakeCloudInput(feats.view({num_samples, -1, first.num_features}))
                    : supernet::MakeNetInput(Coordinates(scans, num_inputs), feats, num_samples);
  return batch;
}

Status CheckRows(const at::Tensor& logits, const Batch& batch) {
  if (logits.size(0) == batch.num_rows()) return OkStatus();
  return InvalidArgument("the network answers with " + std::to_string(logits.size(0)) +
                         " rows, but " + std::to_string(batch.num_rows()) +
                         " are labelled: one of them classifies objects, the other points");
}

}  // namespace voxbit::train
