#include "tests/golden/generated.h"

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "common/json.h"

namespace voxbit::golden {
namespace {

// A sum of up to some million values in double precision, taken in another order.
constexpr double kSumTolerance = 1e-6;

// One entry of the recipe; an undefined tensor and a failure when it does not check.
at::Tensor GeneratedTensor(const Json& entry, Comparison& comparison) {
  const auto name = entry.at("name").get<std::string>();
  const auto shape = entry.at("shape").get<std::vector<int64_t>>();
  const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies());
  const std::vector<float> values =
      Generate(entry.at("key").get<std::string>(), count, entry.at("lo").get<double>(),
               entry.at("hi").get<double>());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  bool right = std::abs(sum - entry.at("sum").get<double>()) <= kSumTolerance;
  const auto first = entry.at("first").get<std::vector<double>>();
  for (size_t i = 0; i < first.size() && i < values.size(); ++i) {
    right = right && static_cast<double>(values[i]) == first[i];
  }
  if (!right) {
    comparison.Fail(name + " is not generated as it was recorded");
    return {};
  }
  return torch::tensor(values).view(shape);
}

exporter::TensorMap GeneratedTensors(Comparison& comparison) {
  exporter::TensorMap tensors;
  if (!comparison.recorded().HasMetadata("procgen")) return tensors;
  for (const Json& entry : Json::parse(comparison.recorded().file.metadata().at("procgen"))) {
    const auto name = entry.at("name").get<std::string>();
    if (const auto twin = entry.find("same_as"); twin != entry.end()) {
      tensors[name] = tensors.at(twin->get<std::string>());
    } else if (const at::Tensor tensor = GeneratedTensor(entry, comparison); tensor.defined()) {
      tensors[name] = tensor;
    }
  }
  return tensors;
}

}  // namespace

std::vector<float> Generate(const std::string& key, int64_t count, double lo, double hi) {
  uint64_t state = 0xcbf29ce484222325U;
  for (const char c : key) {
    state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    state += 0x9E3779B97F4A7C15U;
    uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    value = static_cast<float>(lo + (hi - lo) * (static_cast<double>(z >> 40U) / 16777216.0));
  }
  return values;
}

exporter::TensorMap RecordedState(Comparison& comparison) {
  exporter::TensorMap state = GeneratedTensors(comparison);
  for (const std::string& name : comparison.recorded().file.Names()) {
    if (name.rfind("state.", 0) == 0) state[name.substr(6)] = comparison.Input(name);
  }
  return state;
}

// The generator itself: every tensor of the file is made from its recipe, bit for bit.
bool RunGeneratorCase(const Case& recorded, Comparison& comparison) {
  if (!recorded.HasMetadata("procgen")) return false;
  for (const std::string& name : recorded.file.Names()) {
    if (name.rfind("state.", 0) == 0 || name.rfind("logits", 0) == 0) return false;
  }
  for (const auto& [name, tensor] : GeneratedTensors(comparison)) comparison.Exact(name, tensor);
  return true;
}

}  // namespace voxbit::golden
