// Whole databases.
#pragma once

#include <string>

#include "common/status.h"
#include "storage/sqlite/database.h"

namespace voxbit::storage {

// Writes the database as it is at one moment to a new file, which is synced; one that is there is
// replaced. Other connections may write meanwhile. Errors as in FromSqlite, and of the disk.
Status CopyDatabase(Database& from, const std::string& path);

// DATA_LOSS, reason STORE_CORRUPT, when pages or records are broken. Reads the whole file.
Status CheckIsSound(Database& database);

}  // namespace voxbit::storage
