#include "common/config.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <numeric>

namespace voxbit {
namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

Status FieldError(const std::string& pointer, const std::string& message) {
  return InvalidArgument((pointer.empty() ? "/" : pointer) + ": " + message);
}

Status UnknownKeyError(const std::string& pointer, const std::string& key,
                       const std::vector<std::string>& known) {
  std::string nearest;
  size_t best = 3;  // further away is no likely slip
  for (const std::string& name : known) {
    if (const size_t distance = EditDistance(key, name); distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return FieldError(pointer + "/" + key,
                    nearest.empty()
                        ? "unknown key; known here: " + boost::algorithm::join(known, ", ")
                        : "unknown key; did you mean \"" + nearest + "\"?");
}

Status ExpectedError(const std::string& pointer, const std::string& expected, const Json& found) {
  return FieldError(pointer, "expected " + expected + ", found " + Describe(found));
}

std::string HelpTable(const std::vector<FieldHelp>& fields) {
  size_t width = 0;
  for (const FieldHelp& field : fields) width = std::max(width, field.name.size());
  std::string text;
  for (const FieldHelp& field : fields) {
    text += "  " + field.name + std::string(width - field.name.size() + 2, ' ') + field.help;
    text += " (" + field.type;
    if (!field.range.empty()) text += " " + field.range;
    if (!field.unit.empty()) text += ", " + field.unit;
    text += field.initial == "required" ? ", required" : ", default " + field.initial;
    text += ")\n";
  }
  return text;
}

}  // namespace voxbit
