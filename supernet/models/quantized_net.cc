#include "supernet/models/quantized_net.h"

#include <torch/torch.h>

#include <map>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/rng.h"
#include "supernet/models/quantized_spec.h"
#include "supernet/nn/elastic_layer.h"
#include "supernet/quant/quantizer.h"

namespace voxbit::supernet {
namespace {

using Scope = LayerQuantizers::Scope;

constexpr int64_t kFloat = 32;

// The layers of a network by their module paths.
std::map<std::string, std::shared_ptr<ElasticLayer>> LayersOf(const Network& net) {
  std::map<std::string, std::shared_ptr<ElasticLayer>> layers;
  for (const auto& item : net.named_modules("", /*include_self=*/false)) {
    if (auto layer = std::dynamic_pointer_cast<ElasticLayer>(item.value())) {
      layers[item.key()] = std::move(layer);
    }
  }
  return layers;
}

quant::Calibration CalibrationOf(const std::string& name) {
  if (name == "range") return quant::Calibration::kRange;
  return name == "kl" ? quant::Calibration::kKl : quant::Calibration::kPublished;
}

class QuantizedNet final : public Supernet {
 public:
  QuantizedNet(std::shared_ptr<Supernet> inner, std::unique_ptr<QuantizedSpec> spec,
               int64_t in_channels, int64_t num_classes)
      : inner_(std::move(inner)),
        spec_(std::move(spec)),
        in_channels_(in_channels),
        num_classes_(num_classes) {
    quant::RegisterBuiltinQuantizers(quantizers_);
    // Children and not the supernet itself, so that every tensor keeps its name.
    VOXBIT_CHECK(
        inner_->parameters(/*recurse=*/false).empty() && inner_->buffers(/*recurse=*/false).empty(),
        "a supernet with tensors outside its layers");
    for (const auto& child : inner_->named_children()) {
      register_module(child.key(), child.value());
    }
    Select(spec_->space().Largest());
  }

  using Supernet::Forward;
  at::Tensor Forward(const NetInput& input) override { return inner_->Forward(input); }

  const search::SupernetSpec& spec() const override { return *spec_; }

  // The supernet within asks itself whether it trains.
  void train(bool on) override {
    Supernet::train(on);
    inner_->train(on);
  }

  void Select(const search::Candidate& candidate) override {
    inner_->Select(spec_->Inner(candidate));
    const bool trains_bits = spec_->quantization().train_bits == "sampled";
    SetQuantizers(*this, candidate, trains_bits ? Scope::kCandidate : Scope::kEvaluation);
  }

  std::shared_ptr<Network> Standalone(const search::Candidate& candidate) const override {
    auto net = inner_->Standalone(spec_->Inner(candidate));
    SetQuantizers(*net, candidate, Scope::kOwn);
    return net;
  }

  std::shared_ptr<Network> StandaloneFloat(const search::Candidate& candidate) const override {
    return inner_->StandaloneFloat(spec_->Inner(candidate));
  }

  std::map<std::string, double> CountWorkload(const NetInput& input) const override {
    return inner_->CountWorkload(input);
  }

 private:
  // Gives the layers of the candidate their quantizers and takes those of all others away.
  void SetQuantizers(const Network& net, const search::Candidate& candidate, Scope scope) const {
    auto layers = LayersOf(net);
    for (const search::LayerSpec& row : spec_->Expand(candidate, in_channels_, num_classes_)) {
      const std::string& weight = row.tensors.front();
      const auto layer = layers.find(weight.substr(0, weight.rfind('.')));
      VOXBIT_CHECK(layer != layers.end(), "no layer of the network has the weight " + weight);
      layer->second->SetQuantizers(QuantizersOf(row, scope));
      layers.erase(layer);
    }
    for (const auto& [path, layer] : layers) layer->SetQuantizers({});
  }

  LayerQuantizers QuantizersOf(const search::LayerSpec& row, Scope scope) const {
    const QuantizationConfig& config = spec_->quantization();
    LayerQuantizers made;
    made.scope = scope;
    made.calibration = CalibrationOf(config.calibration);
    const auto make = [&](const std::string& name, const quant::QuantizerSettings& settings) {
      return quantizers_.Find(name).value()(settings).value();
    };
    quant::QuantizerSettings settings;
    settings.trainable_range = scope == Scope::kOwn;
    settings.initial_range = config.activation_limit;
    settings.kmeans.max_iterations =
        scope == Scope::kOwn ? config.kmeans_final_iterations : config.kmeans_search_iterations;
    settings.seed = Rng(0).Fork(row.name).seed();
    if (row.weight_bits < kFloat) {
      settings.bits = row.weight_bits;
      settings.channels = config.per_channel ? row.out_channels : 0;
      made.weight = make(config.weight_quantizer, settings);
    }
    if (row.num_activation_ranges > 0) {
      settings.role =
          row.signed_input ? quant::Role::kSignedActivation : quant::Role::kUnsignedActivation;
      settings.bits = row.activation_bits;
      settings.channels = 0;
      made.input = make(config.activation_quantizer, settings);
    }
    return made;
  }

  std::shared_ptr<Supernet> inner_;
  std::unique_ptr<QuantizedSpec> spec_;
  int64_t in_channels_;
  int64_t num_classes_;
  quant::QuantizerRegistry quantizers_{"quantizer"};
};

}  // namespace

SupernetFactory Quantizable(SupernetFactory make) {
  return [make = std::move(make)](const Json& config, const std::string& pointer,
                                  int64_t in_channels, int64_t num_classes,
                                  uint64_t seed) -> Result<std::shared_ptr<Supernet>> {
    const auto [plain, quantization] = SplitQuantization(config);
    VOXBIT_ASSIGN_OR_RETURN(std::shared_ptr<Supernet> inner,
                            make(plain, pointer, in_channels, num_classes, seed));
    if (!quantization) return inner;
    const std::shared_ptr<const search::SupernetSpec> inner_spec(inner, &inner->spec());
    VOXBIT_ASSIGN_OR_RETURN(
        auto spec, QuantizedSpec::Create(inner_spec, *quantization, pointer + "/quantization"));
    return std::shared_ptr<Supernet>(std::make_shared<QuantizedNet>(
        std::move(inner), std::move(spec), in_channels, num_classes));
  };
}

}  // namespace voxbit::supernet
