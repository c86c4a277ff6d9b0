#include "server/local_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "tests/support/temp_dir.h"

namespace voxbit::testing {
namespace {

using server::LocalWorkers;

TEST(LocalWorkersTest, SaysWhenEveryWorkerEndsRightAfterItsStart) {
  const TempDir dir;
  const std::string program = dir.File("worker");
  const std::string script = "#!/bin/sh\necho \"$@\" >> '" + dir.File("calls") + "'\nexit 3\n";
  ASSERT_TRUE(WriteFileAtomically(program, script).ok());
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  {
    const LocalWorkers workers({.program = program,
                                .server = "127.0.0.1:1",
                                .devices = {"cpu", "cpu"},
                                .cache = dir.File("cache"),
                                .first_pause = Milliseconds(1)});
    EXPECT_FALSE(workers.AllFailing());
    while (!workers.AllFailing()) std::this_thread::yield();  // the test's time-out is the limit
  }
  EXPECT_THAT(ReadFile(dir.File("calls")).value(),
              ::testing::HasSubstr(" --cache " + dir.File("cache")));
}

TEST(LocalWorkersTest, AProgramThatIsNotThereIsAFailureToo) {
  const LocalWorkers workers({.program = "/no/such/program",
                              .server = "127.0.0.1:1",
                              .devices = {"cpu"},
                              .first_pause = Milliseconds(1)});
  while (!workers.AllFailing()) std::this_thread::yield();
}

}  // namespace
}  // namespace voxbit::testing
