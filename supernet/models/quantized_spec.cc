#include "supernet/models/quantized_spec.h"

#include <algorithm>
#include <regex>
#include <set>

#include "common/check.h"
#include "supernet/quant/codes/methods.h"
#include "supernet/quant/codes/sizes.h"

namespace voxbit::supernet {
namespace {

using search::Candidate;
using search::Dimension;
using search::LayerSpec;
using search::LayerTable;
using search::SearchSpace;

constexpr char kKey[] = "quantization";
constexpr int64_t kFloat = 32;
constexpr int64_t kLongClimb = 1'000'000;

using Levels = std::vector<int64_t> QuantizationConfig::*;

Status ParseLevels(const Json& found, const std::string& pointer, std::vector<int64_t>& out) {
  if (!found.is_array()) return ExpectedError(pointer, "a list of widths in bits", found);
  std::vector<int64_t> levels;
  for (const Json& level : found) {
    const std::string at = pointer + "/" + std::to_string(levels.size());
    if (!level.is_number_integer() || !quant::IsWidth(level.get<int64_t>())) {
      return ExpectedError(at, "one of 1 to 8, 16, 32", level);
    }
    if (!levels.empty() && level.get<int64_t>() <= levels.back()) {
      return FieldError(at, "levels must ascend");
    }
    levels.push_back(level.get<int64_t>());
  }
  out = std::move(levels);
  return OkStatus();
}

void AddLevels(Fields<QuantizationConfig>& fields, const std::string& name, Levels member,
               const std::string& help) {
  fields.Custom(
      name, "list", help,
      [member](const Json& found, const std::string& pointer, QuantizationConfig& out) {
        return ParseLevels(found, pointer, out.*member);
      },
      [member](const QuantizationConfig& in) { return Json(in.*member); });
}

std::vector<std::string> MethodNames(bool for_weights) {
  std::vector<std::string> names;
  for (const quant::Method& method : quant::Methods()) {
    if (for_weights ? method.IsForWeights() : method.IsForActivations()) {
      names.push_back(method.name);
    }
  }
  return names;
}

Fields<QuantizationConfig> MakeFields() {
  using Config = QuantizationConfig;
  Fields<Config> fields;
  AddLevels(fields, "weight_bits", &Config::weight_bits,
            "levels of a weight in bits, ascending: 1 to 8, 16, 32 (float)");
  AddLevels(fields, "activation_bits", &Config::activation_bits,
            "levels of the input of a layer; empty: inputs stay float");
  fields
      .Text("weight_quantizer", &Config::weight_quantizer, MethodNames(true), "method for weights")
      .Text("activation_quantizer", &Config::activation_quantizer, MethodNames(false),
            "method for inputs: unsigned levels behind a ReLU, signed ones elsewhere")
      .TextList("pinned", &Config::pinned, {},
                "layers whose bits are not chosen: \"first\", \"last\", or regular expressions "
                "for the names of layers or of modules that hold them")
      .Int("pinned_bits", &Config::pinned_bits, {1, kFloat}, "bits",
           "width of the weights of pinned layers and, where inputs are quantized, of their "
           "inputs; the input of the network stays float")
      .Bool("per_channel", &Config::per_channel, "a scale for each output channel of a weight")
      .Int("kmeans_search_iterations", &Config::kmeans_search_iterations, {1, kLongClimb}, "",
           "most iterations of k-means when a candidate is evaluated in the supernet; HAQ has 3. "
           "Unless it is that of kmeans_final_iterations, an exported candidate is not quite the "
           "one that was measured")
      .Int("kmeans_final_iterations", &Config::kmeans_final_iterations, {1, kLongClimb}, "",
           "the same for a candidate on its own: fine-tuned, timed, exported; HAQ has 50")
      .Text("calibration", &Config::calibration, {"published", "range", "kl"},
            "clipping thresholds: the largest magnitude (range), least KL divergence (kl), or the "
            "second below 5 bits and else the first (published by HAQ)")
      .Number("activation_limit", &Config::activation_limit, {1e-6, 1e12}, "",
              "calibration of \"wave\" never goes beyond it; 6 is that of HAQ, for ReLU6")
      .Text("train_bits", &Config::train_bits, {"float", "sampled"},
            "whether the supernet trains in float, so that bits act in evaluation and "
            "fine-tuning only, or with the bits of the candidate of each step");
  return fields;
}

Status Check(const QuantizationConfig& config, const std::string& pointer) {
  if (config.weight_bits.empty()) {
    return FieldError(pointer + "/weight_bits", "at least one level is needed");
  }
  if (!quant::IsWidth(config.pinned_bits)) {
    return ExpectedError(pointer + "/pinned_bits", "one of 1 to 8, 16, 32", config.pinned_bits);
  }
  const bool has_codebook =
      quant::FindMethod(config.weight_quantizer)->coding == quant::MethodCoding::kCodebook;
  if (config.per_channel && has_codebook) {
    return FieldError(pointer + "/per_channel", "the weight quantizer \"" +
                                                    config.weight_quantizer +
                                                    "\" has one codebook for the whole weight");
  }
  return OkStatus();
}

std::set<std::string> NamesOf(const LayerTable& table) {
  std::set<std::string> names;
  for (const LayerSpec& layer : table) names.insert(layer.name);
  return names;
}

// The dimension that decides whether a layer is there, and its smallest value at which it is.
struct Parent {
  int32_t dimension = -1;
  int64_t min = 0;
};

bool IsAncestor(const SearchSpace& space, size_t ancestor, size_t dimension) {
  for (int32_t d = space.dimensions()[dimension].parent; d >= 0;
       d = space.dimensions()[static_cast<size_t>(d)].parent) {
    if (static_cast<size_t>(d) == ancestor) return true;
  }
  return false;
}

template <class Expand>
std::map<std::string, Parent> FindParents(const SearchSpace& space, const LayerTable& largest,
                                          const Expand& expand) {
  const auto names_at = [&](size_t d, int32_t choice) {
    Candidate lowered = space.Largest();
    lowered.choices[d] = choice;
    return NamesOf(expand(space.Canonical(std::move(lowered))));
  };
  std::map<std::string, std::vector<size_t>> removers;
  for (size_t d = 0; d < space.size(); ++d) {
    if (space.dimensions()[d].choices.size() == 1) continue;
    const std::set<std::string> left = names_at(d, 0);
    for (const LayerSpec& layer : largest) {
      if (left.count(layer.name) == 0) removers[layer.name].push_back(d);
    }
  }
  std::map<std::string, Parent> parents;
  for (const auto& [name, dimensions] : removers) {
    // Children stand behind their parents, so the last one implies the others or there is no order.
    const size_t last = dimensions.back();
    for (const size_t d : dimensions) {
      VOXBIT_CHECK(d == last || IsAncestor(space, d, last),
                   "two independent dimensions decide on the layer " + name);
    }
    int32_t choice = 1;
    while (names_at(last, choice).count(name) == 0) ++choice;
    parents[name] = {static_cast<int32_t>(last),
                     space.dimensions()[last].choices[static_cast<size_t>(choice)]};
  }
  return parents;
}

// The smallest candidate that has what hangs on `parent`.
Candidate SmallestWith(const SearchSpace& space, Parent parent) {
  Candidate candidate = space.Smallest();
  while (parent.dimension >= 0) {
    const auto d = static_cast<size_t>(parent.dimension);
    const std::vector<int64_t>& choices = space.dimensions()[d].choices;
    const auto least = std::lower_bound(choices.begin(), choices.end(), parent.min);
    candidate.choices[d] = static_cast<int32_t>(least - choices.begin());
    parent = {space.dimensions()[d].parent, space.dimensions()[d].parent_min};
  }
  return candidate;
}

// The widths at which `layer` takes no more bytes than at any higher one.
template <class BytesAt>
std::vector<int64_t> WorthwhileLevels(const std::vector<int64_t>& levels, const BytesAt& bytes_at) {
  std::vector<int64_t> kept;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    if (kept.empty() || bytes_at(*level) <= bytes_at(kept.back())) kept.push_back(*level);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace

const Fields<QuantizationConfig>& QuantizationFields() {
  static const Fields<QuantizationConfig> fields = MakeFields();
  return fields;
}

Result<std::unique_ptr<QuantizedSpec>> QuantizedSpec::Create(
    std::shared_ptr<const search::SupernetSpec> inner, const Json& quantization,
    const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(QuantizationConfig config,
                          QuantizationFields().Parse(quantization, pointer));
  VOXBIT_RETURN_IF_ERROR(Check(config, pointer));
  std::unique_ptr<QuantizedSpec> spec(new QuantizedSpec(std::move(inner), std::move(config)));
  const LayerTable largest = spec->ExpandInner(spec->inner_->space().Largest());
  VOXBIT_RETURN_IF_ERROR(spec->PinLayers(largest, pointer + "/pinned"));
  spec->AddDimensions(largest);
  return spec;
}

// Names and order of layers, and whether levels pay, for a network as small as data may ask for.
LayerTable QuantizedSpec::ExpandInner(const Candidate& candidate) const {
  const int64_t in_channels = input_form() == search::InputForm::kClouds ? 3 : 1;
  return inner_->Expand(candidate, in_channels, /*num_classes=*/2);
}

// Leaves a plan with the dimension -1 for pinned layers, and with 0 for those that choose.
Status QuantizedSpec::PinLayers(const LayerTable& largest, const std::string& pointer) {
  std::set<std::string> pinned;
  for (size_t i = 0; i < config_.pinned.size(); ++i) {
    const std::string& pattern = config_.pinned[i];
    if (pattern == "first" || pattern == "last") {
      pinned.insert(pattern == "first" ? largest.front().name : largest.back().name);
      continue;
    }
    const std::string at = pointer + "/" + std::to_string(i);
    bool has_match = false;
    try {
      const std::regex expression("(?:" + pattern + ")(?:\\..*)?");
      for (const LayerSpec& layer : largest) {
        if (!std::regex_match(layer.name, expression)) continue;
        pinned.insert(layer.name);
        has_match = true;
      }
    } catch (const std::regex_error& error) {
      return FieldError(at, "\"" + pattern + "\" is no regular expression: " + error.what());
    }
    if (!has_match) {
      return FieldError(at, "\"" + pattern + "\" is the name of no layer or module; layers are " +
                                largest.front().name + " to " + largest.back().name);
    }
  }
  for (const LayerSpec& layer : largest) {
    LayerPlan& plan = plans_[layer.name];
    const bool reads_data = layer.name == largest.front().name;
    const bool is_pinned = pinned.count(layer.name) > 0;
    plan.weight_dimension = is_pinned ? -1 : 0;
    plan.has_input_quantizer = !config_.activation_bits.empty();
    if (!is_pinned) continue;
    plan.weight_bits = config_.pinned_bits;
    plan.has_input_quantizer &= config_.pinned_bits < kFloat && !reads_data;
    if (plan.has_input_quantizer) plan.activation_bits = config_.pinned_bits;
  }
  return OkStatus();
}

void QuantizedSpec::AddDimensions(const LayerTable& largest) {
  const SearchSpace& inner = inner_->space();
  const auto expand = [this](const Candidate& candidate) { return ExpandInner(candidate); };
  const std::map<std::string, Parent> parents = FindParents(inner, largest, expand);
  std::vector<Dimension> dimensions = inner.dimensions();
  for (const LayerSpec& layer : largest) {
    LayerPlan& plan = plans_[layer.name];
    if (plan.weight_dimension < 0) continue;
    const auto found = parents.find(layer.name);
    const Parent parent = found == parents.end() ? Parent{} : found->second;
    LayerTable smallest = expand(SmallestWith(inner, parent));
    const auto same = std::find_if(smallest.begin(), smallest.end(),
                                   [&](const LayerSpec& row) { return row.name == layer.name; });
    VOXBIT_CHECK(same != smallest.end(), "the layer " + layer.name + " comes and goes");
    const auto bytes_at = [&](int64_t bits) {
      Quantize(plan, bits, kFloat, *same);
      return same->WeightBytes();
    };
    plan.weight_dimension = static_cast<int32_t>(dimensions.size());
    dimensions.push_back({layer.name + ".weight_bits",
                          WorthwhileLevels(config_.weight_bits, bytes_at), parent.dimension,
                          parent.min});
    if (!plan.has_input_quantizer) continue;
    plan.activation_dimension = static_cast<int32_t>(dimensions.size());
    dimensions.push_back(
        {layer.name + ".activation_bits", config_.activation_bits, parent.dimension, parent.min});
  }
  space_ = SearchSpace(std::move(dimensions));
}

const QuantizedSpec::LayerPlan& QuantizedSpec::PlanOf(const LayerSpec& layer) const {
  const auto found = plans_.find(layer.name);
  VOXBIT_CHECK(found != plans_.end(), "the largest candidate has no layer " + layer.name);
  return found->second;
}

void QuantizedSpec::Quantize(const LayerPlan& plan, int64_t weight_bits, int64_t activation_bits,
                             LayerSpec& layer) const {
  const quant::Method& weight = *quant::FindMethod(config_.weight_quantizer);
  const quant::Method& input = *quant::FindMethod(config_.activation_quantizer);
  layer.weight_bits = weight_bits;
  layer.activation_bits = activation_bits;
  layer.chooses_weight_bits = plan.weight_dimension >= 0;
  layer.num_scales = 0;
  const std::string module = layer.tensors.front().substr(0, layer.tensors.front().rfind('.') + 1);
  const auto add_state = [&](const char* name, const std::vector<std::string>& state) {
    for (const std::string& tensor : state) {
      layer.tensors.push_back(std::string(module).append(name).append(".").append(tensor));
    }
  };
  if (weight_bits < kFloat) {
    const bool has_codebook = weight.coding == quant::MethodCoding::kCodebook;
    layer.weight_coding =
        has_codebook ? search::WeightCoding::kCodebook : search::WeightCoding::kScales;
    if (!has_codebook) {
      layer.num_scales = (config_.per_channel ? layer.out_channels : 1) *
                         (weight.coding == quant::MethodCoding::kScalesAndZeros ? 2 : 1);
    }
    add_state(quant::kWeightQuantizer, weight.state);
  }
  if (!plan.has_input_quantizer) return;
  // Kept at 32 bits too: a cost must not fall by a range when a width rises to it.
  layer.num_activation_ranges = static_cast<int64_t>(input.state.size());
  add_state(quant::kInputQuantizer, input.state);
}

Candidate QuantizedSpec::Inner(const Candidate& candidate) const {
  const auto end = candidate.choices.begin() + static_cast<std::ptrdiff_t>(inner_->space().size());
  return Candidate{std::vector<int32_t>(candidate.choices.begin(), end)};
}

Json QuantizedSpec::config() const {
  Json config = inner_->config();
  config[kKey] = QuantizationFields().ToJson(config_);
  return config;
}

LayerTable QuantizedSpec::Expand(const Candidate& candidate, int64_t in_channels,
                                 int64_t num_classes) const {
  int64_t largest_chosen = 0;
  for (const LayerSpec& layer :
       inner_->Expand(inner_->space().Largest(), in_channels, num_classes)) {
    if (PlanOf(layer).weight_dimension >= 0) largest_chosen += layer.WeightCount();
  }
  const auto bits = [&](int32_t dimension, int64_t fixed) {
    return dimension < 0 ? fixed : space_.Value(candidate, static_cast<size_t>(dimension));
  };
  LayerTable table = inner_->Expand(Inner(candidate), in_channels, num_classes);
  for (LayerSpec& layer : table) {
    const LayerPlan& plan = PlanOf(layer);
    Quantize(plan, bits(plan.weight_dimension, plan.weight_bits),
             bits(plan.activation_dimension, plan.activation_bits), layer);
    layer.largest_chosen_weights = largest_chosen;
  }
  return table;
}

Json QuantizedSpec::Describe(const Candidate& candidate) const {
  Json bits = Json::object();
  const LayerTable table = Expand(candidate, 4, 2);
  for (const LayerSpec& layer : table) {
    bits[layer.name] = {{"weight", layer.weight_bits}};
    if (!config_.activation_bits.empty()) bits[layer.name]["activation"] = layer.activation_bits;
  }
  Json description = inner_->Describe(Inner(candidate));
  description["bits"] = std::move(bits);
  return description;
}

std::pair<Json, std::optional<Json>> SplitQuantization(const Json& config) {
  const auto found = config.find(kKey);
  if (found == config.end()) return {config, std::nullopt};
  Json rest = config;
  rest.erase(kKey);
  return {std::move(rest), *found};
}

search::SupernetSpecFactory Quantizable(search::SupernetSpecFactory make) {
  return [make = std::move(make)](
             const Json& config,
             const std::string& pointer) -> Result<std::unique_ptr<search::SupernetSpec>> {
    const auto [plain, quantization] = SplitQuantization(config);
    VOXBIT_ASSIGN_OR_RETURN(std::unique_ptr<search::SupernetSpec> inner, make(plain, pointer));
    if (!quantization) return inner;
    VOXBIT_ASSIGN_OR_RETURN(
        auto spec, QuantizedSpec::Create(std::move(inner), *quantization, pointer + "/" + kKey));
    return std::unique_ptr<search::SupernetSpec>(std::move(spec));
  };
}

}  // namespace voxbit::supernet
