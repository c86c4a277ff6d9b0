// From the logits of batches to the measurements of a dataset.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "common/status.h"
#include "search/domain/measurement.h"
#include "worker/data/dataset.h"
#include "worker/train/batch.h"

namespace voxbit::train {

// Not thread-safe.
class Meter {
 public:
  virtual ~Meter() = default;

  // Adds a batch made for evaluation. The prediction of a row is its largest logit (the first of
  // equal ones) and that of all its points; where parts are scored, the largest among the parts of
  // the sample's category.
  //   logits [batch.num_rows(), classes] float32, any device, finite
  // INVALID_ARGUMENT when labels or categories are out of range.
  virtual Status Add(const at::Tensor& logits, const Batch& batch) = 0;

  // The dataset's metrics (data::DatasetTraits), in their order, over all that was added, with the
  // values of classes or categories by name as detail: null for one that does not occur, and how
  // many recorded points the settings of the dataset left out as points_dropped. INVALID_ARGUMENT
  // when nothing was labelled.
  virtual Result<std::vector<search::Measurement>> Finish() const = 0;
};

// For the scoring of `dataset`, which outlives the meter.
std::unique_ptr<Meter> MakeMeter(const data::Dataset& dataset);

}  // namespace voxbit::train
