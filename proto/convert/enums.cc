// The enumerations of the wire and of the domain, one table each.
#include <array>
#include <string>
#include <utility>

#include "proto/convert/convert.h"

namespace voxbit::convert {
namespace {

template <class Domain, class Wire, size_t N>
using Table = std::array<std::pair<Domain, Wire>, N>;

constexpr Table<search::StudyState, v1::StudyState, 5> kStudyStates{{
    {search::StudyState::kActive, v1::STUDY_STATE_ACTIVE},
    {search::StudyState::kPaused, v1::STUDY_STATE_PAUSED},
    {search::StudyState::kStopped, v1::STUDY_STATE_STOPPED},
    {search::StudyState::kCompleted, v1::STUDY_STATE_COMPLETED},
    {search::StudyState::kFailed, v1::STUDY_STATE_FAILED},
}};

constexpr Table<search::StudyPhase, v1::StudyPhase, 5> kStudyPhases{{
    {search::StudyPhase::kProfile, v1::STUDY_PHASE_PROFILE},
    {search::StudyPhase::kTrain, v1::STUDY_PHASE_TRAIN},
    {search::StudyPhase::kSearch, v1::STUDY_PHASE_SEARCH},
    {search::StudyPhase::kFinetune, v1::STUDY_PHASE_FINETUNE},
    {search::StudyPhase::kFinished, v1::STUDY_PHASE_FINISHED},
}};

constexpr Table<search::TrialState, v1::TrialState, 6> kTrialStates{{
    {search::TrialState::kPending, v1::TRIAL_STATE_PENDING},
    {search::TrialState::kRunning, v1::TRIAL_STATE_RUNNING},
    {search::TrialState::kSucceeded, v1::TRIAL_STATE_SUCCEEDED},
    {search::TrialState::kInfeasible, v1::TRIAL_STATE_INFEASIBLE},
    {search::TrialState::kFailed, v1::TRIAL_STATE_FAILED},
    {search::TrialState::kCancelled, v1::TRIAL_STATE_CANCELLED},
}};

constexpr Table<search::TaskKind, v1::TaskKind, 6> kTaskKinds{{
    {search::TaskKind::kProfile, v1::TASK_KIND_PROFILE},
    {search::TaskKind::kTrainSupernet, v1::TASK_KIND_TRAIN_SUPERNET},
    {search::TaskKind::kEvaluate, v1::TASK_KIND_EVALUATE},
    {search::TaskKind::kMeasureLatency, v1::TASK_KIND_MEASURE_LATENCY},
    {search::TaskKind::kFinetune, v1::TASK_KIND_FINETUNE},
    {search::TaskKind::kExport, v1::TASK_KIND_EXPORT},
}};

constexpr Table<search::TaskState, v1::TaskState, 5> kTaskStates{{
    {search::TaskState::kQueued, v1::TASK_STATE_QUEUED},
    {search::TaskState::kLeased, v1::TASK_STATE_LEASED},
    {search::TaskState::kDone, v1::TASK_STATE_DONE},
    {search::TaskState::kFailed, v1::TASK_STATE_FAILED},
    {search::TaskState::kCancelled, v1::TASK_STATE_CANCELLED},
}};

constexpr Table<search::FailureKind, v1::FailureKind, 7> kFailureKinds{{
    {search::FailureKind::kInfeasible, v1::FAILURE_KIND_INFEASIBLE},
    {search::FailureKind::kOutOfMemory, v1::FAILURE_KIND_OUT_OF_MEMORY},
    {search::FailureKind::kTransient, v1::FAILURE_KIND_TRANSIENT},
    {search::FailureKind::kFailed, v1::FAILURE_KIND_FAILED},
    {search::FailureKind::kReleased, v1::FAILURE_KIND_RELEASED},
    {search::FailureKind::kCancelled, v1::FAILURE_KIND_CANCELLED},
    {search::FailureKind::kData, v1::FAILURE_KIND_DATA},
}};

constexpr Table<search::Desired, v1::Desired, 5> kDesired{{
    {search::Desired::kIdle, v1::DESIRED_IDLE},
    {search::Desired::kKeep, v1::DESIRED_KEEP},
    {search::Desired::kRun, v1::DESIRED_RUN},
    {search::Desired::kCancel, v1::DESIRED_CANCEL},
    {search::Desired::kRegister, v1::DESIRED_REGISTER},
}};

constexpr Table<search::Verdict, v1::Verdict, 4> kVerdicts{{
    {search::Verdict::kNone, v1::VERDICT_NONE},
    {search::Verdict::kRecorded, v1::VERDICT_RECORDED},
    {search::Verdict::kDuplicate, v1::VERDICT_DUPLICATE},
    {search::Verdict::kSuperseded, v1::VERDICT_SUPERSEDED},
}};

template <class Domain, class Wire, size_t N>
Wire ToWire(const Table<Domain, Wire, N>& table, Domain value) {
  for (const auto& [domain, wire] : table) {
    if (domain == value) return wire;
  }
  CheckFailed(__FILE__, __LINE__, "table", "an enumerator has no line in proto/convert/enums.cc");
}

template <class Domain, class Wire, size_t N>
Result<Domain> ToDomain(const Table<Domain, Wire, N>& table, Wire value, const char* what) {
  for (const auto& [domain, wire] : table) {
    if (wire == value) return domain;
  }
  return InvalidArgument(std::string(what) + ": " + std::to_string(static_cast<int>(value)) +
                         " is not a value of this protocol version");
}

}  // namespace

v1::StudyState ToProto(search::StudyState state) { return ToWire(kStudyStates, state); }
v1::StudyPhase ToProto(search::StudyPhase phase) { return ToWire(kStudyPhases, phase); }
v1::TrialState ToProto(search::TrialState state) { return ToWire(kTrialStates, state); }
v1::TaskKind ToProto(search::TaskKind kind) { return ToWire(kTaskKinds, kind); }
v1::TaskState ToProto(search::TaskState state) { return ToWire(kTaskStates, state); }
v1::FailureKind ToProto(search::FailureKind kind) { return ToWire(kFailureKinds, kind); }
v1::Desired ToProto(search::Desired desired) { return ToWire(kDesired, desired); }
v1::Verdict ToProto(search::Verdict verdict) { return ToWire(kVerdicts, verdict); }

Result<search::StudyState> FromProto(v1::StudyState state) {
  return ToDomain(kStudyStates, state, "study state");
}
Result<search::StudyPhase> FromProto(v1::StudyPhase phase) {
  return ToDomain(kStudyPhases, phase, "study phase");
}
Result<search::TrialState> FromProto(v1::TrialState state) {
  return ToDomain(kTrialStates, state, "trial state");
}
Result<search::TaskKind> FromProto(v1::TaskKind kind) {
  return ToDomain(kTaskKinds, kind, "task kind");
}
Result<search::TaskState> FromProto(v1::TaskState state) {
  return ToDomain(kTaskStates, state, "task state");
}
Result<search::FailureKind> FromProto(v1::FailureKind kind) {
  return ToDomain(kFailureKinds, kind, "failure kind");
}
Result<search::Desired> FromProto(v1::Desired desired) {
  return ToDomain(kDesired, desired, "desired");
}
Result<search::Verdict> FromProto(v1::Verdict verdict) {
  return ToDomain(kVerdicts, verdict, "verdict");
}

}  // namespace voxbit::convert
