// Modules at dotted paths, so that state-dict names are exactly those of the official networks.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <utility>

namespace voxbit::supernet {

// A module that only groups others.
class ModuleGroup : public torch::nn::Module {};

// Registers `module` below `root` at a path such as "net.conv"; groups on the way are made.
// Requires: the path is free.
void RegisterAt(torch::nn::Module& root, const std::string& path,
                const std::shared_ptr<torch::nn::Module>& module);

// Constructs M and registers it.
template <class M, class... Args>
std::shared_ptr<M> AddModule(torch::nn::Module& root, const std::string& path, Args&&... args) {
  auto module = std::make_shared<M>(std::forward<Args>(args)...);
  RegisterAt(root, path, module);
  return module;
}

// Fills every parameter and buffer of `to` with the leading part, along each axis, of that of the
// same name in `from`. Requires: `from` has all of them, with as many axes, none shorter.
void CopyLeadingSlices(const torch::nn::Module& from, torch::nn::Module& to);

}  // namespace voxbit::supernet
