// Segmentation scores over a whole set: counts are accumulated, averages are never averaged.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/status.h"

namespace voxbit::train {

struct SegmentationScores {
  double miou = 0;      // mean of the class_iou that have a value
  double accuracy = 0;  // correct / labelled points
  // By class: tp / (tp + fp + fn). No value for a class that no point of the set is labelled with:
  // whatever the network does, it could only be 0 or undefined. Points wrongly predicted as such a
  // class lower the IoU of their own class.
  std::vector<std::optional<double>> class_iou;
  int64_t num_points = 0;            // labelled points
  int64_t num_predicted_absent = 0;  // of them predicted as a class without a value
};

// Counts of (label, prediction) pairs.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int64_t num_classes);

  // Adds points. Label data::kIgnoredLabel leaves a point out.
  //   predictions [N] in [0, num_classes); labels [N] in [0, num_classes) or ignored
  // INVALID_ARGUMENT, nothing added, when a value is out of range or the lengths differ.
  Status Add(std::span<const int64_t> predictions, std::span<const int32_t> labels);

  int64_t count(int64_t label, int64_t prediction) const;

  // INVALID_ARGUMENT when no point was labelled.
  Result<SegmentationScores> Scores() const;

 private:
  int64_t num_classes_;
  std::vector<int64_t> counts_;  // [label, prediction]
};

}  // namespace voxbit::train
