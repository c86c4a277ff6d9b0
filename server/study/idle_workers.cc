#include "server/study/idle_workers.h"

#include <algorithm>

namespace voxbit::server {
namespace {

template <class T>
bool IsAmong(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool CanEvaluate(const search::WorkerInfo& worker, const search::StudyConfig& config) {
  return IsAmong(worker.task_kinds, search::TaskKind::kEvaluate) &&
         IsAmong(worker.supernets, config.supernet.at("kind").get<std::string>()) &&
         IsAmong(worker.datasets, config.dataset.at("kind").get<std::string>());
}

}  // namespace

std::string IdleWorkers(const search::Study& study, const storage::TrialCounts& counts,
                        bool has_queued, search::Pace pace,
                        const std::vector<search::WorkerRow>& workers) {
  const search::SearchSettings& settings = study.config.search;
  const bool searches =
      study.state == search::StudyState::kActive && study.phase == search::StudyPhase::kSearch;
  const int64_t in_flight = counts.proposed - counts.Finals();
  if (!searches || has_queued || in_flight == 0 || counts.proposed >= settings.trials) return "";
  const std::string why = search::WhyFewerInFlight(pace, settings);
  // The next are being asked for.
  if (why.empty() && in_flight < settings.MaxInFlight()) return "";
  int num_idle = 0;
  int num_alive = 0;
  for (const search::WorkerRow& worker : workers) {
    const bool is_idle = worker.state == "idle";
    if ((!is_idle && worker.state != "busy") || !CanEvaluate(worker.info, study.config)) continue;
    ++num_alive;
    num_idle += is_idle ? 1 : 0;
  }
  if (num_idle == 0) return "";
  std::string text = std::to_string(num_idle) + " of " + std::to_string(num_alive) +
                     " workers idle: in_flight " + std::to_string(settings.in_flight);
  if (!why.empty()) return text + " (" + why + ")";
  if (settings.in_flight == 0) text += " (the population of " + std::to_string(in_flight) + ")";
  return text;
}

}  // namespace voxbit::server
