#include "common/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/json.h"

namespace voxbit {
namespace {

std::string Logged(log::Format format) {
  ::testing::internal::CaptureStderr();
  log::Configure(format, log::Level::kInfo, "program");
  log::Warning("first\n2026-01-01 00:00:00 error FORGED",
               {{"worker", "w\n\x1b[31mred\xE2\x80\xAE"}, {"reason", "x  task=7"}, {"task", 7}});
  return ::testing::internal::GetCapturedStderr();
}

TEST(LogTest, ATextLineIsOneLineWithZoneAndLevel) {
  EXPECT_THAT(
      Logged(log::Format::kText),
      ::testing::MatchesRegex(
          R"(....-..-..T..:..:......[+-]..:.. warning program  first\\n2026-01-01 00:00:00 error )"
          R"(FORGED  reason="x  task=7"  task=7  worker=w\\n\\x1b\[31mred\\u202e)"
          "\n"));
}

TEST(LogTest, AJsonLineIsOneLineThatCannotSteerATerminal) {
  const std::string line = Logged(log::Format::kJson);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(line.find("\xE2\x80\xAE"), std::string::npos);
  const Json json = Json::parse(line);
  EXPECT_EQ(json["level"], "warning");
  EXPECT_EQ(json["worker"], "w\n\x1b[31mred\xE2\x80\xAE");
  EXPECT_THAT(json["time"].get<std::string>(),
              ::testing::MatchesRegex("....-..-..T..:..:..[.]...Z"));
}

}  // namespace
}  // namespace voxbit
