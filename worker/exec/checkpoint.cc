#include "worker/exec/checkpoint.h"

#include <torch/torch.h>

#include <utility>

#include "common/json.h"
#include "supernet/export/safetensors.h"
#include "supernet/export/tensor_io.h"

namespace voxbit::worker {
namespace {

constexpr const char* kSpaceDigest = "space_digest";

Status Load(const exporter::Safetensors& file, supernet::Network& net) {
  const exporter::TensorMap tensors = exporter::ToTensors(file);
  for (const auto& [name, tensor] : tensors) {
    if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>()) {
      return Infeasible("tensor \"" + name + "\" holds a value that is no finite number");
    }
  }
  return exporter::LoadState(net, tensors);
}

}  // namespace

Result<std::string> SaveCheckpoint(const supernet::Supernet& net, Metadata more) {
  more["format"] = "voxbit-supernet";
  more["supernet"] = CanonicalJson(net.spec().trained().config());
  more[kSpaceDigest] = net.spec().trained().space().digest();
  return exporter::Serialize(net.NamedTensors(), more);
}

Status LoadCheckpoint(const std::string& path, supernet::Supernet& net) {
  VOXBIT_ASSIGN_OR_RETURN(const auto file, exporter::Safetensors::Read(path));
  const auto digest = file.metadata().find(kSpaceDigest);
  const std::string& expected = net.spec().trained().space().digest();
  if (digest != file.metadata().end() && digest->second != expected) {
    return FailedPrecondition(
        path + ": trained for the search space " + digest->second + ", expected " + expected,
        "SPACE_MISMATCH");
  }
  const Status status = Load(file, net);
  return status.ok() ? status : status.Annotate(path);
}

Result<std::string> SaveWeights(const supernet::Network& net, Metadata more) {
  more["format"] = "voxbit-weights";
  return exporter::Serialize(net.NamedTensors(), more);
}

Status LoadWeights(const std::string& path, supernet::Network& net) {
  VOXBIT_ASSIGN_OR_RETURN(const auto file, exporter::Safetensors::Read(path));
  const Status status = Load(file, net);
  return status.ok() ? status : status.Annotate(path);
}

}  // namespace voxbit::worker
