#include "common/config.h"

#include <algorithm>

#include "common/known_names.h"

namespace voxbit {

Status FieldError(const std::string& pointer, const std::string& message) {
  return InvalidArgument((pointer.empty() ? "/" : pointer) + ": " + message);
}

Status UnknownKeyError(const std::string& pointer, const std::string& key,
                       const std::vector<std::string>& known) {
  return FieldError(pointer + "/" + key, "unknown key; " + KnownNames(key, known));
}

Status UnknownChoiceError(const std::string& pointer, const std::string& expected,
                          const std::string& found, const std::vector<std::string>& choices) {
  const std::string nearest = NearestName(found, choices);
  Status error = ExpectedError(pointer, expected, found);
  if (nearest.empty()) return error;
  return InvalidArgument(error.message() + "; did you mean \"" + nearest + "\"?");
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
