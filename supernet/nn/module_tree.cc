#include "supernet/nn/module_tree.h"

#include <torch/torch.h>

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

}  // namespace voxbit::supernet
