// Field kinds that several domain objects share when they are read from JSON.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/config.h"
#include "search/domain/candidate.h"

namespace voxbit::search {

// A JSON object that somebody else understands.
template <class T>
Fields<T>& AddObject(Fields<T>& fields, std::string name, Json T::*member, std::string help) {
  return fields.Custom(
      std::move(name), "object", std::move(help),
      [member](const Json& found, const std::string& pointer, T& out) -> Status {
        if (!found.is_object()) return ExpectedError(pointer, "an object", found);
        out.*member = found;
        return OkStatus();
      },
      [member](const T& in) { return in.*member; });
}

// The text form of a candidate.
template <class T>
Fields<T>& AddCandidate(Fields<T>& fields, std::string name, Candidate T::*member,
                        std::string help) {
  return fields.Custom(
      std::move(name), "text", std::move(help),
      [member](const Json& found, const std::string& pointer, T& out) -> Status {
        if (!found.is_string()) return ExpectedError(pointer, "text", found);
        Result<Candidate> candidate = DecodeCandidate(found.get<std::string>());
        if (!candidate.ok()) return FieldError(pointer, candidate.status().message());
        out.*member = std::move(candidate).value();
        return OkStatus();
      },
      [member](const T& in) { return Json(Encode(in.*member)); });
}

// The name of an enumerator.
template <class T, class Enum>
Fields<T>& AddEnum(Fields<T>& fields, std::string name, Enum T::*member,
                   Result<Enum> (*parse)(std::string_view), std::string help) {
  return fields.Custom(
      std::move(name), "text", std::move(help),
      [member, parse](const Json& found, const std::string& pointer, T& out) -> Status {
        if (!found.is_string()) return ExpectedError(pointer, "text", found);
        const Result<Enum> value = parse(found.get<std::string>());
        if (!value.ok()) return FieldError(pointer, value.status().message());
        out.*member = *value;
        return OkStatus();
      },
      [member](const T& in) { return Json(std::string(Name(in.*member))); });
}

}  // namespace voxbit::search
