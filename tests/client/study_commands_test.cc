#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <stop_token>
#include <thread>

#include "client/format/text.h"
#include "common/files.h"
#include "tests/client/fake_server.h"
#include "tests/support/temp_dir.h"

namespace voxbit::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kStudy[] = "// my first one\n{\"name\": \"first\", \"seed\": 1}\n";

class StudyCommandsTest : public ::testing::Test {
 protected:
  StudyCommandsTest() : file_(folder_.path() + "/study.json") {
    EXPECT_TRUE(WriteFileAtomically(file_, kStudy).ok());
  }

  RunOutcome Run(std::vector<std::string> arguments, const RunSettings& settings = {}) {
    return RunLine(server_.address, std::move(arguments), settings);
  }

  FakeServer server_;
  voxbit::testing::TempDir folder_;
  std::string file_;
};

TEST_F(StudyCommandsTest, CreateSendsTheFileAndPrintsTheName) {
  const RunOutcome run = Run({"study", "create", "-f", file_});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.out, "first\n");
  EXPECT_THAT(run.err, HasSubstr("study watch first"));
  ASSERT_EQ(server_.created.size(), 1U);
  EXPECT_EQ(server_.created[0].config_json(), kStudy);
  EXPECT_EQ(server_.created[0].request_id().size(), 36U);
  EXPECT_FALSE(server_.created[0].validate_only());
}

TEST_F(StudyCommandsTest, CreateMeansARelativeDataFolderFromHere) {
  ASSERT_TRUE(
      WriteFileAtomically(file_, R"({"name": "a", "dataset": {"root": "data/../mine"}})").ok());
  EXPECT_EQ(Run({"study", "create", "-f", file_}).code, kExitDone);
  ASSERT_EQ(server_.created.size(), 1U);
  const Json sent = Json::parse(server_.created[0].config_json());
  EXPECT_EQ(sent.at("dataset").at("root"), std::filesystem::current_path().string() + "/mine");
}

TEST_F(StudyCommandsTest, CreateSendsTheLatencyTableOfAFile) {
  const std::string table = folder_.File("table.json");
  const std::string study = Json{{"name", "a"}, {"latency_table", table}}.dump();
  ASSERT_TRUE(WriteFileAtomically(file_, study).ok());
  const RunOutcome missing = Run({"study", "create", "-f", file_});
  EXPECT_EQ(missing.code, kExitUsage);
  EXPECT_THAT(missing.err, HasSubstr("/latency_table: expected the path of a file"));
  ASSERT_TRUE(WriteFileAtomically(table, R"({"samples": 3} // runs)").ok());
  EXPECT_EQ(Run({"study", "create", "-f", file_}).code, kExitDone);
  ASSERT_EQ(server_.created.size(), 1U);
  EXPECT_EQ(Json::parse(server_.created[0].config_json()).at("latency_table"),
            (Json{{"samples", 3}}));
}

TEST_F(StudyCommandsTest, CreateSaysWhoMeasuresALatency) {
  const std::string study =
      R"({"name": "a", "supernet": {"kind": "spvnas"}, "dataset": {"kind": "synthetic_lidar"},)"
      R"( "objectives": [{"metric": "miou"}, {"metric": "latency_ms"}]})";
  ASSERT_TRUE(WriteFileAtomically(file_, study).ok());
  server_.echoes_config = true;
  EXPECT_THAT(
      Run({"study", "create", "-f", file_}).err,
      HasSubstr("latency_ms is measured on target \"local\": no worker serves it now; start "
                "one with: search-worker --target local\n"));
  v1::Worker worker;
  worker.mutable_info()->set_name("w1");
  worker.mutable_info()->set_protocol(1);
  worker.mutable_info()->add_targets("locall");
  worker.set_state("idle");
  server_.workers = {worker};
  EXPECT_THAT(Run({"study", "create", "-f", file_, "--validate-only"}).err,
              HasSubstr("; workers here offer locall; did you mean \"locall\"?"));
  worker.mutable_info()->set_targets(0, "local");
  server_.workers = {worker};
  EXPECT_THAT(Run({"study", "create", "-f", file_}).err,
              HasSubstr("latency_ms is measured on target \"local\": now served by w1\n"));
  EXPECT_EQ(Run({"study", "create", "-f", file_, "--quiet"}).err, "");
}

TEST_F(StudyCommandsTest, CreateNamesAKeyThatIsGivenTwice) {
  ASSERT_TRUE(WriteFileAtomically(file_, R"({"name": "a", "seed": 1, "seed": 2})").ok());
  const RunOutcome run = Run({"study", "create", "-f", file_});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr(file_ + ": /seed: this key is given twice"));
  EXPECT_TRUE(server_.created.empty());
}

TEST_F(StudyCommandsTest, CreateReadsStandardInput) {
  RunSettings settings;
  settings.input = R"({"name": "piped"})";
  EXPECT_EQ(Run({"study", "create", "-f", "-", "--quiet"}, settings).out, "piped\n");
}

TEST_F(StudyCommandsTest, QuietLeavesStandardErrorEmpty) {
  const RunOutcome run = Run({"study", "create", "-f", file_, "--quiet"});
  EXPECT_EQ(run.out, "first\n");
  EXPECT_EQ(run.err, "");
}

TEST_F(StudyCommandsTest, ValidateOnlyIsPassedOn) {
  const RunOutcome run = Run({"study", "create", "-f", file_, "--validate-only"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_TRUE(server_.created.at(0).validate_only());
  EXPECT_THAT(run.err, HasSubstr("nothing was created"));
}

TEST_F(StudyCommandsTest, FileErrorsAreUsageErrorsThatNameTheFile) {
  const RunOutcome missing = Run({"study", "create", "-f", file_ + ".no"});
  EXPECT_EQ(missing.code, kExitUsage);
  EXPECT_THAT(missing.err, HasSubstr(file_ + ".no: No such file"));

  ASSERT_TRUE(WriteFileAtomically(file_, "{\n  \"name\": oops\n}").ok());
  const RunOutcome broken = Run({"study", "create", "-f", file_});
  EXPECT_EQ(broken.code, kExitUsage);
  EXPECT_THAT(broken.err, HasSubstr(file_ + ": line 2, column"));

  for (const std::string config : {R"({"server": {}})", R"({"studies": []})"}) {
    ASSERT_TRUE(WriteFileAtomically(file_, config).ok());
    const RunOutcome other = Run({"study", "create", "-f", file_});
    EXPECT_EQ(other.code, kExitUsage);
    EXPECT_THAT(other.err, HasSubstr("server configuration"));
    EXPECT_THAT(other.err, HasSubstr("an entry of its \"studies\""));
    EXPECT_THAT(other.err, HasSubstr("search-server --config " + file_));
  }
  EXPECT_TRUE(server_.created.empty());
}

TEST_F(StudyCommandsTest, WhatTheServerRefusesNamesTheFileAndThePointer) {
  server_.failures = {{grpc::StatusCode::INVALID_ARGUMENT, "/seed: expected an integer"}};
  const RunOutcome run = Run({"study", "create", "-f", file_});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "error: " + file_ + ": /seed: expected an integer\n");
}

TEST_F(StudyCommandsTest, ConstraintsThatNothingMeetsAreWrongConfiguration) {
  server_.failures = {{grpc::StatusCode::FAILED_PRECONDITION, "/constraints/0: no sub-network"}};
  server_.failure_reason = "CONSTRAINTS_INFEASIBLE";
  const RunOutcome run = Run({"study", "create", "-f", file_});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr(file_ + ": /constraints/0"));
}

TEST_F(StudyCommandsTest, TakenNameIsAFailure) {
  server_.failures = {{grpc::StatusCode::ALREADY_EXISTS, "study \"first\" exists"}};
  EXPECT_EQ(Run({"study", "create", "-f", file_}).code, kExitFailed);
}

TEST_F(StudyCommandsTest, OnlyUnavailableIsRetriedAndWithTheSameRequestId) {
  server_.failures = {{grpc::StatusCode::UNAVAILABLE, "restarting"},
                      {grpc::StatusCode::UNAVAILABLE, "restarting"}};
  EXPECT_EQ(Run({"study", "create", "-f", file_}).code, kExitDone);
  ASSERT_EQ(server_.created.size(), 3U);
  EXPECT_EQ(server_.created[0].request_id(), server_.created[1].request_id());
  EXPECT_EQ(server_.created[0].request_id(), server_.created[2].request_id());

  for (const grpc::StatusCode code :
       {grpc::StatusCode::ABORTED, grpc::StatusCode::INTERNAL, grpc::StatusCode::DEADLINE_EXCEEDED,
        grpc::StatusCode::RESOURCE_EXHAUSTED}) {
    server_.created.clear();
    server_.failures = {{code, "no"}};
    EXPECT_NE(Run({"study", "create", "-f", file_}).code, kExitDone);
    EXPECT_EQ(server_.created.size(), 1U) << code;
  }
}

TEST_F(StudyCommandsTest, AServerThatStaysAwayIsUnreachable) {
  server_.failures.assign(4, {grpc::StatusCode::UNAVAILABLE, "draining"});
  const RunOutcome run = Run({"study", "list"});
  EXPECT_EQ(run.code, kExitUnreachable);
  EXPECT_THAT(run.err, HasSubstr("is away: draining"));
}

TEST_F(StudyCommandsTest, ListReadsAllPages) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    server_.studies.push_back(MakeStudy(name, v1::STUDY_STATE_ACTIVE));
  }
  const RunOutcome run = Run({"study", "list", "-o", "csv"});
  std::vector<std::string> names;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) names.push_back(line.substr(0, 2));
  EXPECT_THAT(names, ElementsAre("na", "a,", "b,", "c,", "d,", "e,"));
}

TEST_F(StudyCommandsTest, ListIsATableOfAtMost80Columns) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE),
                     MakeStudy(std::string(90, 'x'), v1::STUDY_STATE_FAILED)};
  server_.studies[1].set_message(
      "a message that is much too long to be shown in a table of studies");
  RunSettings settings;
  settings.terminal.out_is_terminal = true;
  const RunOutcome run = Run({"study", "list"}, settings);
  EXPECT_THAT(run.out, HasSubstr("23/64"));
  EXPECT_THAT(run.out, HasSubstr("active"));
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80U) << line;
}

TEST_F(StudyCommandsTest, ListAsJsonHasEverything) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_PAUSED)};
  const Json studies = Json::parse(Run({"study", "list", "-o", "json"}).out);
  ASSERT_EQ(studies.size(), 1U);
  EXPECT_EQ(studies[0]["name"], "first");
  EXPECT_EQ(studies[0]["state"], "paused");
  EXPECT_EQ(studies[0]["progress"]["hypervolume"], 0.7312);
  EXPECT_EQ(studies[0]["config"]["search"]["trials"], 64);
}

TEST_F(StudyCommandsTest, WhatIsNotKnownYetIsNoNumber) {
  v1::Study study = MakeStudy("first", v1::STUDY_STATE_ACTIVE);
  study.mutable_progress()->clear_hypervolume();
  study.mutable_progress()->clear_trials_per_minute();
  server_.studies = {study};
  const std::string shown = Run({"study", "show", "first"}).out;
  EXPECT_THAT(shown, HasSubstr("5 trials, hypervolume -\n"));
  EXPECT_THAT(shown, HasSubstr("- trials/min"));
  EXPECT_THAT(shown, Not(HasSubstr("reference")));
  const Json json = Json::parse(Run({"study", "show", "first", "-o", "json"}).out);
  EXPECT_TRUE(json["progress"]["hypervolume"].is_null());
  EXPECT_TRUE(json["progress"]["trials_per_minute"].is_null());
}

TEST_F(StudyCommandsTest, ShowSaysWhatTheHypervolumeIsMeasuredAgainst) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE)};
  server_.studies[0].mutable_progress()->set_reference_json(
      R"({"latency_ms[local]":[40,0],"miou":[0,1]})");
  EXPECT_THAT(Run({"study", "show", "first"}).out,
              HasSubstr("reference  latency_ms[local] 40 ms to 0 ms, miou 0.0000 to 1.0000\n"));
  const Json json = Json::parse(Run({"study", "show", "first", "-o", "json"}).out);
  EXPECT_EQ(json["progress"]["reference"]["miou"], Json::array({0, 1}));
}

TEST_F(StudyCommandsTest, AnArgumentThatIsNotUtf8IsWrongUsage) {
  const RunOutcome run = Run({"study", "show", "x\xff"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("is not UTF-8 text: \"x\\xff\""));
}

TEST_F(StudyCommandsTest, EmptyListIsStillValidOutput) {
  EXPECT_EQ(Json::parse(Run({"study", "list", "-o", "json"}).out), Json::array());
  EXPECT_THAT(Run({"study", "list"}).err, HasSubstr("no study yet"));
}

TEST_F(StudyCommandsTest, ShowHasStateProgressTasksAndConfiguration) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE)};
  v1::TaskProgress& task = *server_.studies[0].mutable_progress()->add_running();
  task.set_task_id(7);
  task.set_kind(v1::TASK_KIND_EVALUATE);
  task.set_trial_number(24);
  task.set_worker("host-cpu");
  task.set_attempt(1);
  task.set_progress_json(R"({"phase":"evaluate","step":3,"steps":8})");
  const RunOutcome run = Run({"study", "show", "first"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.out, HasSubstr("23 of 64 done: 20 succeeded, 2 infeasible, 1 failed"));
  EXPECT_THAT(run.out, HasSubstr("evaluate 3/8"));
  EXPECT_THAT(run.out, HasSubstr("\"trials\": 64"));
  EXPECT_THAT(run.out, HasSubstr("(1 min 40 s ago)"));
  EXPECT_THAT(run.out, Not(HasSubstr("\x1b")));
}

TEST_F(StudyCommandsTest, ShowHasWhatTheCheckOfTheDataFound) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE)};
  EXPECT_THAT(Run({"study", "show", "first"}).out, Not(HasSubstr("share")));
  const Json overview = {
      {"counted", "points"},
      {"seconds", 2.5},
      {"splits",
       {{{"name", "train"}, {"scans", 30}, {"read", 30}, {"points", 40'000}, {"labelled", 30'000}},
        {{"name", "val"}, {"scans", 9}, {"read", 9}, {"points", 12'000}, {"labelled", 12'000}}}},
      {"classes",
       {{{"name", "ground"},
         {"train", {{"count", 22'500}, {"share", 0.75}}},
         {"val", {{"count", 12'000}, {"share", 1.0}}}}}},
      {"warnings", {"3 scans of val, of 9, trained on too"}}};
  server_.studies[0].set_data_json(overview.dump());
  const RunOutcome run = Run({"study", "show", "first"});
  EXPECT_THAT(run.out, HasSubstr("ground"));
  EXPECT_THAT(run.out, HasSubstr("22.5 k"));
  EXPECT_THAT(run.out, HasSubstr("75.0 %"));
  EXPECT_THAT(run.out, HasSubstr("warning: 3 scans of val, of 9, trained on too\n"));
  EXPECT_THAT(run.out, HasSubstr("39 scans, 52 k points, read in 2.5 s\n"));
  EXPECT_EQ(Json::parse(Run({"study", "show", "first", "-o", "json"}).out)["data"], overview);
  server_.studies[0].set_data_json(R"({"splits": [1, {"scans": "x"}], "warnings": 3})");
  EXPECT_EQ(Run({"study", "show", "first"}).code, kExitDone);
}

TEST_F(StudyCommandsTest, ShowAsCsvIsOneFlatRow) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE)};
  const RunOutcome run = Run({"study", "show", "first", "-o", "csv"});
  EXPECT_THAT(run.out, HasSubstr("config.objectives.0.metric"));
  EXPECT_THAT(run.out, HasSubstr("progress.hypervolume"));
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 2);
}

TEST_F(StudyCommandsTest, UnknownStudyIsCodeThree) {
  const RunOutcome run = Run({"study", "show", "nope"});
  EXPECT_EQ(run.code, kExitNotFound);
  EXPECT_EQ(run.err, "error: study \"nope\" does not exist\n");
}

TEST_F(StudyCommandsTest, PauseResumeAndStopMakeTheirCall) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE)};
  EXPECT_EQ(Run({"study", "pause", "first"}).err, "first is paused\n");
  EXPECT_EQ(Run({"study", "resume", "first"}).err, "first is active\n");
  EXPECT_EQ(Run({"study", "stop", "first"}).err, "first is stopped\n");
  EXPECT_THAT(server_.changes, ElementsAre(StartsWith("pause first "), StartsWith("resume first "),
                                           StartsWith("stop first ")));
  const Json study = Json::parse(Run({"study", "stop", "first", "-o", "json"}).out);
  EXPECT_EQ(study["state"], "stopped");
  EXPECT_EQ(study["progress"]["trials_succeeded"], 20);
  EXPECT_EQ(Run({"study", "stop", "nope"}).code, kExitNotFound);
}

TEST_F(StudyCommandsTest, WorkersAreListedAndDrained) {
  v1::Worker worker;
  worker.mutable_info()->set_name("host-cpu");
  worker.mutable_info()->set_device("cpu");
  worker.mutable_info()->set_device_model("Xeon");
  worker.mutable_info()->set_threads(4);
  worker.mutable_info()->set_memory_bytes(8'000'000'000);
  worker.mutable_info()->add_targets("local");
  worker.mutable_info()->set_protocol(1);
  worker.set_state("busy");
  worker.set_task_id(12);
  worker.set_task_label("evaluate first/12");
  worker.set_last_seen_ms(1'699'999'997'000);
  server_.workers = {worker};
  const RunOutcome list = Run({"worker", "list"});
  EXPECT_EQ(list.code, kExitDone);
  EXPECT_THAT(list.out, HasSubstr("evaluate first/12"));
  EXPECT_THAT(list.out, HasSubstr("3 s ago"));
  const Json json = Json::parse(Run({"worker", "list", "-o", "json"}).out);
  EXPECT_EQ(json[0]["memory_bytes"], 8'000'000'000);
  EXPECT_EQ(json[0]["targets"], Json::array({"local"}));

  EXPECT_EQ(Run({"worker", "drain", "host-cpu"}).err,
            "host-cpu is draining, busy with evaluate first/12\n");
  EXPECT_THAT(server_.drained, ElementsAre("host-cpu"));
  EXPECT_EQ(Run({"worker", "drain", "nobody"}).code, kExitNotFound);
}

TEST_F(StudyCommandsTest, RetryAsksTheServer) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_FAILED)};
  const RunOutcome run = Run({"study", "retry", "first"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.err, "first is active\n");
  EXPECT_THAT(server_.changes, ElementsAre(StartsWith("retry first ")));
}

TEST_F(StudyCommandsTest, CloneSendsNameAndOverridesAndPrintsTheName) {
  const RunOutcome run = Run({"study", "clone", "first", "--name", "second", "--set", "/seed=5",
                              "--set", "/search/trials=100"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.out, "second\n");
  EXPECT_THAT(run.err, HasSubstr("/search/in_flight: a note"));
  EXPECT_THAT(run.err, HasSubstr("study watch second"));
  ASSERT_EQ(server_.cloned.size(), 1U);
  EXPECT_EQ(server_.cloned[0].name(), "first");
  EXPECT_EQ(server_.cloned[0].new_name(), "second");
  EXPECT_THAT(server_.cloned[0].overrides(), ElementsAre("/seed=5", "/search/trials=100"));
  EXPECT_EQ(server_.cloned[0].request_id().size(), 36U);
  EXPECT_EQ(Run({"study", "clone", "first"}).code, kExitUsage) << "without a name";
  const RunOutcome json = Run({"study", "clone", "first", "--name", "third", "-o", "json"});
  EXPECT_EQ(Json::parse(json.out).at("name"), "third");
}

TEST_F(StudyCommandsTest, DeleteWithoutATerminalNeedsYes) {
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_COMPLETED)};
  for (const bool has_input : {false, true}) {
    RunSettings settings;
    settings.input = "y\n";
    settings.terminal.in_is_terminal = has_input;
    settings.terminal.err_is_terminal = !has_input;
    const RunOutcome refused = Run({"study", "delete", "first"}, settings);
    EXPECT_EQ(refused.code, kExitUsage);
    EXPECT_THAT(refused.err, HasSubstr("--yes"));
  }
  EXPECT_TRUE(server_.changes.empty());
  const RunOutcome run = Run({"study", "delete", "first", "--yes"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.err, "first is deleted\n");
  EXPECT_THAT(server_.changes, ElementsAre(StartsWith("delete first ")));
  EXPECT_EQ(Run({"study", "delete", "second", "--yes"}).code, kExitNotFound);
}

TEST_F(StudyCommandsTest, DeleteAsksAtATerminal) {
  RunSettings settings;
  settings.terminal.in_is_terminal = true;
  settings.terminal.err_is_terminal = true;
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_COMPLETED)};
  for (const char* no : {"n\n", "\n", "", "yesterday\n"}) {
    settings.input = no;
    const RunOutcome kept = Run({"study", "delete", "first"}, settings);
    EXPECT_EQ(kept.code, kExitFailed) << no;
    EXPECT_THAT(kept.err, HasSubstr("delete study first (completed, "));
    EXPECT_THAT(kept.err, HasSubstr("nothing was deleted"));
  }
  EXPECT_TRUE(server_.changes.empty());
  settings.input = "y\n";
  EXPECT_EQ(Run({"study", "delete", "first"}, settings).code, kExitDone);
  EXPECT_THAT(server_.changes, ElementsAre(StartsWith("delete first ")));
  EXPECT_EQ(Run({"study", "delete", "first"}, settings).code, kExitNotFound);
}

TEST_F(StudyCommandsTest, DeleteCanBeInterruptedWhileItAsks) {
  RunSettings settings;
  settings.terminal.in_is_terminal = true;
  settings.terminal.err_is_terminal = true;
  std::array<int, 2> nobody{};
  ASSERT_EQ(::pipe(nobody.data()), 0);  // nothing is ever written into it
  settings.terminal.in_descriptor = nobody[0];
  server_.studies = {MakeStudy("first", v1::STUDY_STATE_COMPLETED)};
  std::stop_source stop;
  settings.stop = stop.get_token();
  std::atomic<bool> was_asked = false;
  server_.on_get_study = [&](int, v1::Study& study) {
    study = server_.studies[0];
    was_asked = true;
    return grpc::Status::OK;
  };
  std::thread interrupts([&] {
    while (!was_asked) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the answer is on its way
    stop.request_stop();
  });
  const RunOutcome run = Run({"study", "delete", "first"}, settings);
  interrupts.join();
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_TRUE(server_.changes.empty());
  ::close(nobody[0]);
  ::close(nobody[1]);
}

TEST_F(StudyCommandsTest, ShowSaysWhenWorkersHaveNothingToDo) {
  v1::Study study = MakeStudy("first", v1::STUDY_STATE_ACTIVE);
  study.mutable_progress()->set_idle("12 of 64 workers idle: in_flight 16");
  server_.studies = {study};
  EXPECT_THAT(Run({"study", "show", "first"}).out,
              HasSubstr("12 of 64 workers idle: in_flight 16\n"));
  const RunOutcome json = Run({"study", "show", "first", "-o", "json"});
  EXPECT_EQ(Json::parse(json.out).at("progress").at("idle"), "12 of 64 workers idle: in_flight 16");
}

}  // namespace
}  // namespace voxbit::client
