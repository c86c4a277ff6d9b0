#include "server/study/config_override.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include "common/set_value.h"

namespace voxbit::server {
namespace {

constexpr char kAppend[] = "-";

// A number without a sign and without zeros in front.
std::optional<size_t> IndexOf(const std::string& token) {
  size_t index = 0;
  const char* const end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, index);
  const bool is_index = error == std::errc() && rest == end && token == std::to_string(index);
  return is_index ? std::optional<size_t>(index) : std::nullopt;
}

// First token first. Throws Json::parse_error for what is no JSON pointer.
std::vector<std::string> Tokens(const std::string& text) {
  std::vector<std::string> tokens;
  for (Json::json_pointer left(text); !left.empty(); left.pop_back()) tokens.push_back(left.back());
  std::reverse(tokens.begin(), tokens.end());
  return tokens;
}

Status LeadsNowhere(const std::string& pointer, const std::string& why) {
  return InvalidArgument("--set " + pointer + ": " + why);
}

Status LeadsToNoList(const std::string& pointer, const std::string& list) {
  return LeadsNowhere(
      pointer, list + " is not there; give the whole list, as in --set '" + list + "=[...]'");
}

std::string Entries(const std::string& at, size_t size) {
  if (size == 0) return at + " is an empty list";
  return at + " has " + std::to_string(size) + (size == 1 ? " entry" : " entries") +
         ", the last one is " + at + "/" + std::to_string(size - 1);
}

bool IsAbout(const Status& status, const ConfigOverride& change) {
  return !status.ok() && status.message().find(change.pointer + ": ") != std::string::npos;
}

bool WantsText(const Status& status, const ConfigOverride& change) {
  return status.message().find(change.pointer + ": expected text,") != std::string::npos;
}

// The member of the list `node`, found at `at`, that `token` names.
Result<Json*> Entry(const std::string& pointer, const std::string& at, const std::string& token,
                    bool is_last, Json& node) {
  if (token == kAppend && is_last) {
    node.push_back(nullptr);
    return &node.back();
  }
  const std::optional<size_t> index = IndexOf(token);
  if (index.has_value() && *index < node.size()) return &node[*index];
  return LeadsNowhere(pointer, Entries(at, node.size()) + "; " + at + "/- appends one");
}

}  // namespace

Result<ConfigOverride> ParseOverride(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || argument.front() != '/') {
    return InvalidArgument("--set " + argument +
                           ": expected POINTER=VALUE, as in /server/store=runs/a");
  }
  ConfigOverride change{argument.substr(0, equals), nullptr};
  Result<Json> value = ParseSetValue(argument.substr(equals + 1));
  if (!value.ok()) return LeadsNowhere(change.pointer, value.status().message());
  change.value = std::move(value).value();
  return change;
}

Status ApplyOverride(const ConfigOverride& change, Json& config) {
  std::vector<std::string> tokens;
  try {
    tokens = Tokens(change.pointer);
  } catch (const Json::exception&) {
    return LeadsNowhere(change.pointer, "is no JSON pointer: only ~0 and ~1 may follow a '~'");
  }
  Json* node = &config;
  std::string at;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    const bool is_last = i + 1 == tokens.size();
    if (node->is_array()) {
      VOXBIT_ASSIGN_OR_RETURN(node, Entry(change.pointer, at, token, is_last, *node));
    } else if (node->is_object()) {
      const bool is_new = !node->contains(token);
      const bool wants_list =
          !is_last && (IndexOf(tokens[i + 1]).has_value() || tokens[i + 1] == kAppend);
      if (is_new && wants_list) return LeadsToNoList(change.pointer, at.append("/").append(token));
      if (is_new && !is_last) (*node)[token] = Json::object();
      node = &(*node)[token];
    } else {
      return LeadsNowhere(
          change.pointer,
          at + " is " + Describe(*node) + ", which has nothing inside" +
              (node->is_string() ? "; a study file of its own is edited there" : ""));
    }
    at += "/" + token;
  }
  *node = change.value;
  return OkStatus();
}

Status WithTextHint(const Status& status, const std::vector<ConfigOverride>& changes,
                    const std::function<Status(const ConfigOverride&)>& check) {
  for (const ConfigOverride& change : changes) {
    if (!IsAbout(status, change)) continue;
    if (change.value.is_string() || change.value.is_structured()) continue;
    const ConfigOverride as_text{change.pointer, change.value.dump()};
    Status of_text = check(as_text);
    const bool is_right = !IsAbout(of_text, change);
    if (!is_right && WantsText(status, change)) return of_text;
    if (!is_right) continue;
    return {status.code(),
            status.message() + "; a text is written in quotes: --set '" + change.pointer + "=\"" +
                change.value.dump() + "\"'",
            status.reason()};
  }
  return status;
}

}  // namespace voxbit::server
