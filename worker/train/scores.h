// Scores over a whole set: counts are accumulated, averages are never averaged over batches.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/status.h"

namespace voxbit::train {

struct ClassScores {
  double accuracy = 0;           // correct / labelled items
  double miou = 0;               // mean of the class_iou that have a value
  double balanced_accuracy = 0;  // mean of the class_recall that have a value
  // By class: tp / (tp + fp + fn). No value for a class that no item of the set is labelled with:
  // whatever the network does, it could only be 0 or undefined. Items wrongly predicted as such a
  // class lower the IoU of their own class.
  std::vector<std::optional<double>> class_iou;
  std::vector<std::optional<double>> class_recall;  // tp / (tp + fn); no value as above
  int64_t num_items = 0;                            // labelled ones
  int64_t num_predicted_absent = 0;                 // of them predicted as a class without a value
};

// Counts of (label, prediction) pairs of items: points, or objects.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int64_t num_classes);

  // Adds items. Label data::kIgnoredLabel leaves an item out.
  //   predictions [N] in [0, num_classes); labels [N] in [0, num_classes) or ignored
  // INVALID_ARGUMENT, nothing added, when a value is out of range or the lengths differ.
  Status Add(std::span<const int64_t> predictions, std::span<const int32_t> labels);

  int64_t count(int64_t label, int64_t prediction) const;

  // INVALID_ARGUMENT when no item was labelled.
  Result<ClassScores> Scores() const;

 private:
  int64_t num_classes_;
  std::vector<int64_t> counts_;  // [label, prediction]
};

struct PartScores {
  double instance_miou = 0;                         // mean over all shapes
  double class_miou = 0;                            // mean of the category_iou that have a value
  double accuracy = 0;                              // correct / labelled points
  std::vector<std::optional<double>> category_iou;  // mean over the category's shapes, if any
  int64_t num_shapes = 0;                           // with a labelled point
  int64_t num_points = 0;                           // labelled ones
};

// The largest of a row's logits among `allowed`, which is not empty; the first of equal ones.
//   logits [classes]
int64_t BestAmong(std::span<const float> logits, std::span<const int64_t> allowed);

// Segmentation of objects into the parts of their category. The IoU of a shape is the mean over all
// parts of its category of |predicted and labelled| / |predicted or labelled|; a part in neither
// counts as 1.
// Source: Yi et al., A Scalable Active Framework for Region Annotation in 3D Shape Collections
// (SIGGRAPH Asia 2016), as in the part segmentation of Qi et al., PointNet (CVPR 2017).
class PartCounts {
 public:
  // parts_of_category: part numbers in [0, num_parts); no category without parts.
  PartCounts(std::vector<std::vector<int64_t>> parts_of_category, int64_t num_parts);

  // The parts that a shape of `category` can have. INVALID_ARGUMENT for an unknown category.
  Result<std::span<const int64_t>> PartsOf(int32_t category) const;

  // Adds one shape. Label data::kIgnoredLabel leaves a point out; a shape without a labelled point
  // does not count.
  //   predictions [N], labels [N] parts of the category
  // INVALID_ARGUMENT, nothing added, for another part, an unknown category, different lengths.
  Status AddShape(int32_t category, std::span<const int64_t> predictions,
                  std::span<const int32_t> labels);

  // [num_parts] points labelled with each part, and those of them that were predicted right.
  const std::vector<int64_t>& labelled() const { return labelled_; }
  const std::vector<int64_t>& correct() const { return correct_; }

  // INVALID_ARGUMENT when no point was labelled.
  Result<PartScores> Scores() const;

 private:
  std::vector<std::vector<int64_t>> parts_of_category_;
  std::vector<int64_t> labelled_;
  std::vector<int64_t> correct_;
  std::vector<double> iou_sum_;      // by category, over its shapes
  std::vector<int64_t> num_shapes_;  // by category
};

}  // namespace voxbit::train
