#include "proto/convert/convert.h"

#include <cmath>
#include <map>
#include <utility>

#include "common/json.h"

namespace voxbit::convert {
namespace {

// What one field may have. A study brings its latency table along; an answer with a whole trial
// must stay below the 4 MiB of a message.
constexpr size_t kMaxJsonBytes = size_t{2} << 20;
constexpr size_t kMaxDetailBytes = size_t{256} << 10;
constexpr size_t kMaxProgressBytes = size_t{64} << 10;
constexpr size_t kMaxFailureBytes = size_t{16} << 10;

// Valid UTF-8, with U+FFFD in the place of bytes that are not.
std::string Utf8(const std::string& text) {
  const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(quoted).get<std::string>();
}

Result<Json> ObjectFrom(const std::string& text, const char* field, size_t max_bytes) {
  if (text.empty()) return Json::object();
  if (text.size() > max_bytes) {
    return InvalidArgument(std::string(field) + ": " + std::to_string(text.size()) +
                           " bytes, at most " + std::to_string(max_bytes) + " are taken");
  }
  Result<Json> json = ParseJson(text);
  if (!json.ok()) return json.status().Annotate(field);
  if (!json->is_object()) {
    return InvalidArgument(std::string(field) + ": expected an object, found " + Describe(*json));
  }
  return json;
}

Status CheckFinite(double value, const std::string& what) {
  if (std::isfinite(value)) return OkStatus();
  return InvalidArgument(what + ": " + std::to_string(value) + " is not a finite number",
                         "RESULT_NON_FINITE");
}

Status CheckNotNegative(int64_t value, const char* field) {
  if (value >= 0) return OkStatus();
  return InvalidArgument(std::string(field) + ": " + std::to_string(value) + " is negative");
}

using WireMeasurements = google::protobuf::RepeatedPtrField<v1::Measurement>;

void AddMeasurements(const search::Measurements& measurements, WireMeasurements* out) {
  for (const auto& [key, measurement] : measurements) *out->Add() = ToProto(measurement);
}

Result<search::Measurements> MeasurementsFrom(const WireMeasurements& messages) {
  search::Measurements measurements;
  for (const v1::Measurement& message : messages) {
    VOXBIT_ASSIGN_OR_RETURN(search::Measurement one, FromProto(message));
    auto key = std::pair(one.metric, one.target);
    if (!measurements.emplace(key, std::move(one)).second) {
      return InvalidArgument("measurement " + key.first + "[" + key.second + "] is there twice");
    }
  }
  return measurements;
}

using WireMap = google::protobuf::Map<std::string, std::string>;

void AddArtifacts(const std::map<std::string, std::string>& artifacts, WireMap* out) {
  for (const auto& [role, sha256] : artifacts) (*out)[Utf8(role)] = Utf8(sha256);
}

std::map<std::string, std::string> ArtifactsFrom(const WireMap& artifacts) {
  return {artifacts.begin(), artifacts.end()};
}

using WireTexts = google::protobuf::RepeatedPtrField<std::string>;

void AddTexts(const std::vector<std::string>& texts, WireTexts* out) {
  for (const std::string& text : texts) *out->Add() = Utf8(text);
}

}  // namespace

v1::Measurement ToProto(const search::Measurement& measurement) {
  v1::Measurement message;
  message.set_metric(Utf8(measurement.metric));
  message.set_target(Utf8(measurement.target));
  message.set_value(measurement.value);
  message.set_spread(measurement.spread);
  message.set_samples(measurement.samples);
  message.set_detail_json(CanonicalJson(measurement.detail));
  return message;
}

Result<search::Measurement> FromProto(const v1::Measurement& message) {
  search::Measurement measurement;
  measurement.metric = message.metric();
  if (measurement.metric.empty()) return InvalidArgument("measurement without a metric");
  measurement.target = message.target();
  measurement.value = message.value();
  measurement.spread = message.spread();
  measurement.samples = message.samples();
  VOXBIT_RETURN_IF_ERROR(CheckFinite(measurement.value, measurement.metric));
  VOXBIT_RETURN_IF_ERROR(CheckFinite(measurement.spread, measurement.metric + " (spread)"));
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(measurement.samples, "samples"));
  VOXBIT_ASSIGN_OR_RETURN(measurement.detail,
                          ObjectFrom(message.detail_json(), "detail_json", kMaxDetailBytes));
  return measurement;
}

v1::Candidate ToProto(const search::Candidate& candidate) {
  v1::Candidate message;
  for (const int32_t choice : candidate.choices) message.add_choices(choice);
  return message;
}

Result<search::Candidate> FromProto(const v1::Candidate& message) {
  search::Candidate candidate;
  candidate.choices.assign(message.choices().begin(), message.choices().end());
  for (const int32_t choice : candidate.choices) {
    VOXBIT_RETURN_IF_ERROR(CheckNotNegative(choice, "candidate choice"));
  }
  return candidate;
}

v1::Study ToProto(const search::Study& study) {
  v1::Study message;
  message.set_name(Utf8(study.config.name));
  message.set_state(ToProto(study.state));
  message.set_phase(ToProto(study.phase));
  message.set_config_json(Utf8(study.config_json));
  message.set_message(Utf8(study.message));
  message.set_created_ms(study.created_ms);
  message.set_finished_ms(study.finished_ms);
  return message;
}

Result<search::Study> FromProto(const v1::Study& message) {
  search::Study study;
  VOXBIT_ASSIGN_OR_RETURN(const Json json,
                          ObjectFrom(message.config_json(), "config_json", kMaxJsonBytes));
  Result<search::StudyConfig> config = search::ParseStudyConfig(json, "");
  if (!config.ok()) return config.status().Annotate("config_json");
  study.config = *std::move(config);
  study.config_json = message.config_json();
  if (study.config.name != message.name()) {
    return InvalidArgument("study \"" + message.name() + "\" has the configuration of \"" +
                           study.config.name + "\"");
  }
  VOXBIT_ASSIGN_OR_RETURN(study.state, FromProto(message.state()));
  VOXBIT_ASSIGN_OR_RETURN(study.phase, FromProto(message.phase()));
  study.message = message.message();
  study.created_ms = message.created_ms();
  study.finished_ms = message.finished_ms();
  return study;
}

v1::Trial ToProto(const search::Trial& trial, const std::string& study) {
  v1::Trial message;
  message.set_study(Utf8(study));
  message.set_number(trial.number);
  *message.mutable_candidate() = ToProto(trial.candidate);
  message.set_digest(Utf8(trial.digest));
  message.set_origin(Utf8(trial.origin));
  message.set_state(ToProto(trial.state));
  message.set_sequence(trial.sequence);
  AddMeasurements(trial.measured, message.mutable_measured());
  AddMeasurements(trial.finetuned, message.mutable_finetuned());
  AddArtifacts(trial.artifacts, message.mutable_artifacts());
  message.set_message(Utf8(trial.message));
  message.set_created_ms(trial.created_ms);
  message.set_finished_ms(trial.finished_ms);
  return message;
}

Result<search::Trial> FromProto(const v1::Trial& message) {
  search::Trial trial;
  trial.number = message.number();
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(trial.number, "number"));
  VOXBIT_ASSIGN_OR_RETURN(trial.candidate, FromProto(message.candidate()));
  trial.digest = message.digest();
  trial.origin = message.origin();
  VOXBIT_ASSIGN_OR_RETURN(trial.state, FromProto(message.state()));
  trial.sequence = message.sequence();
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(trial.sequence, "sequence"));
  VOXBIT_ASSIGN_OR_RETURN(trial.measured, MeasurementsFrom(message.measured()));
  VOXBIT_ASSIGN_OR_RETURN(trial.finetuned, MeasurementsFrom(message.finetuned()));
  trial.artifacts = ArtifactsFrom(message.artifacts());
  trial.message = message.message();
  trial.created_ms = message.created_ms();
  trial.finished_ms = message.finished_ms();
  return trial;
}

v1::TaskSpec ToProto(const search::TaskSpec& spec) {
  v1::TaskSpec message;
  message.set_kind(ToProto(spec.kind));
  message.set_supernet_json(CanonicalJson(spec.supernet));
  message.set_dataset_json(CanonicalJson(spec.dataset));
  message.set_settings_json(CanonicalJson(spec.settings));
  message.set_space_digest(Utf8(spec.space_digest));
  *message.mutable_candidate() = ToProto(spec.candidate);
  message.set_checkpoint(Utf8(spec.checkpoint));
  message.set_seed(spec.seed);
  message.set_target(Utf8(spec.target));
  message.set_dataset_digest(Utf8(spec.dataset_digest));
  return message;
}

Result<search::TaskSpec> FromProto(const v1::TaskSpec& message) {
  search::TaskSpec spec;
  VOXBIT_ASSIGN_OR_RETURN(spec.kind, FromProto(message.kind()));
  VOXBIT_ASSIGN_OR_RETURN(spec.supernet,
                          ObjectFrom(message.supernet_json(), "supernet_json", kMaxJsonBytes));
  VOXBIT_ASSIGN_OR_RETURN(spec.dataset,
                          ObjectFrom(message.dataset_json(), "dataset_json", kMaxJsonBytes));
  VOXBIT_ASSIGN_OR_RETURN(spec.settings,
                          ObjectFrom(message.settings_json(), "settings_json", kMaxJsonBytes));
  spec.space_digest = message.space_digest();
  VOXBIT_ASSIGN_OR_RETURN(spec.candidate, FromProto(message.candidate()));
  spec.checkpoint = message.checkpoint();
  spec.seed = message.seed();
  spec.target = message.target();
  spec.dataset_digest = message.dataset_digest();
  return spec;
}

v1::TaskResult ToProto(const search::TaskResult& result) {
  v1::TaskResult message;
  for (const auto& measurement : result.measurements) {
    *message.add_measurements() = ToProto(measurement);
  }
  AddArtifacts(result.artifacts, message.mutable_artifacts());
  message.set_detail_json(CanonicalJson(result.detail));
  return message;
}

Result<search::TaskResult> FromProto(const v1::TaskResult& message) {
  search::TaskResult result;
  // Through the map, so that a result that says one thing twice is refused.
  VOXBIT_RETURN_IF_ERROR(MeasurementsFrom(message.measurements()).status());
  for (const v1::Measurement& measurement : message.measurements()) {
    VOXBIT_ASSIGN_OR_RETURN(search::Measurement one, FromProto(measurement));
    result.measurements.push_back(std::move(one));
  }
  result.artifacts = ArtifactsFrom(message.artifacts());
  VOXBIT_ASSIGN_OR_RETURN(result.detail,
                          ObjectFrom(message.detail_json(), "detail_json", kMaxJsonBytes));
  return result;
}

v1::TaskFailure ToProto(const search::TaskFailure& failure) {
  v1::TaskFailure message;
  message.set_kind(ToProto(failure.kind));
  message.set_message(Utf8(failure.message));
  return message;
}

Result<search::TaskFailure> FromProto(const v1::TaskFailure& message) {
  search::TaskFailure failure;
  VOXBIT_ASSIGN_OR_RETURN(failure.kind, FromProto(message.kind()));
  failure.message = message.message().substr(0, kMaxFailureBytes);
  return failure;
}

v1::WorkerInfo ToProto(const search::WorkerInfo& info) {
  v1::WorkerInfo message;
  message.set_name(Utf8(info.name));
  message.set_device(Utf8(info.device));
  message.set_device_model(Utf8(info.device_model));
  message.set_threads(info.threads);
  message.set_memory_bytes(info.memory_bytes);
  for (const search::TaskKind kind : info.task_kinds) message.add_task_kinds(ToProto(kind));
  AddTexts(info.supernets, message.mutable_supernets());
  AddTexts(info.datasets, message.mutable_datasets());
  AddTexts(info.targets, message.mutable_targets());
  message.set_version(Utf8(info.version));
  message.set_protocol(info.protocol);
  message.set_instance(Utf8(info.instance));
  return message;
}

Result<search::WorkerInfo> FromProto(const v1::WorkerInfo& message) {
  search::WorkerInfo info;
  info.name = message.name();
  info.device = message.device();
  info.device_model = message.device_model();
  info.threads = message.threads();
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(info.threads, "threads"));
  info.memory_bytes = message.memory_bytes();
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(info.memory_bytes, "memory_bytes"));
  for (const int kind : message.task_kinds()) {
    VOXBIT_ASSIGN_OR_RETURN(const search::TaskKind one, FromProto(static_cast<v1::TaskKind>(kind)));
    info.task_kinds.push_back(one);
  }
  info.supernets.assign(message.supernets().begin(), message.supernets().end());
  info.datasets.assign(message.datasets().begin(), message.datasets().end());
  info.targets.assign(message.targets().begin(), message.targets().end());
  info.version = message.version();
  info.protocol = message.protocol();
  info.instance = message.instance();
  return info;
}

v1::RegisterResponse ToProto(const search::RegisterReply& reply) {
  v1::RegisterResponse message;
  message.set_session(Utf8(reply.session));
  message.set_sync_interval_ms(reply.sync_interval.count());
  message.set_lease_duration_ms(reply.lease_duration.count());
  if (reply.taken_by.has_value()) message.set_taken_by(Utf8(*reply.taken_by));
  return message;
}

Result<search::RegisterReply> FromProto(const v1::RegisterResponse& message) {
  search::RegisterReply reply;
  reply.session = message.session();
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(message.sync_interval_ms(), "sync_interval_ms"));
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(message.lease_duration_ms(), "lease_duration_ms"));
  reply.sync_interval = Milliseconds(message.sync_interval_ms());
  reply.lease_duration = Milliseconds(message.lease_duration_ms());
  if (message.has_taken_by()) reply.taken_by = message.taken_by();
  return reply;
}

v1::SyncRequest ToProto(const search::SyncRequest& request) {
  v1::SyncRequest message;
  message.set_worker(Utf8(request.worker));
  message.set_session(Utf8(request.session));
  message.set_draining(request.draining);
  if (request.running) {
    v1::RunningTask* running = message.mutable_running();
    running->set_task_id(request.running->task_id);
    running->set_lease_token(Utf8(request.running->lease_token));
    running->set_progress_json(CanonicalJson(request.running->progress));
  }
  if (request.finished) {
    v1::FinishedTask* finished = message.mutable_finished();
    finished->set_task_id(request.finished->task_id);
    finished->set_lease_token(Utf8(request.finished->lease_token));
    if (request.finished->result) *finished->mutable_result() = ToProto(*request.finished->result);
    if (request.finished->failure) {
      *finished->mutable_failure() = ToProto(*request.finished->failure);
    }
  }
  return message;
}

Result<search::SyncRequest> FromProto(const v1::SyncRequest& message) {
  search::SyncRequest request;
  request.worker = message.worker();
  request.session = message.session();
  request.draining = message.draining();
  if (message.has_running() && message.has_finished()) {
    return InvalidArgument("a worker has one task: either running or finished, not both");
  }
  if (message.has_running()) {
    search::RunningTask& running = request.running.emplace();
    running.task_id = message.running().task_id();
    running.lease_token = message.running().lease_token();
    VOXBIT_ASSIGN_OR_RETURN(running.progress, ObjectFrom(message.running().progress_json(),
                                                         "progress_json", kMaxProgressBytes));
  }
  if (message.has_finished()) {
    search::FinishedTask& finished = request.finished.emplace();
    finished.task_id = message.finished().task_id();
    finished.lease_token = message.finished().lease_token();
    switch (message.finished().outcome_case()) {
      case v1::FinishedTask::kResult: {
        VOXBIT_ASSIGN_OR_RETURN(finished.result, FromProto(message.finished().result()));
        break;
      }
      case v1::FinishedTask::kFailure: {
        VOXBIT_ASSIGN_OR_RETURN(finished.failure, FromProto(message.finished().failure()));
        break;
      }
      case v1::FinishedTask::OUTCOME_NOT_SET:
        return InvalidArgument("a finished task has neither result nor failure");
    }
  }
  return request;
}

v1::SyncResponse ToProto(const search::SyncReply& reply) {
  v1::SyncResponse message;
  message.set_desired(ToProto(reply.desired));
  message.set_verdict(ToProto(reply.verdict));
  message.set_task_id(reply.task_id);
  message.set_lease_token(Utf8(reply.lease_token));
  message.set_attempt(reply.attempt);
  if (reply.desired == search::Desired::kRun) *message.mutable_spec() = ToProto(reply.spec);
  message.set_lease_duration_ms(reply.lease_duration.count());
  message.set_next_sync_ms(reply.next_sync.count());
  message.set_reason(Utf8(reply.reason));
  return message;
}

Result<search::SyncReply> FromProto(const v1::SyncResponse& message) {
  search::SyncReply reply;
  VOXBIT_ASSIGN_OR_RETURN(reply.desired, FromProto(message.desired()));
  VOXBIT_ASSIGN_OR_RETURN(reply.verdict, FromProto(message.verdict()));
  reply.task_id = message.task_id();
  reply.lease_token = message.lease_token();
  reply.attempt = message.attempt();
  if (reply.desired == search::Desired::kRun) {
    VOXBIT_ASSIGN_OR_RETURN(reply.spec, FromProto(message.spec()));
  }
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(message.lease_duration_ms(), "lease_duration_ms"));
  VOXBIT_RETURN_IF_ERROR(CheckNotNegative(message.next_sync_ms(), "next_sync_ms"));
  reply.lease_duration = Milliseconds(message.lease_duration_ms());
  reply.next_sync = Milliseconds(message.next_sync_ms());
  reply.reason = message.reason();
  return reply;
}

v1::Worker ToProto(const search::WorkerRow& row) {
  v1::Worker message;
  *message.mutable_info() = ToProto(row.info);
  message.set_state(Utf8(row.state));
  message.set_task_id(row.task_id);
  message.set_task_label(Utf8(row.task_label));
  message.set_last_seen_ms(row.last_seen_ms);
  return message;
}

Result<search::WorkerRow> FromProto(const v1::Worker& message) {
  search::WorkerRow row;
  VOXBIT_ASSIGN_OR_RETURN(row.info, FromProto(message.info()));
  row.state = message.state();
  row.task_id = message.task_id();
  row.task_label = message.task_label();
  row.last_seen_ms = message.last_seen_ms();
  return row;
}

}  // namespace voxbit::convert
