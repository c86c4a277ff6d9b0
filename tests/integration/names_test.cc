// Names of workers among real processes, and text from outside on its way to logs and terminals.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

class NamesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Json study = SmallStudy("endless", 8);
    study["train"]["steps"] = 1'000'000;
    server_ = StartServer(dir_, WriteConfig(dir_, study, "127.0.0.1:0", 0));
    address_ = AddressOf(dir_, *server_);
    ASSERT_NE(address_, "");
  }

  // A worker whose log is `log`.
  std::unique_ptr<Process> Start(const std::string& log, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"search-worker",
                                          "--server",
                                          address_,
                                          "--threads",
                                          "1",
                                          "--cache",
                                          dir_.path() + "/cache-" + log};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Process>(Process::Options{.arguments = std::move(arguments),
                                                      .output = Log(log),
                                                      .max_file_bytes = {},
                                                      .bound_by_modes = false});
  }
  std::string Log(const std::string& log) const { return dir_.path() + "/" + log + ".log"; }
  // The name under which the worker has registered.
  std::string NameIn(const std::string& log) const {
    std::string line;
    const bool is_there = Eventually(
        [&] {
          line = LineAfter(Log(log), " registered  ");
          return line.find("worker=") != std::string::npos;
        },
        kPatience);
    EXPECT_TRUE(is_there) << ReadText(Log(log));
    return line.substr(line.find("worker=") + 7);
  }
  size_t NumWorkers() const {
    const Finished listed = RunToEnd(
        {.arguments = {"search-client", "--server", address_, "-o", "json", "worker", "list"},
         .output = "",
         .max_file_bytes = {},
         .bound_by_modes = false});
    return Json::parse(listed.output).size();
  }

  TempDir dir_;
  std::unique_ptr<Process> server_;
  std::string address_;
};

TEST_F(NamesTest, TwoWorkersWithTheDefaultNameWorkSideBySide) {
  auto first = Start("first");
  const std::string name = NameIn("first");
  ASSERT_TRUE(Eventually(
      [&] { return ReadText(Log("first")).find("kind=train_supernet") != std::string::npos; },
      kPatience))
      << ReadText(Log("first"));
  auto second = Start("second");
  EXPECT_EQ(NameIn("second"), name + "-2");
  // A restart finds its name again, also right after the process was killed.
  second->Kill();
  second = Start("again");
  EXPECT_EQ(NameIn("again"), name + "-2");
  EXPECT_EQ(NumWorkers(), 2u);
  EXPECT_TRUE(first->Running());
  EXPECT_EQ(ReadText(dir_.path() + "/server.log").find("queued again"), std::string::npos);
}

TEST_F(NamesTest, AGivenNameIsRefusedWhileItsHolderLives) {
  auto first = Start("first", {"--name", "mine"});
  EXPECT_EQ(NameIn("first"), "mine");
  auto second = Start("second", {"--name", "mine"});
  EXPECT_EQ(second->Wait(kPatience), 1) << ReadText(Log("second"));
  EXPECT_NE(ReadText(Log("second")).find("another worker works as \"mine\""), std::string::npos)
      << ReadText(Log("second"));
  EXPECT_TRUE(first->Running());
  first->Kill();
  auto third = Start("third", {"--name", "mine"});
  EXPECT_EQ(NameIn("third"), "mine");
  EXPECT_EQ(NumWorkers(), 1u);
}

TEST_F(NamesTest, ArgumentsThatAreNotUtf8AreWrongUsage) {
  const std::vector<std::vector<std::string>> lines = {
      {"search-client", "--server", address_, "study", "show", "x\xff"},
      {"search-server", "--config", "x\xff"},
      {"search-worker", "--server", address_, "--name", "x\xff"}};
  for (const auto& line : lines) {
    const Finished finished =
        RunToEnd({.arguments = line, .output = "", .max_file_bytes = {}, .bound_by_modes = false});
    EXPECT_EQ(finished.code, 2) << finished.output;
    EXPECT_NE(finished.output.find("is not UTF-8 text: \"x\\xff\""), std::string::npos)
        << finished.output;
    EXPECT_EQ(std::count(finished.output.begin(), finished.output.end(), '\n'), 1)
        << finished.output;
  }
}

class ForgedNamesTest : public NamesTest {
 protected:
  void SetUp() override {
    Json study = SmallStudy("forged", 2);
    study["objectives"].push_back({{"metric", "latency_ms"}, {"target", target_}});
    const std::string config = WriteConfig(dir_, study, "127.0.0.1:0", 0);
    server_ = std::make_unique<Process>(
        Process::Options{.arguments = {"search-server", "--config", config},
                         .output = dir_.path() + "/server.log",
                         .max_file_bytes = {},
                         .bound_by_modes = false});
    address_ = AddressOf(dir_, *server_);
    ASSERT_NE(address_, "");
  }

  const std::string target_ = "a\n=1\x1b[31m";
};

TEST_F(ForgedNamesTest, NothingForgesLinesOrSteersTheTerminal) {
  const std::string name = "w\n2026-01-01 00:00:00 error search-server  FORGED\x1b[31m";
  auto worker = Start("worker", {"--name", name, "--target", target_});
  const std::string server_log = dir_.path() + "/server.log";
  ASSERT_TRUE(Eventually(
      [&] { return ReadText(server_log).find("study completed") != std::string::npos; }, kPatience))
      << ReadText(server_log);
  std::string told = ReadText(server_log) + ReadText(Log("worker"));
  EXPECT_NE(told.find("w\\n2026-01-01"), std::string::npos) << told;
  const std::vector<std::vector<std::string>> questions = {{"pareto", "forged"},
                                                           {"trial", "list", "forged"},
                                                           {"study", "show", "forged"},
                                                           {"worker", "list"}};
  for (const auto& question : questions) {
    std::vector<std::string> arguments = {"search-client", "--server", address_, "--wide"};
    arguments.insert(arguments.end(), question.begin(), question.end());
    const Finished finished = RunToEnd(
        {.arguments = arguments, .output = "", .max_file_bytes = {}, .bound_by_modes = false});
    EXPECT_EQ(finished.code, 0) << finished.output;
    EXPECT_NE(finished.output.find("=1\\x1b[31m"), std::string::npos) << finished.output;
    told += finished.output;
  }
  EXPECT_EQ(told.find("\n2026-01-01 00:00:00"), std::string::npos) << told;
  EXPECT_EQ(told.find("\n=1"), std::string::npos) << told;
  EXPECT_EQ(told.find('\x1b'), std::string::npos) << told;
}

}  // namespace
}  // namespace voxbit::testing
