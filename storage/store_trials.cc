// Trials: proposed, measured, final.
#include <utility>

#include "storage/rows.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

using search::Trial;
using search::TrialState;

const std::string kSelectTrial = std::string("SELECT ") + kTrialColumns + " FROM trials ";

std::string TrialName(const search::Study& study, int64_t number) {
  return "trial " + std::to_string(number) + " of study \"" + study.config.name + "\"";
}

std::vector<search::Measurement> Values(const search::Measurements& measurements) {
  std::vector<search::Measurement> values;
  for (const auto& [key, measurement] : measurements) values.push_back(measurement);
  return values;
}

Status InsertTrial(Database& database, const search::Study& study, int64_t number,
                   const NewTrial& trial, int64_t now_ms) {
  const int64_t study_id = study.id;
  VOXBIT_RETURN_IF_ERROR(CheckMeasurements(Values(trial.costs)));
  VOXBIT_ASSIGN_OR_RETURN(
      const int64_t twin,
      database.Number("SELECT number FROM trials WHERE study_id = ? AND digest = ?", study_id,
                      trial.digest));
  if (twin > 0) {
    return AlreadyExists(
        "the candidate " + Encode(trial.candidate) + " is " + TrialName(study, twin) + " already",
        "CANDIDATE_DUPLICATE");
  }
  VOXBIT_RETURN_IF_ERROR(database.Run(
      "INSERT INTO trials (study_id, number, candidate, digest, origin, state, measured, "
      "created_ms) VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
      study_id, number, Encode(trial.candidate), trial.digest, trial.origin, JsonText(trial.costs),
      now_ms));
  bool is_waiting = false;
  for (const NewTask& task : trial.tasks) {
    VOXBIT_RETURN_IF_ERROR(InsertTask(database, study_id, number, task.spec, now_ms).status());
    is_waiting = is_waiting || IsGating(task.spec.kind);
  }
  if (is_waiting) return OkStatus();
  return FinishTrial(database, study_id, number, TrialState::kSucceeded, "", now_ms);
}

}  // namespace

Status FinishTrial(Database& database, int64_t study_id, int64_t number, TrialState state,
                   const std::string& message, int64_t now_ms) {
  VOXBIT_ASSIGN_OR_RETURN(const int64_t live,
                          database.Number("SELECT count(*) FROM trials WHERE study_id = ? AND "
                                          "number = ? AND sequence IS NULL",
                                          study_id, number));
  if (live == 0) return OkStatus();
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE studies SET last_sequence = last_sequence + 1 WHERE id = ?", study_id));
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE trials SET state = ?1, message = ?2, finished_ms = ?3, "
                   "sequence = (SELECT last_sequence FROM studies WHERE id = ?4) "
                   "WHERE study_id = ?4 AND number = ?5",
                   Name(state), message, now_ms, study_id, number));
  VOXBIT_ASSIGN_OR_RETURN(
      const std::vector<int64_t> siblings,
      ReadAll(
          database.Prepare(std::string("SELECT id FROM tasks WHERE study_id = ? AND "
                                       "ifnull(trial_number, 0) = ? AND "
                                       "state IN ('queued', 'leased') AND kind IN ") +
                               kGatingKinds,
                           study_id, number),
          +[](const Statement& row) -> Result<int64_t> { return row.Int(0); }));
  for (const int64_t task : siblings) {
    VOXBIT_RETURN_IF_ERROR(
        CancelTask(database, task, "the trial is " + std::string(Name(state)), now_ms));
  }
  return OkStatus();
}

Result<std::vector<int64_t>> Store::AppendTrials(int64_t study_id,
                                                 const std::vector<NewTrial>& trials,
                                                 const AlgorithmState& state) {
  const bool may_remove = !impl_->InTransaction();
  return impl_->WriteFor<std::vector<int64_t>>(
      [&](Database& database) -> Result<std::vector<int64_t>> {
        VOXBIT_ASSIGN_OR_RETURN(const search::Study study, FindStudy(database, study_id));
        if (IsFinal(study.state)) {
          return FailedPrecondition("study \"" + study.config.name + "\" is " +
                                        std::string(Name(study.state)) + ": it takes no trials",
                                    "STUDY_NOT_ACTIVE");
        }
        VOXBIT_ASSIGN_OR_RETURN(
            int64_t number,
            database.Number("SELECT max(number) FROM trials WHERE study_id = ?", study_id));
        std::vector<int64_t> numbers;
        for (const NewTrial& trial : trials) {
          VOXBIT_RETURN_IF_ERROR(InsertTrial(database, study, ++number, trial, impl_->Now()));
          numbers.push_back(number);
        }
        VOXBIT_RETURN_IF_ERROR(impl_->SaveState(database, study_id, state, may_remove));
        return numbers;
      });
}

Result<Trial> Store::GetTrial(int64_t study_id, int64_t number) const {
  return impl_->Read<Trial>([&](Database& database) -> Result<Trial> {
    VOXBIT_ASSIGN_OR_RETURN(
        std::optional<Trial> trial,
        ReadOne(
            database.Prepare(kSelectTrial + "WHERE study_id = ? AND number = ?", study_id, number),
            &ReadTrial));
    if (trial.has_value()) return *std::move(trial);
    VOXBIT_ASSIGN_OR_RETURN(const search::Study study, FindStudy(database, study_id));
    return NotFound("there is no " + TrialName(study, number));
  });
}

Result<std::vector<Trial>> Store::ListTrials(int64_t study_id, const TrialFilter& filter) const {
  std::vector<std::string> states;
  for (const TrialState state : filter.states) states.emplace_back(Name(state));
  return impl_->Read<std::vector<Trial>>([&](Database& database) {
    return ReadAll(
        database.Prepare(kSelectTrial + "WHERE study_id = ?1 AND number > ?2 AND (?3 = '[]' OR "
                                        "state IN (SELECT value FROM json_each(?3))) "
                                        "ORDER BY number LIMIT ?4",
                         study_id, filter.after_number, ListText(states), filter.limit),
        &ReadTrial);
  });
}

Result<std::vector<Trial>> Store::TrialsAfter(int64_t study_id, int64_t sequence) const {
  return impl_->Read<std::vector<Trial>>([&](Database& database) {
    return ReadAll(
        database.Prepare(kSelectTrial + "WHERE study_id = ? AND sequence > ? ORDER BY sequence",
                         study_id, sequence),
        &ReadTrial);
  });
}

Result<TrialCounts> Store::CountTrials(int64_t study_id) const {
  return impl_->Read<TrialCounts>([&](Database& database) -> Result<TrialCounts> {
    VOXBIT_ASSIGN_OR_RETURN(
        Statement row,
        database.Prepare("SELECT state, count(*) FROM trials WHERE study_id = ? GROUP BY state",
                         study_id));
    TrialCounts counts;
    while (true) {
      VOXBIT_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) return counts;
      VOXBIT_ASSIGN_OR_RETURN(const TrialState state, search::ParseTrialState(row.Text(0)));
      const int64_t count = row.Int(1);
      counts.proposed += count;
      if (state == TrialState::kSucceeded) counts.succeeded = count;
      if (state == TrialState::kInfeasible) counts.infeasible = count;
      if (state == TrialState::kFailed) counts.failed = count;
      if (state == TrialState::kCancelled) counts.cancelled = count;
    }
  });
}

}  // namespace voxbit::storage
