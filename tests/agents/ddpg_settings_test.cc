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

TEST(DdpgSettingsTest, ShortStudiesEndWithLittleNoise) {
  for (const int64_t trials : {20, 60, 150, 400}) {
    const auto settings = ResolveDdpg(With({{"preset", "short"}}, trials), "").value();
    EXPECT_LE(4 * settings.warmup_episodes, trials);
    const auto age = static_cast<double>(trials - settings.warmup_episodes);
    EXPECT_LE(settings.noise * std::pow(settings.noise_decay, age), 0.1 + 1e-12);
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
