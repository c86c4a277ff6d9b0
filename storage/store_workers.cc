// Workers as they registered.
#include "storage/rows.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

struct HeldLease {
  int64_t task_id = 0;
  std::string token;
};

const std::string kSelectWorker = std::string("SELECT ") + kWorkerColumns + " FROM workers ";

}  // namespace

Status Store::RegisterWorker(const search::WorkerInfo& worker, const std::string& session,
                             const LeasePolicy& policy) {
  if (worker.name.empty()) return InvalidArgument("a worker needs a name");
  return impl_->Write([&](Database& database) -> Status {
    const Moment now = impl_->Present();
    VOXBIT_ASSIGN_OR_RETURN(
        const std::vector<HeldLease> held,
        ReadAll(
            database.Prepare("SELECT id, lease_token FROM tasks WHERE state = 'leased' AND "
                             "worker = ? ORDER BY id",
                             worker.name),
            +[](const Statement& row) -> Result<HeldLease> {
              return HeldLease{row.Int(0), row.Text(1)};
            }));
    for (const HeldLease& lease : held) {
      VOXBIT_RETURN_IF_ERROR(LoseLease(database, lease.task_id,
                                       "worker " + worker.name + " was started anew",
                                       impl_->IsInherited(lease.token), policy, now));
    }
    return database.Run(
        "INSERT OR REPLACE INTO workers (name, info, session, draining, registered_ms, "
        "last_seen_ms) VALUES (?, ?, ?, 0, ?, ?)",
        worker.name, JsonText(worker), session, now.wall_ms, now.wall_ms);
  });
}

Result<Store::Worker> Store::GetWorker(const std::string& name) const {
  return impl_->Read<Worker>([&](Database& database) -> Result<Worker> {
    VOXBIT_ASSIGN_OR_RETURN(
        std::optional<Worker> worker,
        ReadOne(database.Prepare(kSelectWorker + "WHERE name = ?", name), &ReadWorker));
    if (!worker.has_value()) return NotFound("there is no worker \"" + name + "\"");
    return *std::move(worker);
  });
}

Result<std::vector<Store::Worker>> Store::ListWorkers() const {
  return impl_->Read<std::vector<Worker>>([&](Database& database) {
    return ReadAll(database.Prepare(kSelectWorker + "ORDER BY name"), &ReadWorker);
  });
}

Status Store::NoteSeen(const std::map<std::string, int64_t>& last_seen_ms) {
  return impl_->Write([&](Database& database) -> Status {
    for (const auto& [name, seen_ms] : last_seen_ms) {
      VOXBIT_RETURN_IF_ERROR(
          database.Run("UPDATE workers SET last_seen_ms = ? WHERE name = ?", seen_ms, name));
    }
    return OkStatus();
  });
}

Status Store::DrainWorker(const std::string& name, bool draining) {
  return impl_->Write([&](Database& database) -> Status {
    VOXBIT_RETURN_IF_ERROR(database.Run("UPDATE workers SET draining = ? WHERE name = ?",
                                        static_cast<int64_t>(draining), name));
    if (database.changes() > 0) return OkStatus();
    return NotFound("there is no worker \"" + name + "\"");
  });
}

}  // namespace voxbit::storage
