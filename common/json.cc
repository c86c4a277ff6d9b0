#include "common/json.h"

#include <algorithm>

#include "common/files.h"

namespace voxbit {

Result<Json> ParseJson(std::string_view text) {
  try {
    return Json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::parse_error& error) {
    const size_t end = std::min(error.byte, text.size());
    const std::string_view before = text.substr(0, end == 0 ? 0 : end - 1);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t last_newline = before.rfind('\n');
    const size_t column =
        before.size() - (last_newline == std::string_view::npos ? 0 : last_newline + 1) + 1;
    std::string_view what = error.what();
    // nlohmann writes "[...] parse error at line L, column C: <reason>"; only the reason is new.
    const size_t reason = what.find(": ");
    if (reason != std::string_view::npos) what.remove_prefix(reason + 2);
    return InvalidArgument("line " + std::to_string(line) + ", column " + std::to_string(column) +
                           ": not valid JSON: " + std::string(what));
  } catch (const Json::exception& error) {
    // A number such as 1e999 is no parse error to nlohmann.
    std::string_view what = error.what();
    const size_t reason = what.find("] ");
    if (reason != std::string_view::npos) what.remove_prefix(reason + 2);
    return InvalidArgument("not valid JSON: " + std::string(what));
  }
}

Result<Json> ReadJsonFile(const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Result<Json> parsed = ParseJson(text);
  if (!parsed.ok()) return parsed.status().Annotate(path);
  return parsed;
}

std::string CanonicalJson(const Json& value) {
  // nlohmann::json keeps object keys in sorted order.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace voxbit
