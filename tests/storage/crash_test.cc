// Acknowledged means committed: a process that writes is killed at moments that it does not choose.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "common/rng.h"
#include "storage/artifact_store.h"
#include "tests/support/store_fixture.h"

namespace voxbit::storage {
namespace {

using testing::ResultOf;
using testing::Take;
using testing::TempDir;
using testing::TrialOf;
using testing::WorkerNamed;

// What the child says after the store has said OK.
struct Acknowledged {
  int64_t trial = 0;     // proposed up to here
  int64_t sequence = 0;  // recorded up to here
  char digest[65] = {};  // of the last artifact
};

// Proposes a trial, measures it, stores an artifact, for ever. Never returns.
[[noreturn]] void WriteForEver(const std::string& folder, int pipe) {
  const SystemClock clock;
  auto store = Store::Open(folder, clock);
  auto artifacts = ArtifactStore::Open(folder + "/artifacts");
  if (!store.ok() || !artifacts.ok()) ::_exit(2);
  const LeasePolicy policy;
  const int64_t study = (*store)->GetStudy("toy")->id;
  Acknowledged state;
  const auto tell = [&] {
    if (::write(pipe, &state, sizeof(state)) != sizeof(state)) ::_exit(3);
  };
  // A task that the last process held goes on in this one.
  LeasePolicy patient;
  patient.max_lost_attempts = 1'000'000;
  patient.first_backoff = Milliseconds(0);
  if (!(*store)->RegisterWorker(WorkerNamed("w"), "s", patient).ok()) ::_exit(4);
  for (auto choice = static_cast<int32_t>((*store)->CountTrials(study)->proposed);; ++choice) {
    const auto numbers = (*store)->AppendTrials(
        study, {TrialOf(choice, {search::TaskKind::kEvaluate})}, {"state", 0});
    if (!numbers.ok()) ::_exit(5);
    state.trial = numbers->back();
    tell();
    while (true) {
      const auto task = (*store)->ClaimTask(WorkerNamed("w"), policy);
      if (!task.ok()) ::_exit(6);
      if (!task->has_value()) break;
      const auto digest = (*artifacts)->Put("weights of " + std::to_string((*task)->id));
      if (!digest.ok()) ::_exit(7);
      search::TaskResult result =
          ResultOf("miou", 1.0 / static_cast<double>((*task)->trial_number));
      result.artifacts["weights"] = *digest;
      const auto verdict = (*store)->CompleteTask((*task)->id, (*task)->lease_token, result);
      if (!verdict.ok() || *verdict != search::Verdict::kRecorded) ::_exit(8);
      state.sequence = (*store)->TrialsAfter(study, state.sequence)->back().sequence;
      std::memcpy(state.digest, digest->c_str(), digest->size());
      tell();
    }
  }
}

// The next thing that was acknowledged; false at the end.
bool Read(int pipe, Acknowledged& next) {
  Acknowledged word;
  if (::read(pipe, &word, sizeof(word)) != sizeof(word)) return false;
  next = word;
  return true;
}

TEST(CrashTest, LosesNothingThatWasAcknowledged) {
  constexpr uint64_t kSeed = 20;
  Rng rng(kSeed);
  TempDir folder;
  const SystemClock clock;
  {
    auto store = Take(Store::Open(folder.path(), clock));
    const auto config = testing::StudyNamed("toy");
    Take(store->CreateStudy(config, CanonicalJson(ToJson(config))));
  }
  int64_t recorded = 0;
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteForEver(folder.path(), pipe[1]);
    ::close(pipe[1]);
    // The moment is random on purpose; no outcome depends on it. Now and then it is while the
    // store is being opened.
    Acknowledged last;
    if (round % 5 != 4) {
      ASSERT_TRUE(Read(pipe[0], last)) << "the writer did not get to write";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(rng.Below(100)));
    ::kill(child, SIGKILL);
    while (Read(pipe[0], last)) {
    }
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << WEXITSTATUS(status);

    auto store = Take(Store::Open(folder.path(), clock));
    auto artifacts = Take(ArtifactStore::Open(folder.File("artifacts")));
    EXPECT_EQ(Take(store->CheckInvariants()), std::vector<std::string>());
    EXPECT_GE(Take(store->CountTrials(1)).proposed, last.trial);
    const auto trials = Take(store->TrialsAfter(1, 0));
    EXPECT_GE(static_cast<int64_t>(trials.size()), std::max(last.sequence, recorded));
    for (const search::Trial& trial : trials) {
      ASSERT_EQ(trial.measured.at({"miou", ""}).value, 1.0 / static_cast<double>(trial.number));
      ASSERT_TRUE(artifacts->Has(trial.artifacts.at("weights")));
    }
    if (last.digest[0] != '\0') {
      EXPECT_TRUE(artifacts->Has(last.digest));
    }
    recorded = static_cast<int64_t>(trials.size());
  }
  EXPECT_GT(recorded, 0);
}

}  // namespace
}  // namespace voxbit::storage
