#include "server/rpc/paging.h"

#include <algorithm>
#include <charconv>

namespace voxbit::server {
namespace {

constexpr int64_t kDefaultSize = 100;
constexpr int64_t kMaxSize = 1000;
constexpr char kMark = 'k';

}  // namespace

Result<Page> ReadPage(int64_t size, const std::string& token) {
  if (size < 0) return InvalidArgument("page_size must not be negative");
  Page page;
  page.size = size == 0 ? kDefaultSize : std::min(size, kMaxSize);
  if (token.empty()) return page;
  const char* const end = token.data() + token.size();
  if (token.front() == kMark) {
    const auto [parsed, error] = std::from_chars(token.data() + 1, end, page.after);
    if (error == std::errc() && parsed == end && page.after >= 0) return page;
  }
  return InvalidArgument("page_token is not from an answer of this call");
}

std::string PageToken(int64_t last_key) { return kMark + std::to_string(last_key); }

}  // namespace voxbit::server
