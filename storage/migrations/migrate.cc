#include "storage/migrations/migrate.h"

namespace voxbit::storage {
namespace {

// "VXBT": lets file(1) and us tell a store from any other SQLite database.
constexpr int64_t kApplicationId = 0x56584254;

Status RunOne(Database& database, const Migration& migration) {
  VOXBIT_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  // A pragma takes no bound parameter; both values are numbers of this program.
  const std::string script =
      std::string(migration.sql) + ";PRAGMA application_id=" + std::to_string(kApplicationId) +
      ";PRAGMA user_version=" + std::to_string(migration.version) + ";COMMIT";
  Status status = database.Execute(script);
  if (!status.ok() && database.in_transaction()) {
    // The script's own error is what the caller wants to know.
    (void)database.Execute("ROLLBACK");
  }
  return status.Annotate(std::string("migration ") + migration.name);
}

}  // namespace

Status CheckIsStore(Database& database) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t id, database.Number("PRAGMA application_id"));
  if (id == kApplicationId) return OkStatus();
  return DataLoss("an SQLite database, but not a Voxbit store", "STORE_CORRUPT");
}

Status Migrate(Database& database, int64_t version) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t found, database.Number("PRAGMA user_version"));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t id, database.Number("PRAGMA application_id"));
  VOXBIT_ASSIGN_OR_RETURN(const int64_t objects,
                          database.Number("SELECT count(*) FROM sqlite_schema"));
  const bool is_empty = found == 0 && id == 0 && objects == 0;
  if (!is_empty) VOXBIT_RETURN_IF_ERROR(CheckIsStore(database));
  if (found > Migrations().back().version) {
    return FailedPrecondition("the store has schema version " + std::to_string(found) +
                                  ", this program knows versions up to " +
                                  std::to_string(Migrations().back().version) +
                                  ": use the program that wrote it, or a later one",
                              "SCHEMA_TOO_NEW");
  }
  for (const Migration& migration : Migrations()) {
    if (migration.version <= found || migration.version > version) continue;
    VOXBIT_RETURN_IF_ERROR(RunOne(database, migration));
  }
  return OkStatus();
}

}  // namespace voxbit::storage
