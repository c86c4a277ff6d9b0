// Brings a database's schema up to this program's version, one numbered script after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "storage/sqlite/database.h"

namespace voxbit::storage {

struct Migration {
  int64_t version;   // PRAGMA user_version once it has run
  const char* name;  // of its file
  const char* sql;
};

// In order, versions 1, 2, 3 ...
const std::vector<Migration>& Migrations();

// DATA_LOSS, reason STORE_CORRUPT, for a database that is not Voxbit's or is empty.
Status CheckIsStore(Database& database);

// Runs what is missing up to `version`, each script in a transaction of its own that also sets
// user_version: after a crash a script has run wholly or not at all.
// FAILED_PRECONDITION, reason SCHEMA_TOO_NEW, for a database of a later version of the program;
// DATA_LOSS, reason STORE_CORRUPT, for a database that is not Voxbit's.
Status Migrate(Database& database, int64_t version);
inline Status Migrate(Database& database) { return Migrate(database, Migrations().back().version); }

}  // namespace voxbit::storage
