#include "server/study/server_config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

class ServerConfigTest : public ::testing::Test {
 protected:
  Result<server::ServerConfig> Read(const Json& config,
                                    const std::vector<std::string>& overrides = {}) {
    EXPECT_TRUE(WriteFileAtomically(dir_.File("server.json"), config.dump()).ok());
    return server::ReadServerConfig(dir_.File("server.json"), overrides, plugins_);
  }

  TempDir dir_;
  const server::Plugins plugins_ = ToyPlugins();
};

TEST_F(ServerConfigTest, StudiesAreObjectsOrFilesBesideTheConfig) {
  ASSERT_TRUE(
      WriteFileAtomically(dir_.File("b.json"), "// a study\n" + ToyStudy("b", 8).dump()).ok());
  const auto config = Read({{"studies", {ToyStudy("a", 8), "b.json"}}});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->studies.size(), 2U);
  EXPECT_EQ(config->studies[0].name, "a");
  EXPECT_EQ(config->studies[1].name, "b");
}

TEST_F(ServerConfigTest, OverridesReplaceOneValue) {
  const auto config = Read({{"studies", {ToyStudy("a", 8)}}},
                           {"/server/store=runs/x", "/studies/0/search/trials=20"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server.store, "runs/x");
  EXPECT_EQ(Json::parse(config->studies[0].config_json)["search"]["trials"], 20);
}

TEST_F(ServerConfigTest, AnAddressInBracketsIsText) {
  const auto config = Read({{"studies", Json::array()}}, {"/server/grpc=[::1]:50051"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server.grpc, "[::1]:50051");
  EXPECT_EQ(Read({{"studies", Json::array()}}, {"/studies=[1,]"})
                .status()
                .message()
                .rfind("--set /studies: line 1, column 4: not valid JSON", 0),
            0U);
}

TEST_F(ServerConfigTest, OverrideWithoutAPlaceIsRefused) {
  EXPECT_EQ(Read({{"studies", {}}}, {"store=runs/x"}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Read({{"studies", Json::array()}}, {"/studies/a/b=1"}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(ServerConfigTest, OverrideThatLeadsNowhereIsRefusedWithWhatThereIs) {
  const auto message = [&](const std::string& change) {
    const Status status = Read({{"studies", {ToyStudy("a", 8)}}}, {change}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << change;
    return status.message();
  };
  EXPECT_EQ(message("/studies/3/search/trials=5"),
            "--set /studies/3/search/trials: /studies has 1 entry, the last one is /studies/0; "
            "/studies/- appends one");
  EXPECT_EQ(message("/studies/0/objectives/2/metric=macs"),
            "--set /studies/0/objectives/2/metric: /studies/0/objectives has 2 entries, the last "
            "one is /studies/0/objectives/1; /studies/0/objectives/- appends one");
  EXPECT_NE(message("/studies/0/constraints/0/max=5").find("give the whole list"),
            std::string::npos);
  EXPECT_NE(message("/studies/0/seed/x=5").find("/studies/0/seed is 3, which has nothing inside"),
            std::string::npos);
  EXPECT_NE(message("/studies/0/objectives=[{\"metric\":\"miou\"}").find("not valid JSON"),
            std::string::npos);
  EXPECT_NE(message("/sever/store=x").find("did you mean \"server\"?"), std::string::npos);
}

TEST_F(ServerConfigTest, OverrideAppendsAndMakesWhatIsNotThere) {
  const auto config =
      Read({{"studies", {ToyStudy("a", 8)}}},
           {R"(/studies/0/objectives/-={"metric":"params"})", "/studies/0/finetune/top=1"});
  ASSERT_TRUE(config.ok()) << config.status();
  const Json study = Json::parse(config->studies[0].config_json);
  EXPECT_EQ(study["objectives"].size(), 3U);
  EXPECT_EQ(study["finetune"]["top"], 1);
}

TEST_F(ServerConfigTest, OverrideOfATextThatLooksLikeANumberSaysHowToWriteIt) {
  const auto read = [&](const std::string& change) {
    return Read({{"studies", {ToyStudy("a", 8)}}}, {change});
  };
  for (const std::string value : {"123", "true", "1.5"}) {
    EXPECT_NE(read("/studies/0/name=" + value)
                  .status()
                  .message()
                  .find("a text is written in quotes: --set '/studies/0/name=\"" + value + "\"'"),
              std::string::npos);
  }
  EXPECT_EQ(read("/studies/0/name=\"123\"")->studies[0].name, "123");
}

TEST_F(ServerConfigTest, OverrideOfAWrongNumberSpeaksOfNoText) {
  const auto message = [&](const std::string& change) {
    const Status status = Read({{"studies", {ToyStudy("a", 8)}}}, {change}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << change;
    return std::string(status.message());
  };
  for (const std::string change :
       {"/studies/0/search/trials=-5", "/studies/0/search/trials=1.5", "/studies/0/seed=true",
        "/server/local_workers=-1", "/studies/0/objectives/0/metric=5", "/studies/0/dataset=null",
        "/server/grpc=50051"}) {
    const std::string said = message(change);
    EXPECT_NE(said.find("expected"), std::string::npos) << said;
    EXPECT_EQ(said.find("in quotes"), std::string::npos) << said;
  }
  EXPECT_NE(message("/server/grpc=50051").find("expected HOST:PORT"), std::string::npos);
}

TEST_F(ServerConfigTest, AStudyInPlaceOfAConfigurationSaysHowToGiveIt) {
  const Status status = Read(ToyStudy("a", 8), {"/studies/0/search/trials=5"}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  for (const std::string& word : {dir_.File("server.json") + ": looks like a study",
                                  std::string(R"({"studies":["server.json"]})"),
                                  "search-client study create -f " + dir_.File("server.json")}) {
    EXPECT_NE(status.message().find(word), std::string::npos) << status;
  }
}

TEST_F(ServerConfigTest, AConfigurationInPlaceOfAStudyIsNamed) {
  const Json inner = {{"server", Json::object()}, {"studies", {ToyStudy("b", 8)}}};
  ASSERT_TRUE(WriteFileAtomically(dir_.File("b.json"), inner.dump()).ok());
  const Status status = Read({{"studies", {"b.json"}}}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(dir_.File("b.json") + ": /: looks like a server configuration"),
            std::string::npos)
      << status;
}

TEST_F(ServerConfigTest, WhatIsAskedOfNewStudiesIsLeftToWhoKnowsTheStore) {
  Json study = ToyStudy("a", 8);
  study["objectives"].push_back({{"metric", "latency_ms"}, {"target", " my board"}});
  const auto config = Read({{"studies", {study, ToyStudy("b", 8)}}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->studies[0].as_new.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(config->studies[0].as_new.message().find("server.json: /studies/0/objectives/2/target"),
            std::string::npos)
      << config->studies[0].as_new;
  EXPECT_TRUE(config->studies[1].as_new.ok());
}

TEST_F(ServerConfigTest, EverySeedOf64BitsMayBeGiven) {
  const auto config =
      Read({{"studies", {ToyStudy("a", 8)}}}, {"/studies/0/seed=18446744073709551615"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(Json::parse(config->studies[0].config_json)["seed"].get<uint64_t>(), ~uint64_t{0});
  for (const std::string bad : {"18446744073709551616", "-1", "1.5", "one"}) {
    const Status status =
        Read({{"studies", {ToyStudy("a", 8)}}}, {"/studies/0/seed=" + bad}).status();
    EXPECT_NE(status.message().find("/studies/0/seed: expected an integer from 0 to "
                                    "18446744073709551615"),
              std::string::npos)
        << status;
  }
}

TEST_F(ServerConfigTest, AKeyGivenTwiceIsRefusedWithItsPlace) {
  const auto message = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(dir_.File("twice.json"), text).ok());
    const auto config = server::ReadServerConfig(dir_.File("twice.json"), {}, plugins_);
    EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument);
    return config.status().message();
  };
  std::string study = ToyStudy("a", 8).dump();
  study.insert(study.size() - 1, R"(,"seed":4)");
  EXPECT_EQ(
      message(R"({"studies":[)" + study + "]}"),
      dir_.File("twice.json") + ": /studies/0/seed: this key is given twice; keep one of the two");
  ASSERT_TRUE(WriteFileAtomically(dir_.File("study.json"), study).ok());
  EXPECT_NE(message(R"({"studies":["study.json"]})")
                .find(dir_.File("study.json") + ": /seed: this key is given twice"),
            std::string::npos);
}

TEST_F(ServerConfigTest, NamesThatAreSlipsAreSetRight) {
  const auto message = [&](const std::string& pointer, const std::string& value) {
    return Read({{"studies", {ToyStudy("a", 8)}}}, {pointer + "=" + value}).status().message();
  };
  const auto expect = [&](const std::string& pointer, const std::string& value,
                          const std::string& meant) {
    const std::string said = message(pointer, value);
    EXPECT_NE(said.find(pointer + ": "), std::string::npos) << said;
    EXPECT_NE(said.find("did you mean \"" + meant + "\"?"), std::string::npos) << said;
  };
  expect("/studies/0/objectives/0/metric", "mIoU", "miou");
  expect("/studies/0/objectives/0/metric", "param", "params");
  expect("/studies/0/objectives/0/metric", "acuracy", "accuracy");
  expect("/studies/0/search/algorithm", "evolutoin", "evolution");
  expect("/studies/0/supernet/kind", "toys", "toy");
  expect("/studies/0/dataset/kind", "semantickitti", "semantic_kitti");
  expect("/studies/0/train/optimizer", "Adam", "adam");
}

TEST_F(ServerConfigTest, TwoStudiesOfOneNameAreRefused) {
  const auto config = Read({{"studies", {ToyStudy("a", 8), ToyStudy("a", 9)}}});
  EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ServerConfigTest, SyncIntervalMustFitTwiceIntoALease) {
  const auto config = Read({{"server", {{"lease_duration_ms", 1000}, {"sync_interval_ms", 900}}}});
  EXPECT_NE(config.status().message().find("/server/sync_interval_ms"), std::string::npos);
}

TEST_F(ServerConfigTest, ARelativeDatasetRootIsTakenFromTheWorkingDirectory) {
  Json study = ToyStudy("a", 8);
  study["dataset"] = {{"kind", "semantic_kitti"}, {"root", "data/../lidar"}};
  ASSERT_TRUE(WriteFileAtomically(dir_.File("b.json"), ToyStudy("b", 8).dump()).ok());
  const auto config = Read({{"studies", {study, "b.json"}}});
  ASSERT_TRUE(config.ok()) << config.status();
  const auto root_of = [](const Result<server::ServerConfig>& read) {
    return Json::parse(read->studies[0].config_json)["dataset"]["root"];
  };
  EXPECT_EQ(root_of(config), (std::filesystem::current_path() / "lidar").string());
  const auto absolute = Read({{"studies", {study}}}, {"/studies/0/dataset/root=/data/lidar"});
  ASSERT_TRUE(absolute.ok()) << absolute.status();
  EXPECT_EQ(root_of(absolute), "/data/lidar");
}

TEST_F(ServerConfigTest, DataThatIsNotThereIsAnErrorWhereAWorkerOfThisMachineNeedsIt) {
  const Json study = {{"dataset", {{"kind", "semantic_kitti"}, {"root", dir_.File("nowhere")}}}};
  const auto local = server::LookAtData(study, "/studies/3", plugins_, true);
  EXPECT_EQ(local.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(local.status().message(),
            "/studies/3/dataset/root: no such folder: " + dir_.File("nowhere"));
  const auto remote = server::LookAtData(study, "/studies/3", plugins_, false);
  ASSERT_TRUE(remote.ok()) << remote.status();
  EXPECT_NE(remote->find(dir_.File("nowhere")), std::string::npos) << *remote;
  for (const bool has_local_workers : {true, false}) {
    EXPECT_EQ(server::LookAtData(ToyStudy("a", 8), "", plugins_, has_local_workers).value(), "");
  }
}

TEST_F(ServerConfigTest, ALatencyTableIsReadFromItsFileAndStored) {
  Json study = ToyStudy("a", 8);
  study["latency_table"] = dir_.File("table.json");
  ASSERT_TRUE(
      WriteFileAtomically(dir_.File("table.json"), "// measured\n" + ToyLatencyTable().dump())
          .ok());
  const auto config = Read({{"studies", {study}}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(Json::parse(config->studies[0].config_json)["latency_table"]["layers"],
            ToyLatencyTable()["layers"]);
}

TEST_F(ServerConfigTest, ALatencyTableThatCannotBeReadIsNamed) {
  const auto message = [&](const Json& table) {
    Json study = ToyStudy("a", 8);
    study["latency_table"] = table;
    const Status status = Read({{"studies", {study}}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("/studies/0/latency_table: "), std::string::npos) << status;
    return std::string(status.message());
  };
  const std::string path = dir_.File("table.json");
  EXPECT_NE(message(path).find("expected the path of a file"), std::string::npos);
  EXPECT_NE(message(dir_.path()).find("expected the path of a file"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomically(path, "{").ok());
  EXPECT_NE(message(path).find(path + ": line 1, column "), std::string::npos);
  ASSERT_TRUE(WriteFileAtomically(path, std::string((1 << 20) + 1, ' ')).ok());
  EXPECT_NE(message(path).find("has 1048577 bytes"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomically(path, "[]").ok());
  EXPECT_NE(message(path).find("expected a latency table, found an array"), std::string::npos);
}

TEST_F(ServerConfigTest, AddressIsAHostAndAPortThatExists) {
  for (const std::string good : {"127.0.0.1:0", "localhost:65535", "[::1]:50051", "0.0.0.0:80"}) {
    EXPECT_TRUE(Read({{"server", {{"grpc", good}}}}).ok()) << good;
  }
  for (const std::string bad : {"", "nonsense", ":50051", "127.0.0.1:", "127.0.0.1:99999",
                                "127.0.0.1:-1", "127.0.0.1:80a", "http://127.0.0.1:80"}) {
    const Status status = Read({{"server", {{"grpc", bad}}}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("/server/grpc: expected HOST:PORT"), std::string::npos)
        << status;
  }
}

TEST_F(ServerConfigTest, StoreMustBeNamed) {
  const Status status = Read({{"server", {{"store", ""}}}}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("/server/store"), std::string::npos) << status;
}

TEST_F(ServerConfigTest, LocalWorkersAreAutoOrANumber) {
  EXPECT_EQ(Read({{"server", {{"local_workers", "auto"}}}})->server.local_workers,
            server::ServerSettings::kAutoWorkers);
  EXPECT_EQ(Read({{"server", {{"local_workers", 3}}}})->server.local_workers, 3);
  EXPECT_NE(Read({{"server", {{"local_workers", "two"}}}})
                .status()
                .message()
                .find("/server/local_workers"),
            std::string::npos);
}

}  // namespace
}  // namespace voxbit::testing
