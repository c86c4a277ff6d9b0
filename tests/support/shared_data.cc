#include "tests/support/shared_data.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace voxbit::testing {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): tests set no variables
  return value == nullptr ? "" : value;
}

}  // namespace

std::string SourceDir() {
  const std::string folder = Environment("VOXBIT_SOURCE_DIR");
  return folder.empty() ? "." : folder;
}

std::optional<std::string> SharedPath(const std::string& relative) {
  std::string root = Environment("VOXBIT_SHARED");
  if (root.empty()) root = SourceDir() + "/../shared";
  std::string path = root + "/" + relative;
  std::error_code error;
  if (std::filesystem::exists(path, error)) return path;
  if (Environment("CI") == "true") ADD_FAILURE() << path << " is missing, and CI needs it";
  return std::nullopt;
}

}  // namespace voxbit::testing
