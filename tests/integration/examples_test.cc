// Configurations that users copy: the server takes them as they are.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/files.h"
#include "tests/integration/process.h"
#include "tests/support/temp_dir.h"

namespace voxbit::testing {
namespace {

std::string SourceDir() {
  const char* folder = std::getenv("VOXBIT_SOURCE_DIR");
  EXPECT_NE(folder, nullptr) << "VOXBIT_SOURCE_DIR is not set; run through ctest";
  return folder == nullptr ? "" : folder;
}

// With workers elsewhere only: their machines would have the data that the examples name.
void ExpectPassesCheck(const std::string& config) {
  const Finished finished = RunToEnd({.arguments = {"search-server", "--config", config, "--check",
                                                    "--set", "/server/local_workers=0"},
                                      .output = "",
                                      .max_file_bytes = {},
                                      .bound_by_modes = false});
  EXPECT_EQ(finished.code, 0) << config << "\n" << finished.output;
}

TEST(ExamplesTest, EveryExampleIsAValidConfiguration) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SourceDir() + "/deploy/examples")) {
    if (entry.path().extension() != ".json") continue;
    ExpectPassesCheck(entry.path().string());
    ++found;
  }
  EXPECT_GE(found, 2);
}

TEST(ExamplesTest, TheConfigurationInTheReadmeIsValid) {
  const std::string text = ReadText(SourceDir() + "/README.md");
  const std::string fence = "```json\n";
  const size_t begin = text.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const size_t end = text.find("```", begin + fence.size());
  ASSERT_NE(end, std::string::npos);
  const TempDir dir;
  const std::string config = dir.path() + "/config.json";
  const std::string json = text.substr(begin + fence.size(), end - begin - fence.size());
  ASSERT_TRUE(WriteFileAtomically(config, json).ok());
  ExpectPassesCheck(config);
}

}  // namespace
}  // namespace voxbit::testing
