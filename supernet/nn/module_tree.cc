#include "supernet/nn/module_tree.h"

#include <torch/torch.h>

#include "common/check.h"

namespace voxbit::supernet {

void RegisterAt(torch::nn::Module& root, const std::string& path,
                const std::shared_ptr<torch::nn::Module>& module) {
  const size_t dot = path.find('.');
  if (dot == std::string::npos) {
    root.register_module(path, module);
    return;
  }
  const std::string name = path.substr(0, dot);
  std::shared_ptr<torch::nn::Module> next;
  for (const auto& child : root.named_children()) {
    if (child.key() == name) next = child.value();
  }
  if (next == nullptr) next = root.register_module(name, std::make_shared<ModuleGroup>());
  RegisterAt(*next, path.substr(dot + 1), module);
}

void CopyLeadingSlices(const torch::nn::Module& from, torch::nn::Module& to) {
  const at::NoGradGuard no_grad;
  const auto copy = [](const auto& all, const auto& wanted) {
    for (const auto& item : wanted) {
      const at::Tensor* source = all.find(item.key());
      VOXBIT_CHECK(source != nullptr && source->dim() == item.value().dim(),
                   "no tensor to cut " + item.key() + " from");
      at::Tensor slice = *source;
      at::Tensor target = item.value();
      for (int64_t axis = 0; axis < slice.dim(); ++axis) {
        slice = slice.narrow(axis, 0, target.size(axis));
      }
      target.copy_(slice);
    }
  };
  copy(from.named_parameters(), to.named_parameters());
  copy(from.named_buffers(), to.named_buffers());
}

}  // namespace voxbit::supernet
