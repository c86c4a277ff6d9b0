#include "worker/train/scores.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "worker/data/fault.h"
#include "worker/data/scan.h"

namespace voxbit::train {
namespace {

Status CheckLengths(std::span<const int64_t> predictions, std::span<const int32_t> labels) {
  if (predictions.size() == labels.size()) return OkStatus();
  return InvalidArgument(std::to_string(predictions.size()) + " predictions for " +
                         std::to_string(labels.size()) + " labels");
}

Status NothingLabelled() {
  return InvalidArgument("nothing in the evaluation set has a label that counts",
                         data::kDatasetBroken);
}

double Ratio(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

// Of those that have a value. Requires: one has.
double Mean(const std::vector<std::optional<double>>& values) {
  double sum = 0;
  int64_t present = 0;
  for (const auto& value : values) {
    sum += value.value_or(0);
    present += value.has_value() ? 1 : 0;
  }
  return sum / static_cast<double>(present);
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(int64_t num_classes)
    : num_classes_(num_classes), counts_(static_cast<size_t>(num_classes * num_classes), 0) {
  VOXBIT_CHECK(num_classes > 0, "a confusion matrix needs a class");
}

Status ConfusionMatrix::Add(std::span<const int64_t> predictions, std::span<const int32_t> labels) {
  VOXBIT_RETURN_IF_ERROR(CheckLengths(predictions, labels));
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == data::kIgnoredLabel) continue;
    if (labels[i] >= 0 && labels[i] < num_classes_ && predictions[i] >= 0 &&
        predictions[i] < num_classes_) {
      continue;
    }
    return InvalidArgument("item " + std::to_string(i) + " has label " + std::to_string(labels[i]) +
                           " and prediction " + std::to_string(predictions[i]) +
                           ", expected below " + std::to_string(num_classes_));
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

Result<ClassScores> ConfusionMatrix::Scores() const {
  ClassScores scores;
  int64_t correct = 0;
  for (int64_t c = 0; c < num_classes_; ++c) {
    int64_t labelled = 0;
    int64_t predicted = 0;
    for (int64_t other = 0; other < num_classes_; ++other) {
      labelled += count(c, other);
      predicted += count(other, c);
    }
    scores.num_items += labelled;
    correct += count(c, c);
    scores.class_iou.emplace_back();
    scores.class_recall.emplace_back();
    if (labelled == 0) {
      scores.num_predicted_absent += predicted;
      continue;
    }
    scores.class_iou.back() = Ratio(count(c, c), labelled + predicted - count(c, c));
    scores.class_recall.back() = Ratio(count(c, c), labelled);
  }
  if (scores.num_items == 0) return NothingLabelled();
  scores.accuracy = Ratio(correct, scores.num_items);
  scores.miou = Mean(scores.class_iou);
  scores.balanced_accuracy = Mean(scores.class_recall);
  return scores;
}

int64_t BestAmong(std::span<const float> logits, std::span<const int64_t> allowed) {
  int64_t best = allowed.front();
  for (const int64_t candidate : allowed) {
    if (logits[static_cast<size_t>(candidate)] > logits[static_cast<size_t>(best)]) {
      best = candidate;
    }
  }
  return best;
}

PartCounts::PartCounts(std::vector<std::vector<int64_t>> parts_of_category, int64_t num_parts)
    : parts_of_category_(std::move(parts_of_category)),
      labelled_(static_cast<size_t>(num_parts), 0),
      correct_(static_cast<size_t>(num_parts), 0),
      iou_sum_(parts_of_category_.size(), 0),
      num_shapes_(parts_of_category_.size(), 0) {
  VOXBIT_CHECK(!parts_of_category_.empty(), "parts need categories");
  for (const auto& parts : parts_of_category_) {
    VOXBIT_CHECK(!parts.empty(), "a category has parts");
    for (const int64_t part : parts) {
      VOXBIT_CHECK(part >= 0 && part < num_parts, "a part has a number below that of the parts");
    }
  }
}

Result<std::span<const int64_t>> PartCounts::PartsOf(int32_t category) const {
  if (category < 0 || static_cast<size_t>(category) >= parts_of_category_.size()) {
    return InvalidArgument("category " + std::to_string(category) + ", expected one of " +
                           std::to_string(parts_of_category_.size()));
  }
  return std::span<const int64_t>(parts_of_category_[static_cast<size_t>(category)]);
}

Status PartCounts::AddShape(int32_t category, std::span<const int64_t> predictions,
                            std::span<const int32_t> labels) {
  VOXBIT_RETURN_IF_ERROR(CheckLengths(predictions, labels));
  VOXBIT_ASSIGN_OR_RETURN(const std::span<const int64_t> parts, PartsOf(category));
  // By place in `parts`.
  const auto place_of = [parts](int64_t part) {
    return static_cast<size_t>(std::find(parts.begin(), parts.end(), part) - parts.begin());
  };
  std::vector<int64_t> in_both(parts.size(), 0);
  std::vector<int64_t> labelled(parts.size(), 0);
  std::vector<int64_t> predicted(parts.size(), 0);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == data::kIgnoredLabel) continue;
    const size_t truth = place_of(labels[i]);
    const size_t guess = place_of(predictions[i]);
    if (truth == parts.size() || guess == parts.size()) {
      return InvalidArgument("point " + std::to_string(i) + " has label " +
                             std::to_string(labels[i]) + " and prediction " +
                             std::to_string(predictions[i]) + ", expected parts of category " +
                             std::to_string(category));
    }
    ++labelled[truth];
    ++predicted[guess];
    in_both[truth] += truth == guess ? 1 : 0;
  }
  if (std::accumulate(labelled.begin(), labelled.end(), int64_t{0}) == 0) return OkStatus();
  double sum = 0;
  for (size_t place = 0; place < parts.size(); ++place) {
    const int64_t in_either = labelled[place] + predicted[place] - in_both[place];
    sum += in_either == 0 ? 1 : Ratio(in_both[place], in_either);
    labelled_[static_cast<size_t>(parts[place])] += labelled[place];
    correct_[static_cast<size_t>(parts[place])] += in_both[place];
  }
  iou_sum_[static_cast<size_t>(category)] += sum / static_cast<double>(parts.size());
  ++num_shapes_[static_cast<size_t>(category)];
  return OkStatus();
}

Result<PartScores> PartCounts::Scores() const {
  PartScores scores;
  double sum = 0;
  for (size_t c = 0; c < num_shapes_.size(); ++c) {
    scores.category_iou.emplace_back();
    if (num_shapes_[c] == 0) continue;
    scores.category_iou.back() = iou_sum_[c] / static_cast<double>(num_shapes_[c]);
    scores.num_shapes += num_shapes_[c];
    sum += iou_sum_[c];
  }
  if (scores.num_shapes == 0) return NothingLabelled();
  scores.num_points = std::accumulate(labelled_.begin(), labelled_.end(), int64_t{0});
  scores.accuracy =
      Ratio(std::accumulate(correct_.begin(), correct_.end(), int64_t{0}), scores.num_points);
  scores.instance_miou = sum / static_cast<double>(scores.num_shapes);
  scores.class_miou = Mean(scores.category_iou);
  return scores;
}

}  // namespace voxbit::train
