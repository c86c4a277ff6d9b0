#include "search/space/layer_table.h"

#include <algorithm>
#include <cmath>

#include "common/config.h"
#include "search/domain/name_table.h"

namespace voxbit::search {
namespace {

constexpr int64_t kFloatBytes = 4;

constexpr std::array<NameRow<LayerKind>, 3> kKinds = {{
    {LayerKind::kSparseConv, "sparse_conv"},
    {LayerKind::kSparseConvTransposed, "sparse_conv_transposed"},
    {LayerKind::kLinear, "linear"},
}};

Status ParseCounts(const Json& found, const std::string& pointer, Workload& out) {
  if (!found.is_object()) return ExpectedError(pointer, "an object of numbers", found);
  for (const auto& [key, count] : found.items()) {
    const double value = count.is_number() ? count.get<double>() : -1;
    if (!std::isfinite(value) || value < 0) {
      return ExpectedError(std::string(pointer).append("/").append(key),
                           "a finite number of at least 0", count);
    }
    out.counts[key] = value;
  }
  return OkStatus();
}

const Fields<Workload>& WorkloadFields() {
  static const Fields<Workload> fields = [] {
    Fields<Workload> table;
    table
        .Custom("counts", "object", "averages over the samples, by workload key", &ParseCounts,
                [](const Workload& in) { return Json(in.counts); })
        .Required();
    table.Int("num_samples", &Workload::num_samples, {.min = 0}, "", "samples profiled");
    table.Int("in_channels", &Workload::in_channels, {.min = 1}, "", "features of a point");
    table.Int("num_classes", &Workload::num_classes, {.min = 0}, "", "classes to tell apart");
    table.TextList("class_names", &Workload::class_names, {}, "by class index");
    return table;
  }();
  return fields;
}

}  // namespace

std::string_view Name(LayerKind kind) { return NameIn(kKinds, kind); }

int64_t LayerSpec::WeightBytes() const {
  const int64_t weights = WeightCount();
  if (weight_bits == 32) return kFloatBytes * weights;
  const int64_t codes = (weights * weight_bits + 7) / 8;
  if (weight_coding == WeightCoding::kScales) return codes + kFloatBytes * num_scales;
  if (weight_bits == 16) return codes;
  return codes + kFloatBytes * std::min(int64_t{1} << weight_bits, weights);
}

int64_t LayerSpec::StoredBytes() const {
  const int64_t floats =
      (bias ? out_channels : 0) + (batch_norm ? 4 * out_channels : 0) + num_activation_ranges;
  return WeightBytes() + kFloatBytes * floats;
}

Json ToJson(const LayerSpec& layer) {
  return {{"name", layer.name},
          {"kind", std::string(Name(layer.kind))},
          {"in_channels", layer.in_channels},
          {"out_channels", layer.out_channels},
          {"kernel_volume", layer.kernel_volume},
          {"stride", layer.stride},
          {"tensor_stride", layer.tensor_stride},
          {"bias", layer.bias},
          {"batch_norm", layer.batch_norm},
          {"workload", layer.workload},
          {"weight_bits", layer.weight_bits},
          {"activation_bits", layer.activation_bits},
          {"stored_bytes", layer.StoredBytes()}};
}

Json ToJson(const Workload& workload) { return WorkloadFields().ToJson(workload); }
Result<Workload> ParseWorkload(const Json& json) { return WorkloadFields().Parse(json, ""); }

}  // namespace voxbit::search
