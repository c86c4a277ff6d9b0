#include "worker/train/meters.h"

#include <torch/torch.h>

#include <optional>
#include <string>
#include <utility>

#include "worker/train/scores.h"

namespace voxbit::train {
namespace {

// One value by name; null where there is none.
Json ByName(const std::vector<std::string>& names,
            const std::vector<std::optional<double>>& values) {
  Json by_name = Json::object();
  for (size_t i = 0; i < names.size(); ++i) {
    by_name[names[i]] = values[i].has_value() ? Json(*values[i]) : Json(nullptr);
  }
  return by_name;
}

search::Measurement Measured(const std::string& metric, double value, int64_t samples,
                             Json detail) {
  search::Measurement measurement;
  measurement.metric = metric;
  measurement.value = value;
  measurement.samples = samples;
  measurement.detail = std::move(detail);
  return measurement;
}

// Classes of points, or of objects as wholes.
class ClassMeter final : public Meter {
 public:
  explicit ClassMeter(const data::Dataset& dataset)
      : Meter(dataset), confusion_(dataset.num_classes()) {}

  Status AddPredictions(const std::vector<int64_t>& predictions, const Batch& batch) override {
    VOXBIT_RETURN_IF_ERROR(confusion_.Add(predictions, batch.point_labels));
    num_samples_ += static_cast<int64_t>(batch.samples.size());
    for (const Batch::Sample& sample : batch.samples) num_dropped_ += sample.num_dropped;
    return OkStatus();
  }

  Result<std::vector<search::Measurement>> Finish() const override {
    VOXBIT_ASSIGN_OR_RETURN(const ClassScores scores, confusion_.Scores());
    const std::vector<std::string> names = data::ToldApart(dataset().class_names());
    const bool is_objects = dataset().traits().scoring == data::Scoring::kObjects;
    Json counts = {{"scans", num_samples_}};
    counts[is_objects ? "objects" : "points"] = scores.num_items;
    if (num_dropped_ > 0) counts["points_dropped"] = num_dropped_;
    if (is_objects) {
      Json detail = counts;
      detail["class_recall"] = ByName(names, scores.class_recall);
      return std::vector<search::Measurement>{
          Measured("accuracy", scores.accuracy, num_samples_, counts),
          Measured("balanced_accuracy", scores.balanced_accuracy, num_samples_, std::move(detail))};
    }
    Json detail = counts;
    detail["class_iou"] = ByName(names, scores.class_iou);
    detail["points_predicted_absent"] = scores.num_predicted_absent;
    return std::vector<search::Measurement>{
        Measured("miou", scores.miou, num_samples_, std::move(detail)),
        Measured("accuracy", scores.accuracy, num_samples_, counts)};
  }

 private:
  ConfusionMatrix confusion_;
  int64_t num_samples_ = 0;
  int64_t num_dropped_ = 0;  // by the settings of the dataset
};

class PartMeter final : public Meter {
 public:
  explicit PartMeter(const data::Dataset& dataset)
      : Meter(dataset), counts_(dataset.parts_of_category(), dataset.num_classes()) {}

  Status AddPredictions(const std::vector<int64_t>& predictions, const Batch& batch) override {
    const std::span<const int64_t> of_points(predictions);
    const std::span<const int32_t> labels(batch.point_labels);
    size_t first = 0;
    for (const Batch::Sample& sample : batch.samples) {
      const auto num_points = static_cast<size_t>(sample.num_points);
      const Status added = counts_.AddShape(sample.category, of_points.subspan(first, num_points),
                                            labels.subspan(first, num_points));
      if (!added.ok()) return added.Annotate(sample.name);
      first += num_points;
    }
    return OkStatus();
  }

  Result<std::vector<search::Measurement>> Finish() const override {
    VOXBIT_ASSIGN_OR_RETURN(const PartScores scores, counts_.Scores());
    std::vector<std::optional<double>> recall;
    for (size_t part = 0; part < counts_.labelled().size(); ++part) {
      const auto labelled = static_cast<double>(counts_.labelled()[part]);
      recall.emplace_back();
      if (labelled > 0) recall.back() = static_cast<double>(counts_.correct()[part]) / labelled;
    }
    const Json counts = {{"shapes", scores.num_shapes}, {"points", scores.num_points}};
    Json by_category = counts;
    by_category["category_miou"] = ByName(dataset().category_names(), scores.category_iou);
    Json by_part = counts;
    by_part["part_recall"] = ByName(data::ToldApart(dataset().class_names()), recall);
    return std::vector<search::Measurement>{
        Measured("instance_miou", scores.instance_miou, scores.num_shapes, counts),
        Measured("class_miou", scores.class_miou, scores.num_shapes, std::move(by_category)),
        Measured("accuracy", scores.accuracy, scores.num_shapes, std::move(by_part))};
  }

 private:
  PartCounts counts_;
};

std::vector<int64_t> PredictClasses(const at::Tensor& logits, const Batch& batch) {
  const at::Tensor classes = logits.argmax(1).to(at::kCPU).contiguous();
  const int64_t* of_row = classes.data_ptr<int64_t>();
  std::vector<int64_t> predictions;
  predictions.reserve(batch.inverse.size());
  for (const int64_t row : batch.inverse) predictions.push_back(of_row[row]);
  return predictions;
}

Result<std::vector<int64_t>> PredictParts(const data::Dataset& dataset, const at::Tensor& logits,
                                          const Batch& batch) {
  const at::Tensor rows = logits.to(at::kCPU).contiguous();
  const auto num_classes = static_cast<size_t>(rows.size(1));
  const float* values = rows.data_ptr<float>();
  const PartCounts categories(dataset.parts_of_category(), dataset.num_classes());
  std::vector<int64_t> predictions;
  predictions.reserve(batch.inverse.size());
  for (const Batch::Sample& sample : batch.samples) {
    const auto parts = categories.PartsOf(sample.category);
    if (!parts.ok()) return parts.status().Annotate(sample.name);
    for (int64_t i = 0; i < sample.num_points; ++i) {
      const auto row = static_cast<size_t>(batch.inverse[predictions.size()]);
      predictions.push_back(BestAmong({values + row * num_classes, num_classes}, *parts));
    }
  }
  return predictions;
}

}  // namespace

Result<std::vector<int64_t>> PredictPoints(const data::Dataset& dataset, const at::Tensor& logits,
                                           const Batch& batch) {
  if (dataset.traits().scoring == data::Scoring::kParts) {
    return PredictParts(dataset, logits, batch);
  }
  return PredictClasses(logits, batch);
}

Status Meter::Add(const at::Tensor& logits, const Batch& batch) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<int64_t> predictions,
                          PredictPoints(dataset_, logits, batch));
  return AddPredictions(predictions, batch);
}

std::unique_ptr<Meter> MakeMeter(const data::Dataset& dataset) {
  if (dataset.traits().scoring == data::Scoring::kParts) {
    return std::make_unique<PartMeter>(dataset);
  }
  return std::make_unique<ClassMeter>(dataset);
}

}  // namespace voxbit::train
