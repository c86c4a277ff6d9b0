// Prepared scans side by side, as one input of a network.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "supernet/models/supernet.h"
#include "worker/data/scan.h"

namespace voxbit::train {

// The network answers with R rows of logits: one for each voxel, for each point of a cloud, or for
// each object that is classified as a whole. N points are scored; an object that is classified as a
// whole counts as one point. What depends on coordinates alone (kernel maps) lives in the caches of
// `input`: the first forward pass builds it, and every later pass of any candidate finds it. Copies
// share tensors and caches.
struct Batch {
  struct Sample {
    std::string name;
    int32_t category = -1;    // data::Scan::category
    int64_t num_points = 0;   // of the N; 0 in training batches
    int64_t num_dropped = 0;  // data::PreparedScan::num_dropped
  };

  supernet::NetInput input;
  at::Tensor labels;                  // [R] int64 on the device, data::kIgnoredLabel where ignored
  int64_t num_labelled = 0;           // of the R
  std::vector<int64_t> inverse;       // [N] row of each point; empty in training batches
  std::vector<int32_t> point_labels;  // [N]; empty in training batches
  std::vector<Sample> samples;        // by batch index; their points lie behind one another
  int64_t num_left_out = 0;           // scans without points that were passed over for it

  int64_t num_rows() const { return labels.size(0); }
  // Voxels, or points of all clouds.
  int64_t num_inputs() const;
  // Estimate of the memory that the batch takes with what its caches will hold.
  int64_t bytes() const;
};

enum class BatchUse { kTraining, kEvaluation };

// Puts scans behind one another; the batch index is the last coordinate of voxels and the first
// dimension of clouds. Features and labels go to `device`. Unlabelled scans count as ignored
// throughout. An evaluation batch keeps the way back from rows to all points.
// INVALID_ARGUMENT when there is no scan, when scans differ in their form or number of features,
// clouds in their number of points, or when an evaluation scan lost points to a cap.
Result<Batch> Collate(const std::vector<data::PreparedScan>& scans, BatchUse use,
                      const at::Device& device);

// INVALID_ARGUMENT unless `logits` have as many rows as the batch: the network's task may be
// another than the dataset's.
Status CheckRows(const at::Tensor& logits, const Batch& batch);

}  // namespace voxbit::train
