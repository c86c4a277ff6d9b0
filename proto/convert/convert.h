// Wire messages to domain structs and back: the only place that knows both.
//
// ToProto never fails: text that is not UTF-8 has the offending bytes replaced, because a message
// that carried them could not be read. FromProto answers INVALID_ARGUMENT, naming the field, for
// unspecified or unknown enum values, text that is not a JSON object, numbers that are not finite,
// negative counts and spans, repeated keys, and JSON that is too large (2 MiB, 256 KiB in the
// detail of a measurement, 64 KiB in a progress) or nested too deeply. An empty ..._json field is
// the empty object; of the message of a failure 16 KiB are kept.
#pragma once

#include <string>

#include "common/status.h"
#include "search/domain/study.h"
#include "search/domain/task.h"
#include "search/domain/trial.h"
#include "search/domain/worker.h"
#include "voxbit/v1/trial_service.pb.h"
#include "voxbit/v1/types.pb.h"
#include "voxbit/v1/worker_service.pb.h"

namespace voxbit::convert {

v1::StudyState ToProto(search::StudyState state);
v1::StudyPhase ToProto(search::StudyPhase phase);
v1::TrialState ToProto(search::TrialState state);
v1::TaskKind ToProto(search::TaskKind kind);
v1::TaskState ToProto(search::TaskState state);
v1::FailureKind ToProto(search::FailureKind kind);
v1::Desired ToProto(search::Desired desired);
v1::Verdict ToProto(search::Verdict verdict);

Result<search::StudyState> FromProto(v1::StudyState state);
Result<search::StudyPhase> FromProto(v1::StudyPhase phase);
Result<search::TrialState> FromProto(v1::TrialState state);
Result<search::TaskKind> FromProto(v1::TaskKind kind);
Result<search::TaskState> FromProto(v1::TaskState state);
Result<search::FailureKind> FromProto(v1::FailureKind kind);
Result<search::Desired> FromProto(v1::Desired desired);
Result<search::Verdict> FromProto(v1::Verdict verdict);

v1::Measurement ToProto(const search::Measurement& measurement);
Result<search::Measurement> FromProto(const v1::Measurement& message);

v1::Candidate ToProto(const search::Candidate& candidate);
Result<search::Candidate> FromProto(const v1::Candidate& message);

// Without progress: the server adds it. The id stays at home.
v1::Study ToProto(const search::Study& study);
// The configuration is parsed and checked again; the id is 0.
Result<search::Study> FromProto(const v1::Study& message);

// `study` is the study's name: on the wire it stands for the id.
v1::Trial ToProto(const search::Trial& trial, const std::string& study);
// The study_id is 0; the message has the name.
Result<search::Trial> FromProto(const v1::Trial& message);

v1::TaskSpec ToProto(const search::TaskSpec& spec);
Result<search::TaskSpec> FromProto(const v1::TaskSpec& message);

v1::TaskResult ToProto(const search::TaskResult& result);
Result<search::TaskResult> FromProto(const v1::TaskResult& message);

v1::TaskFailure ToProto(const search::TaskFailure& failure);
Result<search::TaskFailure> FromProto(const v1::TaskFailure& message);

v1::WorkerInfo ToProto(const search::WorkerInfo& info);
Result<search::WorkerInfo> FromProto(const v1::WorkerInfo& message);

v1::RegisterResponse ToProto(const search::RegisterReply& reply);
Result<search::RegisterReply> FromProto(const v1::RegisterResponse& message);

// request_id and wait_ms belong to the call, not to the domain: the caller sets and reads them.
v1::SyncRequest ToProto(const search::SyncRequest& request);
Result<search::SyncRequest> FromProto(const v1::SyncRequest& message);

v1::SyncResponse ToProto(const search::SyncReply& reply);
Result<search::SyncReply> FromProto(const v1::SyncResponse& message);

v1::Worker ToProto(const search::WorkerRow& row);
Result<search::WorkerRow> FromProto(const v1::Worker& message);

}  // namespace voxbit::convert
