// Declared configuration fields: one declaration gives the parser, the validation, the default,
// the help text and the resolved form. Unknown keys, wrong types and values out of range are
// errors that name the JSON pointer, the value found and what would be right.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/number_text.h"
#include "common/status.h"

namespace voxbit {

// What a field says about itself in help texts and documentation.
struct FieldHelp {
  std::string name;
  std::string type;     // "integer", "number", "text", "true or false", "object", "list"
  std::string range;    // "1 to 100000", "one of a, b", ""
  std::string unit;     // "m", "steps", "" for a pure number
  std::string initial;  // the default as JSON, "required" if there is none
  std::string help;
};

Status UnknownKeyError(const std::string& pointer, const std::string& key,
                       const std::vector<std::string>& known);
Status ExpectedError(const std::string& pointer, const std::string& expected, const Json& found);
// ExpectedError for a text that is none of `choices`, with the one that was probably meant.
Status UnknownChoiceError(const std::string& pointer, const std::string& expected,
                          const std::string& found, const std::vector<std::string>& choices);
// INVALID_ARGUMENT "<pointer>: <message>".
Status FieldError(const std::string& pointer, const std::string& message);

// The fields of one JSON object, bound to the members of T. The value that a member has in a
// default-constructed T is the field's default; a field marked Required has none.
template <class T>
class Fields {
 public:
  struct IntRange {
    int64_t min = std::numeric_limits<int64_t>::min();
    int64_t max = std::numeric_limits<int64_t>::max();
  };
  struct NumberRange {
    double min = -std::numeric_limits<double>::infinity();
    double max = std::numeric_limits<double>::infinity();
  };

  template <class I>
  Fields& Int(std::string name, I T::*member, IntRange range, std::string unit, std::string help) {
    return Add(
        {std::move(name), "integer", IntRangeText(range), std::move(unit), "", std::move(help)},
        [member, range](const Json& found, const std::string& pointer, T& out) -> Status {
          const std::string expected = "an integer" + Suffix(IntRangeText(range));
          if (!found.is_number_integer()) return ExpectedError(pointer, expected, found);
          if (found.is_number_unsigned() &&
              found.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
            return ExpectedError(pointer, expected, found);
          }
          const auto value = found.get<int64_t>();
          if (value < range.min || value > range.max) {
            return ExpectedError(pointer, expected, found);
          }
          out.*member = static_cast<I>(value);
          return OkStatus();
        },
        [member](const T& in) { return Json(in.*member); });
  }

  // A seed: any integer of 64 bits without a sign.
  Fields& Seed(std::string name, uint64_t T::*member, std::string help) {
    const std::string range = "from 0 to " + std::to_string(std::numeric_limits<uint64_t>::max());
    return Add(
        {std::move(name), "integer", range, "", "", std::move(help)},
        [member, range](const Json& found, const std::string& pointer, T& out) -> Status {
          const bool is_seed = found.is_number_unsigned() ||
                               (found.is_number_integer() && found.get<int64_t>() >= 0);
          if (!is_seed) return ExpectedError(pointer, "an integer " + range, found);
          out.*member = found.get<uint64_t>();
          return OkStatus();
        },
        [member](const T& in) { return Json(in.*member); });
  }

  Fields& Number(std::string name, double T::*member, NumberRange range, std::string unit,
                 std::string help) {
    return Add(
        {std::move(name), "number", NumberRangeText(range), std::move(unit), "", std::move(help)},
        [member, range](const Json& found, const std::string& pointer, T& out) -> Status {
          const std::string expected = "a number" + Suffix(NumberRangeText(range));
          if (!found.is_number()) return ExpectedError(pointer, expected, found);
          const auto value = found.get<double>();
          if (!(value >= range.min && value <= range.max)) {
            return ExpectedError(pointer, expected, found);
          }
          out.*member = value;
          return OkStatus();
        },
        [member](const T& in) { return Json(in.*member); });
  }

  Fields& Bool(std::string name, bool T::*member, std::string help) {
    return Add(
        {std::move(name), "true or false", "", "", "", std::move(help)},
        [member](const Json& found, const std::string& pointer, T& out) -> Status {
          if (!found.is_boolean()) return ExpectedError(pointer, "true or false", found);
          out.*member = found.get<bool>();
          return OkStatus();
        },
        [member](const T& in) { return Json(in.*member); });
  }

  // `choices` empty: any text.
  Fields& Text(std::string name, std::string T::*member, const std::vector<std::string>& choices,
               std::string help) {
    std::string range;
    for (const auto& choice : choices) range += (range.empty() ? "one of " : ", ") + choice;
    return Add(
        {std::move(name), "text", range, "", "", std::move(help)},
        [member, choices, range](const Json& found, const std::string& pointer, T& out) -> Status {
          const std::string expected = choices.empty() ? "text" : range;
          if (!found.is_string()) return ExpectedError(pointer, expected, found);
          auto value = found.get<std::string>();
          bool known = choices.empty();
          for (const auto& choice : choices) known = known || choice == value;
          if (!known) return UnknownChoiceError(pointer, expected, value, choices);
          out.*member = std::move(value);
          return OkStatus();
        },
        [member](const T& in) { return Json(in.*member); });
  }

  // A list of texts, each one of `choices` (empty: any).
  Fields& TextList(std::string name, std::vector<std::string> T::*member,
                   const std::vector<std::string>& choices, std::string help) {
    std::string range;
    for (const auto& choice : choices) range += (range.empty() ? "each one of " : ", ") + choice;
    return Add(
        {std::move(name), "list", range, "", "", std::move(help)},
        [member, choices, range](const Json& found, const std::string& pointer, T& out) -> Status {
          if (!found.is_array()) return ExpectedError(pointer, "a list of texts", found);
          std::vector<std::string> values;
          for (size_t i = 0; i < found.size(); ++i) {
            const std::string at = pointer + "/" + std::to_string(i);
            if (!found[i].is_string()) return ExpectedError(at, "text", found[i]);
            values.push_back(found[i].template get<std::string>());
            bool known = choices.empty();
            for (const auto& choice : choices) known = known || choice == values.back();
            if (!known) return UnknownChoiceError(at, range.substr(5), values.back(), choices);
          }
          out.*member = std::move(values);
          return OkStatus();
        },
        [member](const T& in) { return Json(in.*member); });
  }

  // Anything that a function of its own reads: objects, lists of objects, alternatives.
  // `parse(json, pointer, out)` and `print(in)`.
  Fields& Custom(std::string name, std::string type, std::string help,
                 std::function<Status(const Json&, const std::string&, T&)> parse,
                 std::function<Json(const T&)> print) {
    return Add({std::move(name), std::move(type), "", "", "", std::move(help)}, std::move(parse),
               std::move(print));
  }

  // A nested object with fields of its own.
  template <class U>
  Fields& Object(std::string name, U T::*member, Fields<U> fields, std::string help) {
    return Add(
        {std::move(name), "object", "", "", "", std::move(help)},
        [member, fields](const Json& found, const std::string& pointer, T& out) -> Status {
          return fields.ParseInto(found, pointer, out.*member);
        },
        [member, fields](const T& in) { return fields.ToJson(in.*member); });
  }

  // The field declared last has no default.
  Fields& Required() {
    fields_.back().required = true;
    fields_.back().help.initial = "required";
    return *this;
  }

  // Reads `json`, found at `pointer` ("" for the root), over the values that `out` has.
  Status ParseInto(const Json& json, const std::string& pointer, T& out) const {
    if (!json.is_object()) return ExpectedError(pointer, "an object", json);
    for (const auto& [key, value] : json.items()) {
      if (Find(key) == nullptr) return UnknownKeyError(pointer, key, Names());
    }
    for (const Field& field : fields_) {
      const auto it = json.find(field.help.name);
      if (it == json.end()) {
        if (field.required) return FieldError(pointer + "/" + field.help.name, "missing");
        continue;
      }
      VOXBIT_RETURN_IF_ERROR(field.parse(*it, pointer + "/" + field.help.name, out));
    }
    return OkStatus();
  }

  Result<T> Parse(const Json& json, const std::string& pointer) const {
    T value{};
    VOXBIT_RETURN_IF_ERROR(ParseInto(json, pointer, value));
    return value;
  }

  // Every field with its value: the resolved configuration.
  Json ToJson(const T& value) const {
    Json json = Json::object();
    for (const Field& field : fields_) json[field.help.name] = field.print(value);
    return json;
  }

  std::vector<FieldHelp> Help() const {
    std::vector<FieldHelp> help;
    const T defaults{};
    for (const Field& field : fields_) {
      help.push_back(field.help);
      if (!field.required) help.back().initial = CanonicalJson(field.print(defaults));
    }
    return help;
  }

 private:
  struct Field {
    FieldHelp help;
    std::function<Status(const Json&, const std::string&, T&)> parse;
    std::function<Json(const T&)> print;
    bool required = false;
  };

  Fields& Add(FieldHelp help, std::function<Status(const Json&, const std::string&, T&)> parse,
              std::function<Json(const T&)> print) {
    fields_.push_back({std::move(help), std::move(parse), std::move(print)});
    return *this;
  }

  const Field* Find(const std::string& name) const {
    for (const Field& field : fields_) {
      if (field.help.name == name) return &field;
    }
    return nullptr;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Field& field : fields_) names.push_back(field.help.name);
    return names;
  }

  static std::string Suffix(const std::string& range) { return range.empty() ? "" : " " + range; }
  static std::string IntRangeText(const IntRange& range) {
    const IntRange all{};
    if (range.min == all.min && range.max == all.max) return "";
    if (range.max == all.max) return "of at least " + std::to_string(range.min);
    return "from " + std::to_string(range.min) + " to " + std::to_string(range.max);
  }
  static std::string NumberRangeText(const NumberRange& range) {
    const NumberRange all{};
    if (range.min == all.min && range.max == all.max) return "";
    if (range.max == all.max) return "of at least " + NumberText(range.min);
    return "from " + NumberText(range.min) + " to " + NumberText(range.max);
  }

  std::vector<Field> fields_;
};

// A table of fields as plain text for --help and the documentation.
std::string HelpTable(const std::vector<FieldHelp>& fields);

}  // namespace voxbit
