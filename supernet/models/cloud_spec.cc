#include "supernet/models/cloud_spec.h"

#include <algorithm>
#include <cmath>

namespace voxbit::supernet {
namespace {

// A list that ascends, each entry accepted by `is_allowed`.
template <class T, class Allowed>
Status ParseAscending(const Json& found, const std::string& pointer, const std::string& expected,
                      const Allowed& is_allowed, std::vector<T>& out) {
  if (!found.is_array() || found.empty()) return ExpectedError(pointer, expected, found);
  std::vector<T> values;
  values.reserve(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string at = pointer + "/" + std::to_string(i);
    if (!is_allowed(found[i])) return ExpectedError(at, "one of " + expected, found[i]);
    const T value = found[i].template get<T>();
    if (!values.empty() && value <= values.back()) {
      return FieldError(at, "choices must ascend, found " + voxbit::Describe(found[i]));
    }
    values.push_back(value);
  }
  out = std::move(values);
  return OkStatus();
}

}  // namespace

std::vector<std::string> CloudTaskNames() { return {"segmentation", "classification"}; }

CloudTask CloudTaskOf(const std::string& name) {
  return name == "classification" ? CloudTask::kClassification : CloudTask::kSegmentation;
}

Status ParseChoices(const Json& found, const std::string& pointer, int64_t max,
                    std::vector<int64_t>& out) {
  const auto is_allowed = [max](const Json& value) {
    return value.is_number_integer() && value >= 1 && value <= max;
  };
  return ParseAscending(found, pointer,
                        "a list of ascending integers from 1 to " + std::to_string(max), is_allowed,
                        out);
}

Status ParseRatios(const Json& found, const std::string& pointer, std::vector<double>& out) {
  const auto is_allowed = [](const Json& value) {
    return value.is_number() && value > 0.0 && value <= 1.0;
  };
  return ParseAscending(found, pointer, "a list of ascending numbers above 0 and up to 1",
                        is_allowed, out);
}

std::vector<int64_t> Shares(double whole, const std::vector<double>& ratios) {
  std::vector<int64_t> shares;
  shares.reserve(ratios.size());
  for (const double ratio : ratios) {
    const auto share = std::max<int64_t>(1, std::llround(ratio * whole));
    if (shares.empty() || share > shares.back()) shares.push_back(share);
  }
  return shares;
}

search::LayerSpec LinearRow(const std::string& path, int64_t in, int64_t out,
                            const std::string& workload, bool bias, const std::string& norm) {
  search::LayerSpec layer;
  layer.name = path;
  layer.kind = search::LayerKind::kLinear;
  layer.in_channels = in;
  layer.out_channels = out;
  layer.bias = bias;
  layer.batch_norm = !norm.empty();
  layer.workload = workload;
  layer.tensors = {path + ".weight"};
  if (bias) layer.tensors.push_back(path + ".bias");
  if (layer.batch_norm) {
    for (const char* name : {".weight", ".bias", ".running_mean", ".running_var"}) {
      layer.tensors.push_back(norm + name);
    }
  }
  return layer;
}

}  // namespace voxbit::supernet
