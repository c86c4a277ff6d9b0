// What users get wrong, and what their machines do to them: a clear message, the documented exit
// code, nothing corrupted.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "common/files.h"
#include "search/domain/study.h"
#include "storage/store.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

struct BadConfig {
  std::string name;
  std::string text;
  std::vector<std::string> words;  // all must be in the message
};

class BadConfigTest : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigTest, IsRefusedWithThePlaceAndWhatWouldBeRight) {
  const TempDir dir;
  const std::string path = dir.path() + "/config.json";
  ASSERT_TRUE(WriteFileAtomically(path, GetParam().text).ok());
  const Finished finished = RunProgram({"search-server", "--config", path, "--check"});
  EXPECT_EQ(finished.code, 2) << finished.output;
  for (const auto& word : GetParam().words) {
    EXPECT_NE(finished.output.find(word), std::string::npos) << word << " in " << finished.output;
  }
}

std::string WithStudy(const std::string& change_pointer, const Json& value) {
  Json config = {{"studies", {SmallStudy("bad", 8)}}};
  config[Json::json_pointer(change_pointer)] = value;
  return config.dump();
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadConfigTest,
    ::testing::Values(
        BadConfig{"NotJson", "{\"server\": {", {"config.json", "line 1", "not valid JSON"}},
        BadConfig{"UnknownKey", R"({"server": {"grcp": "x"}})", {"/server/grcp", "grpc"}},
        BadConfig{"WrongType",
                  WithStudy("/studies/0/search/trials", "many"),
                  {"/studies/0/search/trials", "integer", "many"}},
        BadConfig{"OutOfRange",
                  WithStudy("/studies/0/train/steps", -1),
                  {"/studies/0/train/steps", "-1"}},
        BadConfig{"KeyGivenTwice",
                  R"({"server": {"store": "a", "http": "", "store": "b"}})",
                  {"config.json: /server/store", "twice"}},
        BadConfig{"SlipInAMetric",
                  WithStudy("/studies/0/objectives/0/metric", "mIOU"),
                  {"/studies/0/objectives/0/metric", "did you mean \"miou\"?"}},
        BadConfig{"SlipInAnAlgorithm",
                  WithStudy("/studies/0/search/algorithm", "evolutions"),
                  {"/studies/0/search/algorithm", "did you mean \"evolution\"?"}},
        BadConfig{"SeedBelowItsRange",
                  WithStudy("/studies/0/seed", -1),
                  {"/studies/0/seed", "from 0 to 18446744073709551615"}},
        BadConfig{"UnknownAlgorithm",
                  WithStudy("/studies/0/search/algorithm", "magic"),
                  {"/studies/0/search/algorithm", "evolution", "random"}},
        BadConfig{"UnknownSupernet",
                  WithStudy("/studies/0/supernet/kind", "resnet"),
                  {"/studies/0/supernet/kind", "spvnas"}},
        BadConfig{"UnknownDataset",
                  WithStudy("/studies/0/dataset/kind", "photos"),
                  {"/studies/0/dataset", "semantic_kitti"}},
        BadConfig{"UnknownDatasetKey",
                  WithStudy("/studies/0/dataset/voxels", 1),
                  {"/studies/0/dataset/voxels", "voxel_m"}},
        BadConfig{"UnknownMetric",
                  WithStudy("/studies/0/objectives/0/metric", "beauty"),
                  {"/studies/0/objectives/0", "miou"}},
        BadConfig{"InfeasibleConstraint",
                  WithStudy("/studies/0/constraints", {{{"metric", "params"}, {"max", 10}}}),
                  {"/studies/0/constraints", "params"}},
        BadConfig{"MistypedFolderOfTheData",
                  WithStudy("/studies/0/dataset",
                            {{"kind", "semantic_kitti"}, {"root", "/nowhere/at/all"}}),
                  {"config.json", "/studies/0/dataset/root", "no such folder: /nowhere/at/all"}},
        BadConfig{"MissingStudyFile",
                  R"({"studies": ["nowhere.json"]})",
                  {"nowhere.json", "No such file"}}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(BadInputTest, MissingConfigFileIsNamed) {
  const Finished finished = RunProgram({"search-server", "--config", "/nowhere/config.json"});
  EXPECT_EQ(finished.code, 2);
  EXPECT_NE(finished.output.find("/nowhere/config.json"), std::string::npos) << finished.output;
}

TEST(BadInputTest, UnknownFlagIsWrongUsage) {
  for (const char* program : {"search-server", "search-worker", "search-client"}) {
    EXPECT_EQ(RunProgram({program, "--no-such-flag"}).code, 2) << program;
    EXPECT_EQ(RunProgram({program, "--help"}).code, 0) << program;
    EXPECT_EQ(RunProgram({program, "--version"}).code, 0) << program;
  }
}

TEST(BadInputTest, AddressesThatCannotBeAreCodeTwoInEveryProgram) {
  const TempDir dir;
  for (const std::string address :
       {"127.0.0.1", "http://127.0.0.1:50051", "127.0.0.1:99999", "localhost:abc"}) {
    const std::string config = WriteConfig(dir, SmallStudy("a", 8), address, 0);
    for (const std::vector<std::string>& line :
         {std::vector<std::string>{"search-client", "--server", address, "worker", "list"},
          {"search-worker", "--server", address},
          {"search-server", "--config", config}}) {
      const Finished finished = RunProgram(line);
      EXPECT_EQ(finished.code, 2) << line[0] << " " << address;
      EXPECT_NE(finished.output.find("expected HOST:PORT"), std::string::npos) << finished.output;
    }
  }
}

TEST(BadInputTest, WhatIsMissingIsSaidInOurWords) {
  const auto said = [](std::vector<std::string> line, const std::string& words) {
    const Finished finished = RunProgram(std::move(line));
    EXPECT_EQ(finished.code, 2) << words;
    EXPECT_NE(finished.output.find(words), std::string::npos) << finished.output;
    EXPECT_NE(finished.output.find("--help"), std::string::npos) << finished.output;
  };
  said({"search-server"}, "search-server needs --config FILE: JSON file with the server");
  said({"search-server", "--config"}, "--config needs a value: FILE");
  said({"search-server", "--confg", "x"}, "has no flag --confg; did you mean --config?");
  said({"search-worker", "synth"}, "search-worker synth needs --out DIR: folder to write");
  said({"search-worker", "serve"}, "\"serve\" is no command of search-worker");
  said({"search-client"}, "search-client needs a command, one of ");
  said({"search-client", "study"}, "search-client study needs a command, one of ");
}

TEST(BadInputTest, APausedStudyThatIsWaitedForSaysHowItGoesOn) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0);
  auto server = StartServer(dir, config);
  const std::string address = AddressOf(dir, *server);
  ASSERT_NE(address, "");
  ASSERT_EQ(RunProgram({"search-client", "--server", address, "study", "pause", "a"}).code, 0);
  server->Signal(SIGTERM);
  ASSERT_TRUE(server->Wait(Milliseconds(60'000)).has_value());
  const std::string log = dir.File("until-done.log");
  Process again({.arguments = {"search-server", "--config", config, "--until-done"},
                 .output = log,
                 .max_file_bytes = {},
                 .bound_by_modes = false});
  EXPECT_TRUE(Eventually([&] {
    return ReadText(log).find(
               "study a is paused, and --until-done waits for it; resume it with: "
               "search-client --server 127.0.0.1:") != std::string::npos;
  })) << ReadText(log);
}

TEST(BadInputTest, AStoppedStudyIsNoSuccess) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0);
  auto server = StartServer(dir, config);
  const std::string address = AddressOf(dir, *server);
  ASSERT_NE(address, "");
  ASSERT_EQ(RunProgram({"search-client", "--server", address, "study", "stop", "a"}).code, 0);
  EXPECT_EQ(RunProgram({"search-client", "--server", address, "study", "watch", "a"}).code, 1);
  server->Signal(SIGTERM);
  ASSERT_TRUE(server->Wait(Milliseconds(60'000)).has_value());
  const Finished finished = RunProgram({"search-server", "--config", config, "--until-done"});
  EXPECT_EQ(finished.code, 1) << finished.output;
  EXPECT_NE(finished.output.find("study a: stopped"), std::string::npos) << finished.output;
}

TEST(BadInputTest, UnreachableServerEndsTheClientWithFour) {
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  const Finished finished = RunProgram({"search-client", "--server", address, "study", "list"});
  EXPECT_EQ(finished.code, 4) << finished.output;
  EXPECT_NE(finished.output.find(address), std::string::npos) << finished.output;
}

TEST(BadInputTest, UnreachableServerEndsTheWorkerWithFour) {
  const TempDir dir;
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  const Finished finished =
      RunProgram({"search-worker", "--server", address, "--device", "cpu", "--cache",
                  dir.path() + "/cache", "--connect-timeout", "1"});
  EXPECT_EQ(finished.code, 4) << finished.output;
  EXPECT_NE(finished.output.find(address), std::string::npos) << finished.output;
}

TEST(BadInputTest, AServerOpensAsManyFilesAsItMay) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0);
  const std::string command =
      "ulimit -Sn 100 && ulimit -Hn 3000 && exec " + BinDir() + "/search-server --config " + config;
  Process server(Process::Options{.arguments = {"/bin/sh", "-c", command},
                                  .output = dir.path() + "/server.log",
                                  .max_file_bytes = {},
                                  .bound_by_modes = false});
  ASSERT_NE(AddressOf(dir, server), "");
  EXPECT_NE(ReadText(dir.path() + "/server.log").find("open_files=3000"), std::string::npos)
      << ReadText(dir.path() + "/server.log");
}

TEST(BadInputTest, PortInUseIsNamed) {
  const TempDir first;
  const TempDir second;
  auto server = StartServer(first, WriteConfig(first, SmallStudy("a", 8), "127.0.0.1:0", 0));
  const std::string address = AddressOf(first, *server);
  ASSERT_NE(address, "");
  const Finished finished = RunProgram(
      {"search-server", "--config", WriteConfig(second, SmallStudy("b", 8), address, 0)});
  EXPECT_EQ(finished.code, 1) << finished.output;
  EXPECT_NE(finished.output.find(address), std::string::npos) << finished.output;
}

TEST(BadInputTest, StoreInUseByAnotherServerIsRefused) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0);
  auto server = StartServer(dir, config);
  ASSERT_NE(AddressOf(dir, *server), "");
  const Finished finished = RunProgram({"search-server", "--config", config});
  EXPECT_NE(finished.code, 0);
  EXPECT_NE(finished.output.find("store"), std::string::npos) << finished.output;
  EXPECT_TRUE(server->Running());
}

TEST(BadInputTest, ReadOnlyStoreFolderIsNamed) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0);
  ASSERT_TRUE(MakeFolders(dir.path() + "/store").ok());
  ASSERT_EQ(::chmod((dir.path() + "/store").c_str(), 0555), 0);
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  const Finished finished = RunToEnd({.arguments = {"search-server", "--config", config},
                                      .output = "",
                                      .max_file_bytes = {},
                                      .bound_by_modes = true});
  EXPECT_EQ(finished.code, 1) << finished.output;
  EXPECT_NE(finished.output.find(dir.path() + "/store"), std::string::npos) << finished.output;
  EXPECT_TRUE(std::filesystem::is_empty(dir.path() + "/store"));
}

TEST(BadInputTest, ChangedStudyUnderItsOldNameIsRefused) {
  const TempDir dir;
  {
    auto server = StartServer(dir, WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0));
    ASSERT_NE(AddressOf(dir, *server), "");
  }
  const Finished finished = RunProgram(
      {"search-server", "--config", WriteConfig(dir, SmallStudy("a", 9), "127.0.0.1:0", 0)});
  EXPECT_EQ(finished.code, 2) << finished.output;
  EXPECT_NE(finished.output.find("other settings"), std::string::npos) << finished.output;
}

// A study that a version with fewer settings has stored is the same study.
TEST(BadInputTest, StudyOfAnOlderVersionGoesOn) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("a", 8), "127.0.0.1:0", 0);
  const Finished checked = RunProgram({"search-server", "--config", config, "--check"});
  ASSERT_EQ(checked.code, 0) << checked.output;
  Json study = ParseJson(checked.output)->at("studies").at(0);
  ASSERT_EQ(study.at("train").erase("label_smoothing"), 1U);
  {
    const SystemClock clock;
    const auto store = storage::Store::Open(dir.path() + "/store", clock).value();
    const auto parsed = search::ParseStudyConfig(study, "").value();
    ASSERT_TRUE(store->CreateStudy(parsed, CanonicalJson(study)).ok());
  }
  auto server = StartServer(dir, config);
  EXPECT_NE(AddressOf(dir, *server), "") << ReadText(dir.path() + "/server.log");
}

// What is asked of new studies by now does not stop one that an earlier version has begun.
TEST(BadInputTest, StudyWithATargetThatNewOnesMayNotHaveGoesOn) {
  const TempDir dir;
  Json study = SmallStudy("a", 8);
  study["objectives"].push_back({{"metric", "latency_ms"}, {"target", " my board"}});
  const std::string config = WriteConfig(dir, study, "127.0.0.1:0", 0);
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"search-server", "--config", config, "--check"},
        {"search-server", "--config", config}}) {
    const Finished refused = RunProgram(line);
    EXPECT_EQ(refused.code, 2) << refused.output;
    EXPECT_NE(refused.output.find("config.json: /studies/0/objectives/"), std::string::npos)
        << refused.output;
  }
  {
    const SystemClock clock;
    const auto store = storage::Store::Open(dir.path() + "/store", clock).value();
    EXPECT_TRUE(store->ListStudies(0, 10).value().empty());
    const auto parsed = search::ParseStudyConfig(study, "").value();
    ASSERT_TRUE(store->CreateStudy(parsed, CanonicalJson(study)).ok());
  }
  auto server = StartServer(dir, config);
  EXPECT_NE(AddressOf(dir, *server), "") << ReadText(dir.path() + "/server.log");
}

// The disk is full for the server while a study runs: it says so and goes on. Afterwards everything
// that was acknowledged is there and the study ends as if nothing had been.
TEST(BadInputTest, FullDiskStopsNothingForGood) {
  const TempDir dir;
  const auto config = WriteConfig(dir, SmallStudy("full", 8), "127.0.0.1:0", 1);
  const std::string log = dir.path() + "/limited.log";
  {
    Process server({.arguments = {"search-server", "--config", config, "--until-done"},
                    .output = log,
                    .max_file_bytes = 320 * 1024,
                    .bound_by_modes = false});
    EXPECT_TRUE(Eventually([&] {
      return ReadText(log).find("no space left for the store") != std::string::npos;
    })) << ReadText(log);
    EXPECT_TRUE(server.Running()) << ReadText(log);
    server.Signal(SIGTERM);
    EXPECT_EQ(server.Wait(Milliseconds(60'000)), 130) << ReadText(log);
  }
  auto server = StartServer(dir, config);
  EXPECT_EQ(server->Wait(Milliseconds(240'000)), 0) << ReadText(dir.path() + "/server.log");
  StoppedStore stopped(dir);
  EXPECT_EQ(stopped.OnlyStudy().state, search::StudyState::kCompleted);
  EXPECT_EQ(stopped.store().CheckInvariants().value(), std::vector<std::string>{});
}

// A mistyped path costs no study its name.
TEST(BadInputTest, AStudyWhoseDataIsNotThereIsNotStored) {
  const TempDir dir;
  Json study = SmallStudy("typo", 8);
  study["dataset"] = {{"kind", "semantic_kitti"}, {"root", dir.path() + "/nowhere"}};
  const std::string config = WriteConfig(dir, study, "127.0.0.1:0", 1);
  const Finished finished = RunProgram({"search-server", "--config", config, "--until-done"});
  EXPECT_EQ(finished.code, 2) << finished.output;
  EXPECT_NE(finished.output.find("/studies/0/dataset/root"), std::string::npos) << finished.output;
  const SystemClock clock;
  const auto store = storage::Store::Open(dir.path() + "/store", clock).value();
  EXPECT_TRUE(store->ListStudies(0, 10).value().empty());
}

// A study that failed before its first trial does not keep its name: mended, it begins anew.
TEST(GivenAgainTest, MendedSettingsUnderTheSameNameRun) {
  const TempDir dir;
  Json study = SmallStudy("mended", 8);
  // Nothing has so few; that is known when the profile is done.
  study["constraints"] = {{{"metric", "macs"}, {"max", 1}}};
  auto failing = StartServer(dir, WriteConfig(dir, study, "127.0.0.1:0", 1));
  EXPECT_EQ(failing->Wait(Milliseconds(120'000)), 1) << ReadText(dir.path() + "/server.log");
  study["constraints"] = {{{"metric", "macs"}, {"max", 1e12}}};
  auto mended = StartServer(dir, WriteConfig(dir, study, "127.0.0.1:0", 1));
  EXPECT_EQ(mended->Wait(Milliseconds(120'000)), 0) << ReadText(dir.path() + "/server.log");
  const std::string log = ReadText(dir.path() + "/server.log");
  EXPECT_NE(log.find("study mended failed before its first trial and begins anew"),
            std::string::npos)
      << log;
  StoppedStore stopped(dir);
  EXPECT_EQ(stopped.OnlyStudy().state, search::StudyState::kCompleted);
  EXPECT_EQ(stopped.Trials().size(), 8U);
  EXPECT_EQ(stopped.store().CheckInvariants().value(), std::vector<std::string>{});
}

// A broken dataset ends the study with a message that names the file, not with a crash.
struct BrokenData {
  std::string name;
  std::string points;
  std::string labels;
  std::vector<std::string> words;
};

std::string Floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}
std::string Words(const std::vector<uint32_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(uint32_t)};
}

class BrokenDataTest : public ::testing::TestWithParam<BrokenData> {};

TEST_P(BrokenDataTest, FailsTheStudyAndNamesTheFile) {
  const TempDir dir;
  const std::string root = dir.path() + "/data";
  ASSERT_TRUE(MakeFolders(root + "/velodyne").ok());
  ASSERT_TRUE(MakeFolders(root + "/labels").ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/velodyne/scan.bin", GetParam().points).ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/labels/scan.label", GetParam().labels).ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/classes.tsv",
                                  "raw_id\ttrain_id\tname\n0\t255\tnone\n1\t0\tground\n2\t1\tcar\n")
                  .ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/train.txt", "scan\n").ok());
  ASSERT_TRUE(WriteFileAtomically(root + "/val.txt", "scan\n").ok());
  Json study = SmallStudy("broken", 8);
  study["dataset"] = {{"kind", "semantic_kitti"}, {"root", root}, {"voxel_m", 0.5}};
  auto server = StartServer(dir, WriteConfig(dir, study, "127.0.0.1:0", 1));
  EXPECT_EQ(server->Wait(Milliseconds(120'000)), 1) << ReadText(dir.path() + "/server.log");
  const std::string log = ReadText(dir.path() + "/server.log");
  for (const auto& word : GetParam().words) {
    EXPECT_NE(log.find(word), std::string::npos) << word << " in " << log;
  }
  StoppedStore stopped(dir);
  EXPECT_EQ(stopped.OnlyStudy().state, search::StudyState::kFailed);
}

// A file that the profile's few scans may miss: no candidate pays for it.
TEST(CheckCommandTest, ListsEveryFaultAndSaysByItsExitCodeWhetherThereIsOne) {
  const TempDir dir;
  const std::string root = dir.path() + "/data";
  ASSERT_EQ(RunProgram({"search-worker", "synth", "--out", root, "--train", "3", "--val", "2",
                        "--set", "beams=8", "--set", "azimuth_steps=64"})
                .code,
            0);
  const std::string dataset = Json{{"kind", "semantic_kitti"}, {"root", root}}.dump();
  const Finished clean = RunProgram({"search-worker", "check", "--dataset", dataset});
  EXPECT_EQ(clean.code, 0) << clean.output;
  EXPECT_NE(clean.output.find("no fault; 5 scans"), std::string::npos) << clean.output;

  std::filesystem::resize_file(root + "/labels/train_1.label", 6);
  std::filesystem::remove(root + "/velodyne/val_0.bin");
  Json study = SmallStudy("checked", 8);
  study["dataset"] = Json::parse(dataset);
  const std::string file = WriteConfig(dir, study, "127.0.0.1:0", 1);
  const Finished broken = RunProgram({"search-worker", "check", "--dataset", file, "-o", "json"});
  EXPECT_EQ(broken.code, 1) << broken.output;
  const Json faults = Json::parse(broken.output).at("faults");
  ASSERT_EQ(faults.size(), 2U) << broken.output;
  EXPECT_NE(faults[0]["message"].get<std::string>().find("train_1.label"), std::string::npos);
  EXPECT_NE(faults[1]["message"].get<std::string>().find("val_0.bin"), std::string::npos);

  for (const std::string& wrong :
       {dir.path() + "/nowhere.json", std::string("{\"kind\": \"photos\"}"),
        Json{{"kind", "semantic_kitti"}, {"root", root + "/nowhere"}}.dump()}) {
    EXPECT_EQ(RunProgram({"search-worker", "check", "--dataset", wrong}).code, 2) << wrong;
  }
  const Finished folder = RunProgram({"search-worker", "check", "--dataset", root});
  EXPECT_EQ(folder.code, 2) << folder.output;
  EXPECT_NE(folder.output.find("search-worker suggest --data " + root), std::string::npos)
      << folder.output;
}

TEST(CheckCommandTest, SaysOnceWhatLiesAtTheOriginAndWhatIsLeftOut) {
  const TempDir dir;
  const std::string root = dir.path() + "/data";
  ASSERT_EQ(RunProgram({"search-worker", "synth", "--out", root, "--train", "2", "--val", "1",
                        "--set", "beams=8", "--set", "azimuth_steps=64"})
                .code,
            0);
  const std::string scan = root + "/velodyne/train_0.bin";
  std::string points = ReadFile(scan).value();
  std::fill_n(points.begin(), points.size() / 32 * 16, '\0');
  ASSERT_TRUE(WriteFileAtomically(scan, points).ok());
  Json dataset = {{"kind", "semantic_kitti"}, {"root", root}};
  const auto check = [&] {
    const Finished run = RunProgram({"search-worker", "check", "--dataset", dataset.dump()});
    EXPECT_EQ(run.code, 0) << run.output;
    return run.output;
  };
  const std::string kept = check();
  const size_t at = kept.find("lie at exactly (0, 0, 0)");
  ASSERT_NE(at, std::string::npos) << kept;
  EXPECT_EQ(kept.find("lie at exactly", at + 1), std::string::npos) << kept;
  EXPECT_EQ(kept.find("left out"), std::string::npos) << kept;
  dataset["drop_origin"] = true;
  const std::string dropped = check();
  EXPECT_EQ(dropped.find("lie at exactly"), std::string::npos) << dropped;
  EXPECT_NE(dropped.find("left out"), std::string::npos) << dropped;
}

const std::vector<float> kTwoPoints = {1, 1, 1, 0, 2, 2, 2, 0};

INSTANTIATE_TEST_SUITE_P(
    Table, BrokenDataTest,
    ::testing::Values(
        BrokenData{
            "TruncatedPoints", Floats(kTwoPoints).substr(0, 27), Words({1, 2}), {"scan.bin"}},
        BrokenData{"LabelCountMismatch", Floats(kTwoPoints), Words({1}), {"scan.label"}},
        BrokenData{"NotANumber", Floats({1, 1, 1, 0, NAN, 2, 2, 0}), Words({1, 2}), {"scan.bin"}},
        BrokenData{"EmptyScan", "", "", {"scan.bin"}},
        BrokenData{"AllIgnored", Floats(kTwoPoints), Words({0, 0}), {"scan"}},
        BrokenData{"LabelOutOfMap", Floats(kTwoPoints), Words({1, 77}), {"scan.label", "77"}}),
    [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace voxbit::testing
