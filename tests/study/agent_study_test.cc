// Studies whose algorithm is an agent: restarts with episodes in flight, several workers.
#include <gtest/gtest.h>

#include <filesystem>

#include "search/agents/agents.h"
#include "tests/support/study_life.h"

namespace voxbit::testing {
namespace {

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

const Json kSmallAgent = {{"hidden1", 16}, {"hidden2", 16}, {"warmup_episodes", 16}};

TEST(AgentStudyTest, FourWorkersGiveAtLeastTwoAndAHalfTimesTheTrialsPerMinuteOfOne) {
  constexpr size_t kTrials = 96;
  Json config = AgentStudy(kTrials, kSmallAgent);
  config["search"]["population"] = 16;
  Life one(config, {.num_workers = 1}, AgentPlugins());
  Life four(config, {.num_workers = 4}, AgentPlugins());
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
  Life life(config, {.num_workers = 4}, AgentPlugins());
  EXPECT_EQ(life.Replayed(), life.Proposed());
}

TEST(AgentStudyTest, KilledWithEpisodesInFlightItProposesTheSame) {
  // Networks of the published size: their state is above what the database keeps.
  const Json config = AgentStudy(40, {{"warmup_episodes", 8}});
  Life undisturbed(config, {.num_workers = 4}, AgentPlugins());
  for (const int every : {3, 7}) {
    Life killed(config, {.num_workers = 4, .restart_every = every}, AgentPlugins());
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
