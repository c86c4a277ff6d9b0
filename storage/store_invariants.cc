// What must hold in every store at every moment, as queries that find what breaks it.
#include <array>

#include "storage/artifact_store.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

struct Invariant {
  const char* rule;
  const char* broken;  // selects one line of text for each violation
};

constexpr std::array<Invariant, 16> kInvariants = {{
    {"sequences of a study are 1, 2, 3 ... without a gap",
     "SELECT 'study ' || s.name || ' has given ' || s.last_sequence || ', found ' || "
     "count(t.sequence) || ' up to ' || ifnull(max(t.sequence), 0) FROM studies s "
     "LEFT JOIN trials t ON t.study_id = s.id GROUP BY s.id "
     "HAVING s.last_sequence <> count(t.sequence) OR s.last_sequence <> ifnull(max(t.sequence), "
     "0)"},
    {"trial numbers of a study are 1, 2, 3 ... without a gap",
     "SELECT 'study ' || study_id FROM trials GROUP BY study_id HAVING max(number) <> count(*)"},
    {"a trial is final if and only if it has a sequence",
     "SELECT 'trial ' || study_id || '/' || number FROM trials WHERE "
     "(sequence IS NULL) <> (state IN ('pending', 'running'))"},
    {"a trial that is not final has a task to wait for",
     "SELECT 'trial ' || r.study_id || '/' || r.number FROM trials r WHERE r.sequence IS NULL AND "
     "NOT EXISTS (SELECT 1 FROM tasks t WHERE t.study_id = r.study_id AND "
     "ifnull(t.trial_number, 0) = r.number AND t.state IN ('queued', 'leased') AND "
     "t.kind NOT IN ('finetune', 'export'))"},
    {"a final trial has no measuring task that could still run",
     "SELECT 'task ' || t.id FROM tasks t JOIN trials r ON r.study_id = t.study_id AND "
     "r.number = ifnull(t.trial_number, 0) WHERE r.sequence IS NOT NULL AND t.state IN ('queued', "
     "'leased') "
     "AND t.kind NOT IN ('finetune', 'export')"},
    {"all measuring tasks of a succeeded trial are done",
     "SELECT 'task ' || t.id FROM tasks t JOIN trials r ON r.study_id = t.study_id AND "
     "r.number = ifnull(t.trial_number, 0) WHERE r.state = 'succeeded' AND t.state <> 'done' AND "
     "t.kind NOT IN ('finetune', 'export')"},
    {"a leased task has a worker and its running attempt",
     "SELECT 'task ' || t.id FROM tasks t WHERE t.state = 'leased' AND NOT EXISTS (SELECT 1 FROM "
     "attempts a WHERE a.task_id = t.id AND a.attempt = t.attempt AND a.worker = t.worker AND "
     "a.lease_token = t.lease_token AND a.outcome = 'running')"},
    {"a running attempt is the current one of a leased task",
     "SELECT 'task ' || a.task_id || ' attempt ' || a.attempt FROM attempts a JOIN tasks t ON "
     "t.id = a.task_id WHERE a.outcome = 'running' AND "
     "(t.state <> 'leased' OR t.attempt <> a.attempt)"},
    {"a running attempt has not ended, any other has",
     "SELECT 'task ' || task_id || ' attempt ' || attempt FROM attempts WHERE "
     "(outcome = 'running') <> (ended_ms = 0)"},
    {"attempts of a task are 1, 2, 3 ... without a gap",
     "SELECT 'task ' || t.id FROM tasks t LEFT JOIN attempts a ON a.task_id = t.id GROUP BY t.id "
     "HAVING t.attempt <> count(a.attempt) OR t.attempt <> ifnull(max(a.attempt), 0)"},
    {"a counted result belongs to the current attempt, which is recorded as done; or to that of an "
     "equal training",
     "SELECT 'task ' || t.id FROM tasks t WHERE t.state = 'done' AND NOT EXISTS (SELECT 1 FROM "
     "attempts a JOIN tasks o ON o.id = a.task_id WHERE a.outcome = 'done' AND "
     "a.attempt = o.attempt AND a.lease_token = o.lease_token AND (o.id = t.id OR "
     "(t.kind = 'train_supernet' AND o.kind = t.kind AND o.spec_digest = t.spec_digest AND "
     "o.result = t.result)))"},
    {"an attempt is done only if its result was counted, once for each task",
     "SELECT 'task ' || a.task_id || ' attempt ' || a.attempt FROM attempts a JOIN tasks t ON "
     "t.id = a.task_id WHERE a.outcome = 'done' AND "
     "(t.state <> 'done' OR a.attempt <> t.attempt)"},
    {"the budgets of a task equal the sums over its attempts",
     "SELECT 'task ' || t.id FROM tasks t LEFT JOIN attempts a ON a.task_id = t.id GROUP BY t.id "
     "HAVING t.failed_attempts <> count(*) FILTER (WHERE a.outcome = 'failed') OR "
     "t.lost_attempts <> count(*) FILTER "
     "(WHERE a.outcome IN ('lost', 'superseded', 'transient'))"},
    {"a final study has nothing left to do but exports",
     "SELECT 'study ' || s.name FROM studies s WHERE s.state IN ('stopped', 'completed', 'failed') "
     "AND (EXISTS (SELECT 1 FROM tasks t WHERE t.study_id = s.id AND t.kind <> 'export' AND "
     "t.state IN ('queued', 'leased')) OR EXISTS (SELECT 1 FROM trials r WHERE r.study_id = s.id "
     "AND r.sequence IS NULL))"},
    {"an algorithm was told of recorded trials only",
     "SELECT 'study ' || s.name FROM studies s JOIN algorithm_states a ON a.study_id = s.id "
     "WHERE a.told_sequence > s.last_sequence"},
    {"references between tables hold",
     "SELECT \"table\" || ' row ' || ifnull(rowid, 0) FROM pragma_foreign_key_check"},
}};

Status Find(Database& database, const Invariant& invariant, std::vector<std::string>& lines) {
  VOXBIT_ASSIGN_OR_RETURN(
      const std::vector<std::string> broken,
      ReadAll(
          database.Prepare(invariant.broken),
          +[](const Statement& row) -> Result<std::string> { return row.Text(0); }));
  for (const std::string& line : broken) {
    lines.push_back(std::string(invariant.rule) + ": " + line);
  }
  return OkStatus();
}

Status FindDamage(Database& database, std::vector<std::string>& lines) {
  VOXBIT_ASSIGN_OR_RETURN(
      const std::vector<std::string> found,
      ReadAll(
          database.Prepare("PRAGMA quick_check"),
          +[](const Statement& row) -> Result<std::string> { return row.Text(0); }));
  for (const std::string& line : found) {
    if (line != "ok") lines.push_back("the database file is sound: " + line);
  }
  return OkStatus();
}

// Files are no tables: no query finds one that is missing.
Status FindLostStates(Database& database, const std::string& folder,
                      std::vector<std::string>& lines) {
  VOXBIT_ASSIGN_OR_RETURN(Statement row, database.Prepare("SELECT study_id, artifact FROM "
                                                          "algorithm_states WHERE artifact <> ''"));
  while (true) {
    VOXBIT_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return OkStatus();
    const auto states = ArtifactStore::ReadOnly(StatesFolder(folder, row.Int(0)));
    if (states.Has(row.Text(1))) continue;
    lines.push_back("the file of a large algorithm state is there: study " +
                    std::to_string(row.Int(0)));
  }
}

}  // namespace

Result<std::vector<std::string>> FindBroken(Database& database, const std::string& folder) {
  std::vector<std::string> lines;
  VOXBIT_RETURN_IF_ERROR(FindDamage(database, lines));
  for (const Invariant& invariant : kInvariants) {
    VOXBIT_RETURN_IF_ERROR(Find(database, invariant, lines));
  }
  VOXBIT_RETURN_IF_ERROR(FindLostStates(database, folder, lines));
  return lines;
}

Result<std::vector<std::string>> Store::CheckInvariants() const {
  using Lines = std::vector<std::string>;
  return impl_->Read<Lines>([&](Database& database) -> Result<Lines> {
    // One snapshot for all queries, unless the caller's transaction gives it.
    const bool is_own = !database.in_transaction();
    if (is_own) VOXBIT_RETURN_IF_ERROR(database.Execute("BEGIN"));
    Result<Lines> lines = FindBroken(database, impl_->folder());
    if (is_own) VOXBIT_RETURN_IF_ERROR(database.Execute("COMMIT"));
    return lines;
  });
}

}  // namespace voxbit::storage
