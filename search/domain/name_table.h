// Enumerators and their names: how this folder reads and writes them.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "common/known_names.h"
#include "common/status.h"

namespace voxbit::search {

template <class Enum>
struct NameRow {
  Enum value;
  std::string_view name;
};

template <class Enum, size_t kSize>
std::string_view NameIn(const std::array<NameRow<Enum>, kSize>& table, Enum value) {
  for (const NameRow<Enum>& row : table) {
    if (row.value == value) return row.name;
  }
  VOXBIT_CHECK(false, "an enumerator without a name");
  return "";
}

// INVALID_ARGUMENT with the known names; `kind` says of what, e.g. "study state".
template <class Enum, size_t kSize>
Result<Enum> ParseIn(const std::array<NameRow<Enum>, kSize>& table, std::string_view kind,
                     std::string_view name) {
  std::vector<std::string> known;
  for (const NameRow<Enum>& row : table) {
    if (row.name == name) return row.value;
    known.emplace_back(row.name);
  }
  return InvalidArgument("unknown " + std::string(kind) + " \"" + std::string(name) + "\"; " +
                         KnownNames(name, known));
}

}  // namespace voxbit::search
