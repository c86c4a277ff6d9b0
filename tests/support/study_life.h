// A study from its start to its end in virtual time: the real store, dispatcher and runner, and
// workers that sleep over each evaluation.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/study/study_runner.h"
#include "tests/support/direct_coordinator.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {

// How long a worker sleeps over a task: 50 to 150 ms for an evaluation, by its candidate.
inline Milliseconds SleepOf(const search::TaskSpec& spec) {
  if (spec.kind != search::TaskKind::kEvaluate) return Milliseconds(0);
  return Milliseconds(50 + Rng(1).Fork(search::Encode(spec.candidate)).Below(101));
}

// One study from its start to its end.
class Life {
 public:
  struct Options {
    int num_workers = 1;
    int restart_every = 0;      // finished tasks; 0: never
    int64_t step_every_ms = 0;  // how often the study's runner looks; 0: at once
  };

  Life(const Json& config, const Options& options, server::Plugins plugins = ToyPlugins())
      : options_(options),
        plugins_(std::move(plugins)),
        workers_(static_cast<size_t>(options.num_workers)) {
    const auto plan = server::StudyPlan::Create(config, "", plugins_).value();
    id_ = store().CreateStudy(plan->config(), plan->config_json()).value().id;
    for (size_t i = 0; i < workers_.size(); ++i) {
      workers_[i].name = "w" + std::to_string(i);
      const auto reply = server_.dispatcher().Register(ToyWorker(workers_[i].name));
      workers_[i].session = reply.value().session;
    }
    Run();
  }

  storage::Store& store() { return server_.store(); }
  int64_t id() const { return id_; }
  std::string StatesFolder() const { return dir_.File("store/states/" + std::to_string(id_)); }
  std::vector<search::Trial> Trials() { return store().ListTrials(id_, {}).value(); }
  std::vector<search::Candidate> Proposed() {
    std::vector<search::Candidate> candidates;
    for (const search::Trial& trial : Trials()) candidates.push_back(trial.candidate);
    return candidates;
  }
  // From the start of the first evaluation to the end of the last.
  int64_t search_ms() const { return last_end_ms_ - first_start_ms_; }
  int64_t slept_ms() const { return slept_ms_; }
  // Share of all workers' time that evaluations took, from the start of the first to that of the
  // last: after it some must be idle.
  double BusyShare() const {
    int64_t busy_ms = 0;
    for (const auto& [start_ms, end_ms] : spans_) {
      busy_ms += std::min(end_ms, spans_.back().first) - start_ms;
    }
    const auto all_ms = static_cast<double>(spans_.back().first - first_start_ms_) *
                        static_cast<double>(workers_.size());
    return static_cast<double>(busy_ms) / all_ms;
  }
  size_t max_in_flight() const { return max_in_flight_; }

  // What the study's algorithm proposes when it is told the trials in their recorded order, anew.
  std::vector<search::Candidate> Replayed() {
    const search::Study study = store().GetStudy(id_).value();
    const auto plan = server::StudyPlan::Create(Json::parse(study.config_json), "", plugins_);
    const search::StudyConfig& config = (*plan)->config();
    const auto workload = server::StudyWorkload(store(), id_).value();
    const auto filter = (*plan)->MakeFilter(&workload).value();
    const auto algorithm = plugins_.algorithms.Find(config.search.algorithm)
                               ->make({.space = (*plan)->spec().space(),
                                       .filter = *filter,
                                       .objectives = config.objectives,
                                       .constraints = config.constraints,
                                       .settings = config.search,
                                       .rng = Rng(config.seed).Fork(config.search.algorithm),
                                       .layers = filter.get()});
    std::vector<search::Candidate> proposed;
    const auto ask = [&](int64_t num_told) {
      const auto num_proposed = static_cast<int64_t>(proposed.size());
      const int64_t wanted = std::min(config.search.trials - num_proposed,
                                      config.search.MaxInFlight() - (num_proposed - num_told));
      for (const auto& proposal : algorithm->Ask(wanted).proposals) {
        proposed.push_back(proposal.candidate);
      }
    };
    ask(0);
    for (const search::Trial& trial : store().TrialsAfter(id_, 0).value()) {
      algorithm->Tell({&trial, 1});
      ask(trial.sequence);
    }
    return proposed;
  }

 private:
  using Outcome = server::StudyRunner::Outcome;
  struct Worker {
    std::string name;
    std::string session;
    std::optional<search::SyncReply> running;
    int64_t done_ms = 0;
  };

  void Run() {
    MakeRunner();
    for (int turn = 0; turn < 100'000; ++turn) {
      if (clock_.NowMs() >= next_step_ms_ && Step() == Outcome::kEnded) return;
      bool has_changed = false;
      for (Worker& worker : workers_) has_changed = Turn(worker) || has_changed;
      if (!has_changed) SleepUntilNext();
    }
    ADD_FAILURE() << "the study does not end";
  }

  Outcome Step() {
    next_step_ms_ = clock_.NowMs() + options_.step_every_ms;
    Outcome outcome = Outcome::kProgressed;
    while (outcome == Outcome::kProgressed) outcome = runner_->Step().value();
    return outcome;
  }

  void MakeRunner() { runner_ = server::StudyRunner::Create(id_, store(), plugins_).value(); }

  // One call of a worker that has something to say or nothing to do.
  bool Turn(Worker& worker) {
    search::SyncRequest request{worker.name, worker.session, false, std::nullopt, std::nullopt};
    const bool is_done = worker.running && worker.done_ms <= clock_.NowMs();
    if (worker.running && !is_done) return false;
    if (is_done) {
      request.finished = {worker.running->task_id, worker.running->lease_token,
                          ToyResult(worker.running->spec), std::nullopt};
      if (worker.running->spec.kind == search::TaskKind::kEvaluate) last_end_ms_ = clock_.NowMs();
      worker.running.reset();
    }
    const auto reply = server_.dispatcher().Sync(request).value();
    if (is_done) {
      EXPECT_EQ(reply.value_or(search::SyncReply()).verdict, search::Verdict::kRecorded);
    }
    if (reply && reply->desired == search::Desired::kRun) Begin(worker, *reply);
    if (is_done && options_.restart_every > 0 && ++num_done_ % options_.restart_every == 0) {
      runner_.reset();
      server_.Restart();
      MakeRunner();
    }
    return is_done || worker.running.has_value();
  }

  void Begin(Worker& worker, const search::SyncReply& reply) {
    const Milliseconds sleep = SleepOf(reply.spec);
    worker.running = reply;
    worker.done_ms = clock_.NowMs() + sleep.count();
    slept_ms_ += sleep.count();
    if (reply.spec.kind != search::TaskKind::kEvaluate) return;
    if (first_start_ms_ == 0) first_start_ms_ = clock_.NowMs();
    spans_.emplace_back(clock_.NowMs(), worker.done_ms);
    size_t in_flight = 0;
    for (const Worker& other : workers_) in_flight += other.running ? size_t{1} : size_t{0};
    max_in_flight_ = std::max(max_in_flight_, in_flight);
  }

  void SleepUntilNext() {
    std::optional<int64_t> next;
    if (options_.step_every_ms > 0) next = next_step_ms_;
    for (const Worker& worker : workers_) {
      if (worker.running) next = std::min(next.value_or(worker.done_ms), worker.done_ms);
    }
    ASSERT_TRUE(next.has_value()) << "nobody has work, and the study waits";
    clock_.Advance(Milliseconds(*next - clock_.NowMs()));
  }

  const Options options_;
  const server::Plugins plugins_;
  TempDir dir_;
  ManualClock clock_;
  DirectServer server_{dir_.File("store"), clock_, server::DispatchSettings()};
  std::vector<Worker> workers_;
  std::unique_ptr<server::StudyRunner> runner_;
  int64_t id_ = 0;
  int64_t next_step_ms_ = 0;
  int64_t first_start_ms_ = 0;
  int64_t last_end_ms_ = 0;
  int64_t slept_ms_ = 0;
  std::vector<std::pair<int64_t, int64_t>> spans_;  // start and end of each evaluation, by start
  int num_done_ = 0;
  size_t max_in_flight_ = 0;
};

inline void ExpectEveryTrialMeasuredOnce(Life& life, size_t count) {
  const auto trials = life.Trials();
  ASSERT_EQ(trials.size(), count);
  std::set<search::Candidate> candidates;
  std::set<int64_t> sequences;
  for (const search::Trial& trial : trials) {
    EXPECT_EQ(trial.state, search::TrialState::kSucceeded) << trial.number;
    candidates.insert(trial.candidate);
    sequences.insert(trial.sequence);
  }
  EXPECT_EQ(candidates.size(), count);
  EXPECT_EQ(sequences.size(), count);
  for (const search::Task& task : life.store().ListTasks(life.id(), {}, {}).value()) {
    EXPECT_EQ(task.attempt, 1) << "task " << task.id;
  }
  EXPECT_EQ(life.store().CheckInvariants().value(), std::vector<std::string>());
}

}  // namespace voxbit::testing
