#include "common/json.h"

#include <algorithm>
#include <exception>
#include <set>
#include <vector>

#include "common/files.h"

namespace voxbit {
namespace {

// Ends the parsing of a text that is nested too deeply.
class TooDeep : public std::exception {};

// Watches a text being parsed, and remembers the first key that an object has twice. Throws
// TooDeep.
class Watch {
 public:
  bool operator()(Json::parse_event_t event, Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        StepInList();
        if (open_.size() == kMaxJsonDepth) throw TooDeep();
        open_.emplace_back().is_list = event == Json::parse_event_t::array_start;
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        open_.pop_back();
        break;
      case Json::parse_event_t::key:
        AddKey(value.get_ref<const std::string&>());
        break;
      case Json::parse_event_t::value:
        StepInList();
        break;
    }
    return true;
  }

  // JSON pointer; "" where every key is there once.
  const std::string& duplicate() const { return duplicate_; }

 private:
  struct Level {
    bool is_list = false;
    size_t size = 0;  // of a list, up to where we are
    std::string key;  // of an object, where we are
    std::set<std::string, std::less<>> keys;
  };

  void StepInList() {
    if (!open_.empty() && open_.back().is_list) ++open_.back().size;
  }

  void AddKey(const std::string& key) {
    open_.back().key = key;
    const bool fresh = open_.back().keys.insert(key).second;
    if (fresh || !duplicate_.empty()) return;
    Json::json_pointer pointer;
    for (const Level& level : open_) {
      if (level.is_list) {
        pointer /= level.size - 1;
      } else {
        pointer /= level.key;
      }
    }
    duplicate_ = pointer.to_string();
  }

  std::vector<Level> open_;
  std::string duplicate_;
};

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  try {
    Watch watch;
    Json json = Json::parse(
        text,
        [&watch](int /*depth*/, Json::parse_event_t event, Json& value) {
          return watch(event, value);
        },
        /*allow_exceptions=*/true, /*ignore_comments=*/true);
    if (watch.duplicate().empty()) return json;
    return InvalidArgument(watch.duplicate() + ": this key is given twice; keep one of the two");
  } catch (const TooDeep&) {
    return InvalidArgument("not valid JSON: nested more than " + std::to_string(kMaxJsonDepth) +
                           " levels deep");
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
