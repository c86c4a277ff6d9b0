#include "supernet/export/packed_network.h"

#include <torch/torch.h>

#include <bit>
#include <cstring>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/config.h"
#include "supernet/export/tensor_io.h"
#include "supernet/nn/elastic_layer.h"
#include "supernet/quant/codes/methods.h"

namespace voxbit::exporter {
namespace {

using quant::Coding;
using quant::PackedTensor;
using quant::QuantizedTensor;

static_assert(std::endian::native == std::endian::little,
              "the file's floats are copied as they are");

constexpr int64_t kMostChannels = 65536;  // keeps a hostile file from asking for all memory

Fields<PackedIdentity> IdentityFields() {
  Fields<PackedIdentity> fields;
  fields.Custom(
      "supernet", "object", "configuration of the supernet",
      [](const Json& found, const std::string& pointer, PackedIdentity& out) {
        if (!found.is_object() || !found.contains("kind") || !found["kind"].is_string()) {
          return ExpectedError(pointer, "a supernet's configuration with its kind", found);
        }
        out.supernet = found;
        return OkStatus();
      },
      [](const PackedIdentity& in) { return in.supernet; });
  fields.Required();
  fields.Text("space_digest", &PackedIdentity::space_digest, {}, "of the supernet's space")
      .Required();
  fields.Custom(
      "candidate", "text", "choices of the dimensions of the space",
      [](const Json& found, const std::string& pointer, PackedIdentity& out) {
        if (!found.is_string()) return ExpectedError(pointer, "a candidate", found);
        const auto candidate = search::DecodeCandidate(found.get<std::string>());
        if (!candidate.ok()) return FieldError(pointer, candidate.status().message());
        out.candidate = *candidate;
        return OkStatus();
      },
      [](const PackedIdentity& in) { return Json(search::Encode(in.candidate)); });
  fields.Required();
  fields
      .Int("in_channels", &PackedIdentity::in_channels, {.min = 1, .max = kMostChannels}, "",
           "features of a voxel or point")
      .Required();
  fields
      .Int("num_classes", &PackedIdentity::num_classes, {.min = 1, .max = kMostChannels}, "",
           "outputs")
      .Required();
  return fields;
}

// Layers of a network whose weights are quantized, by the names of those weights.
using QuantizedLayers = std::map<std::string, std::shared_ptr<supernet::ElasticLayer>>;

QuantizedLayers QuantizedLayersOf(const supernet::Network& net) {
  QuantizedLayers layers;
  for (const auto& item : net.named_modules("", /*include_self=*/false)) {
    auto layer = std::dynamic_pointer_cast<supernet::ElasticLayer>(item.value());
    if (layer == nullptr || layer->quantizers().weight == nullptr) continue;
    // A layer registers its weight first.
    const std::string weight = layer->named_parameters(/*recurse=*/false).front().key();
    layers[item.key() + "." + weight] = std::move(layer);
  }
  return layers;
}

// Whether a tensor is the state of a weight's quantizer: the integer form does without it.
bool IsWeightQuantizerState(const std::string& name) {
  return name.find(std::string(".") + quant::kWeightQuantizer + ".") != std::string::npos;
}

// Parameters that the state dict has under other names, too, by those names: a file has them once.
std::set<std::string> OtherNamesOf(const supernet::Network& net) {
  std::set<const void*> parameters;
  for (const at::Tensor& parameter : net.parameters()) parameters.insert(parameter.data_ptr());
  std::set<std::string> names;
  for (const auto& item : net.named_buffers()) {
    const at::Tensor& buffer = item.value();
    if (buffer.numel() > 0 && parameters.count(buffer.data_ptr()) > 0) names.insert(item.key());
  }
  return names;
}

std::string_view BytesOf(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

// The parts point into the tensors.
PackedView ViewOf(const std::string& name, const PackedTensor& packed) {
  PackedView view;
  view.name = name;
  view.coding = packed.coding;
  view.bits = packed.bits;
  view.shape = packed.shape;
  view.zero = packed.zero;
  view.values = BytesOf(packed.values);
  view.mask = BytesOf(packed.kept);
  view.codes = BytesOf(packed.codes);
  view.codebook = BytesOf(packed.codebook);
  view.scales = BytesOf(packed.scales);
  view.zeros = BytesOf(packed.zeros);
  return view;
}

at::Tensor Copy(std::string_view bytes, at::ScalarType type) {
  const auto size = static_cast<int64_t>(bytes.size() / c10::elementSize(type));
  at::Tensor tensor = at::empty({size}, at::TensorOptions(type));
  if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

bool IsFinite(const at::Tensor& tensor) { return tensor.isfinite().all().item<bool>(); }

}  // namespace

Result<PackedIdentity> ParseIdentity(const Json& metadata) {
  return IdentityFields().Parse(metadata, "/metadata");
}

Result<std::string> PackNetwork(supernet::Network& net, const PackedIdentity& identity) {
  const at::NoGradGuard no_grad;
  const QuantizedLayers layers = QuantizedLayersOf(net);
  const std::set<std::string> other_names = OtherNamesOf(net);
  const supernet::TensorMap tensors = net.NamedTensors();
  std::vector<PackedTensor> packed;  // keeps alive what the views point into
  std::vector<PackedView> views;
  packed.reserve(tensors.size());
  views.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    if (IsWeightQuantizerState(name) || other_names.count(name) > 0) continue;
    if (!IsFinite(tensor)) {
      return Infeasible("tensor \"" + name + "\" holds a value that is no finite number");
    }
    QuantizedTensor exported;
    bool store_zeros = false;
    if (const auto layer = layers.find(name); layer != layers.end()) {
      exported = layer->second->ExportWeight();
      store_zeros = layer->second->quantizers().weight->StoresZeros();
    } else {
      exported.values = tensor.detach().to(at::kFloat);
    }
    packed.push_back(quant::Pack(exported, store_zeros));
    views.push_back(ViewOf(name, packed.back()));
  }
  return SerializePacked(IdentityFields().ToJson(identity), views);
}

Result<QuantizedTensor> ToQuantized(const PackedView& view) {
  PackedTensor packed;
  packed.coding = view.coding;
  packed.bits = view.bits;
  packed.shape = view.shape;
  packed.zero = view.zero;
  if (view.coding == Coding::kFloat || view.coding == Coding::kHalf) {
    const at::ScalarType type = view.coding == Coding::kHalf ? at::kHalf : at::kFloat;
    packed.values = Copy(view.values, type).view(view.shape);
  } else {
    packed.codes = Copy(view.codes, at::kByte);
    packed.codebook = Copy(view.codebook, at::kFloat);
    packed.scales = Copy(view.scales, at::kFloat);
    if (!view.mask.empty()) packed.kept = Copy(view.mask, at::kByte);
    if (!view.zeros.empty()) packed.zeros = Copy(view.zeros, at::kFloat);
  }
  Result<QuantizedTensor> tensor = quant::Unpack(packed);
  if (!tensor.ok()) return tensor.status().Annotate("tensor \"" + view.name + "\"");
  return tensor;
}

Status LoadPackedTensors(const PackedFile& file, supernet::Network& net) {
  const QuantizedLayers layers = QuantizedLayersOf(net);
  TensorMap state;
  std::map<std::string, QuantizedTensor> weights;
  for (const PackedView& view : file.tensors()) {
    VOXBIT_ASSIGN_OR_RETURN(QuantizedTensor tensor, ToQuantized(view));
    at::Tensor values = quant::Dequantize(tensor);
    if (!IsFinite(values)) {
      return DataLoss("tensor \"" + view.name + "\" holds a value that is no finite number");
    }
    if (layers.count(view.name) > 0) {
      weights[view.name] = std::move(tensor);
    } else {
      state[view.name] = std::move(values);
    }
  }
  const std::set<std::string> other_names = OtherNamesOf(net);
  for (const auto& [name, tensor] : net.NamedTensors()) {
    // What the layers fill by themselves, below, or another name fills, is loaded from itself.
    if (weights.count(name) > 0 || IsWeightQuantizerState(name) || other_names.count(name) > 0) {
      state[name] = tensor;
    }
  }
  VOXBIT_RETURN_IF_ERROR(LoadState(net, state));
  for (const auto& [name, weight] : weights) {
    const Status loaded = layers.at(name)->LoadExportedWeight(weight);
    if (!loaded.ok()) return loaded.Annotate("tensor \"" + name + "\"");
  }
  return OkStatus();
}

Result<std::shared_ptr<supernet::Network>> LoadPacked(const PackedFile& file,
                                                      const supernet::SupernetRegistry& registry) {
  VOXBIT_ASSIGN_OR_RETURN(const PackedIdentity identity, ParseIdentity(file.metadata()));
  VOXBIT_ASSIGN_OR_RETURN(const auto make,
                          registry.Find(identity.supernet["kind"].get<std::string>()));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet,
                          make(identity.supernet, "/metadata/supernet", identity.in_channels,
                               identity.num_classes, /*seed=*/0));
  const search::SearchSpace& space = supernet->spec().space();
  if (space.digest() != identity.space_digest) {
    return FailedPrecondition("packed for the search space " + identity.space_digest +
                                  ", which is " + space.digest() + " in this version",
                              "SPACE_MISMATCH");
  }
  VOXBIT_RETURN_IF_ERROR(space.Validate(identity.candidate).Annotate("/metadata/candidate"));
  auto net = supernet->Standalone(identity.candidate);
  net->eval();
  VOXBIT_RETURN_IF_ERROR(LoadPackedTensors(file, *net));
  return net;
}

}  // namespace voxbit::exporter
