// Keyset paging: a page token names the last key of the page before it.
#pragma once

#include <cstdint>
#include <string>

#include "common/status.h"

namespace voxbit::server {

struct Page {
  int64_t after = 0;  // show keys above this one
  int64_t size = 100;
};

// Size 0 means 100, above 1000 means 1000. INVALID_ARGUMENT for a negative size or a token that
// was not made by PageToken.
Result<Page> ReadPage(int64_t size, const std::string& token);
std::string PageToken(int64_t last_key);

}  // namespace voxbit::server
