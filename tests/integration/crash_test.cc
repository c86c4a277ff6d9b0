// Processes killed in the middle of their work: nothing acknowledged is lost, nothing is counted
// twice, and a resumed search proposes what an undisturbed one proposes.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "common/rng.h"
#include "server/study/report.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

constexpr Milliseconds kStudyLimit{240'000};

// Scans large enough that a task takes a good part of a second: a kill falls into one.
Json SlowerStudy(const std::string& name, int64_t trials) {
  Json study = SmallStudy(name, trials);
  study["dataset"].update(
      {{"val_scans", 4}, {"beams", 32}, {"azimuth_steps", 512}, {"voxel_m", 0.3}});
  return study;
}

// Tasks whose result the server acknowledged as recorded, by the worker's own log.
std::set<int64_t> AcknowledgedTasks(const std::string& log) {
  std::set<int64_t> tasks;
  std::istringstream lines(ReadText(log));
  for (std::string line; std::getline(lines, line);) {
    const Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (entry.is_discarded() || entry.value("message", "") != "outcome recorded") continue;
    tasks.insert(entry.at("task").get<int64_t>());
  }
  return tasks;
}

void ExpectEveryTrialMeasuredOnce(StoppedStore& stopped, int64_t trials) {
  EXPECT_EQ(stopped.OnlyStudy().state, search::StudyState::kCompleted);
  const auto rows = stopped.Trials();
  ASSERT_EQ(static_cast<int64_t>(rows.size()), trials);
  std::set<std::string> digests;
  std::set<int64_t> sequences;
  for (const auto& trial : rows) {
    EXPECT_EQ(trial.state, search::TrialState::kSucceeded) << trial.number << trial.message;
    digests.insert(trial.digest);
    sequences.insert(trial.sequence);
  }
  EXPECT_EQ(static_cast<int64_t>(digests.size()), trials);
  EXPECT_EQ(static_cast<int64_t>(sequences.size()), trials);
  EXPECT_EQ(*sequences.rbegin(), trials);
  for (const auto& [task, count] : stopped.Attempts("done")) {
    EXPECT_EQ(count, 1) << "task " << task;
  }
  EXPECT_EQ(stopped.store().CheckInvariants().value(), std::vector<std::string>{});
}

void ExpectFrontEqualsRecomputation(StoppedStore& stopped) {
  const auto trials = stopped.Trials();
  const auto front = server::ComputeFront(trials, stopped.OnlyStudy().config.objectives, {});
  std::vector<int64_t> numbers;
  for (const auto& trial : front.trials) numbers.push_back(trial.number);
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, FrontByAllPairs(trials));
}

// Number of trials whose evaluation this worker has handed in.
size_t Recorded(const TempDir& dir, const std::string& worker) {
  return AcknowledgedTasks(dir.path() + "/" + worker + ".log").size();
}

TEST(CrashTest, KilledWorkersTasksAreRunAgainAndEveryTrialIsMeasuredOnce) {
  const TempDir dir;
  constexpr int64_t kTrials = 32;
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  const auto config = WriteConfig(dir, SlowerStudy("worker-killed", kTrials), address, 0);
  auto server = StartServer(dir, config);
  ASSERT_EQ(AddressOf(dir, *server), address);

  Rng rng(11);
  auto worker = StartWorker(dir, address, "victim");
  for (size_t kills = 0; kills < 4; ++kills) {
    const size_t before = Recorded(dir, "victim");
    ASSERT_TRUE(Eventually([&] { return Recorded(dir, "victim") > before; }, kStudyLimit));
    SleepMs(rng.Below(300));
    worker->Kill();
    worker = StartWorker(dir, address, "victim");
  }
  EXPECT_EQ(server->Wait(kStudyLimit), 0) << ReadText(dir.path() + "/server.log");
  worker->Kill();

  StoppedStore stopped(dir);
  ExpectEveryTrialMeasuredOnce(stopped, kTrials);
  int64_t lost = 0;
  for (const auto& [task, count] : stopped.Attempts("lost")) lost += count;
  EXPECT_GE(lost, 1) << "no kill fell into a task";
}

// Waits until the server of the `starts`-th start (from 0) of one log listens: a kill before that
// would meet a program that has done nothing yet.
bool ListensAgain(const TempDir& dir, Process& server, int starts) {
  const auto times = [&] {
    int count = 0;
    std::istringstream lines(ReadText(dir.path() + "/server.log"));
    for (std::string line; std::getline(lines, line);) {
      count += line.starts_with("listening on ") ? 1 : 0;
    }
    return count;
  };
  return Eventually([&] { return times() > starts || !server.Running(); }) && times() > starts;
}

TEST(CrashTest, ServerKilledTwentyTimesLosesAndDoublesNothing) {
  const TempDir dir;
  constexpr int64_t kTrials = 160;
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  const auto config = WriteConfig(dir, SlowerStudy("server-killed", kTrials), address, 0);
  const auto worker = StartWorker(dir, address, "steady");

  Rng rng(5);
  for (int kills = 0; kills < 20; ++kills) {
    const auto server = StartServer(dir, config);
    ASSERT_TRUE(ListensAgain(dir, *server, kills)) << ReadText(dir.path() + "/server.log");
    SleepMs(rng.Below(900));
    ASSERT_TRUE(server->Running())
        << "the study ended before 20 kills; " << ReadText(dir.path() + "/server.log");
    server->Kill();
  }
  const auto server = StartServer(dir, config);
  EXPECT_EQ(server->Wait(kStudyLimit), 0) << ReadText(dir.path() + "/server.log");

  StoppedStore stopped(dir);
  ExpectEveryTrialMeasuredOnce(stopped, kTrials);
  ExpectFrontEqualsRecomputation(stopped);
  const auto done = stopped.Attempts("done");
  const auto acknowledged = AcknowledgedTasks(dir.path() + "/steady.log");
  EXPECT_GE(acknowledged.size(), 10U);
  for (const int64_t task : acknowledged) EXPECT_EQ(done.at(task), 1) << "task " << task;
}

std::vector<search::Candidate> ProposalsOfUndisturbedRun(int64_t trials) {
  const TempDir dir;
  const auto config = WriteConfig(dir, SmallStudy("repeat", trials), "127.0.0.1:0", 1);
  auto server = StartServer(dir, config);
  EXPECT_EQ(server->Wait(kStudyLimit), 0) << ReadText(dir.path() + "/server.log");
  return StoppedStore(dir).Proposed();
}

TEST(CrashTest, SameSeedProposesTheSameAlsoAfterAKill) {
  constexpr int64_t kTrials = 24;
  const auto first = ProposalsOfUndisturbedRun(kTrials);
  ASSERT_EQ(static_cast<int64_t>(first.size()), kTrials);
  EXPECT_EQ(ProposalsOfUndisturbedRun(kTrials), first);

  const TempDir dir;
  const auto config = WriteConfig(dir, SmallStudy("repeat", kTrials), "127.0.0.1:0", 1);
  auto server = StartServer(dir, config);
  const std::string address = AddressOf(dir, *server);
  // Half-way: the second generation of eight is under way.
  ASSERT_TRUE(Eventually(
      [&] {
        const auto shown = RunToEnd({.arguments = {"search-client", "--server", address, "-o",
                                                   "json", "study", "show", "repeat"},
                                     .output = "",
                                     .max_file_bytes = {},
                                     .bound_by_modes = false});
        return shown.output.find("\"trials_proposed\": 16") != std::string::npos ||
               shown.output.find("\"trials_proposed\":16") != std::string::npos;
      },
      kStudyLimit));
  server->Kill();
  server = StartServer(dir, config);
  EXPECT_EQ(server->Wait(kStudyLimit), 0) << ReadText(dir.path() + "/server.log");
  EXPECT_EQ(StoppedStore(dir).Proposed(), first);
}

}  // namespace
}  // namespace voxbit::testing
