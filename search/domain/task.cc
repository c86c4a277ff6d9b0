#include "search/domain/task.h"

#include "common/digest.h"
#include "search/domain/json_fields.h"
#include "search/domain/name_table.h"

namespace voxbit::search {
namespace {

constexpr std::array<NameRow<TaskKind>, 6> kKinds = {{
    {TaskKind::kProfile, "profile"},
    {TaskKind::kTrainSupernet, "train_supernet"},
    {TaskKind::kEvaluate, "evaluate"},
    {TaskKind::kMeasureLatency, "measure_latency"},
    {TaskKind::kFinetune, "finetune"},
    {TaskKind::kExport, "export"},
}};

constexpr std::array<NameRow<TaskState>, 5> kTaskStates = {{
    {TaskState::kQueued, "queued"},
    {TaskState::kLeased, "leased"},
    {TaskState::kDone, "done"},
    {TaskState::kFailed, "failed"},
    {TaskState::kCancelled, "cancelled"},
}};

constexpr std::array<NameRow<FailureKind>, 7> kFailures = {{
    {FailureKind::kInfeasible, "infeasible"},
    {FailureKind::kOutOfMemory, "out_of_memory"},
    {FailureKind::kTransient, "transient"},
    {FailureKind::kFailed, "failed"},
    {FailureKind::kData, "data"},
    {FailureKind::kReleased, "released"},
    {FailureKind::kCancelled, "cancelled"},
}};

const Fields<TaskSpec>& SpecFields() {
  static const Fields<TaskSpec> fields = [] {
    Fields<TaskSpec> table;
    AddEnum(table, "kind", &TaskSpec::kind, &ParseTaskKind, "what is to be done").Required();
    AddObject(table, "supernet", &TaskSpec::supernet, "resolved settings of the supernet");
    AddObject(table, "dataset", &TaskSpec::dataset, "resolved settings of the dataset");
    table.Text("dataset_digest", &TaskSpec::dataset_digest, {}, "SHA-256 of the dataset's content");
    AddObject(table, "settings", &TaskSpec::settings, "settings of the task kind");
    table.Text("space_digest", &TaskSpec::space_digest, {}, "SHA-256 of the search space");
    AddCandidate(table, "candidate", &TaskSpec::candidate, "the sub-network");
    table.Text("checkpoint", &TaskSpec::checkpoint, {}, "SHA-256 of the supernet's weights");
    table.Seed("seed", &TaskSpec::seed, "seed of everything random");
    table.Text("target", &TaskSpec::target, {}, "hardware that must do it");
    return table;
  }();
  return fields;
}

Status ParseArtifacts(const Json& found, const std::string& pointer, TaskResult& out) {
  if (!found.is_object()) return ExpectedError(pointer, "an object", found);
  for (const auto& [role, digest] : found.items()) {
    if (!digest.is_string() || !IsSha256(digest.get<std::string>())) {
      return ExpectedError(std::string(pointer).append("/").append(role),
                           "64 lower-case hexadecimal digits", digest);
    }
    out.artifacts[role] = digest.get<std::string>();
  }
  return OkStatus();
}

Status ParseResultMeasurements(const Json& found, const std::string& pointer, TaskResult& out) {
  VOXBIT_ASSIGN_OR_RETURN(out.measurements, ParseMeasurementList(found, pointer));
  return OkStatus();
}

const Fields<TaskResult>& ResultFields() {
  static const Fields<TaskResult> fields = [] {
    Fields<TaskResult> table;
    table.Custom("measurements", "list", "what was measured", &ParseResultMeasurements,
                 [](const TaskResult& in) { return ToJson(in.measurements); });
    table.Custom("artifacts", "object", "role to SHA-256", &ParseArtifacts,
                 [](const TaskResult& in) { return Json(in.artifacts); });
    AddObject(table, "detail", &TaskResult::detail, "what else the task found");
    return table;
  }();
  return fields;
}

const Fields<TaskFailure>& FailureFields() {
  static const Fields<TaskFailure> fields = [] {
    Fields<TaskFailure> table;
    AddEnum(table, "kind", &TaskFailure::kind, &ParseFailureKind, "what is to follow").Required();
    table.Text("message", &TaskFailure::message, {}, "for people");
    return table;
  }();
  return fields;
}

}  // namespace

std::string_view Name(TaskKind kind) { return NameIn(kKinds, kind); }
std::string_view Name(TaskState state) { return NameIn(kTaskStates, state); }
std::string KindOf(const Json& settings) {
  const auto it = settings.find("kind");
  return it != settings.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string_view Name(FailureKind kind) { return NameIn(kFailures, kind); }

Result<TaskKind> ParseTaskKind(std::string_view name) { return ParseIn(kKinds, "task kind", name); }
Result<TaskState> ParseTaskState(std::string_view name) {
  return ParseIn(kTaskStates, "task state", name);
}
Result<FailureKind> ParseFailureKind(std::string_view name) {
  return ParseIn(kFailures, "failure kind", name);
}

const std::vector<TaskKind>& AllTaskKinds() {
  static const std::vector<TaskKind> kinds = [] {
    std::vector<TaskKind> all;
    all.reserve(kKinds.size());
    for (const auto& row : kKinds) all.push_back(row.value);
    return all;
  }();
  return kinds;
}

Json ToJson(const TaskSpec& spec) { return SpecFields().ToJson(spec); }
Result<TaskSpec> ParseTaskSpec(const Json& json) { return SpecFields().Parse(json, ""); }

std::string TaskDigest(const TaskSpec& spec) { return Sha256Hex(CanonicalJson(ToJson(spec))); }

Json ToJson(const TaskResult& result) { return ResultFields().ToJson(result); }
Result<TaskResult> ParseTaskResult(const Json& json) { return ResultFields().Parse(json, ""); }

Json ToJson(const TaskFailure& failure) { return FailureFields().ToJson(failure); }
Result<TaskFailure> ParseTaskFailure(const Json& json) { return FailureFields().Parse(json, ""); }

}  // namespace voxbit::search
