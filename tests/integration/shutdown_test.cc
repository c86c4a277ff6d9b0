// Processes that are asked to leave in the middle of a task: they hand it back first.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

// Trains for longer than any of these tests lasts.
Json EndlessStudy(const std::string& name) {
  Json study = SmallStudy(name, 8);
  study["train"]["steps"] = 1'000'000;
  return study;
}

bool TrainingHasStarted(const std::string& log) {
  return Eventually([&] { return ReadText(log).find("train_supernet") != std::string::npos; },
                    kPatience);
}

void ExpectTheTaskWasHandedBack(const TempDir& dir) {
  StoppedStore stopped(dir);
  const search::Study study = stopped.OnlyStudy();
  EXPECT_EQ(study.state, search::StudyState::kActive);
  EXPECT_TRUE(stopped.store().ListTasks(study.id, {}, search::TaskState::kLeased).value().empty());
  int64_t released = 0;
  for (const auto& [task, count] : stopped.Attempts("released")) released += count;
  EXPECT_EQ(released, 1);
  EXPECT_EQ(stopped.store().CheckInvariants().value(), std::vector<std::string>{});
}

// What a script in a terminal does at Ctrl-C: the terminal interrupts everyone, the script passes
// the wish on.
TEST(ShutdownTest, InterruptAndTerminateTogetherLetTheServerDrain) {
  const TempDir dir;
  const std::string log = dir.path() + "/server.log";
  auto server = StartServer(dir, WriteConfig(dir, EndlessStudy("drained"), "127.0.0.1:0", 1));
  ASSERT_TRUE(TrainingHasStarted(log)) << ReadText(log);
  server->Signal(SIGINT);
  SleepMs(50);
  server->Signal(SIGTERM);
  EXPECT_EQ(server->Wait(kPatience), 130) << ReadText(log);
  EXPECT_NE(ReadText(log).find("stopping"), std::string::npos) << ReadText(log);
  ExpectTheTaskWasHandedBack(dir);
}

TEST(ShutdownTest, AServerThatIsToldToEndHasDoneWhatItShould) {
  for (const bool until_done : {false, true}) {
    const TempDir dir;
    const std::string log = dir.path() + "/server.log";
    const std::string config = WriteConfig(dir, EndlessStudy("service"), "127.0.0.1:0", 0);
    Process::Options options{.arguments = {"search-server", "--config", config},
                             .output = log,
                             .max_file_bytes = {},
                             .bound_by_modes = false};
    if (until_done) options.arguments.emplace_back("--until-done");
    Process server(options);
    ASSERT_NE(AddressOf(dir, server), "") << ReadText(log);
    server.Signal(SIGTERM);
    EXPECT_EQ(server.Wait(kPatience), until_done ? 130 : 0) << ReadText(log);
  }
}

// Programs whose command line names the folder.
int64_t ProgramsOf(const TempDir& dir) {
  int64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string line = ReadText(entry.path().string() + "/cmdline");
    count += line.find(dir.path()) != std::string::npos ? 1 : 0;
  }
  return count;
}

TEST(ShutdownTest, WorkersOfAKilledServerEndWithIt) {
  const TempDir dir;
  const std::string log = dir.path() + "/server.log";
  auto server = StartServer(dir, WriteConfig(dir, EndlessStudy("killed"), "127.0.0.1:0", 1));
  ASSERT_TRUE(TrainingHasStarted(log)) << ReadText(log);
  EXPECT_EQ(ProgramsOf(dir), 2);
  server->Kill();
  EXPECT_TRUE(Eventually([&] { return ProgramsOf(dir) == 0; }));
  EXPECT_EQ(ReadText(log).find("leaving without"), std::string::npos) << "it did not wait";
}

TEST(ShutdownTest, TerminatedWorkerHandsItsTaskBack) {
  const TempDir dir;
  const std::string log = dir.path() + "/leaving.log";
  auto server = StartServer(dir, WriteConfig(dir, EndlessStudy("left"), "127.0.0.1:0", 0));
  auto worker = StartWorker(dir, AddressOf(dir, *server), "leaving");
  ASSERT_TRUE(TrainingHasStarted(log)) << ReadText(log);
  worker->Signal(SIGTERM);
  EXPECT_EQ(worker->Wait(kPatience), 0) << ReadText(log);
  server->Kill();
  ExpectTheTaskWasHandedBack(dir);
}

}  // namespace
}  // namespace voxbit::testing
