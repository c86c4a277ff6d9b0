// Studies.
#include "storage/rows.h"
#include "storage/store_impl.h"

namespace voxbit::storage {
namespace {

using search::Study;
using search::StudyState;

const std::string kSelectStudy = std::string("SELECT ") + kStudyColumns + " FROM studies ";

Result<Study> OrNotFound(Result<std::optional<Study>> found, const std::string& what) {
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NotFound("there is no study " + what);
  return **std::move(found);
}

// What a study that ends leaves behind: nothing that could still run, but exports.
Status CancelWork(Database& database, int64_t study_id, const std::string& why, int64_t now_ms) {
  std::vector<int64_t> tasks;
  std::vector<int64_t> trials;
  VOXBIT_ASSIGN_OR_RETURN(tasks, ReadAll(database.Prepare("SELECT id FROM tasks WHERE study_id = ? "
                                                          "AND state IN ('queued', 'leased') "
                                                          "AND kind <> 'export' ORDER BY id",
                                                          study_id),
                                         &ReadId));
  for (const int64_t task : tasks) {
    VOXBIT_RETURN_IF_ERROR(CancelTask(database, task, why, now_ms));
  }
  VOXBIT_ASSIGN_OR_RETURN(trials,
                          ReadAll(database.Prepare("SELECT number FROM trials WHERE study_id = ? "
                                                   "AND sequence IS NULL ORDER BY number",
                                                   study_id),
                                  &ReadId));
  for (const int64_t number : trials) {
    VOXBIT_RETURN_IF_ERROR(
        FinishTrial(database, study_id, number, search::TrialState::kCancelled, why, now_ms));
  }
  return OkStatus();
}

// Takes the name from a study that failed before its first trial. ALREADY_EXISTS for any other.
Status VacateName(Database& database, const Study& study) {
  VOXBIT_ASSIGN_OR_RETURN(
      const int64_t trials,
      database.Number("SELECT count(*) FROM trials WHERE study_id = ?", study.id));
  if (study.state != StudyState::kFailed || trials > 0) {
    return AlreadyExists("there is a study \"" + study.config.name + "\" already; it is " +
                         std::string(Name(study.state)) + " and has " + std::to_string(trials) +
                         " trials");
  }
  // No study can be given a name that ends with a blank.
  return database.Run("UPDATE studies SET name = name || ' ' WHERE id = ?", study.id);
}

// Removes a study whose place another takes, which keeps its finished trainings.
Status Replace(Database& database, int64_t study_id, int64_t successor_id) {
  VOXBIT_RETURN_IF_ERROR(
      database.Run("UPDATE tasks SET study_id = ? WHERE study_id = ? AND "
                   "kind = 'train_supernet' AND state = 'done'",
                   successor_id, study_id));
  return RemoveStudy(database, study_id);
}

}  // namespace

Result<Study> FindStudy(Database& database, int64_t id) {
  return OrNotFound(ReadOne(database.Prepare(kSelectStudy + "WHERE id = ?", id), &ReadStudy),
                    "with id " + std::to_string(id));
}

Result<Study> Store::CreateStudy(const search::StudyConfig& config,
                                 const std::string& config_json) {
  return impl_->WriteFor<Study>([&](Database& database) -> Result<Study> {
    std::optional<Study> taken;
    VOXBIT_ASSIGN_OR_RETURN(
        taken, ReadOne(database.Prepare(kSelectStudy + "WHERE name = ?", config.name), &ReadStudy));
    if (taken.has_value()) VOXBIT_RETURN_IF_ERROR(VacateName(database, *taken));
    VOXBIT_RETURN_IF_ERROR(database.Run(
        "INSERT INTO studies (name, config, state, phase, created_ms) VALUES (?, ?, ?, ?, ?)",
        config.name, config_json, Name(StudyState::kActive), Name(search::StudyPhase::kProfile),
        impl_->Now()));
    const int64_t id = database.last_insert_id();
    if (taken.has_value()) VOXBIT_RETURN_IF_ERROR(Replace(database, taken->id, id));
    return FindStudy(database, id);
  });
}

Result<Study> Store::GetStudy(const std::string& name) const {
  return impl_->Read<Study>([&](Database& database) {
    return OrNotFound(ReadOne(database.Prepare(kSelectStudy + "WHERE name = ?", name), &ReadStudy),
                      "\"" + name + "\"");
  });
}

Result<Study> Store::GetStudy(int64_t id) const {
  return impl_->Read<Study>([&](Database& database) { return FindStudy(database, id); });
}

Result<std::vector<Study>> Store::ListStudies(int64_t after_id, int64_t limit) const {
  return impl_->Read<std::vector<Study>>([&](Database& database) {
    return ReadAll(
        database.Prepare(kSelectStudy + "WHERE id > ? ORDER BY id LIMIT ?", after_id, limit),
        &ReadStudy);
  });
}

Result<Study> Store::MoveStudy(int64_t id, StudyState to, const std::string& message) {
  return impl_->WriteFor<Study>([&](Database& database) -> Result<Study> {
    VOXBIT_ASSIGN_OR_RETURN(const Study study, FindStudy(database, id));
    if (study.state == to) return study;
    if (!CanMove(study.state, to)) {
      return FailedPrecondition("study \"" + study.config.name + "\" is " +
                                    std::string(Name(study.state)) + " and cannot become " +
                                    std::string(Name(to)),
                                "STUDY_NOT_ACTIVE");
    }
    const int64_t now_ms = impl_->Now();
    VOXBIT_RETURN_IF_ERROR(database.Run(
        "UPDATE studies SET state = ?, message = ?, finished_ms = ? WHERE id = ?", Name(to),
        message.empty() ? study.message : message, IsFinal(to) ? now_ms : 0, id));
    if (to == StudyState::kActive) {
      VOXBIT_RETURN_IF_ERROR(
          database.Run("UPDATE studies SET resumed_ms = ? WHERE id = ?", now_ms, id));
    }
    if (IsFinal(to)) {
      const std::string why = "the study is " + std::string(Name(to));
      VOXBIT_RETURN_IF_ERROR(CancelWork(database, id, why, now_ms));
    }
    return FindStudy(database, id);
  });
}

Status Store::SetPhase(int64_t id, search::StudyPhase phase, const std::string& message) {
  return impl_->Write([&](Database& database) -> Status {
    VOXBIT_ASSIGN_OR_RETURN(const Study study, FindStudy(database, id));
    return database.Run("UPDATE studies SET phase = ?, message = ? WHERE id = ?", Name(phase),
                        message.empty() ? study.message : message, id);
  });
}

Status Store::SetHypervolumeReference(int64_t id, const std::string& json) {
  return impl_->Write([&](Database& database) -> Status {
    VOXBIT_RETURN_IF_ERROR(FindStudy(database, id).status());
    return database.Run(
        "UPDATE studies SET hypervolume_reference = ? WHERE id = ? AND hypervolume_reference = ''",
        json, id);
  });
}

}  // namespace voxbit::storage
