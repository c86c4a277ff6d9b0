// From the logits of batches to predictions and to the measurements of a dataset.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/status.h"
#include "search/domain/measurement.h"
#include "worker/data/dataset.h"
#include "worker/train/batch.h"

namespace voxbit::train {

// What the network says of each of the N points of a batch made for evaluation, as train ids: the
// largest logit (the first of equal ones) of a point's row; where parts are scored, the largest
// among the parts of its sample's category.
//   logits [batch.num_rows(), classes] float32, any device, finite
// INVALID_ARGUMENT, naming the sample, when its category is out of range.
Result<std::vector<int64_t>> PredictPoints(const data::Dataset& dataset, const at::Tensor& logits,
                                           const Batch& batch);

// Not thread-safe.
class Meter {
 public:
  explicit Meter(const data::Dataset& dataset) : dataset_(dataset) {}
  virtual ~Meter() = default;

  // Adds a batch made for evaluation with the predictions of PredictPoints.
  //   logits [batch.num_rows(), classes] float32, any device, finite
  // INVALID_ARGUMENT when labels or categories are out of range.
  Status Add(const at::Tensor& logits, const Batch& batch);
  // The same for who has the predictions already.
  virtual Status AddPredictions(const std::vector<int64_t>& predictions, const Batch& batch) = 0;

  // The dataset's metrics (data::DatasetTraits), in their order, over all that was added, with the
  // values of classes or categories by name as detail: null for one that does not occur, and how
  // many recorded points the settings of the dataset left out as points_dropped. INVALID_ARGUMENT
  // when nothing was labelled.
  virtual Result<std::vector<search::Measurement>> Finish() const = 0;

 protected:
  const data::Dataset& dataset() const { return dataset_; }

 private:
  const data::Dataset& dataset_;
};

// For the scoring of `dataset`, which outlives the meter.
std::unique_ptr<Meter> MakeMeter(const data::Dataset& dataset);

}  // namespace voxbit::train
