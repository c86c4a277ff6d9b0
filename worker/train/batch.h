// Prepared scans side by side, as one input of a network.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "supernet/models/supernet.h"
#include "worker/data/pipeline.h"

namespace voxbit::train {

// M voxels of N points. The kernel maps live in the caches of `input`: the first forward pass
// builds them, and every later pass of any candidate finds them. Copies share tensors and maps.
struct Batch {
  supernet::NetInput input;
  at::Tensor labels;                  // [M] int64 on the device, data::kIgnoredLabel where ignored
  int64_t num_labelled = 0;           // of the M
  std::vector<int64_t> inverse;       // [N] voxel row of each point; empty in training batches
  std::vector<int32_t> point_labels;  // [N]; empty in training batches
  std::vector<std::string> names;     // of the scans, by batch index

  int64_t num_voxels() const { return input.voxels.num_voxels(); }
  // Estimate of the memory that the batch takes once its kernel maps are built.
  int64_t bytes() const;
};

enum class BatchUse { kTraining, kEvaluation };

// Puts scans behind one another; the batch index is the last coordinate. Features and labels go to
// `device`. Unlabelled scans count as ignored throughout. An evaluation batch keeps the way back
// from voxels to all points.
// INVALID_ARGUMENT when the scans differ in their number of features, when there is none, or when
// an evaluation scan lost points to a cap.
Result<Batch> Collate(const std::vector<data::PreparedScan>& scans, BatchUse use,
                      const at::Device& device);

}  // namespace voxbit::train
