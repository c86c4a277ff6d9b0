#include "supernet/export/tensor_io.h"

#include <torch/torch.h>

#include <cstring>
#include <optional>
#include <sstream>
#include <vector>

#include "common/files.h"

namespace voxbit::exporter {
namespace {

at::ScalarType ScalarOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return at::kFloat;
    case DType::kF16:
      return at::kHalf;
    case DType::kI64:
      return at::kLong;
    case DType::kI32:
      return at::kInt;
    case DType::kU8:
      return at::kByte;
  }
  return at::kFloat;
}

std::optional<DType> DTypeOf(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return DType::kF32;
    case at::kHalf:
      return DType::kF16;
    case at::kLong:
      return DType::kI64;
    case at::kInt:
      return DType::kI32;
    case at::kByte:
      return DType::kU8;
    default:
      return std::nullopt;
  }
}

at::Tensor Copy(const TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, at::TensorOptions(ScalarOf(view.dtype)));
  if (!view.data.empty()) std::memcpy(tensor.data_ptr(), view.data.data(), view.data.size());
  return tensor;
}

std::string ShapeText(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

// Names in lists that an error message can hold.
void Append(std::string& list, const std::string& item) {
  constexpr size_t kLongest = 600;
  if (list.size() > kLongest) return;
  list += list.empty() ? item : ", " + item;
  if (list.size() > kLongest) list += ", ...";
}

}  // namespace

TensorMap ToTensors(const Safetensors& file) {
  TensorMap tensors;
  for (const std::string& name : file.Names()) tensors[name] = Copy(file.Find(name).value());
  return tensors;
}

Result<at::Tensor> ToTensor(const Safetensors& file, const std::string& name) {
  VOXBIT_ASSIGN_OR_RETURN(const TensorView view, file.Find(name));
  return Copy(view);
}

Result<std::string> Serialize(const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::map<std::string, TensorView> views;
  std::vector<at::Tensor> kept;  // contiguous CPU copies that the views point into
  for (const auto& [name, tensor] : tensors) {
    const auto dtype = DTypeOf(tensor.scalar_type());
    if (!dtype.has_value()) {
      return InvalidArgument("tensor \"" + name + "\" has the dtype " +
                             c10::toString(tensor.scalar_type()) +
                             "; known: F32, F16, I64, I32, U8");
    }
    kept.push_back(tensor.detach().to(at::kCPU).contiguous());
    views[name] = {
        *dtype, tensor.sizes().vec(),
        std::string_view(static_cast<const char*>(kept.back().data_ptr()), kept.back().nbytes())};
  }
  return SerializeSafetensors(views, metadata);
}

Status WriteFile(const std::string& path, const TensorMap& tensors,
                 const std::map<std::string, std::string>& metadata) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string bytes, Serialize(tensors, metadata));
  return WriteFileAtomically(path, bytes);
}

TensorMap StateOf(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

Status LoadState(torch::nn::Module& module, const TensorMap& state) {
  const TensorMap own = StateOf(module);
  std::string missing;
  std::string unexpected;
  std::string reshaped;
  for (const auto& [name, tensor] : own) {
    const auto it = state.find(name);
    if (it == state.end()) {
      Append(missing, name);
    } else if (it->second.sizes() != tensor.sizes()) {
      Append(reshaped, name + " " + ShapeText(it->second) + " instead of " + ShapeText(tensor));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (own.count(name) == 0) Append(unexpected, name);
  }
  std::string message;
  if (!missing.empty()) message += "; missing: " + missing;
  if (!unexpected.empty()) message += "; unexpected: " + unexpected;
  if (!reshaped.empty()) message += "; of another shape: " + reshaped;
  if (!message.empty()) {
    return FailedPrecondition("the weights are not those of this network" + message);
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) at::Tensor(tensor).copy_(state.at(name));
  return OkStatus();
}

}  // namespace voxbit::exporter
