#include "worker/train/class_weights.h"

#include <cmath>
#include <memory>

namespace voxbit::train {
namespace {

// An object is small and holds few of the classes.
constexpr int64_t kCountedScans = 64;
constexpr int64_t kCountedObjects = 2048;

}  // namespace

std::vector<float> SqrtInverseWeights(const std::vector<int64_t>& counts) {
  double sum = 0;
  int64_t present = 0;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    sum += 1 / std::sqrt(static_cast<double>(count));
    ++present;
  }
  std::vector<float> weights;
  for (const int64_t count : counts) {
    const double inverse = count == 0 ? 0 : 1 / std::sqrt(static_cast<double>(count));
    weights.push_back(
        count == 0 ? 1.0F : static_cast<float>(inverse * static_cast<double>(present) / sum));
  }
  return weights;
}

Result<std::vector<float>> ClassWeights(const std::string& kind, ScanSource& source,
                                        const std::stop_token& stop) {
  if (kind == "none") return std::vector<float>();
  if (kind != "sqrt_inverse") return InvalidArgument("unknown class weights \"" + kind + "\"");
  std::vector<int64_t> counts(static_cast<size_t>(source.dataset().num_classes()), 0);
  const data::Scoring scoring = source.dataset().traits().scoring;
  const int64_t num = scoring == data::Scoring::kClasses ? kCountedScans : kCountedObjects;
  for (const int64_t index : SpreadIndices(source.dataset().size(data::Split::kTrain), num)) {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    const auto loaded = source.Load(data::Split::kTrain, index);
    if (!loaded.ok() && data::IsEmptyScan(loaded.status())) continue;
    VOXBIT_RETURN_IF_ERROR(loaded.status());
    const std::shared_ptr<const data::Scan>& scan = *loaded;
    if (scoring == data::Scoring::kObjects) {
      ++counts.at(static_cast<size_t>(scan->category));
      continue;
    }
    for (const int32_t label : scan->labels) {
      if (label != data::kIgnoredLabel) ++counts[static_cast<size_t>(label)];
    }
  }
  return SqrtInverseWeights(counts);
}

}  // namespace voxbit::train
