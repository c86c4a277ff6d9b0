#include "server/study/study_supervisor.h"

#include "common/log.h"
#include "server/study/study_runner.h"

namespace voxbit::server {
namespace {

// A runner looks again after this long even if nobody called it.
constexpr Milliseconds kPoll{1'000};

}  // namespace

StudySupervisor::StudySupervisor(storage::Store& store, const Plugins& plugins,
                                 ChangeSignal& changes)
    : store_(store), plugins_(plugins), changes_(changes) {}

Status StudySupervisor::StartAll() {
  VOXBIT_ASSIGN_OR_RETURN(const auto studies, store_.ListStudies(0, 1'000'000));
  for (const search::Study& study : studies) {
    if (!search::IsFinal(study.state)) Start(study.id);
  }
  return OkStatus();
}

void StudySupervisor::Start(int64_t study_id) {
  MutexLock lock(mutex_);
  if (runners_.contains(study_id)) return;
  runners_.emplace(study_id, std::jthread([this, study_id](const std::stop_token& stop) {
                     Run(stop, study_id);
                   }));
}

void StudySupervisor::Run(const std::stop_token& stop, int64_t study_id) {
  auto runner = StudyRunner::Create(study_id, store_, plugins_);
  if (!runner.ok()) {
    log::Error("study cannot be run", {{"study", study_id}, {"why", runner.status().message()}});
    if (const auto failed =
            store_.MoveStudy(study_id, search::StudyState::kFailed, runner.status().message());
        !failed.ok()) {
      log::Error("store", {{"why", failed.status().ToString()}});
    }
    changes_.Notify();
    return;
  }
  while (!stop.stop_requested()) {
    const int64_t seen = changes_.version();
    const auto outcome = (*runner)->Step();
    if (!outcome.ok()) {
      log::Error("study step failed, will be tried again",
                 {{"study", study_id}, {"why", outcome.status().ToString()}});
      changes_.Wait(seen, kPoll, stop);
      continue;
    }
    if (*outcome != StudyRunner::Outcome::kWaiting) changes_.Notify();
    if (*outcome == StudyRunner::Outcome::kEnded) return;
    if (*outcome == StudyRunner::Outcome::kWaiting) changes_.Wait(seen, kPoll, stop);
  }
}

}  // namespace voxbit::server
