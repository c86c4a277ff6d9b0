// Studies whose algorithm is an agent: restarts with episodes in flight, several workers. Store,
// dispatcher and runner are the real ones; workers sleep in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "search/agents/agents.h"
#include "server/study/study_runner.h"
#include "tests/support/direct_coordinator.h"
#include "tests/support/temp_dir.h"
#include "tests/support/toy_study.h"

namespace voxbit::testing {
namespace {

using server::StudyRunner;

server::Plugins AgentPlugins() {
  server::Plugins plugins = ToyPlugins();
  rl::RegisterBuiltins(plugins.algorithms);
  return plugins;
}

Json AgentStudy(int64_t trials, const Json& agent) {
  Json study = ToyStudy("agent", trials);
  study["supernet"]["weight_bits"] = {2, 4, 8};
  study["search"]["algorithm"] = "ddpg_bits";
  study["search"]["agent"] = agent;
  return study;
}

// How long a worker sleeps over a task: 50 to 150 ms for an evaluation, by its candidate.
Milliseconds SleepOf(const search::TaskSpec& spec) {
  if (spec.kind != search::TaskKind::kEvaluate) return Milliseconds(0);
  return Milliseconds(50 + Rng(1).Fork(search::Encode(spec.candidate)).Below(101));
}

// One study from its start to its end.
class Life {
 public:
  struct Options {
    int num_workers = 1;
    int restart_every = 0;  // finished tasks; 0: never
  };

  Life(const Json& config, const Options& options)
      : options_(options), workers_(static_cast<size_t>(options.num_workers)) {
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
  size_t max_in_flight() const { return max_in_flight_; }

 private:
  struct Worker {
    std::string name;
    std::string session;
    std::optional<search::SyncReply> running;
    int64_t done_ms = 0;
  };

  void Run() {
    MakeRunner();
    for (int turn = 0; turn < 100'000; ++turn) {
      auto outcome = StudyRunner::Outcome::kProgressed;
      while (outcome == StudyRunner::Outcome::kProgressed) outcome = runner_->Step().value();
      if (outcome == StudyRunner::Outcome::kEnded) return;
      bool has_changed = false;
      for (Worker& worker : workers_) has_changed = Turn(worker) || has_changed;
      if (!has_changed) SleepUntilNext();
    }
    ADD_FAILURE() << "the study does not end";
  }

  void MakeRunner() { runner_ = StudyRunner::Create(id_, store(), plugins_).value(); }

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
    size_t in_flight = 0;
    for (const Worker& other : workers_) in_flight += other.running ? size_t{1} : size_t{0};
    max_in_flight_ = std::max(max_in_flight_, in_flight);
  }

  void SleepUntilNext() {
    std::optional<int64_t> next;
    for (const Worker& worker : workers_) {
      if (worker.running) next = std::min(next.value_or(worker.done_ms), worker.done_ms);
    }
    ASSERT_TRUE(next.has_value()) << "nobody has work, and the study waits";
    clock_.Advance(Milliseconds(*next - clock_.NowMs()));
  }

  const Options options_;
  const server::Plugins plugins_ = AgentPlugins();
  TempDir dir_;
  ManualClock clock_;
  DirectServer server_{dir_.File("store"), clock_, server::DispatchSettings()};
  std::vector<Worker> workers_;
  std::unique_ptr<StudyRunner> runner_;
  int64_t id_ = 0;
  int64_t first_start_ms_ = 0;
  int64_t last_end_ms_ = 0;
  int64_t slept_ms_ = 0;
  int num_done_ = 0;
  size_t max_in_flight_ = 0;
};

void ExpectEveryTrialMeasuredOnce(Life& life, size_t count) {
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

const Json kSmallAgent = {{"hidden1", 16}, {"hidden2", 16}, {"warmup_episodes", 16}};

TEST(AgentStudyTest, FourWorkersGiveAtLeastTwoAndAHalfTimesTheTrialsPerMinuteOfOne) {
  constexpr size_t kTrials = 96;
  Json config = AgentStudy(kTrials, kSmallAgent);
  config["search"]["population"] = 16;
  Life one(config, {.num_workers = 1});
  Life four(config, {.num_workers = 4});
  for (Life* life : {&one, &four}) ExpectEveryTrialMeasuredOnce(*life, kTrials);
  EXPECT_EQ(one.search_ms(), one.slept_ms()) << "one worker never waits";
  EXPECT_EQ(four.slept_ms(), one.slept_ms());
  RecordProperty("one_ms", std::to_string(one.search_ms()));
  RecordProperty("four_ms", std::to_string(four.search_ms()));
  EXPECT_GE(static_cast<double>(one.search_ms()), 2.5 * static_cast<double>(four.search_ms()));
  EXPECT_EQ(four.max_in_flight(), 4U);
  // What is proposed does not depend on who finishes first.
  EXPECT_EQ(four.Proposed(), one.Proposed());
}

TEST(AgentStudyTest, ToldOrderGivesTheProposalsAgain) {
  const Json config = AgentStudy(40, kSmallAgent);
  Life life(config, {.num_workers = 4});
  const server::Plugins plugins = AgentPlugins();
  const auto plan = server::StudyPlan::Create(config, "", plugins).value();
  const auto workload = server::StudyWorkload(life.store(), life.id()).value();
  const auto filter =
      search::CostFilter::Create(plan->spec(), plugins.costs, &workload, {}).value();
  const auto algorithm = plugins.algorithms.Find("ddpg_bits")
                             ->make({.space = plan->spec().space(),
                                     .filter = *filter,
                                     .objectives = plan->config().objectives,
                                     .constraints = plan->config().constraints,
                                     .settings = plan->config().search,
                                     .rng = Rng(plan->config().seed).Fork("ddpg_bits"),
                                     .layers = filter.get()});
  const auto told = life.store().TrialsAfter(life.id(), 0).value();
  std::vector<search::Candidate> proposed;
  for (const search::Trial& trial : told) {
    for (const auto& proposal : algorithm->Ask(40).proposals) {
      proposed.push_back(proposal.candidate);
    }
    algorithm->Tell({&trial, 1});
  }
  EXPECT_EQ(proposed, life.Proposed());
}

TEST(AgentStudyTest, KilledWithEpisodesInFlightItProposesTheSame) {
  // Networks of the published size: their state is above what the database keeps.
  const Json config = AgentStudy(40, {{"warmup_episodes", 8}});
  Life undisturbed(config, {.num_workers = 4});
  for (const int every : {3, 7}) {
    Life killed(config, {.num_workers = 4, .restart_every = every});
    EXPECT_EQ(killed.Proposed(), undisturbed.Proposed()) << "killed every " << every << " results";
    EXPECT_EQ(killed.max_in_flight(), 4U);
    ExpectEveryTrialMeasuredOnce(killed, 40);
    EXPECT_GT(killed.store().LoadAlgorithmState(killed.id()).value()->blob.size(),
              storage::kLargeStateBytes);
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(killed.StatesFolder())) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    EXPECT_LE(files, 2) << "superseded states stay";
  }
}

TEST(AgentStudyTest, SettingsAreStoredWithTheirDefaults) {
  const server::Plugins plugins = AgentPlugins();
  const auto plan = server::StudyPlan::Create(AgentStudy(40, {{"tau", 0.5}}), "", plugins).value();
  const Json agent = Json::parse(plan->config_json()).at("search").at("agent");
  EXPECT_EQ(agent.at("tau"), 0.5);
  EXPECT_EQ(agent.at("hidden1"), 300);
  // A stored configuration resolves to itself.
  const auto again = server::StudyPlan::Create(Json::parse(plan->config_json()), "", plugins);
  EXPECT_EQ(again.value()->config_json(), plan->config_json());
  const Status wrong =
      server::StudyPlan::Create(AgentStudy(40, {{"noise", -1}}), "/studies/2", plugins).status();
  EXPECT_EQ(wrong.message().find("/studies/2/search/agent/noise: expected a number"), 0U) << wrong;
}

}  // namespace
}  // namespace voxbit::testing
