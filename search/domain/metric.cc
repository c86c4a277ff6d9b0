#include "search/domain/metric.h"

#include "common/known_names.h"

namespace voxbit::search {

const std::vector<Metric>& Metrics() {
  static const std::vector<Metric> metrics = {
      {"miou", "1", Direction::kHigher, MetricSource::kEvaluation, 1,
       "mean intersection over union of the classes, counts accumulated over the whole evaluation "
       "set"},
      {"instance_miou", "1", Direction::kHigher, MetricSource::kEvaluation, 1,
       "parts of objects: mean over all shapes of the evaluation set of the mean intersection over "
       "union of the parts of the shape's category"},
      {"class_miou", "1", Direction::kHigher, MetricSource::kEvaluation, 1,
       "parts of objects: mean over the categories that occur of the mean over their shapes"},
      {"accuracy", "1", Direction::kHigher, MetricSource::kEvaluation, 1,
       "share of labelled points (objects, where these are classified) with the right class, over "
       "the whole evaluation set"},
      {"balanced_accuracy", "1", Direction::kHigher, MetricSource::kEvaluation, 1,
       "classes of objects: mean over the classes that occur of the share of their objects with "
       "the right class"},
      {"macs", "1", Direction::kLower, MetricSource::kCostModel, std::nullopt,
       "multiply-accumulates of one sample, sparse convolutions by their kernel-map pairs"},
      {"params", "1", Direction::kLower, MetricSource::kCostModel, std::nullopt,
       "trainable values of the sub-network"},
      {"size_bytes", "byte", Direction::kLower, MetricSource::kCostModel, std::nullopt,
       "the whole sub-network as it is stored: packed weights with codebooks or scales, biases, "
       "batch norms, activation ranges"},
      {"bitops", "1", Direction::kLower, MetricSource::kCostModel, std::nullopt,
       "multiply-accumulates of one sample, each times the bits of its weight and of its input"},
      {"quantized_size_ratio", "1", Direction::kLower, MetricSource::kCostModel, 1,
       "weights whose bits are chosen: their bits over those of the largest candidate in float32, "
       "codebooks left out"},
      {kLatencyLut, "ms", Direction::kLower, MetricSource::kCostModel, std::nullopt,
       "sum over the layers of what the study's latency table has for their bits"},
      {"latency_ms", "ms", Direction::kLower, MetricSource::kLatency, std::nullopt,
       "median of repeated measured runs on the named target"},
  };
  return metrics;
}

Result<Metric> FindMetric(std::string_view name) {
  std::vector<std::string> known;
  for (const Metric& metric : Metrics()) {
    if (metric.name == name) return metric;
    known.emplace_back(metric.name);
  }
  return InvalidArgument("unknown metric \"" + std::string(name) + "\"; " +
                         KnownNames(name, known));
}

}  // namespace voxbit::search
