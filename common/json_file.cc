#include "common/json_file.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "common/config.h"

namespace voxbit {

Status InlineJsonFile(const std::string& pointer, uintmax_t max_bytes, Json& value) {
  if (!value.is_string()) return OkStatus();
  const auto path = value.get<std::string>();
  std::error_code error;
  // Anything else than a regular file may have no end.
  if (!std::filesystem::is_regular_file(path, error)) {
    return ExpectedError(pointer, "the path of a file", value);
  }
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > max_bytes) {
    return FieldError(pointer, path + " has " + std::to_string(bytes) + " bytes, more than the " +
                                   std::to_string(max_bytes) + " that are allowed");
  }
  Result<Json> parsed = ReadJsonFile(path);
  if (!parsed.ok()) return FieldError(pointer, parsed.status().message());
  value = std::move(parsed).value();
  return OkStatus();
}

bool MakePathAbsolute(Json& value) {
  if (!value.is_string()) return false;
  const std::filesystem::path path = value.get<std::string>();
  if (path.empty() || path.is_absolute()) return false;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return false;
  value = absolute.lexically_normal().string();
  return true;
}

}  // namespace voxbit
