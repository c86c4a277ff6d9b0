// A backup that is taken while a study runs, and the study that goes on from it elsewhere.
#include <gtest/gtest.h>

#include "common/json.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

constexpr Milliseconds kLongest{240'000};

int64_t TrialsIn(const Finished& backup) {
  const size_t at = backup.output.find('{');  // log lines may stand before
  if (backup.code != 0 || at == std::string::npos) return -1;
  return Json::parse(backup.output.substr(at)).at("trials").get<int64_t>();
}

TEST(BackupIntegrationTest, AStudyGoesOnFromABackupAsItWentOnWithoutOne) {
  const TempDir dir;
  const Json study = SmallStudy("copied", 48);
  auto server = StartServer(dir, WriteConfig(dir, study, "127.0.0.1:0", 1));
  ASSERT_NE(AddressOf(dir, *server), "");
  Finished backup;
  ASSERT_TRUE(Eventually(
      [&] {
        backup = RunProgram({"search-server", "backup", dir.File("backup"), "--store",
                             dir.File("store"), "-o", "json"});
        return TrialsIn(backup) >= 8;
      },
      kLongest))
      << backup.output;
  EXPECT_EQ(server->Wait(kLongest), 0) << ReadText(dir.File("server.log"));

  const TempDir elsewhere;
  const std::vector<std::string> restore = {"search-server", "restore", dir.File("backup"),
                                            "--store", elsewhere.File("store")};
  const Finished restored = RunProgram(restore);
  ASSERT_EQ(restored.code, 0) << restored.output;
  EXPECT_EQ(RunProgram(restore).code, 2) << "a store is not overwritten";
  server = StartServer(elsewhere, WriteConfig(elsewhere, study, "127.0.0.1:0", 1));
  EXPECT_EQ(server->Wait(kLongest), 0) << ReadText(elsewhere.File("server.log"));
  StoppedStore goes_on(elsewhere);
  EXPECT_EQ(goes_on.Proposed(), StoppedStore(dir).Proposed());
  EXPECT_EQ(goes_on.OnlyStudy().state, search::StudyState::kCompleted);
  EXPECT_EQ(goes_on.store().CheckInvariants().value(), std::vector<std::string>{});
}

TEST(BackupIntegrationTest, ABackupIsNotServed) {
  const TempDir dir;
  const std::string config = WriteConfig(dir, SmallStudy("served", 8), "127.0.0.1:0", 0);
  Process::Options server{.arguments = {"search-server", "--config", config},
                          .output = dir.File("server.log"),
                          .max_file_bytes = {},
                          .bound_by_modes = false};
  {
    Process first(server);
    ASSERT_NE(AddressOf(dir, first), "");
    const Finished backup =
        RunProgram({"search-server", "backup", dir.File("backup"), "--store", dir.File("store")});
    EXPECT_EQ(backup.code, 0) << backup.output;
    const Finished fsck = RunProgram({"search-server", "fsck", "--store", dir.File("backup")});
    EXPECT_EQ(fsck.code, 0) << fsck.output;
    EXPECT_NE(fsck.output.find("sound: 0 artifacts"), std::string::npos) << fsck.output;
    EXPECT_EQ(RunProgram({"search-server", "fsck", "--repair", "--store", dir.File("store")}).code,
              2)
        << "a server runs on it";
    EXPECT_NE(backup.output.find("1 studies, 0 trials"), std::string::npos) << backup.output;
  }
  const Finished served = RunProgram(
      {"search-server", "--config", config, "--set", "/server/store=" + dir.File("backup")});
  EXPECT_EQ(served.code, 2);
  EXPECT_NE(served.output.find("is a backup: make a store of it with search-server restore"),
            std::string::npos)
      << served.output;
}

}  // namespace
}  // namespace voxbit::testing
