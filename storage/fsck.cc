#include "storage/fsck.h"

#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/digest.h"
#include "storage/artifact_store.h"
#include "storage/folder_guard.h"
#include "storage/migrations/migrate.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

// By digest: who cannot do without it.
using Needs = std::map<std::string, std::vector<std::string>>;

Result<Needs> FindNeeds(Database& database) {
  Needs needs;
  VOXBIT_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare(
          "SELECT DISTINCT j.value, 'study ' || s.name || ': ' || j.key || ' of ' || "
          "t.kind FROM tasks t JOIN studies s ON s.id = t.study_id, "
          "json_each(t.result, '$.artifacts') j WHERE t.state = 'done' ORDER BY t.id"));
  while (true) {
    VOXBIT_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return needs;
    needs[row.Text(0)].push_back(row.Text(1));
  }
}

// Results that came too late name artifacts, too, and are kept as evidence.
Result<std::set<std::string>> FindEvidence(Database& database) {
  VOXBIT_ASSIGN_OR_RETURN(
      const std::vector<std::string> named,
      ReadAll(
          database.Prepare("SELECT DISTINCT j.value FROM attempts a, "
                           "json_each(a.result, '$.artifacts') j WHERE a.result IS NOT NULL"),
          +[](const Statement& row) -> Result<std::string> { return row.Text(0); }));
  return std::set<std::string>(named.begin(), named.end());
}

Result<int64_t> AgeMs(const std::string& path, const Clock& clock) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, path);
  return clock.NowMs() - int64_t{info.st_mtim.tv_sec} * 1000;
}

class Fscker {
 public:
  Fscker(std::string folder, bool repair, const Clock& clock, const OnChecked& on_checked)
      : folder_(std::move(folder)),
        artifacts_(ArtifactStore::ReadOnly(folder_ + "/artifacts")),
        repair_(repair),
        clock_(clock),
        on_checked_(on_checked) {}

  Result<FsckReport> Run() {
    VOXBIT_RETURN_IF_ERROR(CheckDatabase());
    std::vector<std::string> there;
    struct stat info {};
    if (::stat((folder_ + "/artifacts").c_str(), &info) == 0) {
      VOXBIT_ASSIGN_OR_RETURN(there, artifacts_.List());
    }
    for (const std::string& sha256 : there) {
      VOXBIT_RETURN_IF_ERROR(CheckArtifact(sha256));
      on_checked_(report_);
    }
    for (const auto& [sha256, needed_by] : needs_) {
      if (artifacts_.Has(sha256) || faulty_.contains(sha256)) continue;
      report_.faults.push_back({sha256, /*is_missing=*/true, needed_by});
    }
    return std::move(report_);
  }

 private:
  Status CheckDatabase() {
    const std::string path = DatabasePath(folder_);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return NotFound("there is no store in " + folder_);
    VOXBIT_ASSIGN_OR_RETURN(const auto database, Database::Open(path, Database::Mode::kReadOnly));
    VOXBIT_RETURN_IF_ERROR(CheckIsStore(*database).Annotate(path));
    VOXBIT_ASSIGN_OR_RETURN(const int64_t version, database->Number("PRAGMA user_version"));
    const int64_t known = Migrations().back().version;
    if (version != known) {
      return FailedPrecondition(
          path + " has schema version " + std::to_string(version) +
          "; this program checks version " + std::to_string(known) +
          (version < known ? ", which a start of the server makes of it" : ""));
    }
    VOXBIT_RETURN_IF_ERROR(database->Execute("BEGIN"));
    VOXBIT_ASSIGN_OR_RETURN(report_.broken, FindBroken(*database, folder_));
    VOXBIT_ASSIGN_OR_RETURN(needs_, FindNeeds(*database));
    VOXBIT_ASSIGN_OR_RETURN(evidence_, FindEvidence(*database));
    return database->Execute("COMMIT");
  }

  Status CheckArtifact(const std::string& sha256) {
    const auto path = artifacts_.Path(sha256);
    const auto size = artifacts_.SizeBytes(sha256);
    if (!path.ok() || !size.ok()) return OkStatus();  // removed meanwhile
    ++report_.artifacts;
    report_.bytes += *size;
    VOXBIT_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(*path));
    const auto needed = needs_.find(sha256);
    if (found != sha256) {
      faulty_.insert(sha256);
      report_.faults.push_back(
          {sha256, /*is_missing=*/false,
           needed == needs_.end() ? std::vector<std::string>() : needed->second});
      return Remove(sha256);
    }
    if (needed != needs_.end() || evidence_.contains(sha256)) return OkStatus();
    VOXBIT_ASSIGN_OR_RETURN(const int64_t age_ms, AgeMs(*path, clock_));
    if (age_ms <= kUnusedAfter.count()) return OkStatus();
    ++report_.unused;
    report_.unused_bytes += *size;
    return Remove(sha256);
  }

  Status Remove(const std::string& sha256) {
    if (!repair_) return OkStatus();
    VOXBIT_RETURN_IF_ERROR(artifacts_.Remove(sha256));
    ++report_.removed;
    return OkStatus();
  }

  const std::string folder_;
  ArtifactStore artifacts_;
  const bool repair_;
  const Clock& clock_;
  const OnChecked& on_checked_;
  FsckReport report_;
  Needs needs_;
  std::set<std::string> evidence_;
  std::set<std::string> faulty_;
};

}  // namespace

Result<FsckReport> Fsck(const std::string& folder, bool repair, const Clock& clock,
                        const OnChecked& on_checked) {
  std::unique_ptr<FolderGuard> guard;
  if (repair) {
    VOXBIT_ASSIGN_OR_RETURN(guard,
                            FolderGuard::Lock(folder, /*allow_network=*/true, Milliseconds(0)));
  }
  return Fscker(folder, repair, clock, on_checked).Run();
}

}  // namespace voxbit::storage
