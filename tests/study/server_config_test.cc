#include "server/study/server_config.h"

#include <gtest/gtest.h>

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

TEST_F(ServerConfigTest, OverrideWithoutAPlaceIsRefused) {
  EXPECT_EQ(Read({{"studies", {}}}, {"store=runs/x"}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Read({{"studies", Json::array()}}, {"/studies/a/b=1"}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(ServerConfigTest, TwoStudiesOfOneNameAreRefused) {
  const auto config = Read({{"studies", {ToyStudy("a", 8), ToyStudy("a", 9)}}});
  EXPECT_EQ(config.status().code(), StatusCode::kInvalidArgument);
}

TEST_F(ServerConfigTest, SyncIntervalMustFitTwiceIntoALease) {
  const auto config = Read({{"server", {{"lease_duration_ms", 1000}, {"sync_interval_ms", 900}}}});
  EXPECT_NE(config.status().message().find("/server/sync_interval_ms"), std::string::npos);
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
