// Expands quant/builtin.def without its factories.
#include "supernet/quant/codes/methods.h"

#include <sstream>

namespace voxbit::quant {
namespace {

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

const std::vector<Method>& Methods() {
  static const std::vector<Method> methods = {
#define VOXBIT_QUANTIZER(name, factory, roles, coding, state, help) \
  {name, MethodRoles::roles, MethodCoding::coding, Words(state)},
#include "supernet/quant/builtin.def"
#undef VOXBIT_QUANTIZER
  };
  return methods;
}

const Method* FindMethod(std::string_view name) {
  for (const Method& method : Methods()) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace voxbit::quant
