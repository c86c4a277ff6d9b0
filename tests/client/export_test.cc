#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "common/digest.h"
#include "common/files.h"
#include "tests/client/fake_server.h"
#include "tests/support/temp_dir.h"

namespace voxbit::client {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() : out_(folder_.path() + "/a/b") {
    server_.studies = {MakeStudy("first", v1::STUDY_STATE_COMPLETED)};
    server_.trials = {MakeTrial(1, 0.40, 10.0), MakeTrial(2, 0.55, 20.0), MakeTrial(3, 0.60, 30.0)};
    server_.front = {1, 3};
    Offer("manifest.json", R"({"version": 1})");
    Offer("weights.safetensors", weights_);
  }

  void Offer(const std::string& name, const std::string& bytes) {
    server_.artifacts[Sha256Hex(bytes)] = bytes;
    server_.export_artifacts[name] = Sha256Hex(bytes);
  }

  RunOutcome Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--out", out_});
    return RunLine(server_.address, std::move(arguments));
  }

  // Paths below the temporary folder, folders included.
  std::vector<std::string> Left() const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      paths.push_back(fs::relative(entry.path(), folder_.path()).string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  FakeServer server_;
  voxbit::testing::TempDir folder_;
  std::string out_;
  std::string weights_ = "0123456789abcdefghij";
};

TEST_F(ExportTest, WritesTheBundleAndSaysWhere) {
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(Left(), ElementsAre("a", "a/b", "a/b/first-2", "a/b/first-2/manifest.json",
                                  "a/b/first-2/weights.safetensors"));
  EXPECT_EQ(*ReadFile(out_ + "/first-2/weights.safetensors"), weights_);
  EXPECT_THAT(run.out, HasSubstr(out_ + "/first-2"));
  EXPECT_THAT(run.err, HasSubstr("export of trial 2: queued"));
  EXPECT_EQ(server_.exports.at(0).request_id().size(), 36U);
}

TEST_F(ExportTest, AFolderThatCannotBeWrittenIsWrongUsageBeforeWorkIsQueued) {
  ASSERT_TRUE(WriteFileAtomically(folder_.path() + "/file", "").ok());
  for (const std::string& out :
       {folder_.path() + "/file", folder_.path() + "/file/below", std::string("/proc/bundles")}) {
    const RunOutcome run =
        RunLine(server_.address, {"export", "first", "--trial", "2", "--out", out});
    EXPECT_EQ(run.code, kExitUsage) << out;
    EXPECT_THAT(run.err, HasSubstr("--out: " + out + " cannot be written")) << out;
  }
  EXPECT_TRUE(server_.exports.empty());
}

TEST_F(ExportTest, PackedFileIsPartOfTheBundle) {
  Offer("weights.vxb", "VXBP");
  ASSERT_EQ(Run({"export", "first", "--trial", "2"}).code, kExitDone);
  EXPECT_EQ(*ReadFile(out_ + "/first-2/weights.vxb"), "VXBP");
}

TEST_F(ExportTest, JsonNamesFilesWithDigestAndSize) {
  const RunOutcome run = Run({"export", "first", "--trial", "2", "-o", "json", "--quiet"});
  EXPECT_EQ(run.err, "");
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json[0]["trial"], 2);
  EXPECT_EQ(json[0]["files"]["weights.safetensors"]["sha256"], Sha256Hex(weights_));
  EXPECT_EQ(json[0]["files"]["weights.safetensors"]["size_bytes"], 20);
}

TEST_F(ExportTest, DamagedArtifactFailsAndLeavesNothingBehind) {
  server_.artifacts[Sha256Hex(weights_)] = "0123456789abcdefghiX";
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("weights.safetensors arrived damaged"));
  EXPECT_THAT(run.err, HasSubstr("ARTIFACT_HASH_MISMATCH"));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(ExportTest, FailedRefreshKeepsTheOlderBundle) {
  ASSERT_EQ(Run({"export", "first", "--trial", "2"}).code, kExitDone);
  server_.artifacts[Sha256Hex(weights_)] = "short";
  EXPECT_EQ(Run({"export", "first", "--trial", "2"}).code, kExitFailed);
  EXPECT_EQ(*ReadFile(out_ + "/first-2/weights.safetensors"), weights_);
  EXPECT_EQ(Left().size(), 5U);
}

TEST_F(ExportTest, RefreshReplacesTheFiles) {
  ASSERT_EQ(Run({"export", "first", "--trial", "2"}).code, kExitDone);
  Offer("weights.safetensors", "newer");
  ASSERT_EQ(Run({"export", "first", "--trial", "2"}).code, kExitDone);
  EXPECT_EQ(*ReadFile(out_ + "/first-2/weights.safetensors"), "newer");
  EXPECT_EQ(Left().size(), 5U);
}

TEST_F(ExportTest, BrokenReadGoesOnWhereItEnded) {
  server_.export_artifacts.erase("manifest.json");
  Offer("manifest.json", "{}");
  server_.break_reads_after = 2;
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(*ReadFile(out_ + "/first-2/weights.safetensors"), weights_);
  EXPECT_THAT(server_.read_offsets, ElementsAre(0, 0, 8));
}

TEST_F(ExportTest, BestPicksByFinalValue) {
  EXPECT_EQ(Run({"export", "first", "--best", "miou"}).code, kExitDone);
  EXPECT_EQ(server_.exports.back().trial_number(), 3);
  EXPECT_EQ(Run({"export", "first", "--best", "latency_ms"}).code, kExitDone);
  EXPECT_EQ(server_.exports.back().trial_number(), 1);
  const RunOutcome wrong = Run({"export", "first", "--best", "speed"});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_THAT(wrong.err, HasSubstr("--best"));
}

TEST_F(ExportTest, BestKeepsToTheConstraints) {
  const auto limit = [&](int max_ms) {
    server_.studies[0].set_config_json(
        R"({"constraints":[{"metric":"latency_ms","target":"local","max":)" +
        std::to_string(max_ms) + "}]}");
  };
  limit(25);
  EXPECT_EQ(Run({"export", "first", "--best", "miou"}).code, kExitDone);
  EXPECT_EQ(server_.exports.back().trial_number(), 2);
  limit(5);
  const RunOutcome none = Run({"export", "first", "--best", "miou"});
  EXPECT_NE(none.code, kExitDone);
  EXPECT_THAT(none.err, HasSubstr("no trial meets the constraints"));
}

TEST_F(ExportTest, ParetoExportsTheWholeFront) {
  const RunOutcome run = Run({"export", "first", "--pareto"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_TRUE(fs::exists(out_ + "/first-1/manifest.json"));
  EXPECT_TRUE(fs::exists(out_ + "/first-3/manifest.json"));
  EXPECT_FALSE(fs::exists(out_ + "/first-2"));
}

TEST_F(ExportTest, FailedExportSaysWhy) {
  server_.export_end = v1::TASK_STATE_FAILED;
  server_.export_message = "checkpoint is gone";
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("export of trial 2 failed: checkpoint is gone"));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(ExportTest, NamesThatLeaveTheFolderAreRefused) {
  Offer("../../evil", "x");
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("../../evil"));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(ExportTest, IncompleteExportIsRefused) {
  server_.export_artifacts.erase("weights.safetensors");
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("lacks weights.safetensors"));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(ExportTest, ArtifactThatTheServerLostIsNotFound) {
  server_.artifacts.erase(Sha256Hex(weights_));
  const RunOutcome run = Run({"export", "first", "--trial", "2"});
  EXPECT_EQ(run.code, kExitNotFound);
  EXPECT_THAT(Left(), IsEmpty());
}

}  // namespace
}  // namespace voxbit::client
