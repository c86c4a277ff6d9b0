// Torch tensors and module state as safetensors.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <map>
#include <string>

#include "common/status.h"
#include "supernet/export/safetensors.h"

namespace voxbit::exporter {

using TensorMap = std::map<std::string, at::Tensor>;

// Copies of all tensors of a file, on the CPU.
TensorMap ToTensors(const Safetensors& file);
// One of them; NOT_FOUND names it.
Result<at::Tensor> ToTensor(const Safetensors& file, const std::string& name);

// INVALID_ARGUMENT for a dtype that the format of this program does not have.
Result<std::string> Serialize(const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata);
Status WriteFile(const std::string& path, const TensorMap& tensors,
                 const std::map<std::string, std::string>& metadata);

// Parameters and buffers by name, not copied.
TensorMap StateOf(const torch::nn::Module& module);

// Copies `state` into the parameters and buffers of `module`. All names and shapes must agree;
// otherwise FAILED_PRECONDITION lists what is missing, unexpected or of another shape, and nothing
// is changed.
Status LoadState(torch::nn::Module& module, const TensorMap& state);

}  // namespace voxbit::exporter
