#include "server/study/study_supervisor.h"

#include <algorithm>
#include <memory>

#include "common/log.h"
#include "server/study/study_runner.h"

namespace voxbit::server {
namespace {

// A runner looks again after this long even if nobody called it.
constexpr Milliseconds kPoll{1'000};

// Another try may end differently: the disk, the database or a permission was the matter. The
// rest (a damaged row, settings of another version) stays as it is.
bool IsWorthAnotherTry(const Status& status) {
  if (status.reason() == "STUDY_NOT_ACTIVE") return true;  // stopped meanwhile: the next one ends
  switch (status.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
    case StatusCode::kPermissionDenied:
    case StatusCode::kInternal:
    case StatusCode::kAborted:
      return true;
    default:
      return false;
  }
}

}  // namespace

StudySupervisor::StudySupervisor(storage::Store& store, const Plugins& plugins,
                                 ChangeSignal& changes)
    : store_(store), plugins_(plugins), changes_(changes) {}

Status StudySupervisor::StartAll() {
  VOXBIT_ASSIGN_OR_RETURN(const auto studies, store_.ListStudies(0, 1'000'000));
  for (const search::Study& study : studies) {
    if (!search::IsFinal(study.state)) Start(study);
  }
  return OkStatus();
}

void StudySupervisor::Start(const search::Study& study) {
  MutexLock lock(mutex_);
  // Those that have ended hold nothing that joining could wait for.
  std::erase_if(runners_, [](const auto& entry) { return entry.second.has_ended; });
  Runner& runner = runners_[study.id];
  runner.is_wanted = true;
  if (runner.thread.joinable()) return;
  runner.thread = std::jthread([this, id = study.id, name = study.config.name, &runner](
                                   const std::stop_token& stop) { Run(stop, id, name, runner); });
}

int64_t StudySupervisor::num_running() const {
  MutexLock lock(mutex_);
  return std::count_if(runners_.begin(), runners_.end(),
                       [](const auto& entry) { return !entry.second.has_ended; });
}

void StudySupervisor::Run(const std::stop_token& stop, int64_t study_id, const std::string& name,
                          Runner& runner) {
  while (true) {
    {
      MutexLock lock(mutex_);
      runner.has_ended = !runner.is_wanted || stop.stop_requested();
      if (runner.has_ended) return;
      runner.is_wanted = false;
    }
    RunToEnd(stop, study_id, name);
  }
}

void StudySupervisor::RunToEnd(const std::stop_token& stop, int64_t study_id,
                               const std::string& name) {
  using Outcome = StudyRunner::Outcome;
  std::unique_ptr<StudyRunner> runner;
  const auto step = [&]() -> Result<Outcome> {
    if (runner == nullptr) {
      VOXBIT_ASSIGN_OR_RETURN(runner, StudyRunner::Create(study_id, store_, plugins_));
    }
    return runner->Step();
  };
  std::string last_error;  // a repeated one is logged once
  while (!stop.stop_requested()) {
    const int64_t seen = changes_.version();
    Result<Outcome> outcome = step();
    if (!outcome.ok() && store_.GetStudy(study_id).status().code() == StatusCode::kNotFound) {
      log::Info("the study was deleted", {{"study", name}});
      return;
    }
    const std::string error = outcome.ok() ? "" : outcome.status().ToString();
    const bool is_final = !outcome.ok() && !IsWorthAnotherTry(outcome.status());
    if (!outcome.ok() && error != last_error) {
      log::Error(is_final ? "study cannot go on" : "study step failed, will be tried again",
                 {{"study", name}, {"why", error}});
    }
    last_error = error;
    if (is_final &&
        store_.MoveStudy(study_id, search::StudyState::kFailed, outcome.status().message()).ok()) {
      outcome = Outcome::kEnded;
    }
    if (outcome.ok() && *outcome != Outcome::kWaiting) changes_.Notify();
    if (outcome.ok() && *outcome == Outcome::kEnded) return;
    if (!outcome.ok() || *outcome == Outcome::kWaiting) changes_.Wait(seen, kPoll, stop);
  }
}

}  // namespace voxbit::server
