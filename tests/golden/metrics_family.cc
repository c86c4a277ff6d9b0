// The family "metrics": accuracies and intersections over union of whole sets. Where the reference
// takes another mean than worker/train/scores.h, its mean is computed from our counts:
//   miou        ours: over the classes that occur in the labels. semantic-kitti-api: an absent
//   class
//               counts as 0. spvnas: an absent class counts as 1, even where it was predicted.
//   class_miou  ours: over the categories that occur. The seed: no number when one is absent.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/golden/golden_case.h"
#include "worker/data/files/class_map.h"
#include "worker/data/scan.h"
#include "worker/train/scores.h"

namespace voxbit::golden {
namespace {

using train::BestAmong;
using train::ClassScores;
using train::ConfusionMatrix;
using train::PartCounts;
using train::PartScores;

constexpr double kNoNumber = -1;  // what a recording holds for the mean of nothing
constexpr int64_t kKittiClasses = 19;

std::vector<int64_t> Ints(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kLong).contiguous();
  return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + values.numel()};
}

std::vector<int32_t> Labels(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kInt).contiguous();
  return {values.data_ptr<int32_t>(), values.data_ptr<int32_t>() + values.numel()};
}

void CompareNumber(Comparison& comparison, const std::string& name, double ours) {
  comparison.Forward(name, torch::tensor({ours}, at::kDouble));
}

// `absent` where there is no value.
at::Tensor ValuesOr(const std::vector<std::optional<double>>& values, double absent) {
  std::vector<double> filled;
  for (const auto& value : values) filled.push_back(value.value_or(absent));
  return torch::tensor(filled, at::kDouble);
}

bool AllPresent(const std::vector<std::optional<double>>& values) {
  return std::all_of(values.begin(), values.end(), [](const auto& v) { return v.has_value(); });
}

ConfusionMatrix Count(int64_t num_classes, const at::Tensor& predictions,
                      const at::Tensor& labels) {
  ConfusionMatrix matrix(num_classes);
  const Status added = matrix.Add(Ints(predictions), Labels(labels));
  TORCH_CHECK(added.ok(), added.message());
  return matrix;
}

// [label, prediction].
at::Tensor CountsOf(const ConfusionMatrix& matrix, int64_t num_classes) {
  at::Tensor counts = at::empty({num_classes, num_classes}, at::kLong);
  for (int64_t label = 0; label < num_classes; ++label) {
    for (int64_t prediction = 0; prediction < num_classes; ++prediction) {
      counts[label][prediction] = matrix.count(label, prediction);
    }
  }
  return counts;
}

void RunClassification(Comparison& comparison) {
  const at::Tensor target = comparison.Input("target");
  const at::Tensor prediction = comparison.Input("prediction");
  const int64_t num_classes = at::maximum(target.max(), prediction.max()).item<int64_t>() + 1;
  const ClassScores scores = Count(num_classes, prediction, target).Scores().value();
  CompareNumber(comparison, "accuracy", scores.accuracy);
  CompareNumber(comparison, "balanced_accuracy", scores.balanced_accuracy);
}

// Raw ids to 1..19 and 0, which the benchmark ignores.
void CompareLabelMap(Comparison& comparison) {
  const at::Tensor raw = comparison.Input("raw_labels");
  std::vector<uint32_t> ids;
  for (const int64_t id : Ints(raw)) ids.push_back(static_cast<uint32_t>(id));
  const auto mapped = data::MapLabels(data::SemanticKittiClassMap("official"), ids, "raw_labels");
  TORCH_CHECK(mapped.ok(), mapped.status().message());
  const at::Tensor train = torch::tensor(std::vector<int64_t>(mapped->begin(), mapped->end()));
  const at::Tensor ours = (train + 1).masked_fill(train == data::kIgnoredLabel, 0);
  comparison.Exact("labels", ours.view(raw.sizes()));
}

// The benchmark: predictions may be 0, which is wrong for every labelled point.
void RunBenchmark(Comparison& comparison, const std::string& prefix, const at::Tensor& predictions,
                  const at::Tensor& labels) {
  constexpr int64_t kIds = kKittiClasses + 1;
  comparison.Exact(prefix + "confusion", CountsOf(Count(kIds, predictions, labels), kIds).t());

  const at::Tensor counted = labels.masked_fill(labels == 0, data::kIgnoredLabel);
  const ConfusionMatrix matrix = Count(kIds, predictions, counted);
  const ClassScores scores = matrix.Scores().value();
  const at::Tensor iou = ValuesOr(scores.class_iou, 0);
  comparison.Forward(prefix + "api.iou", iou);
  CompareNumber(comparison, prefix + "api.miou", iou.sum().item<double>() / kKittiClasses);
  // Its accuracy leaves out the points that were predicted as 0; ours counts them as wrong.
  const at::Tensor counts = CountsOf(matrix, kIds);
  const auto answered = (counts.sum() - counts.select(1, 0).sum()).item<double>();
  CompareNumber(comparison, prefix + "api.accuracy",
                scores.accuracy * static_cast<double>(scores.num_items) / answered);
}

// SPVNAS: train ids 0..18, 255 ignored, a prediction always one of the classes.
void RunSpvnas(Comparison& comparison, const std::string& prefix, const at::Tensor& predictions,
               const at::Tensor& labels) {
  const at::Tensor ids = (labels - 1).masked_fill(labels == 0, data::kIgnoredLabel);
  const at::Tensor classes = (predictions - 1).masked_fill(predictions == 0, kKittiClasses - 1);
  comparison.Exact(prefix + "labels", ids);
  comparison.Exact(prefix + "predictions", classes);
  const ConfusionMatrix matrix = Count(kKittiClasses, classes, ids);
  const at::Tensor counts = CountsOf(matrix, kKittiClasses);
  comparison.Exact(prefix + "seen", counts.sum(1));
  comparison.Exact(prefix + "positive", counts.sum(0));
  comparison.Exact(prefix + "correct", counts.diagonal());
  const ClassScores scores = matrix.Scores().value();
  const at::Tensor iou = ValuesOr(scores.class_iou, 1);
  comparison.Forward(prefix + "iou", iou);
  CompareNumber(comparison, prefix + "miou", iou.mean().item<double>());
  // Ours, from the recorded values: the classes that were seen.
  const at::Tensor seen = comparison.Input(prefix + "seen") > 0;
  const at::Tensor recorded = comparison.Input(prefix + "iou").to(at::kDouble);
  const double ours = recorded.masked_select(seen).mean().item<double>();
  if (!(std::abs(ours - scores.miou) <= comparison.tolerance().forward)) {
    comparison.Fail(prefix + "iou has another mean over the classes seen than ours");
  }
}

void RunSemanticKitti(Comparison& comparison) {
  CompareLabelMap(comparison);
  for (const char* variant : {"a.", "b.", "absent."}) {
    const std::string prefix(variant);
    const at::Tensor predictions = comparison.Input(prefix + "predictions");
    const at::Tensor labels = comparison.Input(prefix + "labels");
    RunBenchmark(comparison, prefix, predictions, labels);
    RunSpvnas(comparison, prefix + "spvnas.", predictions, labels);
  }
  comparison.Note("miou ours over classes seen; those of both references from our counts");
}

// The parts of the 16 categories of ShapeNet-part, numbered one after the other.
std::vector<std::vector<int64_t>> ShapeNetParts() {
  std::vector<std::vector<int64_t>> parts;
  int64_t next = 0;
  for (const int num : {4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3}) {
    parts.emplace_back();
    for (int i = 0; i < num; ++i) parts.back().push_back(next++);
  }
  return parts;
}

void RunShapeNetParts(Comparison& comparison) {
  const at::Tensor logits = comparison.Input("logits").contiguous();
  const at::Tensor target = comparison.Input("target");
  const std::vector<int32_t> categories = Labels(comparison.Input("category"));
  const auto num_points = static_cast<size_t>(logits.size(1));
  const auto num_parts = static_cast<size_t>(logits.size(2));
  PartCounts counts(ShapeNetParts(), logits.size(2));
  std::vector<int64_t> predictions;
  for (size_t s = 0; s < categories.size(); ++s) {
    const auto parts = counts.PartsOf(categories[s]).value();
    const float* shape = logits.data_ptr<float>() + s * num_points * num_parts;
    for (size_t i = 0; i < num_points; ++i) {
      predictions.push_back(BestAmong({shape + i * num_parts, num_parts}, parts));
    }
    const Status added = counts.AddShape(categories[s], std::span(predictions).last(num_points),
                                         Labels(target[static_cast<int64_t>(s)]));
    TORCH_CHECK(added.ok(), added.message());
  }
  comparison.Exact("prediction", torch::tensor(predictions).view(target.sizes()));
  comparison.Exact("seen_per_part", torch::tensor(counts.labelled()));
  comparison.Exact("correct_per_part", torch::tensor(counts.correct()));

  const PartScores scores = counts.Scores().value();
  comparison.Forward("category_iou", ValuesOr(scores.category_iou, kNoNumber));
  CompareNumber(comparison, "accuracy", scores.accuracy);
  CompareNumber(comparison, "instance_miou", scores.instance_miou);
  CompareNumber(comparison, "class_miou_present", scores.class_miou);
  CompareNumber(comparison, "class_miou_reference",
                AllPresent(scores.category_iou) ? scores.class_miou : kNoNumber);
  const at::Tensor seen = torch::tensor(counts.labelled(), at::kDouble);
  const bool all_seen = (seen > 0).all().item<bool>();
  const at::Tensor recall = torch::tensor(counts.correct(), at::kDouble) / seen;
  CompareNumber(comparison, "class_average_accuracy_reference",
                all_seen ? recall.mean().item<double>() : kNoNumber);
}

}  // namespace

bool RunMetricsCase(const Case& recorded, Comparison& comparison) {
  comparison.Allow({.forward = 1e-6, .gradient = 1e-6});
  if (recorded.Has("balanced_accuracy") && recorded.Has("target")) {
    RunClassification(comparison);
  } else if (recorded.Has("raw_labels") && recorded.Has("a.confusion")) {
    RunSemanticKitti(comparison);
  } else if (recorded.Has("seen_per_part") && recorded.Has("category")) {
    RunShapeNetParts(comparison);
  } else {
    return false;
  }
  return true;
}

}  // namespace voxbit::golden
