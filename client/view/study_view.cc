#include "client/view/study_view.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <cmath>
#include <cstdio>

#include "client/format/text.h"
#include "client/view/trial_view.h"
#include "proto/convert/convert.h"
#include "search/domain/objective.h"

namespace voxbit::client {
namespace {

template <class Enum>
std::string NameOf(Enum value) {
  const auto known = convert::FromProto(value);
  return known.ok() ? std::string(search::Name(*known)) : "unknown";
}

Tone ToneOf(v1::StudyState state) {
  switch (state) {
    case v1::STUDY_STATE_ACTIVE:
      return Tone::kBusy;
    case v1::STUDY_STATE_COMPLETED:
      return Tone::kGood;
    case v1::STUDY_STATE_FAILED:
      return Tone::kBad;
    default:
      return Tone::kDim;
  }
}

Tone ToneOfWorker(const std::string& state) {
  if (state == "busy") return Tone::kBusy;
  if (state == "idle") return Tone::kGood;
  return state == "lost" ? Tone::kBad : Tone::kDim;
}

// The message's JSON text; an empty object where it cannot be read.
Json Lenient(const std::string& text) {
  Result<Json> json = ParseJson(text.empty() ? "{}" : text);
  return json.ok() ? std::move(json).value() : Json::object();
}

template <class Names>
Json NamesJson(const Names& names) {
  Json json = Json::array();
  for (const auto& name : names) json.push_back(std::string(name));
  return json;
}

Json ProgressJson(const v1::StudyProgress& progress) {
  Json running = Json::array();
  for (const v1::TaskProgress& task : progress.running()) {
    running.push_back({{"task_id", task.task_id()},
                       {"kind", KindName(task.kind())},
                       {"trial", task.trial_number()},
                       {"worker", task.worker()},
                       {"attempt", task.attempt()},
                       {"progress", Lenient(task.progress_json())}});
  }
  return {{"trials_total", progress.trials_total()},
          {"trials_proposed", progress.trials_proposed()},
          {"trials_succeeded", progress.trials_succeeded()},
          {"trials_infeasible", progress.trials_infeasible()},
          {"trials_failed", progress.trials_failed()},
          {"front_size", progress.front_size()},
          {"hypervolume", NumberJson(HypervolumeOf(progress))},
          {"reference", Lenient(progress.reference_json())},
          {"trials_per_minute", NumberJson(SpeedOf(progress))},
          {"waits", NamesJson(progress.waits())},
          {"idle", progress.idle()},
          {"running", std::move(running)}};
}

// "miou 0 to 1, macs 2 G to 0"
std::string RangesText(const Json& ranges) {
  std::vector<std::string> texts;
  for (const auto& [metric, range] : ranges.items()) {
    if (!range.is_array() || range.size() != 2 || !range[0].is_number()) continue;
    if (!range[1].is_number()) continue;
    const std::string name = MetricName(metric);
    texts.push_back(metric + " " + HumanMetric(name, range[0].get<double>()) + " to " +
                    HumanMetric(name, range[1].get<double>()));
  }
  return boost::algorithm::join(texts, ", ");
}

}  // namespace

std::string StateName(v1::StudyState state) { return NameOf(state); }
std::string PhaseName(v1::StudyPhase phase) { return NameOf(phase); }
std::string StateName(v1::TaskState state) { return NameOf(state); }
std::string KindName(v1::TaskKind kind) { return NameOf(kind); }

bool IsFinal(v1::StudyState state) {
  return state == v1::STUDY_STATE_STOPPED || state == v1::STUDY_STATE_COMPLETED ||
         state == v1::STUDY_STATE_FAILED;
}

std::optional<double> HypervolumeOf(const v1::StudyProgress& progress) {
  if (!progress.has_hypervolume()) return std::nullopt;
  return progress.hypervolume();
}

std::optional<double> SpeedOf(const v1::StudyProgress& progress) {
  if (!progress.has_trials_per_minute()) return std::nullopt;
  return progress.trials_per_minute();
}

int64_t TrialsDone(const v1::StudyProgress& progress) {
  const int64_t done =
      progress.trials_succeeded() + progress.trials_infeasible() + progress.trials_failed();
  return std::min(done, progress.trials_total());
}

std::vector<std::string> ObjectiveKeys(const v1::Study& study) {
  std::vector<std::string> keys;
  const Json config = Lenient(study.config_json());
  const auto objectives = config.find("objectives");
  if (!config.is_object() || objectives == config.end() || !objectives->is_array()) return keys;
  for (const Json& objective : *objectives) {
    if (!objective.is_object()) continue;
    const Json metric = objective.value("metric", Json());
    const Json target = objective.value("target", Json());
    if (!metric.is_string()) continue;
    keys.push_back(search::MetricKey(metric.get<std::string>(),
                                     target.is_string() ? target.get<std::string>() : ""));
  }
  return keys;
}

Json DataOverview(const v1::Study& study) { return Lenient(study.data_json()); }

Json ToJson(const v1::Study& study) {
  return {{"name", study.name()},
          {"state", StateName(study.state())},
          {"phase", PhaseName(study.phase())},
          {"message", study.message()},
          {"created_ms", study.created_ms()},
          {"finished_ms", study.finished_ms()},
          {"progress", ProgressJson(study.progress())},
          {"data", DataOverview(study)},
          {"config", Lenient(study.config_json())}};
}

Table StudyTable(const std::vector<v1::Study>& studies, int64_t now_ms) {
  Table table({{"name", "name", false, 0, 12},
               {"state", "state", false, 0, 0},
               {"phase", "phase", false, 1, 0},
               {"trials_done", "trials", true, 0, 0},
               {"trials_total", "", true, kCsvOnly, 0},
               {"front_size", "front", true, 2, 0},
               {"hypervolume", "hypervolume", true, 3, 0},
               {"trials_per_minute", "trials/min", true, 4, 0},
               {"created_ms", "created", false, 5, 0},
               {"finished_ms", "", true, kCsvOnly, 0},
               {"message", "message", false, 6, 12}});
  for (const v1::Study& study : studies) {
    const v1::StudyProgress& progress = study.progress();
    const int64_t done = TrialsDone(progress);
    table.AddRow(
        {TextCell(study.name()),
         TextCell(StateName(study.state()), ToneOf(study.state())),
         TextCell(PhaseName(study.phase())),
         {std::to_string(done) + "/" + std::to_string(progress.trials_total()), done, Tone::kPlain},
         IntCell(progress.trials_total()),
         IntCell(progress.front_size()),
         NumberCell(HypervolumeOf(progress)),
         NumberCell(SpeedOf(progress)),
         {HumanAge(now_ms, study.created_ms()), study.created_ms(), Tone::kPlain},
         IntCell(study.finished_ms()),
         TextCell(study.message())});
  }
  return table;
}

std::vector<Field> StudyFieldList(const v1::Study& study, int64_t now_ms) {
  const v1::StudyProgress& progress = study.progress();
  const auto time = [now_ms](int64_t at) {
    return UtcTime(at) + (at == 0 ? "" : " (" + HumanAge(now_ms, at) + ")");
  };
  std::vector<Field> fields = {{"name", TextCell(study.name())},
                               {"state", TextCell(StateName(study.state()), ToneOf(study.state()))},
                               {"phase", TextCell(PhaseName(study.phase()))},
                               {"created", TextCell(time(study.created_ms()))}};
  if (study.finished_ms() != 0) {
    fields.push_back({"finished", TextCell(time(study.finished_ms()))});
  }
  for (const std::string& wait : progress.waits()) {
    fields.push_back({"waits", TextCell(wait, Tone::kBad)});
  }
  if (!progress.idle().empty()) fields.push_back({"idle", TextCell(progress.idle(), Tone::kBad)});
  fields.push_back(
      {"trials", TextCell(std::to_string(TrialsDone(progress)) + " of " +
                          std::to_string(progress.trials_total()) +
                          " done: " + std::to_string(progress.trials_succeeded()) + " succeeded, " +
                          std::to_string(progress.trials_infeasible()) + " infeasible, " +
                          std::to_string(progress.trials_failed()) + " failed")});
  fields.push_back(
      {"front", TextCell(std::to_string(progress.front_size()) + " trials, hypervolume " +
                         HumanCount(HypervolumeOf(progress)))});
  const std::string ranges = RangesText(Lenient(progress.reference_json()));
  if (!ranges.empty()) fields.push_back({"reference", TextCell(ranges)});
  fields.push_back({"speed", TextCell(HumanCount(SpeedOf(progress)) + " trials/min")});
  if (!study.message().empty()) fields.push_back({"message", TextCell(study.message())});
  return fields;
}

Table TaskTable(const v1::StudyProgress& progress) {
  Table table({{"task_id", "task", true, 0, 0},
               {"kind", "kind", false, 0, 0},
               {"trial", "trial", true, 0, 0},
               {"attempt", "attempt", true, 2, 0},
               {"progress", "progress", false, 0, 10},
               {"worker", "worker", false, 1, 8}});
  for (const v1::TaskProgress& task : progress.running()) {
    table.AddRow({IntCell(task.task_id()), TextCell(KindName(task.kind())),
                  task.trial_number() == 0 ? EmptyCell() : IntCell(task.trial_number()),
                  IntCell(task.attempt()), TextCell(StepText(Lenient(task.progress_json()))),
                  TextCell(task.worker())});
  }
  return table;
}

std::string StepText(const Json& progress) {
  if (!progress.is_object()) return "";
  const Json phase = progress.value("phase", Json());
  const Json step = progress.value("step", Json());
  const Json steps = progress.value("steps", Json());
  std::string text = phase.is_string() ? phase.get<std::string>() : "";
  if (step.is_number()) {
    text += (text.empty() ? "step " : " ") + CanonicalJson(step);
    if (steps.is_number()) text += "/" + CanonicalJson(steps);
  }
  return text;
}

Json ToJson(const search::WorkerRow& worker) {
  Json kinds = Json::array();
  for (const search::TaskKind kind : worker.info.task_kinds) {
    kinds.push_back(std::string(search::Name(kind)));
  }
  return {{"name", worker.info.name},
          {"state", worker.state},
          {"device", worker.info.device},
          {"device_model", worker.info.device_model},
          {"threads", worker.info.threads},
          {"memory_bytes", worker.info.memory_bytes},
          {"task_kinds", std::move(kinds)},
          {"supernets", NamesJson(worker.info.supernets)},
          {"datasets", NamesJson(worker.info.datasets)},
          {"targets", NamesJson(worker.info.targets)},
          {"version", worker.info.version},
          {"task_id", worker.task_id},
          {"task", worker.task_label},
          {"last_seen_ms", worker.last_seen_ms}};
}

Table WorkerTable(const std::vector<search::WorkerRow>& workers, int64_t now_ms) {
  Table table({{"name", "name", false, 0, 10},
               {"state", "state", false, 0, 0},
               {"device", "device", false, 0, 0},
               {"task", "task", false, 0, 14},
               {"last_seen_ms", "last seen", false, 1, 0},
               {"targets", "targets", false, 2, 8},
               {"device_model", "model", false, 3, 12},
               {"threads", "threads", true, 4, 0},
               {"memory_bytes", "memory", true, 4, 0},
               {"supernets", "supernets", false, 5, 8},
               {"datasets", "datasets", false, 5, 8},
               {"task_id", "", true, kCsvOnly, 0},
               {"version", "version", false, 6, 0}});
  for (const search::WorkerRow& worker : workers) {
    const auto& info = worker.info;
    table.AddRow(
        {TextCell(info.name),
         TextCell(worker.state, ToneOfWorker(worker.state)),
         TextCell(info.device),
         TextCell(worker.task_label),
         {HumanAge(now_ms, worker.last_seen_ms), worker.last_seen_ms, Tone::kPlain},
         TextCell(boost::algorithm::join(info.targets, " ")),
         TextCell(info.device_model),
         IntCell(info.threads),
         {HumanBytes(static_cast<double>(info.memory_bytes)), info.memory_bytes, Tone::kPlain},
         TextCell(boost::algorithm::join(info.supernets, " ")),
         TextCell(boost::algorithm::join(info.datasets, " ")),
         worker.task_id == 0 ? EmptyCell() : IntCell(worker.task_id),
         TextCell(info.version)});
  }
  return table;
}

}  // namespace voxbit::client
