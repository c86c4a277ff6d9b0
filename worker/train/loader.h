// The two ways a split is read: shuffled and augmented without end for training, in order and as
// recorded for evaluation.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "common/status.h"
#include "worker/train/batch.h"
#include "worker/train/batch_queue.h"
#include "worker/train/scan_source.h"

namespace voxbit::train {

// The training split in `steps` batches of `batch` scans. Every epoch is a permutation of its own;
// a batch may reach over the end of an epoch, so that all have the same size. Scans without points
// or without a label that counts are passed over; their number is logged when the queue ends. The
// augmentation of a scan depends on (seed, epoch, scan) alone. Equal arguments give equal batches.
// `source` outlives the queue.
std::unique_ptr<BatchQueue> TrainingBatches(ScanSource& source, int64_t steps, int64_t batch,
                                            uint64_t seed, const at::Device& device);

// The epoch's scans in the order in which training sees them.
std::vector<int64_t> EpochOrder(int64_t num_scans, uint64_t seed, int64_t epoch);

// Scans of a split as recorded, without augmentation, in one batch; those without points are left
// out, and with kEmptyScanReason if that leaves none.
Result<Batch> EvaluationBatch(ScanSource& source, data::Split split, std::span<const int64_t> scans,
                              const at::Device& device);

// What makes one batch: as many scans as keep within both bounds, but at least one.
struct BatchLimit {
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  int64_t scans = kNone;
  int64_t rows = kNone;  // of all its prepared scans: voxels, or points of clouds
};

// Chosen scans of a split, without augmentation, in batches that stay in memory (kernel maps
// included) while the budget lasts; the rest is prepared anew in every pass, ahead of its use. A
// batch is the same in every pass.
class EvaluationSet {
 public:
  // `source` outlives the set. Requires: scans not empty, positive limits.
  EvaluationSet(ScanSource& source, data::Split split, std::vector<int64_t> scans,
                const BatchLimit& limit, at::Device device);
  ~EvaluationSet();
  EvaluationSet(const EvaluationSet&) = delete;
  EvaluationSet& operator=(const EvaluationSet&) = delete;

  const data::Dataset& dataset() const { return source_.dataset(); }
  int64_t num_scans() const { return static_cast<int64_t>(scans_.size()); }
  // Of those made so far: by a whole pass, all.
  int64_t num_batches() const { return static_cast<int64_t>(made_.size()); }
  int64_t num_resident() const;

  // Calls visit(batch) for every batch in order; scans without points are left out, their number is
  // logged, and INVALID_ARGUMENT if that leaves none. Stops at the first error; CANCELLED once
  // `stop` is raised, which is looked at before each batch.
  Status ForEach(const std::function<Status(const Batch&)>& visit, std::stop_token stop);

 private:
  // A batch of which is known which scans it has.
  struct Made {
    int64_t end = 0;                  // behind its last scan
    std::unique_ptr<Batch> resident;  // null: it is not kept
  };
  // Makes those that are not resident, in order.
  class Maker;

  void Keep(size_t index, const Batch& batch);

  ScanSource& source_;
  const data::Split split_;
  const std::vector<int64_t> scans_;
  const BatchLimit limit_;
  const at::Device device_;
  std::vector<Made> made_;
  int64_t taken_ = 0;
};

}  // namespace voxbit::train
