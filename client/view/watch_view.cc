#include "client/view/watch_view.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>

#include "client/format/text.h"
#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

constexpr size_t kMinBarWidth = 8;
constexpr size_t kMaxBarWidth = 24;
constexpr double kMsPerMinute = 60'000;

Json ReadProgress(const v1::TaskProgress& task) {
  if (task.progress_json().empty()) return Json::object();
  Result<Json> json = ParseJson(task.progress_json());
  if (!json.ok() || !json->is_object()) return Json::object();
  return std::move(json).value();
}

int64_t WholeNumber(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

bool IsTraining(v1::TaskKind kind) {
  return kind == v1::TASK_KIND_TRAIN_SUPERNET || kind == v1::TASK_KIND_FINETUNE ||
         kind == v1::TASK_KIND_PROFILE;
}

}  // namespace

void WatchView::Update(const v1::Study& study, int64_t now_ms) {
  study_ = study;
  now_ms_ = now_ms;
  for (const v1::TaskProgress& task : study.progress().running()) {
    const Json progress = ReadProgress(task);
    const int64_t step = WholeNumber(progress, "step");
    const auto [sight, fresh] = first_sights_.try_emplace(task.task_id(), FirstSight{step, now_ms});
    // A second attempt starts anew.
    if (!fresh && step < sight->second.step) sight->second = {step, now_ms};
  }
}

void WatchView::UpdateWorkers(const std::vector<search::WorkerRow>& workers) {
  busy_ = 0;
  workers_ = 0;
  for (const search::WorkerRow& worker : workers) {
    if (worker.state == "lost") continue;
    ++workers_;
    if (worker.task_id != 0) ++busy_;
  }
}

std::optional<WatchView::Steps> WatchView::TrainingSteps() const {
  if (study_.phase() == v1::STUDY_PHASE_SEARCH) return std::nullopt;
  Steps sum;
  for (const v1::TaskProgress& task : study_.progress().running()) {
    if (!IsTraining(task.kind())) continue;
    const Json progress = ReadProgress(task);
    sum.done += WholeNumber(progress, "step");
    sum.total += WholeNumber(progress, "steps");
  }
  if (sum.total == 0) return std::nullopt;
  return sum;
}

double WatchView::Fraction() const {
  if (study_.state() == v1::STUDY_STATE_COMPLETED) return 1;
  if (const auto steps = TrainingSteps(); steps.has_value()) {
    return static_cast<double>(steps->done) / static_cast<double>(steps->total);
  }
  const int64_t total = study_.progress().trials_total();
  if (study_.phase() != v1::STUDY_PHASE_SEARCH || total == 0) return 0;
  return static_cast<double>(TrialsDone(study_.progress())) / static_cast<double>(total);
}

std::optional<int64_t> WatchView::EtaMs() const {
  if (study_.state() != v1::STUDY_STATE_ACTIVE) return std::nullopt;
  if (study_.phase() == v1::STUDY_PHASE_SEARCH) {
    const double rate = study_.progress().trials_per_minute();
    const int64_t left = study_.progress().trials_total() - TrialsDone(study_.progress());
    if (!(rate > 0)) return std::nullopt;
    return static_cast<int64_t>(static_cast<double>(left) / rate * kMsPerMinute);
  }
  // Tasks run side by side: the slowest one decides.
  std::optional<int64_t> eta;
  for (const v1::TaskProgress& task : study_.progress().running()) {
    const Json progress = ReadProgress(task);
    const auto first = first_sights_.find(task.task_id());
    const int64_t step = WholeNumber(progress, "step");
    if (!IsTraining(task.kind()) || first == first_sights_.end()) continue;
    const int64_t gained = step - first->second.step;
    const int64_t span = now_ms_ - first->second.at_ms;
    const int64_t left = WholeNumber(progress, "steps") - step;
    if (gained <= 0 || span <= 0 || left < 0) continue;
    eta = std::max(eta.value_or(0), left * span / gained);
  }
  return eta;
}

std::vector<std::string> WatchView::Parts() const {
  const v1::StudyProgress& progress = study_.progress();
  std::vector<std::string> parts;
  if (const auto steps = TrainingSteps(); steps.has_value()) {
    parts.push_back("step " + std::to_string(steps->done) + "/" + std::to_string(steps->total));
  }
  const bool searched = TrialsDone(progress) > 0 || study_.phase() == v1::STUDY_PHASE_SEARCH;
  if (searched) {
    parts.push_back(std::to_string(TrialsDone(progress)) + "/" +
                    std::to_string(progress.trials_total()) + " trials");
  }
  if (searched) {
    parts.push_back("front " + std::to_string(progress.front_size()));
    parts.push_back(HumanCount(progress.trials_per_minute()) + " trials/min");
  }
  if (workers_ == 0 && study_.state() == v1::STUDY_STATE_ACTIVE) {
    parts.emplace_back("waiting for a worker");
  } else if (workers_ > 0) {
    parts.push_back(std::to_string(busy_) + "/" + std::to_string(workers_) + " workers busy");
  }
  const std::optional<int64_t> eta = EtaMs();
  if (eta.has_value()) parts.push_back("ETA " + HumanSpan(*eta));
  if (searched) parts.push_back("hypervolume " + HumanCount(progress.hypervolume()));
  return parts;
}

std::string WatchView::Stage() const {
  const std::string state = StateName(study_.state());
  if (study_.state() == v1::STUDY_STATE_ACTIVE) return PhaseName(study_.phase());
  return state;
}

std::string WatchView::BarLine(size_t width) const {
  const std::string head = OneLine(study_.name()) + "  " + Stage() + "  ";
  std::vector<std::string> parts = Parts();
  std::string text = boost::algorithm::join(parts, " · ");
  while (parts.size() > 1 && DisplayWidth(head + text) > width) {
    parts.pop_back();
    text = boost::algorithm::join(parts, " · ");
  }
  // The bar gets what the words leave.
  const size_t used = DisplayWidth(head + text) + 2;
  const size_t room = used < width ? std::min(width - used, kMaxBarWidth) : 0;
  const std::string bar = room < kMinBarWidth ? "" : Bar(Fraction(), room) + "  ";
  return Clip(head + bar + text, width);
}

std::string WatchView::PlainLine() const {
  std::vector<std::string> parts = Parts();
  parts.insert(parts.begin(), Stage());
  return study_.name() + ": " + boost::algorithm::join(parts, ", ");
}

Json WatchView::Fields() const {
  const v1::StudyProgress& progress = study_.progress();
  Json fields = {{"study", study_.name()},
                 {"state", StateName(study_.state())},
                 {"phase", PhaseName(study_.phase())},
                 {"trials_done", TrialsDone(progress)},
                 {"trials_total", progress.trials_total()},
                 {"front_size", progress.front_size()},
                 {"hypervolume", progress.hypervolume()},
                 {"trials_per_minute", progress.trials_per_minute()}};
  if (const auto steps = TrainingSteps(); steps.has_value()) {
    fields["step"] = steps->done;
    fields["steps"] = steps->total;
  }
  if (const auto eta = EtaMs(); eta.has_value()) fields["eta_ms"] = *eta;
  if (workers_ >= 0) {
    fields["workers_busy"] = busy_;
    fields["workers"] = workers_;
  }
  return fields;
}

std::string WatchView::Fingerprint() const {
  std::string text = Stage() + " " + std::to_string(TrialsDone(study_.progress())) + " " +
                     std::to_string(study_.progress().front_size());
  if (const auto steps = TrainingSteps(); steps.has_value()) {
    text += " " + std::to_string(steps->done);
  }
  return text;
}

}  // namespace voxbit::client
