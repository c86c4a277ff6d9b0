#include "storage/migrations/migrate.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/files.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::Take;
using testing::TempDir;

// What a store of schema version 1 holds: one study with a measured trial. Never changed again;
// a new version adds a script of its own.
constexpr char kContentV1[] = R"sql(
INSERT INTO studies (name, config, state, phase, last_sequence, created_ms) VALUES ('old',
  '{"dataset":{"kind":"toy"},"name":"old","objectives":[{"metric":"miou"}],"supernet":{"kind":"toy"}}',
  'active', 'search', 1, 1000);
INSERT INTO trials (study_id, number, candidate, digest, origin, state, sequence, measured,
  created_ms, finished_ms) VALUES (1, 1, '3.0.1', 'd1', 'random', 'succeeded', 1,
  '[{"metric":"miou","value":0.5}]', 1000, 2000);
INSERT INTO tasks (study_id, trial_number, kind, supernet_kind, dataset_kind, target, spec,
  spec_digest, state, attempt, lease_token, worker, result, created_ms, finished_ms) VALUES (1, 1,
  'evaluate', 'toy', 'toy', '', '{"kind":"evaluate"}', 't1', 'done', 1, 'token', 'w1',
  '{"measurements":[{"metric":"miou","value":0.5}]}', 1000, 2000);
INSERT INTO attempts (task_id, attempt, lease_token, worker, started_ms, ended_ms, outcome)
  VALUES (1, 1, 'token', 'w1', 1000, 2000, 'done');
INSERT INTO algorithm_states (study_id, blob, told_sequence, saved_ms) VALUES (1, x'00FF', 1, 2000);
INSERT INTO workers (name, info, session, registered_ms, last_seen_ms) VALUES ('w1',
  '{"name":"w1","device":"cpu"}', 's1', 1000, 2000);
)sql";

class MigrationTest : public ::testing::Test {
 protected:
  void WriteVersion(int64_t version, const std::string& content) {
    ASSERT_TRUE(MakeFolders(folder_.path()).ok());
    auto database = Take(Database::Open(folder_.File("voxbit.db"), Database::Mode::kReadWrite));
    ASSERT_TRUE(Migrate(*database, version).ok());
    const Status status = database->Execute(content);
    ASSERT_TRUE(status.ok()) << status;
  }

  TempDir folder_;
  ManualClock clock_;
};

TEST_F(MigrationTest, OpensAStoreOfVersion1) {
  WriteVersion(1, kContentV1);
  auto store = Take(Store::Open(folder_.path(), clock_));
  EXPECT_EQ(Take(store->GetStudy("old")).phase, search::StudyPhase::kSearch);
  const search::Trial trial = Take(store->GetTrial(1, 1));
  EXPECT_EQ(trial.candidate.choices, (std::vector<int32_t>{3, 0, 1}));
  EXPECT_EQ(trial.measured.at({"miou", ""}).value, 0.5);
  EXPECT_EQ(Take(store->GetTask(1)).result->measurements.size(), 1u);
  EXPECT_EQ(Take(store->ListAttempts(1)).at(0).outcome, "done");
  EXPECT_EQ(Take(store->LoadAlgorithmState(1))->blob, std::string("\0\xff", 2));
  EXPECT_EQ(Take(store->GetWorker("w1")).session, "s1");
  const auto kept =
      Take(Database::Open(folder_.File("voxbit.db.version-1"), Database::Mode::kReadOnly));
  EXPECT_EQ(Take(kept->Number("PRAGMA user_version")), 1) << "a copy from before";
  EXPECT_EQ(Take(kept->Number("SELECT count(*) FROM trials")), 1);
  EXPECT_EQ(Take(store->CheckInvariants()), std::vector<std::string>());
}

TEST_F(MigrationTest, OpensAStoreOfVersion3) {
  WriteVersion(
      3, std::string(kContentV1) + "UPDATE studies SET state = 'completed', phase = 'finished';");
  auto store = Take(Store::Open(folder_.path(), clock_));
  const search::Study study = Take(store->GetStudy("old"));
  EXPECT_EQ(study.hypervolume_reference, "");
  EXPECT_EQ(study.resumed_ms, 0);
  ASSERT_TRUE(store->SetHypervolumeReference(study.id, "[[0,1]]").ok());
  ASSERT_TRUE(store->SetHypervolumeReference(study.id, "[[0,2]]").ok());
  EXPECT_EQ(Take(store->GetStudy("old")).hypervolume_reference, "[[0,1]]");
  EXPECT_EQ(store->SetHypervolumeReference(99, "[]").code(), StatusCode::kNotFound);
}

TEST_F(MigrationTest, RefusesANewerSchemaAndLeavesItAlone) {
  const std::string later = std::to_string(Migrations().back().version + 1);
  WriteVersion(Migrations().back().version, "PRAGMA user_version=" + later);
  const Status status = Store::Open(folder_.path(), clock_).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "SCHEMA_TOO_NEW");
  auto database = Take(Database::Open(folder_.File("voxbit.db"), Database::Mode::kReadWrite));
  EXPECT_EQ(std::to_string(Take(database->Number("PRAGMA user_version"))), later);
}

TEST_F(MigrationTest, RefusesADatabaseOfAnotherProgram) {
  {
    auto database = Take(Database::Open(folder_.File("voxbit.db"), Database::Mode::kReadWrite));
    ASSERT_TRUE(database->Execute("CREATE TABLE theirs (a INTEGER); PRAGMA user_version=1").ok());
  }
  EXPECT_EQ(Store::Open(folder_.path(), clock_).status().code(), StatusCode::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("voxbit.db.version-1")));
}

TEST_F(MigrationTest, RunsNothingTwice) {
  WriteVersion(Migrations().back().version, "");
  auto database = Take(Database::Open(folder_.File("voxbit.db"), Database::Mode::kReadWrite));
  EXPECT_TRUE(Migrate(*database).ok());
  EXPECT_EQ(Take(database->Number("PRAGMA user_version")), Migrations().back().version);
}

TEST_F(MigrationTest, SaysForEveryColumnWhatItHolds) {
  for (const Migration& migration : Migrations()) {
    std::string_view rest = migration.sql;
    bool in_table = false;
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      const std::string line(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.starts_with("CREATE TABLE")) in_table = true;
      if (line.starts_with(")")) in_table = false;
      const bool is_column = in_table && line.size() > 2 && line[2] >= 'a' && line[2] <= 'z';
      EXPECT_TRUE(!is_column || line.find("  -- ") != std::string::npos)
          << migration.name << ": no comment: " << line;
    }
  }
}

}  // namespace
}  // namespace voxbit::storage
