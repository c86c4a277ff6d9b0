#include "search/domain/metric.h"

namespace voxbit::search {

const std::vector<Metric>& Metrics() {
  static const std::vector<Metric> metrics = {
      {"miou", "1", Direction::kHigher, MetricSource::kEvaluation,
       "mean intersection over union of the classes, counts accumulated over the whole evaluation "
       "set"},
      {"accuracy", "1", Direction::kHigher, MetricSource::kEvaluation,
       "share of labelled points with the right class, over the whole evaluation set"},
      {"macs", "1", Direction::kLower, MetricSource::kCostModel,
       "multiply-accumulates of one sample, sparse convolutions by their kernel-map pairs"},
      {"params", "1", Direction::kLower, MetricSource::kCostModel,
       "trainable values of the sub-network"},
      {"latency_ms", "ms", Direction::kLower, MetricSource::kLatency,
       "median of repeated measured runs on the named target"},
  };
  return metrics;
}

Result<Metric> FindMetric(std::string_view name) {
  std::string known;
  for (const Metric& metric : Metrics()) {
    if (metric.name == name) return metric;
    known.append(known.empty() ? "" : ", ").append(metric.name);
  }
  return InvalidArgument("unknown metric \"" + std::string(name) + "\"; known: " + known);
}

}  // namespace voxbit::search
