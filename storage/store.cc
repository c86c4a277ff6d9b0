// Opening, transactions and the answers kept for repeated requests.
#include "storage/store.h"

#include <cctype>

#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

constexpr int64_t kAnswerLifeMs = int64_t{24} * 3600 * 1000;

// 8-4-4-4-12 hexadecimal digits.
bool IsUuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const auto c = static_cast<unsigned char>(text[i]);
    if (is_dash ? c != '-' : std::isxdigit(c) == 0) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const std::string& folder, const Clock& clock,
                                           const Options& options) {
  auto impl = std::make_unique<Impl>(folder, clock);
  VOXBIT_RETURN_IF_ERROR(impl->Open(options));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

int64_t Store::commits() const { return impl_->commits(); }

Status Store::Write(const std::function<Status()>& body) {
  return impl_->Write([&](Database&) { return body(); });
}

Result<std::optional<std::string>> Store::RunOnce(
    const RequestKey& key, const std::function<Result<std::optional<std::string>>()>& body) {
  if (!IsUuid(key.id)) {
    return InvalidArgument("request_id \"" + key.id + "\": expected a UUID of 36 characters",
                           "REQUEST_ID_REUSED");
  }
  return impl_->WriteFor<std::optional<std::string>>(
      [&](Database& database) -> Result<std::optional<std::string>> {
        {
          VOXBIT_ASSIGN_OR_RETURN(
              Statement row, database.Prepare("SELECT method, body_sha256, answer FROM requests "
                                              "WHERE id = ? AND created_ms > ?",
                                              key.id, impl_->Now() - kAnswerLifeMs));
          VOXBIT_ASSIGN_OR_RETURN(const bool found, row.Step());
          if (found && (row.Text(0) != key.method || row.Text(1) != key.body_sha256)) {
            return InvalidArgument(
                "request_id " + key.id + " was used for another request: choose a new one",
                "REQUEST_ID_REUSED");
          }
          if (found) return std::optional<std::string>(row.Text(2));
        }
        VOXBIT_ASSIGN_OR_RETURN(std::optional<std::string> answer, body());
        if (!answer.has_value()) return answer;
        VOXBIT_RETURN_IF_ERROR(database.Run(
            "INSERT OR REPLACE INTO requests (id, method, body_sha256, answer, created_ms) "
            "VALUES (?, ?, ?, ?, ?)",
            key.id, key.method, key.body_sha256, Blob{*answer}, impl_->Now()));
        return answer;
      });
}

Status Store::PurgeRequests() {
  return impl_->Write([&](Database& database) {
    return database.Run("DELETE FROM requests WHERE created_ms <= ?", impl_->Now() - kAnswerLifeMs);
  });
}

}  // namespace voxbit::storage
