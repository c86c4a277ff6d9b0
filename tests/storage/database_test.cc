#include "storage/sqlite/database.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/store_fixture.h"
#include "tests/support/temp_dir.h"

namespace voxbit::storage {
namespace {

using testing::Take;
using testing::TempDir;

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = Take(Database::Open(folder_.File("a.db"), Database::Mode::kReadWrite));
    ASSERT_TRUE(database_->Execute("CREATE TABLE t (a INTEGER, b TEXT, c BLOB)").ok());
  }

  TempDir folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, UsesWriteAheadLoggingAndFullSync) {
  Statement mode = database_->Prepare("PRAGMA journal_mode").value();
  ASSERT_TRUE(mode.Step().value());
  EXPECT_EQ(mode.Text(0), "wal");
  EXPECT_EQ(database_->Number("PRAGMA synchronous").value(), 2);
  EXPECT_EQ(database_->Number("PRAGMA foreign_keys").value(), 1);
}

TEST_F(DatabaseTest, KeepsBytesAsTheyAre) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(
      database_->Run("INSERT INTO t VALUES (?, ?, ?)", int64_t{-5}, bytes, Blob{bytes}).ok());
  Statement row = database_->Prepare("SELECT a, b, c FROM t").value();
  ASSERT_TRUE(row.Step().value());
  EXPECT_EQ(row.Int(0), -5);
  EXPECT_EQ(row.Text(1), bytes);
  EXPECT_EQ(row.Text(2), bytes);
  EXPECT_FALSE(row.Step().value());
}

TEST_F(DatabaseTest, BindsAbsentValuesAsNull) {
  ASSERT_TRUE(
      database_
          ->Run("INSERT INTO t VALUES (?, ?, NULL)", std::optional<int64_t>(), std::string_view())
          .ok());
  Statement row = database_->Prepare("SELECT a, b FROM t").value();
  ASSERT_TRUE(row.Step().value());
  EXPECT_TRUE(row.IsNull(0));
  EXPECT_FALSE(row.IsNull(1));
  EXPECT_EQ(row.Text(1), "");
}

TEST_F(DatabaseTest, LetsOneStatementBeUsedInsideItself) {
  ASSERT_TRUE(database_->Run("INSERT INTO t (a) VALUES (1), (2)").ok());
  Statement outer = database_->Prepare("SELECT a FROM t ORDER BY a").value();
  ASSERT_TRUE(outer.Step().value());
  {
    Statement inner = database_->Prepare("SELECT a FROM t ORDER BY a").value();
    ASSERT_TRUE(inner.Step().value());
    ASSERT_TRUE(inner.Step().value());
    EXPECT_EQ(inner.Int(0), 2);
  }
  ASSERT_TRUE(outer.Step().value());
  EXPECT_EQ(outer.Int(0), 2);
}

TEST_F(DatabaseTest, RefusesToWriteThroughAReader) {
  auto reader = Take(Database::Open(folder_.File("a.db"), Database::Mode::kReadOnly));
  const Status status = reader->Run("INSERT INTO t (a) VALUES (1)");
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(status.reason(), "STORE_READ_ONLY");
}

TEST_F(DatabaseTest, ReportsTooManyParameters) {
  EXPECT_EQ(database_->Run("INSERT INTO t (a) VALUES (?)", int64_t{1}, int64_t{2}).code(),
            StatusCode::kInternal);
}

}  // namespace
}  // namespace voxbit::storage
