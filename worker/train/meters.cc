#include "worker/train/meters.h"

#include <string>

#include "worker/data/dataset.h"

namespace voxbit::train {

ConfusionMatrix::ConfusionMatrix(int64_t num_classes)
    : num_classes_(num_classes), counts_(static_cast<size_t>(num_classes * num_classes), 0) {
  VOXBIT_CHECK(num_classes > 0, "a confusion matrix needs a class");
}

Status ConfusionMatrix::Add(std::span<const int64_t> predictions, std::span<const int32_t> labels) {
  if (predictions.size() != labels.size()) {
    return InvalidArgument(std::to_string(predictions.size()) + " predictions for " +
                           std::to_string(labels.size()) + " labels");
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == data::kIgnoredLabel) continue;
    if (labels[i] >= 0 && labels[i] < num_classes_ && predictions[i] >= 0 &&
        predictions[i] < num_classes_) {
      continue;
    }
    return InvalidArgument("point " + std::to_string(i) + " has label " +
                           std::to_string(labels[i]) + " and prediction " +
                           std::to_string(predictions[i]) + ", expected below " +
                           std::to_string(num_classes_));
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == data::kIgnoredLabel) continue;
    ++counts_[static_cast<size_t>(labels[i] * num_classes_ + predictions[i])];
  }
  return OkStatus();
}

int64_t ConfusionMatrix::count(int64_t label, int64_t prediction) const {
  return counts_[static_cast<size_t>(label * num_classes_ + prediction)];
}

Result<SegmentationScores> ConfusionMatrix::Scores() const {
  SegmentationScores scores;
  int64_t correct = 0;
  double sum = 0;
  int64_t present = 0;
  for (int64_t c = 0; c < num_classes_; ++c) {
    int64_t labelled = 0;
    int64_t predicted = 0;
    for (int64_t other = 0; other < num_classes_; ++other) {
      labelled += count(c, other);
      predicted += count(other, c);
    }
    const int64_t in_either = labelled + predicted - count(c, c);
    scores.num_points += labelled;
    correct += count(c, c);
    scores.class_iou.emplace_back();
    if (labelled == 0) {
      scores.num_predicted_absent += predicted;
      continue;
    }
    scores.class_iou.back() = static_cast<double>(count(c, c)) / static_cast<double>(in_either);
    sum += *scores.class_iou.back();
    ++present;
  }
  if (scores.num_points == 0) {
    return InvalidArgument("no point of the evaluation set has a label that counts");
  }
  scores.miou = sum / static_cast<double>(present);
  scores.accuracy = static_cast<double>(correct) / static_cast<double>(scores.num_points);
  return scores;
}

}  // namespace voxbit::train
