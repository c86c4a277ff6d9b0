#include "search/agents/ddpg_settings.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace voxbit::rl
