#include "storage/rows.h"

#include <utility>

#include "common/json.h"

namespace voxbit::storage {
namespace {

Status Corrupt(const std::string& where, const Status& why) {
  return DataLoss("the store's " + where + " cannot be read: " + why.message(), "STORE_CORRUPT");
}

template <class T>
Status Read(Result<T> parsed, const std::string& where, T& out) {
  if (!parsed.ok()) return Corrupt(where, parsed.status());
  out = std::move(parsed).value();
  return OkStatus();
}

// Parses a JSON column and hands it to a domain parser.
template <class T, class Parse>
Status ReadJson(const std::string& text, const std::string& where, Parse parse, T& out) {
  Json json;
  VOXBIT_RETURN_IF_ERROR(Read(ParseJson(text), where, json));
  return Read(Result<T>(parse(json)), where, out);
}

Result<std::map<std::string, std::string>> ParseArtifacts(const Json& json) {
  std::map<std::string, std::string> artifacts;
  if (!json.is_object()) return InvalidArgument("not an object");
  for (const auto& [role, digest] : json.items()) {
    if (!digest.is_string()) return InvalidArgument(role + " is not a text");
    artifacts[role] = digest.get<std::string>();
  }
  return artifacts;
}

}  // namespace

std::string ArtifactsText(const std::map<std::string, std::string>& artifacts) {
  return CanonicalJson(Json(artifacts));
}

std::string ListText(const std::vector<std::string>& values) { return CanonicalJson(Json(values)); }

Result<search::Study> ReadStudy(const Statement& row) {
  search::Study study;
  study.id = row.Int(0);
  const std::string where = "study " + std::to_string(study.id);
  study.config_json = row.Text(1);
  VOXBIT_RETURN_IF_ERROR(ReadJson(
      study.config_json, where, [](const Json& json) { return search::ParseStudyConfig(json, ""); },
      study.config));
  VOXBIT_RETURN_IF_ERROR(Read(search::ParseStudyState(row.Text(2)), where, study.state));
  VOXBIT_RETURN_IF_ERROR(Read(search::ParseStudyPhase(row.Text(3)), where, study.phase));
  study.message = row.Text(4);
  study.created_ms = row.Int(5);
  study.finished_ms = row.Int(6);
  study.hypervolume_reference = row.Text(7);
  study.resumed_ms = row.Int(8);
  return study;
}

Result<search::Trial> ReadTrial(const Statement& row) {
  search::Trial trial;
  trial.study_id = row.Int(0);
  trial.number = row.Int(1);
  const std::string where =
      "trial " + std::to_string(trial.number) + " of study " + std::to_string(trial.study_id);
  VOXBIT_RETURN_IF_ERROR(Read(search::DecodeCandidate(row.Text(2)), where, trial.candidate));
  trial.digest = row.Text(3);
  trial.origin = row.Text(4);
  VOXBIT_RETURN_IF_ERROR(Read(search::ParseTrialState(row.Text(5)), where, trial.state));
  trial.sequence = row.Int(6);
  const auto measurements = [](const Json& json) { return search::ParseMeasurements(json); };
  VOXBIT_RETURN_IF_ERROR(ReadJson(row.Text(7), where, measurements, trial.measured));
  // Most trials were not fine-tuned and have no artifacts.
  if (const std::string text = row.Text(8); text != "[]") {
    VOXBIT_RETURN_IF_ERROR(ReadJson(text, where, measurements, trial.finetuned));
  }
  if (const std::string text = row.Text(9); text != "{}") {
    VOXBIT_RETURN_IF_ERROR(ReadJson(text, where, &ParseArtifacts, trial.artifacts));
  }
  trial.message = row.Text(10);
  trial.created_ms = row.Int(11);
  trial.finished_ms = row.Int(12);
  return trial;
}

Result<search::Task> ReadTask(const Statement& row) {
  search::Task task;
  task.id = row.Int(0);
  const std::string where = "task " + std::to_string(task.id);
  task.study_id = row.Int(1);
  task.trial_number = row.Int(2);
  VOXBIT_RETURN_IF_ERROR(ReadJson(
      row.Text(3), where, [](const Json& json) { return search::ParseTaskSpec(json); }, task.spec));
  VOXBIT_RETURN_IF_ERROR(Read(search::ParseTaskState(row.Text(4)), where, task.state));
  task.attempt = row.Int(5);
  task.lease_token = row.Text(6);
  task.worker = row.Text(7);
  task.lease_expires_ms = row.Int(8);
  VOXBIT_RETURN_IF_ERROR(Read(ParseJson(row.Text(9)), where, task.progress));
  if (!row.IsNull(10)) {
    VOXBIT_RETURN_IF_ERROR(ReadJson(
        row.Text(10), where, [](const Json& json) { return search::ParseTaskResult(json); },
        task.result.emplace()));
  }
  task.message = row.Text(11);
  task.created_ms = row.Int(12);
  task.finished_ms = row.Int(13);
  return task;
}

Result<Store::Worker> ReadWorker(const Statement& row) {
  Store::Worker worker;
  VOXBIT_RETURN_IF_ERROR(ReadJson(
      row.Text(0), "worker", [](const Json& json) { return search::ParseWorkerInfo(json); },
      worker.info));
  worker.session = row.Text(1);
  worker.draining = row.Int(2) != 0;
  worker.last_seen_ms = row.Int(3);
  return worker;
}

}  // namespace voxbit::storage
