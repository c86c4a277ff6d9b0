#include "search/agents/ddpg_settings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "common/files.h"

namespace voxbit::rl {
namespace {

TEST(DdpgSettingsTest, ResolvedFormReadsBack) {
  DdpgSettings settings;
  settings.hidden1 = 48;
  settings.discount = 0.9;
  settings.reward_of_fractions = true;
  const Json json = DdpgFields().ToJson(settings);
  EXPECT_EQ(json.size(), DdpgFields().Help().size());
  EXPECT_EQ(DdpgFields().Parse(json, "").value(), settings);
  EXPECT_EQ(DdpgFields().Parse(Json::object(), "").value(), DdpgSettings());
}

TEST(DdpgSettingsTest, RefusesWhatIsOutOfRange) {
  for (const Json& wrong : {Json{{"tau", 2}}, Json{{"batch", 0}}, Json{{"hidden3", 4}},
                            Json{{"discount", "x"}}, Json{{"warmup_episodes", -1}}}) {
    EXPECT_EQ(DdpgFields().Parse(wrong, "").status().code(), StatusCode::kInvalidArgument) << wrong;
  }
}

search::SearchSettings With(const Json& agent, int64_t trials = 150) {
  search::SearchSettings settings;
  settings.trials = trials;
  settings.agent = agent;
  return settings;
}

TEST(DdpgSettingsTest, PresetsAreDefaultsThatTheRestIsReadOver) {
  EXPECT_EQ(ResolveDdpg(With(Json::object()), "").value(), DdpgSettings());
  const DdpgSettings seed = ResolveDdpg(With({{"preset", "seed"}, {"tau", 0.5}}), "").value();
  EXPECT_EQ(seed.discount, 0.9);
  EXPECT_EQ(seed.warmup_episodes, 5);
  EXPECT_TRUE(seed.reward_of_fractions);
  EXPECT_EQ(seed.wall, "lowest_level");
  EXPECT_EQ(seed.tau, 0.5);
  EXPECT_EQ(seed.noise, 0.5);
  EXPECT_EQ(ResolveDdpg(With({{"preset", "seed"}, {"discount", 1}}), "")->discount, 1);
}

TEST(DdpgSettingsTest, ResolvedSettingsResolveToThemselves) {
  for (const char* preset : {"haq", "seed", "short"}) {
    for (const int64_t trials : {1, 10, 150, 5000}) {
      const auto resolved = ResolveDdpg(With({{"preset", preset}}, trials), "").value();
      const Json json = DdpgFields().ToJson(resolved);
      EXPECT_EQ(ResolveDdpg(With(json, 3), "").value(), resolved) << preset;
    }
  }
}

// Of the exploration in the last of the trials.
double LastNoise(const DdpgSettings& settings, int64_t trials) {
  const auto age = static_cast<double>(trials - 1 - settings.warmup_episodes);
  return settings.noise * std::pow(settings.noise_decay, age);
}

TEST(DdpgSettingsTest, ShortStudiesEndWithLittleNoise) {
  for (const int64_t trials : {64, 96, 150, 400, 5000}) {
    for (const Json& own : {Json::object(), Json{{"noise", 2}}, Json{{"warmup_episodes", 30}},
                            Json{{"noise", 0.2}, {"warmup_episodes", 0}}}) {
      Json agent = own;
      agent["preset"] = "short";
      const auto settings = ResolveDdpg(With(agent, trials), "").value();
      // 0.1 would be that of a trial more; steps are smaller than a tenth of it.
      EXPECT_NEAR(LastNoise(settings, trials), 0.1, 0.01) << trials << " " << own;
      EXPECT_GE(LastNoise(settings, trials), 0.1) << trials << " " << own;
    }
    const auto settings = ResolveDdpg(With({{"preset", "short"}}, trials), "").value();
    EXPECT_LE(4 * settings.warmup_episodes, trials);
  }
}

TEST(DdpgSettingsTest, ShortStudiesKeepADecayOfTheirOwn) {
  const auto own =
      ResolveDdpg(With({{"preset", "short"}, {"noise", 2}, {"noise_decay", 0.9}}), "").value();
  EXPECT_EQ(own.noise_decay, 0.9);
  for (const double little : {0.0, 0.05, 0.1}) {
    const auto settings = ResolveDdpg(With({{"preset", "short"}, {"noise", little}}), "").value();
    EXPECT_EQ(settings.noise_decay, 1) << little;
  }
}

TEST(DdpgSettingsTest, DocumentationNamesEverySettingWithItsDefault) {
  const char* root = std::getenv("VOXBIT_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run through ctest";
  const std::string text = ReadFile(std::string(root) + "/docs/algorithms.md").value();
  for (const FieldHelp& field : DdpgFields().Help()) {
    EXPECT_NE(text.find("| `" + field.name + "` | " + field.initial + " |"), std::string::npos)
        << field.name << " " << field.initial;
  }
}

}  // namespace
}  // namespace voxbit::rl
