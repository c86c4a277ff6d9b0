// A client that shares nothing with this code base but the .proto files.
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/files.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

TEST(InteropTest, PythonClientCreatesAStudyWaitsAndReadsTheFront) {
  const TempDir dir;
  const Json none = {{"server",
                      {{"grpc", "127.0.0.1:0"},
                       {"store", dir.path() + "/store"},
                       {"local_workers", 1},
                       {"sync_interval_ms", 200}}}};
  const std::string config = dir.path() + "/config.json";
  ASSERT_TRUE(WriteFileAtomically(config, none.dump()).ok());
  Process server({.arguments = {"search-server", "--config", config},
                  .output = dir.path() + "/server.log",
                  .max_file_bytes = {},
                  .bound_by_modes = false});
  const std::string address = AddressOf(dir, server);
  ASSERT_NE(address, "");
  const std::string study = dir.path() + "/study.json";
  ASSERT_TRUE(WriteFileAtomically(study, SmallStudy("interop", 8).dump()).ok());

  const char* source = std::getenv("VOXBIT_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "run through ctest";
  const Finished finished = RunToEnd(
      {.arguments = {"/usr/bin/python3", std::string(source) + "/tests/interop/interop_client.py",
                     address, study},
       .output = "",
       .max_file_bytes = {},
       .bound_by_modes = false},
      Milliseconds(180'000));
  EXPECT_EQ(finished.code, 0) << finished.output << ReadText(dir.path() + "/server.log");
}

}  // namespace
}  // namespace voxbit::testing
