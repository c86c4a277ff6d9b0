// Laws that every registered algorithm keeps. A new line in builtin.def is tested here at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/bits/bit_dimensions.h"
#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

// An algorithm, and how many trials its study keeps under way; 0: generations, where there are
// such.
struct Tested {
  std::string name;
  int64_t in_flight = 0;
};

AlgorithmKind KindOf(const std::string& name) {
  AlgorithmRegistry algorithms("algorithm");
  RegisterTested(algorithms);
  return algorithms.Find(name).value();
}

// Every algorithm; those that breed, in both of their ways.
std::vector<Tested> AllTested() {
  std::vector<Tested> all;
  for (const std::string& name : Harness({}).algorithms().Names()) {
    all.push_back({name});
    if (KindOf(name).pace == Pace::kGenerations) all.push_back({name, 8});
  }
  return all;
}

class AlgorithmTest : public ::testing::TestWithParam<Tested> {
 protected:
  // Searches for bit-widths get some to choose.
  Harness MakeHarness(HarnessOptions options = {}) const {
    options.in_flight = GetParam().in_flight;
    if (Kind().check != nullptr) options.toy.weight_bits = {2, 4, 8};
    return Harness(std::move(options));
  }
  std::unique_ptr<Algorithm> Make(const Harness& harness) const {
    return harness.Make(GetParam().name);
  }
  // Baselines end by themselves, and the seed has no effect on them.
  bool IsBaseline() const { return Kind().is_baseline; }

 private:
  static AlgorithmKind Kind() { return KindOf(GetParam().name); }
};

std::vector<std::string> Describe(const AskResult& asked) {
  std::vector<std::string> lines;
  for (const Proposal& proposal : asked.proposals) {
    lines.push_back(Encode(proposal.candidate) + " " + proposal.origin);
  }
  if (asked.exhausted) lines.emplace_back("exhausted");
  return lines;
}

TEST_P(AlgorithmTest, ProposalsAreValidFeasibleAndNew) {
  for (const double share : {1.0, 0.3, 0.05}) {
    const Harness harness = MakeHarness({.macs_share = share});
    const auto algorithm = Make(harness);
    const std::vector<Trial> trials = harness.Run(*algorithm, 100);
    ASSERT_GE(trials.size(), IsBaseline() ? 1U : 100U);
    ASSERT_LE(trials.size(), 100U);
    std::set<Candidate> seen;
    for (const Trial& trial : trials) {
      EXPECT_TRUE(harness.spec().space().Validate(trial.candidate).ok());
      EXPECT_EQ(harness.filter().Violation(trial.candidate), 0);
      EXPECT_TRUE(seen.insert(trial.candidate).second) << Encode(trial.candidate);
      EXPECT_FALSE(trial.origin.empty());
    }
  }
}

TEST_P(AlgorithmTest, AnArchitectureOfTheStudyIsKept) {
  const testing::ToyOptions toy = {.stages = 3, .widths = 4, .weight_bits = {2, 4, 8}};
  const SearchSpace space = testing::ToySpec(toy).space();
  Rng rng(4);
  const Candidate kept = space.Sample(rng);
  const Harness harness({.toy = toy, .in_flight = GetParam().in_flight, .architecture = kept});
  const auto algorithm = Make(harness);
  const size_t num_bits = FindBitDimensions(space, space.Largest()).dimensions.size();
  const std::vector<Trial> trials = harness.Run(*algorithm, 20);
  if (GetParam().name != "given") {
    EXPECT_GE(trials.size(), IsBaseline() ? 1U : 20U);
  }
  for (const Trial& trial : trials) {
    EXPECT_TRUE(std::equal(kept.choices.begin(),
                           kept.choices.end() - static_cast<std::ptrdiff_t>(num_bits),
                           trial.candidate.choices.begin()))
        << Encode(trial.candidate);
  }
}

TEST_P(AlgorithmTest, AskGivesAtMostWhatWasAskedFor) {
  const Harness harness = MakeHarness();
  const auto algorithm = Make(harness);
  EXPECT_TRUE(algorithm->Ask(0).proposals.empty());
  EXPECT_FALSE(algorithm->Ask(0).exhausted);
  if (IsBaseline()) {
    EXPECT_LE(algorithm->Ask(1).proposals.size(), 1U);
  } else {
    EXPECT_EQ(algorithm->Ask(3).proposals.size(), 3U);
  }
  EXPECT_LE(algorithm->Ask(1000).proposals.size(), 1000U);
}

TEST_P(AlgorithmTest, ManySmallAsksGiveWhatOneLargeAskGives) {
  const Harness harness = MakeHarness();
  const auto one = Make(harness);
  const auto many = Make(harness);
  for (int64_t round = 0; round < 4; ++round) {
    const AskResult whole = one->Ask(8);
    AskResult parts;
    for (const int64_t count : {4, 1, 3}) {
      const AskResult part = many->Ask(count);
      parts.proposals.insert(parts.proposals.end(), part.proposals.begin(), part.proposals.end());
      parts.exhausted = part.exhausted;
    }
    ASSERT_EQ(Describe(parts), Describe(whole));
    for (size_t i = 0; i < whole.proposals.size(); ++i) {
      const Trial trial =
          harness.Evaluate(whole.proposals[i], 8 * round + static_cast<int64_t>(i) + 1);
      one->Tell({&trial, 1});
      many->Tell({&trial, 1});
    }
  }
}

TEST_P(AlgorithmTest, SeedDecidesEverything) {
  const Harness first = MakeHarness({.seed = 5});
  const Harness second = MakeHarness({.seed = 6});
  const auto run = [&](const Harness& harness) {
    return Candidates(harness.Run(*Make(harness), 40));
  };
  EXPECT_EQ(run(first), run(first));
  EXPECT_EQ(run(first) == run(second), IsBaseline());
}

TEST_P(AlgorithmTest, OrderOfResultsDoesNotMatter) {
  const Harness harness = MakeHarness();
  const auto forward = Make(harness);
  const auto backward = Make(harness);
  int64_t number = 0;
  for (int round = 0; round < 4; ++round) {
    const AskResult asked = forward->Ask(8);
    ASSERT_EQ(Describe(backward->Ask(8)), Describe(asked));
    std::vector<Trial> trials;
    for (const Proposal& proposal : asked.proposals) {
      trials.push_back(harness.Evaluate(proposal, ++number));
    }
    forward->Tell(trials);
    std::reverse(trials.begin(), trials.end());
    for (const Trial& trial : trials) backward->Tell({&trial, 1});
  }
}

TEST_P(AlgorithmTest, LoadedStateGoesOnLikeTheSavedOneAtEveryStep) {
  const Harness harness =
      MakeHarness({.macs_share = 0.3, .objectives = {{"miou", ""}, {"macs", ""}}});
  const auto original = Make(harness);
  int64_t number = 0;
  std::vector<Trial> open;
  for (int step = 0; step < 60; ++step) {
    const auto copy = Make(harness);
    const std::string saved = original->Save();
    const Status loaded = copy->Load(saved);
    ASSERT_TRUE(loaded.ok()) << loaded;
    EXPECT_EQ(copy->Save(), saved);
    // Both are told the same and asked the same.
    if (step % 3 != 2) {
      const AskResult asked = original->Ask(3);
      ASSERT_EQ(Describe(copy->Ask(3)), Describe(asked)) << "step " << step;
      for (const Proposal& proposal : asked.proposals) {
        open.push_back(harness.Evaluate(proposal, ++number));
      }
    } else if (!open.empty()) {
      const std::vector<Trial> some(
          open.begin(),
          open.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(5, open.size())));
      open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(some.size()));
      original->Tell(some);
      copy->Tell(some);
    }
    EXPECT_EQ(copy->Save(), original->Save()) << "step " << step;
  }
  EXPECT_GE(number, IsBaseline() ? 1 : 40);
}

TEST_P(AlgorithmTest, ToldHistoryReplacesTheSavedState) {
  const Harness harness = MakeHarness({.macs_share = 0.3});
  const auto original = Make(harness);
  std::vector<Trial> history;
  for (int round = 0; round < 6; ++round) {
    const auto replayed = Make(harness);
    replayed->Tell(history);
    const AskResult asked = original->Ask(8);
    ASSERT_EQ(Describe(replayed->Ask(8)), Describe(asked)) << "round " << round;
    std::vector<Trial> trials;
    for (const Proposal& proposal : asked.proposals) {
      trials.push_back(
          harness.Evaluate(proposal, static_cast<int64_t>(history.size() + trials.size()) + 1));
    }
    original->Tell(trials);
    history.insert(history.end(), trials.begin(), trials.end());
  }
}

TEST_P(AlgorithmTest, TrialToldTwiceCountsOnce) {
  const Harness harness = MakeHarness();
  const auto once = Make(harness);
  const auto twice = Make(harness);
  const std::vector<Trial> trials = harness.Run(*once, 16);
  std::vector<Trial> lies = trials;
  for (Trial& trial : lies) trial.measured[{"miou", ""}].value = 0.5;
  twice->Tell(trials);
  twice->Tell(lies);
  const auto told = Make(harness);
  told->Tell(trials);
  EXPECT_EQ(Describe(twice->Ask(8)), Describe(told->Ask(8)));
}

TEST_P(AlgorithmTest, ForeignTrialsAreNeverProposedAndStrangeOnesDoNoHarm) {
  const Harness harness = MakeHarness({.toy = {.stages = 1, .widths = 3}});
  const auto algorithm = Make(harness);
  const auto all = harness.spec().space().Enumerate(1000);
  std::vector<Trial> foreign;
  for (size_t i = 0; i < 5; ++i) {
    foreign.push_back(harness.Evaluate({all[i], "user"}, static_cast<int64_t>(i) + 1));
  }
  foreign[1].state = TrialState::kRunning;
  Trial strange = foreign[0];
  strange.candidate = Candidate{{1, 2, 3, 4, 5}};
  foreign.push_back(strange);
  strange.candidate = Candidate{{99, 0, 0}};
  foreign.push_back(strange);
  algorithm->Tell(foreign);
  std::set<Candidate> proposed;
  for (const Trial& trial : harness.Run(*algorithm, 1000)) proposed.insert(trial.candidate);
  const std::set<Candidate> others(all.begin() + 5, all.end());
  if (IsBaseline()) {
    EXPECT_TRUE(std::includes(others.begin(), others.end(), proposed.begin(), proposed.end()));
  } else {
    EXPECT_EQ(proposed, others);
  }
}

TEST_P(AlgorithmTest, FailedAndCancelledTrialsDoNotStopTheSearch) {
  const Harness harness = MakeHarness();
  const auto algorithm = Make(harness);
  const std::vector<TrialState> states = {TrialState::kFailed, TrialState::kInfeasible,
                                          TrialState::kCancelled};
  std::set<Candidate> seen;
  int64_t number = 0;
  for (int round = 0; round < 5; ++round) {
    const AskResult asked = algorithm->Ask(8);
    if (IsBaseline() && asked.exhausted) return;
    ASSERT_GE(asked.proposals.size(), IsBaseline() ? 1U : 8U);
    std::vector<Trial> trials;
    for (const Proposal& proposal : asked.proposals) {
      EXPECT_TRUE(seen.insert(proposal.candidate).second);
      trials.push_back(harness.Evaluate(proposal, ++number));
      trials.back().state = states[static_cast<size_t>(number) % states.size()];
      trials.back().measured.clear();
    }
    algorithm->Tell(trials);
  }
  EXPECT_FALSE(IsBaseline()) << "does not end";
}

TEST_P(AlgorithmTest, TinySpaceIsExhaustedAfterEveryFeasibleCandidate) {
  for (const double share : {1.0, 0.4, 0.0}) {
    const Harness harness = MakeHarness({.toy = {.stages = 1, .widths = 4}, .macs_share = share});
    const auto algorithm = Make(harness);
    std::set<Candidate> feasible;
    for (const Candidate& candidate : harness.spec().space().Enumerate(1000)) {
      if (harness.filter().Violation(candidate) == 0) feasible.insert(candidate);
    }
    std::set<Candidate> proposed;
    for (const Trial& trial : harness.Run(*algorithm, 1000)) {
      EXPECT_TRUE(proposed.insert(trial.candidate).second);
    }
    if (IsBaseline()) {
      EXPECT_TRUE(std::includes(feasible.begin(), feasible.end(), proposed.begin(), proposed.end()))
          << "share " << share;
    } else {
      EXPECT_EQ(proposed, feasible) << "share " << share;
    }
    const AskResult asked = algorithm->Ask(1);
    EXPECT_TRUE(asked.proposals.empty());
    EXPECT_TRUE(asked.exhausted);
    EXPECT_FALSE(asked.why.empty());
    // It stays so after a restart.
    const auto copy = Make(harness);
    ASSERT_TRUE(copy->Load(algorithm->Save()).ok());
    EXPECT_TRUE(copy->Ask(1).exhausted);
  }
}

TEST_P(AlgorithmTest, AlmostNoFeasibleCandidateInALargeSpaceEndsInBoundedTime) {
  // Nothing but the smallest candidate and a few neighbours fit; uniform draws never hit them.
  const Harness harness = MakeHarness({.toy = {.stages = 4, .widths = 8}, .macs_share = 0.002});
  const auto algorithm = Make(harness);
  const std::vector<Trial> trials = harness.Run(*algorithm, 1000);
  EXPECT_GE(trials.size(), 1U);
  for (const Trial& trial : trials) EXPECT_EQ(harness.filter().Violation(trial.candidate), 0);
}

TEST_P(AlgorithmTest, LoadRefusesGarbageAndKeepsTheState) {
  const Harness harness = MakeHarness();
  const auto algorithm = Make(harness);
  harness.Run(*algorithm, 16);
  algorithm->Ask(3);
  const std::string saved = algorithm->Save();
  std::vector<std::string> garbage = {"",
                                      "{",
                                      "[]",
                                      "{}",
                                      "null",
                                      "42",
                                      "{\"version\": 1e999}",
                                      saved + "x",
                                      saved.substr(0, saved.size() / 2)};
  const Json good = ParseJson(saved).value();
  for (const auto& [key, value] : good.items()) {
    Json changed = good;
    changed.erase(key);
    garbage.push_back(CanonicalJson(changed));
    for (const Json& wrong : {Json("x"), Json(-7), Json::array({7}), Json::array({"9.9.9"}),
                              Json::array({Json::object()})}) {
      changed = good;
      changed[key] = wrong;
      garbage.push_back(CanonicalJson(changed));
    }
  }
  for (const std::string& blob : garbage) {
    const Status status = algorithm->Load(blob);
    ASSERT_FALSE(status.ok()) << blob;
    EXPECT_TRUE(status.code() == StatusCode::kDataLoss ||
                status.code() == StatusCode::kFailedPrecondition)
        << status;
    ASSERT_EQ(algorithm->Save(), saved) << blob;
  }
}

TEST_P(AlgorithmTest, LoadRefusesTheStateOfAnotherSpaceOrAlgorithm) {
  const Harness harness = MakeHarness();
  const Harness other_space = MakeHarness({.toy = {.stages = 3}});
  const auto algorithm = Make(harness);
  EXPECT_EQ(algorithm->Load(Make(other_space)->Save()).code(), StatusCode::kFailedPrecondition);
  for (const std::string& name : harness.algorithms().Names()) {
    if (name == GetParam().name) continue;
    EXPECT_EQ(algorithm->Load(harness.Make(name)->Save()).code(), StatusCode::kFailedPrecondition);
  }
}

INSTANTIATE_TEST_SUITE_P(Builtin, AlgorithmTest, ::testing::ValuesIn(AllTested()),
                         [](const auto& tested) {
                           return tested.param.name + (tested.param.in_flight > 0 ? "_steady" : "");
                         });

}  // namespace
}  // namespace voxbit::search
