// What breeding searches promise that keep "in_flight" trials under way.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/algorithm/selection.h"
#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

// One study whose results come in an order of its own, with a restart after any of them.
class SteadyRun {
 public:
  SteadyRun(const Harness& harness, const std::string& name, int64_t in_flight)
      : harness_(harness), name_(name), in_flight_(in_flight), algorithm_(harness.Make(name)) {}

  // Proposes what may be under way now.
  void Ask(size_t count) {
    const int64_t left = in_flight_ - static_cast<int64_t>(open_.size());
    const auto wanted = std::min<int64_t>(left, static_cast<int64_t>(count - proposed_.size()));
    for (const Proposal& proposal : algorithm_->Ask(wanted).proposals) {
      proposed_.push_back(proposal.candidate);
      open_.push_back(harness_.Evaluate(proposal, static_cast<int64_t>(proposed_.size())));
    }
  }

  // Ends the trial at this place among those under way.
  void Finish(size_t place) {
    told_.push_back(open_[place]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(place));
    algorithm_->Tell({&told_.back(), 1});
  }

  void Restart() {
    const std::string saved = algorithm_->Save();
    algorithm_ = harness_.Make(name_);
    ASSERT_TRUE(algorithm_->Load(saved).ok());
  }

  // In the order of `rng`, until `count` are done.
  void Run(size_t count, Rng rng, size_t restart_every = 0) {
    for (Ask(count); !open_.empty(); Ask(count)) {
      Finish(static_cast<size_t>(rng.Below(static_cast<int64_t>(open_.size()))));
      if (restart_every > 0 && told_.size() % restart_every == 0) Restart();
    }
  }

  // The same trials in the same recorded order, by an algorithm that knows the seed alone.
  std::vector<Candidate> Replay() const {
    SteadyRun again(harness_, name_, in_flight_);
    for (const Trial& trial : told_) {
      again.Ask(proposed_.size());
      const auto it = std::find_if(again.open_.begin(), again.open_.end(),
                                   [&](const Trial& open) { return open.number == trial.number; });
      if (it == again.open_.end()) break;
      again.Finish(static_cast<size_t>(it - again.open_.begin()));
    }
    return again.proposed_;
  }

  const std::vector<Candidate>& proposed() const { return proposed_; }

 private:
  const Harness& harness_;
  std::string name_;
  int64_t in_flight_;
  std::unique_ptr<Algorithm> algorithm_;
  std::vector<Candidate> proposed_;
  std::vector<Trial> open_;
  std::vector<Trial> told_;  // in their recorded order
};

bool IsChild(const Proposal& proposal) {
  return proposal.origin.rfind("mutation of ", 0) == 0 ||
         proposal.origin.rfind("crossover of ", 0) == 0;
}

class SteadySearchTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SteadySearchTest, ChildIsProposedForEveryResult) {
  const Harness harness({.population = 8, .in_flight = 4});
  const auto algorithm = harness.Make(GetParam());
  std::vector<Proposal> proposed = algorithm->Ask(4).proposals;
  ASSERT_EQ(proposed.size(), 4U);
  for (size_t done = 0; done < 40; ++done) {
    const Trial trial = harness.Evaluate(proposed[done], static_cast<int64_t>(done) + 1);
    algorithm->Tell({&trial, 1});
    const AskResult asked = algorithm->Ask(1);
    ASSERT_EQ(asked.proposals.size(), 1U) << "after result " << done + 1;
    proposed.push_back(asked.proposals[0]);
  }
  for (size_t i = 0; i < proposed.size(); ++i) EXPECT_EQ(IsChild(proposed[i]), i >= 8) << i;
}

TEST_P(SteadySearchTest, ParentsAreOfTheBestResultsSoFar) {
  const Harness harness({.population = 8, .in_flight = 1});
  const auto trials = harness.Run(*harness.Make(GetParam()), 60);
  std::vector<Fitness> told;
  for (size_t i = 0; i < trials.size(); ++i) {
    std::set<std::string> best;
    const size_t count = GetParam() == "evolution" ? 2 : 8;
    for (const Fitness& fitness : SelectBest(told, count)) {
      best.insert(std::to_string(fitness.number));
    }
    const std::string& origin = trials[i].origin;
    if (origin.rfind("mutation of ", 0) == 0) {
      EXPECT_EQ(best.count(origin.substr(12)), 1U) << i;
    }
    told.push_back(FitnessOf(trials[i], {{"miou", ""}}, {}));
  }
}

TEST_P(SteadySearchTest, MoreThanThePopulationMayBeUnderWay) {
  const Harness harness({.toy = {.stages = 6, .widths = 12}, .population = 16, .in_flight = 64});
  const auto algorithm = harness.Make(GetParam());
  std::vector<Trial> trials;
  for (const Proposal& proposal : algorithm->Ask(64).proposals) {
    EXPECT_FALSE(IsChild(proposal)) << "there are no results yet";
    trials.push_back(harness.Evaluate(proposal, static_cast<int64_t>(trials.size()) + 1));
  }
  ASSERT_EQ(trials.size(), 64U);
  // Half a first generation has to be in, so that parents are chosen and not just there.
  for (size_t i = 0; i < 16; ++i) {
    algorithm->Tell({&trials[i], 1});
    const AskResult asked = algorithm->Ask(1);
    ASSERT_EQ(asked.proposals.size(), 1U);
    EXPECT_EQ(IsChild(asked.proposals[0]), i >= 7) << i;
  }
}

TEST_P(SteadySearchTest, RecordedOrderDecidesEverything) {
  const Harness harness({.toy = {.stages = 6, .widths = 12}, .population = 8, .in_flight = 6});
  std::set<std::vector<Candidate>> different;
  for (uint64_t order = 1; order <= 4; ++order) {
    SteadyRun run(harness, GetParam(), 6);
    run.Run(80, Rng(order));
    ASSERT_EQ(run.proposed().size(), 80U);
    EXPECT_EQ(run.Replay(), run.proposed()) << "order " << order;
    different.insert(run.proposed());
  }
  EXPECT_EQ(different.size(), 4U) << "results do not matter";
}

TEST_P(SteadySearchTest, RestartAfterAnyResultChangesNothing) {
  const Harness harness({.toy = {.stages = 6, .widths = 12}, .population = 8, .in_flight = 6});
  SteadyRun undisturbed(harness, GetParam(), 6);
  undisturbed.Run(80, Rng(1));
  for (const size_t every : {1U, 3U, 7U}) {
    SteadyRun restarted(harness, GetParam(), 6);
    restarted.Run(80, Rng(1), every);
    EXPECT_EQ(restarted.proposed(), undisturbed.proposed()) << "every " << every;
  }
}

TEST_P(SteadySearchTest, GenerationThatWasBegunIsProposedFirst) {
  const Harness generations({.population = 8});
  const auto earlier = generations.Make(GetParam());
  std::vector<Trial> first;
  for (const Proposal& proposal : earlier->Ask(8).proposals) {
    first.push_back(generations.Evaluate(proposal, static_cast<int64_t>(first.size()) + 1));
  }
  earlier->Tell(first);
  earlier->Ask(3);
  const Harness steady({.population = 8, .in_flight = 2});
  const auto now = steady.Make(GetParam());
  ASSERT_TRUE(now->Load(earlier->Save()).ok());
  const auto rest = earlier->Ask(5).proposals;
  const auto asked = now->Ask(6).proposals;
  ASSERT_EQ(rest.size(), 5U);
  ASSERT_EQ(asked.size(), 6U);
  for (size_t i = 0; i < rest.size(); ++i) EXPECT_EQ(asked[i].candidate, rest[i].candidate) << i;
  EXPECT_TRUE(IsChild(asked[5])) << "no result of the generation has to be waited for";
}

TEST_P(SteadySearchTest, TrialThatWasTriedAgainCountsWithItsScores) {
  for (const int64_t in_flight : {0, 8}) {
    const Harness harness({.population = 8, .in_flight = in_flight});
    const auto failed_first = harness.Make(GetParam());
    const auto succeeded = harness.Make(GetParam());
    std::vector<Trial> trials;
    for (const Proposal& proposal : succeeded->Ask(8).proposals) {
      trials.push_back(harness.Evaluate(proposal, static_cast<int64_t>(trials.size()) + 1));
    }
    std::vector<Trial> failed = trials;
    for (Trial& trial : failed) trial.state = TrialState::kFailed;
    failed_first->Ask(8);
    failed_first->Tell(failed);
    failed_first->Tell(trials);
    failed_first->Tell(failed);
    succeeded->Tell(trials);
    const auto expected = succeeded->Ask(8).proposals;
    const auto found = failed_first->Ask(8).proposals;
    ASSERT_EQ(found.size(), 8U);
    ASSERT_EQ(expected.size(), 8U);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].candidate, expected[i].candidate) << i;
      EXPECT_TRUE(IsChild(found[i])) << i;
    }
  }
}

double BestOf(const Harness& harness, const std::vector<Trial>& trials) {
  double best = 0;
  for (const Trial& trial : trials) {
    best = std::max(best, harness.spec().Quality(trial.candidate));
  }
  return best;
}

TEST_P(SteadySearchTest, FindsWhatGenerationsFind) {
  constexpr size_t kEvaluations = 256;
  double random = 0;
  double generations = 0;
  double steady = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    HarnessOptions options{
        .toy = {.stages = 6, .widths = 12}, .population = 16, .in_flight = 0, .seed = seed};
    const Harness by_generation(options);
    random += BestOf(by_generation, by_generation.Run(*by_generation.Make("random"), kEvaluations));
    generations +=
        BestOf(by_generation, by_generation.Run(*by_generation.Make(GetParam()), kEvaluations));
    options.in_flight = 16;
    const Harness by_result(options);
    steady += BestOf(by_result, by_result.Run(*by_result.Make(GetParam()), kEvaluations));
  }
  RecordProperty("random", std::to_string(random / 10));
  RecordProperty("generations", std::to_string(generations / 10));
  RecordProperty("steady", std::to_string(steady / 10));
  EXPECT_GT(steady / 10, random / 10 + 0.05);
  // Its children know less of the trials under way, but no worker waits.
  EXPECT_GT(steady / 10, generations / 10 - 0.02);
}

TEST_P(SteadySearchTest, FindsTheKnownOptimumOfASmallSpace) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Harness harness(
        {.toy = {.stages = 2, .widths = 8}, .population = 16, .in_flight = 8, .seed = seed});
    EXPECT_EQ(BestOf(harness, harness.Run(*harness.Make(GetParam()), 512)), 1) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Breeding, SteadySearchTest, ::testing::Values("evolution", "nsga2"),
                         [](const auto& algorithm) { return algorithm.param; });

}  // namespace
}  // namespace voxbit::search
