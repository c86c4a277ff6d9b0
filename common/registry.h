// Name to factory, for every family of plug-ins. An instance, not a singleton: main builds one
// from the family's .def file, a test may build one with a single fake.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/known_names.h"
#include "common/status.h"

namespace voxbit {

template <class Factory>
class Registry {
 public:
  struct Entry {
    Factory factory;
    std::string help;
  };

  // `kind` is the family's name in error messages, e.g. "algorithm".
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  void Add(std::string name, Factory factory, std::string help) {
    const bool fresh =
        entries_.emplace(std::move(name), Entry{std::move(factory), std::move(help)}).second;
    VOXBIT_CHECK(fresh, "a " + kind_ + " of this name is registered already");
  }

  // INVALID_ARGUMENT for an unknown name, with the one that was probably meant or all there are.
  Result<Factory> Find(std::string_view name) const {
    const auto it = entries_.find(name);
    if (it != entries_.end()) return it->second.factory;
    return InvalidArgument("unknown " + kind_ + " \"" + std::string(name) + "\"; " +
                           KnownNames(name, Names()));
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

 private:
  std::string kind_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace voxbit
