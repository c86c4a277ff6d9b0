#include "search/domain/worker.h"

#include <algorithm>

#include "common/config.h"
#include "search/domain/name_table.h"

namespace voxbit::search {
namespace {

constexpr std::array<NameRow<Desired>, 5> kDesired = {{
    {Desired::kIdle, "idle"},
    {Desired::kKeep, "keep"},
    {Desired::kRun, "run"},
    {Desired::kCancel, "cancel"},
    {Desired::kRegister, "register"},
}};

constexpr std::array<NameRow<Verdict>, 4> kVerdicts = {{
    {Verdict::kNone, "none"},
    {Verdict::kRecorded, "recorded"},
    {Verdict::kDuplicate, "duplicate"},
    {Verdict::kSuperseded, "superseded"},
}};

Status ParseKinds(const Json& found, const std::string& pointer, WorkerInfo& out) {
  if (!found.is_array()) return ExpectedError(pointer, "a list of task kinds", found);
  out.task_kinds.clear();
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string at = pointer + "/" + std::to_string(i);
    if (!found[i].is_string()) return ExpectedError(at, "text", found[i]);
    const Result<TaskKind> kind = ParseTaskKind(found[i].get<std::string>());
    if (!kind.ok()) return FieldError(at, kind.status().message());
    out.task_kinds.push_back(*kind);
  }
  return OkStatus();
}

Json PrintKinds(const WorkerInfo& in) {
  Json list = Json::array();
  for (const TaskKind kind : in.task_kinds) list.push_back(std::string(Name(kind)));
  return list;
}

const Fields<WorkerInfo>& InfoFields() {
  static const Fields<WorkerInfo> fields = [] {
    Fields<WorkerInfo> table;
    table.Text("name", &WorkerInfo::name, {}, "unique and stable over restarts").Required();
    table.Text("device", &WorkerInfo::device, {}, "cpu or cuda:N");
    table.Text("device_model", &WorkerInfo::device_model, {}, "what the maker calls it");
    table.Int("threads", &WorkerInfo::threads, {.min = 0}, "", "threads it computes with");
    table.Int("memory_bytes", &WorkerInfo::memory_bytes, {.min = 0}, "byte", "memory it may use");
    table.Custom("task_kinds", "list", "what it can do", &ParseKinds, &PrintKinds);
    table.TextList("supernets", &WorkerInfo::supernets, {}, "supernets that it knows");
    table.TextList("datasets", &WorkerInfo::datasets, {}, "datasets that it can read");
    table.TextList("targets", &WorkerInfo::targets, {}, "hardware names that it answers to");
    table.Text("version", &WorkerInfo::version, {}, "of the program");
    table.Text("instance", &WorkerInfo::instance, {}, "names the process");
    table.Int("protocol", &WorkerInfo::protocol, {.min = 0}, "", "version of the conversation");
    return table;
  }();
  return fields;
}

}  // namespace

bool CanDo(const WorkerInfo& worker, const TaskSpec& spec) {
  const auto has = [](const auto& offered, const auto& wanted) {
    return std::find(offered.begin(), offered.end(), wanted) != offered.end();
  };
  const auto serves = [&](const std::vector<std::string>& offered, const std::string& wanted) {
    return wanted.empty() || has(offered, wanted);
  };
  return has(worker.task_kinds, spec.kind) && serves(worker.supernets, KindOf(spec.supernet)) &&
         serves(worker.datasets, KindOf(spec.dataset)) && serves(worker.targets, spec.target);
}

std::string_view Name(Desired desired) { return NameIn(kDesired, desired); }
std::string_view Name(Verdict verdict) { return NameIn(kVerdicts, verdict); }

Json ToJson(const WorkerInfo& info) { return InfoFields().ToJson(info); }
Result<WorkerInfo> ParseWorkerInfo(const Json& json) { return InfoFields().Parse(json, ""); }

}  // namespace voxbit::search
