#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/format/text.h"
#include "client/view/watch_view.h"
#include "tests/client/fake_server.h"

namespace voxbit::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::Study Training(int64_t step) {
  v1::Study study = MakeStudy("first", v1::STUDY_STATE_ACTIVE);
  study.set_phase(v1::STUDY_PHASE_TRAIN);
  study.clear_progress();
  study.mutable_progress()->set_trials_total(64);
  v1::TaskProgress& task = *study.mutable_progress()->add_running();
  task.set_task_id(2);
  task.set_kind(v1::TASK_KIND_TRAIN_SUPERNET);
  task.set_progress_json(R"({"phase":"train","step":)" + std::to_string(step) + R"(,"steps":300})");
  return study;
}

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() {
    server_.trials = {MakeTrial(1, 0.40, 10.0), MakeTrial(2, 0.55, 20.0)};
    server_.front = {1, 2};
    v1::Worker worker;
    worker.mutable_info()->set_name("w");
    worker.mutable_info()->set_protocol(1);
    worker.set_state("busy");
    worker.set_task_id(3);
    server_.workers = {worker};
  }

  // Train, search, then an end in `state`.
  void Script(v1::StudyState state, const std::string& message) {
    server_.on_get_study = [state, message](int call, v1::Study& study) {
      if (call == 0) {
        study = Training(120);
      } else {
        study = MakeStudy("first", call == 1 ? v1::STUDY_STATE_ACTIVE : state);
        study.set_message(call == 1 ? "" : message);
      }
      return grpc::Status::OK;
    };
  }

  RunOutcome Run(std::vector<std::string> more = {}, const RunSettings& settings = {}) {
    std::vector<std::string> arguments = {"study", "watch", "first", "--interval", "0.01"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunLine(server_.address, std::move(arguments), settings);
  }

  FakeServer server_;
};

TEST_F(WatchTest, WithoutATerminalEveryPhaseIsOnePlainLine) {
  Script(v1::STUDY_STATE_COMPLETED, "");
  const RunOutcome run = Run();
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.err,
            "first: train, step 120/300, 1/1 workers busy, ETA unknown\n"
            "first: search, 23/64 trials, front 5, 4.1 trials/min, 1/1 workers busy, "
            "ETA 10 min 00 s, hypervolume 0.731\n"
            "first: completed, 23/64 trials, front 5, 4.1 trials/min, 1/1 workers busy, "
            "hypervolume 0.731\n"
            "first completed: front of 2 among 2 compared trials, hypervolume 0.75\n");
  EXPECT_THAT(run.out, HasSubstr("latency_ms[local]"));
  EXPECT_THAT(run.out, HasSubstr("0.5500"));
}

TEST_F(WatchTest, OnATerminalOneLineIsDrawnAgain) {
  Script(v1::STUDY_STATE_COMPLETED, "");
  RunSettings settings;
  settings.terminal.err_is_terminal = true;
  settings.terminal.err_width = 90;
  const RunOutcome run = Run({}, settings);
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.err, StartsWith("\rfirst  train  ━━━━━━━━━───────────────  step 120/300"));
  EXPECT_THAT(run.out, Not(HasSubstr("━")));
  EXPECT_THAT(run.out, Not(HasSubstr("\r")));
}

TEST_F(WatchTest, QuietOnlyPrintsTheFront) {
  Script(v1::STUDY_STATE_COMPLETED, "");
  const RunOutcome run = Run({"--quiet"});
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(run.out, HasSubstr("0.5500"));
}

TEST_F(WatchTest, FailedStudyIsCodeOne) {
  Script(v1::STUDY_STATE_FAILED, "no sample in data/none");
  const RunOutcome run = Run({"--quiet"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.err, "error: study first failed: no sample in data/none\n");
}

TEST_F(WatchTest, StoppedStudyIsCodeOneAndItsFrontIsShown) {
  Script(v1::STUDY_STATE_STOPPED, "");
  const RunOutcome run = Run();
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.out, HasSubstr("0.5500"));
  EXPECT_THAT(run.err, HasSubstr("error: study first was stopped before its end\n"));
}

TEST_F(WatchTest, WhyACompletedStudyEndedEarlyIsSaid) {
  Script(v1::STUDY_STATE_COMPLETED, "the search ended after 23 of 64 trials: no more");
  const RunOutcome run = Run();
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.err, HasSubstr("hypervolume 0.75; the search ended after 23 of 64 trials"));
}

TEST_F(WatchTest, AStudyThatIsPausedSaysHowItGoesOnOnceForEachPause) {
  server_.on_get_study = [](int call, v1::Study& study) {
    const bool is_paused = call < 3 || call == 4;
    study = MakeStudy("first", is_paused   ? v1::STUDY_STATE_PAUSED
                               : call == 3 ? v1::STUDY_STATE_ACTIVE
                                           : v1::STUDY_STATE_COMPLETED);
    return grpc::Status::OK;
  };
  const std::string err = Run().err;
  const std::string hint = "first is paused; resume it with: search-client study resume first\n";
  const size_t at = err.find(hint);
  ASSERT_NE(at, std::string::npos) << err;
  const size_t second = err.find(hint, at + 1);
  ASSERT_NE(second, std::string::npos) << err;
  EXPECT_EQ(err.find(hint, second + 1), std::string::npos) << err;
}

TEST_F(WatchTest, JsonHasTheStudyAndItsFrontAtTheEnd) {
  Script(v1::STUDY_STATE_COMPLETED, "");
  const Json json = Json::parse(Run({"-o", "json"}).out);
  EXPECT_EQ(json["study"]["state"], "completed");
  EXPECT_EQ(json["front"].size(), 2U);
}

TEST_F(WatchTest, UnknownStudyIsCodeThree) { EXPECT_EQ(Run().code, kExitNotFound); }

TEST_F(WatchTest, RestartOfTheServerIsWaitedFor) {
  server_.on_get_study = [](int call, v1::Study& study) {
    // Four attempts make one failed question.
    if (call >= 1 && call <= 4) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    study = MakeStudy("first", call == 0 ? v1::STUDY_STATE_ACTIVE : v1::STUDY_STATE_COMPLETED);
    return grpc::Status::OK;
  };
  const RunOutcome run = Run();
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.err, HasSubstr("the server is away"));
}

TEST_F(WatchTest, AStudyThatNobodyWorksOnGetsOneHint) {
  server_.on_get_study = [](int call, v1::Study& study) {
    study = MakeStudy("first", call < 6 ? v1::STUDY_STATE_ACTIVE : v1::STUDY_STATE_COMPLETED);
    return grpc::Status::OK;
  };
  RunSettings settings;
  settings.clock_step_ms = 6'000;
  const std::string err = Run({}, settings).err;
  const size_t hint = err.find("nothing is running: first waits for a worker");
  EXPECT_NE(hint, std::string::npos) << err;
  EXPECT_EQ(err.find("nothing is running", hint + 1), std::string::npos) << err;
}

class WaitTest : public WatchTest {
 protected:
  RunOutcome Wait(std::vector<std::string> more = {}, const RunSettings& settings = {}) {
    std::vector<std::string> arguments = {"study", "wait", "first", "--interval", "0.01"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunLine(server_.address, std::move(arguments), settings);
  }
};

TEST_F(WaitTest, SaysNothingUntilTheStudyHasEnded) {
  Script(v1::STUDY_STATE_COMPLETED, "");
  const RunOutcome run = Wait();
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "first completed\n");
  EXPECT_EQ(Json::parse(Wait({"-o", "json"}).out)["state"], "completed");
}

TEST_F(WaitTest, ItsExitCodeSaysHowTheStudyEnded) {
  Script(v1::STUDY_STATE_FAILED, "no sample in data/none");
  const RunOutcome failed = Wait({"--quiet"});
  EXPECT_EQ(failed.code, kExitFailed);
  EXPECT_EQ(failed.err, "error: study first failed: no sample in data/none\n");
  Script(v1::STUDY_STATE_STOPPED, "");
  EXPECT_EQ(Wait().code, kExitFailed);
  server_.on_get_study = nullptr;
  EXPECT_EQ(Wait().code, kExitNotFound);
}

TEST_F(WaitTest, AStudyThatDoesNotEndInTimeIsCode124) {
  server_.on_get_study = [](int /*call*/, v1::Study& study) {
    study = MakeStudy("first", v1::STUDY_STATE_ACTIVE);
    return grpc::Status::OK;
  };
  RunSettings settings;
  settings.clock_step_ms = 1'000;
  const RunOutcome run = Wait({"--timeout", "60"}, settings);
  EXPECT_EQ(run.code, kExitTimedOut);
  EXPECT_EQ(run.err, "error: study first has not ended in time; it is active (TIMED_OUT)\n");
  EXPECT_EQ(Wait({"--timeout", "0"}).code, kExitTimedOut);
}

TEST(WatchViewTest, TrainingTimeIsForetoldFromItsOwnPace) {
  WatchView view;
  view.Update(Training(100), 50'000);
  EXPECT_THAT(view.PlainLine(), HasSubstr("ETA unknown"));
  EXPECT_TRUE(view.Fields()["eta_ms"].is_null());
  view.Update(Training(150), 60'000);
  // 50 steps in 10 s: 150 steps more take 30 s.
  EXPECT_THAT(view.PlainLine(), HasSubstr("ETA 30 s"));
  EXPECT_EQ(view.Fields()["eta_ms"], 30'000);
}

TEST(WatchViewTest, ASecondAttemptStartsTheEstimateAnew) {
  WatchView view;
  view.Update(Training(200), 0);
  view.Update(Training(10), 10'000);
  EXPECT_THAT(view.PlainLine(), HasSubstr("ETA unknown"));
  view.Update(Training(20), 11'000);
  EXPECT_THAT(view.PlainLine(), HasSubstr("ETA 28 s"));
}

TEST(WatchViewTest, WhatIsNotKnownYetIsNoNumber) {
  v1::Study study = MakeStudy("first", v1::STUDY_STATE_ACTIVE);
  study.mutable_progress()->clear_hypervolume();
  study.mutable_progress()->clear_trials_per_minute();
  WatchView view;
  view.Update(study, 0);
  EXPECT_EQ(view.PlainLine(),
            "first: search, 23/64 trials, front 5, - trials/min, ETA unknown, hypervolume -");
  EXPECT_TRUE(view.Fields()["trials_per_minute"].is_null());
  EXPECT_TRUE(view.Fields()["hypervolume"].is_null());
  EXPECT_TRUE(view.Fields()["eta_ms"].is_null());
}

TEST(WatchViewTest, AStudyThatHasStalledHasNoEnd) {
  v1::Study study = MakeStudy("first", v1::STUDY_STATE_ACTIVE);
  WatchView view;
  view.Update(study, 0);
  EXPECT_EQ(view.Fields()["eta_ms"], 600'000);
  study.mutable_progress()->set_trials_per_minute(0.41);  // the server's rate falls with time
  view.Update(study, 60'000);
  EXPECT_EQ(view.Fields()["eta_ms"], 6'000'000);
}

TEST(WatchViewTest, TheBarYieldsToWhatMattersAtEightyColumns) {
  v1::Study study = MakeStudy("quickstart", v1::STUDY_STATE_ACTIVE);
  WatchView view;
  view.Update(study, 0);
  search::WorkerRow worker;
  worker.task_id = 1;
  view.UpdateWorkers({worker});
  EXPECT_EQ(view.BarLine(79),
            "quickstart  search  23/64 trials · front 5 · 4.1 trials/min · 1/1 workers busy");
  EXPECT_EQ(view.BarLine(90),
            "quickstart  search  ━━━───────  23/64 trials · front 5 · 4.1 trials/min · "
            "1/1 workers busy");
  EXPECT_THAT(view.BarLine(160), HasSubstr("━━━━━━━━────────────────  23/64 trials"));
  EXPECT_THAT(view.BarLine(160), HasSubstr("workers busy · ETA 10 min 00 s · hypervolume 0.731"));
}

TEST(WatchViewTest, NoFleetOfNothingIsCountedWhileTheFirstWorkerStarts) {
  WatchView view;
  view.Update(Training(5), 0);
  view.UpdateWorkers({});
  EXPECT_EQ(view.PlainLine(), "first: train, step 5/300, waiting for a worker, ETA unknown");
  EXPECT_EQ(view.Fields().at("workers"), 0);
  search::WorkerRow lost;
  lost.state = "lost";
  view.UpdateWorkers({lost});
  EXPECT_THAT(view.BarLine(160), Not(HasSubstr("0/0")));
  v1::Study completed = Training(5);
  completed.set_state(v1::STUDY_STATE_COMPLETED);
  view.Update(completed, 0);
  EXPECT_THAT(view.PlainLine(), Not(HasSubstr("worker")));
}

TEST(WatchViewTest, LinesNeverExceedTheWidth) {
  WatchView view;
  view.Update(MakeStudy(std::string(70, 'n'), v1::STUDY_STATE_ACTIVE), 0);
  for (size_t width = 1; width < 200; ++width) EXPECT_LE(DisplayWidth(view.BarLine(width)), width);
}

TEST(WatchViewTest, ProgressThatCannotBeReadIsLeftOut) {
  WatchView view;
  v1::Study study = Training(5);
  study.mutable_progress()->mutable_running(0)->set_progress_json("{broken");
  view.Update(study, 0);
  EXPECT_EQ(view.PlainLine(), "first: train");
}

}  // namespace
}  // namespace voxbit::client
