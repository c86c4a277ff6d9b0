// A virtual day of a fleet whose network loses, repeats and delays calls and whose workers die,
// stall and leave: every task is recorded exactly once.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "common/log.h"
#include "common/rng.h"
#include "server/dispatch/dispatcher.h"
#include "tests/support/store_fixture.h"

namespace voxbit::server {
namespace {

using search::Desired;
using search::FailureKind;
using search::SyncReply;
using search::SyncRequest;
using search::Verdict;
using testing::StoreTest;
using testing::Take;
using testing::WorkerNamed;

constexpr int64_t kStepMs = 60'000;
constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;

// One worker as the other side of the conversation, without threads.
struct FakeWorker {
  std::string name;
  std::string session;  // "": has to register
  std::optional<SyncReply> running;
  std::optional<SyncRequest> unanswered;  // a finished task that nobody has acknowledged
  int64_t done_ms = 0;                    // when its task is finished
  int64_t asleep_until_ms = 0;            // dead or stalled
};

class FleetTest : public StoreTest {
 protected:
  // Runs a day, or until the work is done; what happened, as text.
  std::string Day(uint64_t seed, int num_workers, int num_trials) {
    log::Configure(log::Format::kText, log::Level::kOff, "fleet_test");
    store_.reset();
    std::filesystem::remove_all(folder_.File("store"));
    Reopen();
    day_.str("");
    rng_.emplace(seed);
    // A minute between two calls, and calls get lost: a lease that bears two of those.
    settings_.lease.lease_duration = Milliseconds(180'000);
    settings_.lease.max_lost_attempts = 1000;
    settings_.lease.max_failed_attempts = 1000;
    dispatcher_.emplace(*store_, clock_, settings_);
    study_ = NewStudy().id;
    AddTrials(study_, 0, num_trials);
    std::vector<FakeWorker> workers(static_cast<size_t>(num_workers));
    for (int i = 0; i < num_workers; ++i)
      workers[static_cast<size_t>(i)].name = "w" + std::to_string(1000 + i);
    const int64_t end_ms = clock_.NowMs() + kDayMs;
    recorded_.clear();
    while (clock_.NowMs() < end_ms && static_cast<int>(recorded_.size()) < num_trials) {
      // Some calls of a step share a transaction with nobody, but one sync to disk is enough here.
      const Status stepped = store_->Write([&]() -> Status {
        for (FakeWorker& worker : workers) Step(worker);
        Take(dispatcher_->Sweep());
        return OkStatus();
      });
      EXPECT_TRUE(stepped.ok()) << stepped;
      clock_.Advance(Milliseconds(kStepMs));
    }
    return day_.str();
  }

  void Step(FakeWorker& worker) {
    if (worker.asleep_until_ms > clock_.NowMs()) return;
    if (rng_->Bernoulli(0.002)) {  // killed, started again later
      worker = {worker.name, "", std::nullopt, std::nullopt, 0, clock_.NowMs() + 10 * kStepMs};
      return;
    }
    if (rng_->Bernoulli(0.005)) {  // stalls longer than its lease lives, then goes on
      worker.asleep_until_ms = clock_.NowMs() + 6 * kStepMs;
      return;
    }
    if (worker.session.empty()) {
      const auto reply = Take(dispatcher_->Register(WorkerNamed(worker.name)));
      if (!Lost()) worker.session = reply.session;
      return;
    }
    const SyncRequest request = RequestOf(worker);
    if (Lost()) return;  // the request
    std::optional<SyncReply> reply = Call(request);
    if (rng_->Bernoulli(0.05)) reply = Call(request);  // it came twice
    if (Lost()) return;                                // the answer
    Obey(worker, reply.value_or(dispatcher_->IdleReply()));
  }

  SyncRequest RequestOf(FakeWorker& worker) {
    if (worker.running.has_value() && clock_.NowMs() >= worker.done_ms) Finish(worker);
    SyncRequest request{worker.name, worker.session, false, std::nullopt, std::nullopt};
    if (worker.unanswered.has_value()) {
      request.finished = worker.unanswered->finished;
    } else if (worker.running.has_value()) {
      request.running = {worker.running->task_id, worker.running->lease_token, Json::object()};
    }
    return request;
  }

  void Finish(FakeWorker& worker) {
    search::FinishedTask finished{worker.running->task_id, worker.running->lease_token,
                                  std::nullopt, std::nullopt};
    if (rng_->Bernoulli(0.1)) {
      constexpr FailureKind kKinds[] = {FailureKind::kTransient, FailureKind::kFailed,
                                        FailureKind::kReleased};
      finished.failure = {kKinds[rng_->Below(3)], "bad luck"};
    } else {
      // The worth depends on the task alone: the same spec gives the same result.
      finished.result = testing::ResultOf(
          "miou", 1.0 / (1.0 + static_cast<double>(worker.running->spec.candidate.choices[0])));
    }
    worker.unanswered = SyncRequest{};
    worker.unanswered->finished = finished;
    worker.running.reset();
  }

  std::optional<SyncReply> Call(const SyncRequest& request) {
    std::optional<SyncReply> reply = Take(dispatcher_->Sync(request));
    if (reply.has_value() && reply->verdict == Verdict::kRecorded &&
        request.finished->result.has_value()) {
      EXPECT_TRUE(recorded_.insert(request.finished->task_id).second)
          << "task " << request.finished->task_id << " was recorded twice";
      day_ << request.worker << " recorded " << request.finished->task_id << '\n';
    }
    return reply;
  }

  void Obey(FakeWorker& worker, const SyncReply& reply) {
    if (reply.verdict != Verdict::kNone) worker.unanswered.reset();
    switch (reply.desired) {
      case Desired::kRegister:
        worker.session.clear();
        break;
      case Desired::kCancel:
        worker.running.reset();
        break;
      case Desired::kRun:
        worker.running = reply;
        worker.done_ms = clock_.NowMs() + kStepMs * (1 + rng_->Below(60));
        day_ << worker.name << " runs " << reply.task_id << " #" << reply.attempt << '\n';
        break;
      case Desired::kKeep:
      case Desired::kIdle:
        break;
    }
  }

  bool Lost() { return rng_->Bernoulli(0.05); }

  DispatchSettings settings_;
  std::optional<Dispatcher> dispatcher_;
  std::optional<Rng> rng_;
  int64_t study_ = 0;
  std::set<int64_t> recorded_;
  std::ostringstream day_;
};

TEST_F(FleetTest, RecordsEveryTaskExactlyOnceInABadDay) {
  constexpr uint64_t kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  constexpr int kTrials = 800;
  Day(kSeed, 200, kTrials);
  EXPECT_EQ(recorded_.size(), size_t{kTrials}) << "not all work was done in a day";
  const auto trials = Take(store_->TrialsAfter(study_, 0));
  ASSERT_EQ(trials.size(), size_t{kTrials});
  int64_t attempts = 0;
  std::map<std::string, int> outcomes;
  for (const search::Trial& trial : trials) {
    EXPECT_EQ(trial.state, search::TrialState::kSucceeded);
    EXPECT_EQ(trial.measured.at({"miou", ""}).value, 1.0 / (1.0 + trial.candidate.choices[0]));
  }
  for (const search::Task& task : Take(store_->ListTasks(study_, std::nullopt, std::nullopt))) {
    for (const auto& attempt : Take(store_->ListAttempts(task.id))) {
      ++attempts;
      ++outcomes[attempt.outcome];
    }
  }
  // The day was bad enough to mean something.
  EXPECT_EQ(outcomes["done"], kTrials);
  EXPECT_GT(outcomes["lost"] + outcomes["superseded"], 20);
  EXPECT_GT(outcomes["superseded"], 0);
  EXPECT_GT(attempts, kTrials + 50);
}

TEST_F(FleetTest, LivesTheSameDayTwice) {
  const std::string first = Day(11, 40, 120);
  const std::string second = Day(11, 40, 120);
  EXPECT_FALSE(first.empty());
  EXPECT_TRUE(first == second) << "two days with one seed differ";
  EXPECT_FALSE(first == Day(12, 40, 120)) << "the seed changes nothing";
}

}  // namespace
}  // namespace voxbit::server
