#include "search/cost/latency_lut.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "common/config.h"

namespace voxbit::cost {
namespace {

constexpr char kFormat[] = "voxbit-latency-table";
constexpr int64_t kFloat = 32;
constexpr double kLongestMs = 1e9;  // sums of these stay finite

struct Table {
  std::string format;
  int64_t format_version = 1;
  std::string device;
  std::string library;
  int64_t samples = 0;
  Json layers;
  double rest_ms = 0;
};

Fields<Table> TableFields() {
  Fields<Table> fields;
  fields.Text("format", &Table::format, {kFormat}, "what this is").Required();
  fields.Int("format_version", &Table::format_version, {1, 1}, "", "of the format").Required();
  fields.Text("device", &Table::device, {}, "hardware that the times are of").Required();
  fields.Text("library", &Table::library, {}, "software, or simulator, and version").Required();
  fields.Int("samples", &Table::samples, {.min = 1}, "", "runs behind each time").Required();
  fields.Custom(
      "layers", "object", "[weight bits, activation bits, ms] by layer",
      [](const Json& found, const std::string& pointer, Table& out) -> Status {
        if (!found.is_object()) return ExpectedError(pointer, "an object", found);
        out.layers = found;
        return OkStatus();
      },
      [](const Table& in) { return in.layers; });
  fields.Required();
  fields.Number("rest_ms", &Table::rest_ms, {0, kLongestMs}, "ms",
                "everything that is no layer of the table");
  return fields;
}

bool Fits(const std::pair<int64_t, int64_t>& inner, const std::pair<int64_t, int64_t>& outer) {
  return inner.first <= outer.first && inner.second <= outer.second;
}

// "4x32"
std::optional<std::pair<int64_t, int64_t>> ParseShape(std::string_view text) {
  std::pair<int64_t, int64_t> shape;
  const char* const end = text.data() + text.size();
  const auto [cross, in_error] = std::from_chars(text.data(), end, shape.first);
  if (in_error != std::errc() || cross == end || *cross != 'x') return std::nullopt;
  const auto [rest, out_error] = std::from_chars(cross + 1, end, shape.second);
  if (out_error != std::errc() || rest != end) return std::nullopt;
  if (shape.first < 1 || shape.second < 1) return std::nullopt;
  return shape;
}

bool IsWidth(const Json& json) {
  return json.is_number_integer() && json.get<double>() >= 1 && json.get<double>() <= kFloat;
}

bool IsEntry(const Json& json) {
  if (!json.is_array() || json.size() != 3) return false;
  if (!IsWidth(json[0]) || !IsWidth(json[1]) || !json[2].is_number()) return false;
  const auto ms = json[2].get<double>();
  return ms >= 0 && ms <= kLongestMs;
}

std::string ShapeText(const search::LayerSpec& layer) {
  return std::to_string(layer.in_channels).append("x").append(std::to_string(layer.out_channels));
}

Status Missing(const search::LayerSpec& layer, const std::string& keys) {
  return NotFound("the latency table has no entry of layer " + layer.name + " for " +
                  std::to_string(layer.weight_bits) + "-bit weights and " +
                  std::to_string(layer.activation_bits) + "-bit inputs; it belongs under " + keys);
}

std::string Quoted(const std::string& key) { return "\"" + key + "\""; }

}  // namespace

Result<LatencyLut> LatencyLut::Parse(const Json& json, const std::string& pointer) {
  const Fields<Table> fields = TableFields();
  VOXBIT_ASSIGN_OR_RETURN(const Table table, fields.Parse(json, pointer));
  LatencyLut lut(fields.ToJson(table), table.rest_ms);
  for (const auto& [key, entries] : table.layers.items()) {
    std::string at = pointer;
    at.append("/layers/").append(key);
    VOXBIT_RETURN_IF_ERROR(lut.AddLayer(key, entries, at));
  }
  return lut;
}

Status LatencyLut::AddLayer(const std::string& key, const Json& entries,
                            const std::string& pointer) {
  const size_t at = key.rfind('@');
  Shape shape{0, 0};
  if (at != std::string::npos) {
    const auto parsed = ParseShape(std::string_view(key).substr(at + 1));
    if (!parsed) {
      return FieldError(pointer, "expected input and output channels behind the @, as in 4x32");
    }
    shape = *parsed;
    has_shapes_ = true;
  }
  if (!entries.is_array()) return ExpectedError(pointer, "a list of entries", entries);
  Times& times = layers_[key.substr(0, at)][shape];
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string place = pointer + "/" + std::to_string(i);
    const Json& entry = entries[i];
    if (!IsEntry(entry)) {
      return FieldError(place,
                        "expected [weight bits, activation bits, ms], bits from 1 to 32 "
                        "(float) and ms from 0 to 1e9, found " +
                            CanonicalJson(entry));
    }
    const Bits bits{entry[0].get<int64_t>(), entry[1].get<int64_t>()};
    if (!times.emplace(bits, entry[2].get<double>()).second) {
      return FieldError(place, "a second entry of these bits");
    }
  }
  return OkStatus();
}

Result<double> LatencyLut::LayerMs(const search::LayerSpec& layer) const {
  const std::string shape_key = layer.name + "@" + ShapeText(layer);
  const auto found = layers_.find(layer.name);
  if (found == layers_.end()) {
    return Missing(layer, Quoted(layer.name) + " or " + Quoted(shape_key));
  }
  const auto& shapes = found->second;
  const Shape shape{layer.in_channels, layer.out_channels};
  const Bits bits{layer.weight_bits, layer.activation_bits};
  const bool is_covered = std::any_of(
      shapes.begin(), shapes.end(), [&](const auto& listed) { return Fits(shape, listed.first); });
  const auto own = shapes.find(is_covered ? shape : Shape{0, 0});
  if (own == shapes.end() || own->second.count(bits) == 0) {
    return Missing(layer, Quoted(is_covered ? shape_key : layer.name));
  }
  double most = 0;
  for (const auto& [listed, times] : shapes) {
    const bool is_any = listed == Shape{0, 0};
    if (is_any ? is_covered : !Fits(listed, shape)) continue;
    for (const auto& [fewer, ms] : times) {
      if (Fits(fewer, bits)) most = std::max(most, ms);
    }
  }
  return most;
}

Status LatencyLut::FindAnyShape(const search::LayerSpec& layer) const {
  const Bits bits{layer.weight_bits, layer.activation_bits};
  if (const auto found = layers_.find(layer.name); found != layers_.end()) {
    for (const auto& [shape, times] : found->second) {
      if (times.count(bits) > 0) return OkStatus();
    }
  }
  return Missing(layer, Quoted(layer.name));
}

Result<double> LatencyLut::Cost(const search::LayerTable& layers,
                                const search::Workload& /*workload*/) const {
  double total = rest_ms_;
  for (const search::LayerSpec& layer : layers) {
    VOXBIT_ASSIGN_OR_RETURN(const double ms, LayerMs(layer));
    total += ms;
  }
  return total;
}

}  // namespace voxbit::cost
