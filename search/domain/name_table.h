// Enumerators and their names: how this folder reads and writes them.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "common/check.h"
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

// INVALID_ARGUMENT listing the known names; `kind` says of what, e.g. "study state".
template <class Enum, size_t kSize>
Result<Enum> ParseIn(const std::array<NameRow<Enum>, kSize>& table, std::string_view kind,
                     std::string_view name) {
  std::string known;
  for (const NameRow<Enum>& row : table) {
    if (row.name == name) return row.value;
    known.append(known.empty() ? "" : ", ").append(row.name);
  }
  return InvalidArgument("unknown " + std::string(kind) + " \"" + std::string(name) +
                         "\"; known: " + known);
}

}  // namespace voxbit::search
