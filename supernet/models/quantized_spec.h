// Any supernet with bits: a decorator that gives the layers of a spec dimensions for their widths.
// No torch.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/config.h"
#include "common/json.h"
#include "common/status.h"
#include "search/space/supernet_spec.h"

namespace voxbit::supernet {

// The object "quantization" in a study's "supernet".
struct QuantizationConfig {
  std::vector<int64_t> weight_bits = {2, 3, 4, 5, 6, 7, 8};
  std::vector<int64_t> activation_bits = {};  // empty: inputs stay float
  std::string weight_quantizer = "kmeans";
  std::string activation_quantizer = "wave";
  std::vector<std::string> pinned = {"first", "last"};
  int64_t pinned_bits = 32;
  bool per_channel = false;
  int64_t kmeans_search_iterations = 50;
  int64_t kmeans_final_iterations = 50;
  std::string calibration = "published";
  double activation_limit = 6;
  std::string train_bits = "float";
};

const Fields<QuantizationConfig>& QuantizationFields();

// The space of another supernet, and behind its dimensions two for each layer that is not pinned,
// in the order of layers of the largest candidate: "<layer>.weight_bits" and, where inputs are
// quantized, "<layer>.activation_bits". A layer that only some candidates have gets the dimension
// that decides on it as parent. Of the levels of a weight those are left out at which it would take
// more bytes than at a higher one (a codebook of 256 entries for 500 weights), so that costs never
// fall when a choice rises. Layers tell their widths and what they store; everything else is the
// other supernet's.
class QuantizedSpec final : public search::SupernetSpec {
 public:
  // INVALID_ARGUMENT names what is wrong in `quantization`, found at `pointer`.
  static Result<std::unique_ptr<QuantizedSpec>> Create(
      std::shared_ptr<const search::SupernetSpec> inner, const Json& quantization,
      const std::string& pointer);

  const search::SearchSpace& space() const override { return space_; }
  search::InputForm input_form() const override { return inner_->input_form(); }
  bool classifies_clouds() const override { return inner_->classifies_clouds(); }
  int64_t min_points() const override { return inner_->min_points(); }
  std::map<std::string, int64_t> CloudWorkload(int64_t points) const override {
    return inner_->CloudWorkload(points);
  }
  // The other supernet where training is in float.
  const search::SupernetSpec& trained() const override {
    return config_.train_bits == "float" ? inner_->trained() : *this;
  }
  Json config() const override;
  search::LayerTable Expand(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const override;
  // The other supernet's, and "bits": {layer: {"weight": 4, "activation": 8}}.
  Json Describe(const search::Candidate& candidate) const override;

  const QuantizationConfig& quantization() const { return config_; }
  // The candidate in the other supernet's space.
  search::Candidate Inner(const search::Candidate& candidate) const;

 private:
  // Where a layer has its widths from: a dimension, or fixed ones where that is -1.
  struct LayerPlan {
    int32_t weight_dimension = -1;
    int32_t activation_dimension = -1;
    int64_t weight_bits = 32;
    int64_t activation_bits = 32;
    bool has_input_quantizer = false;
  };

  QuantizedSpec(std::shared_ptr<const search::SupernetSpec> inner, QuantizationConfig config)
      : inner_(std::move(inner)), config_(std::move(config)) {}

  Status PinLayers(const search::LayerTable& largest, const std::string& pointer);
  void AddDimensions(const search::LayerTable& largest);
  search::LayerTable ExpandInner(const search::Candidate& candidate) const;
  // Fills in what `bits` mean for a layer.
  void Quantize(const LayerPlan& plan, int64_t weight_bits, int64_t activation_bits,
                search::LayerSpec& layer) const;
  const LayerPlan& PlanOf(const search::LayerSpec& layer) const;

  std::shared_ptr<const search::SupernetSpec> inner_;
  QuantizationConfig config_;
  std::map<std::string, LayerPlan> plans_;  // of every layer of the largest candidate
  search::SearchSpace space_;
};

// A "supernet" object without its key "quantization", and the value of that key if it is there.
std::pair<Json, std::optional<Json>> SplitQuantization(const Json& config);

// `make`, and a QuantizedSpec around what it makes where the configuration asks for that.
search::SupernetSpecFactory Quantizable(search::SupernetSpecFactory make);

}  // namespace voxbit::supernet
