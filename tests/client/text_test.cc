#include "client/format/text.h"

#include <gtest/gtest.h>

namespace voxbit::client {
namespace {

TEST(TextTest, CountsHaveThreeDigitsAndAPrefix) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(7), "7");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1'250'000'000), "1.25 G");
  EXPECT_EQ(HumanCount(3'400'000), "3.4 M");
  EXPECT_EQ(HumanCount(12'345), "12.3 k");
  EXPECT_EQ(HumanCount(-12'345), "-12.3 k");
  EXPECT_EQ(HumanCount(0.7312), "0.731");
  EXPECT_EQ(HumanCount(0.00012), "0.00012");
}

TEST(TextTest, RoundingMovesOnToTheNextPrefix) {
  EXPECT_EQ(HumanCount(999.6), "1 k");
  EXPECT_EQ(HumanCount(999'700'000), "1 G");
  EXPECT_EQ(HumanBytes(999'999), "1 MB");
}

TEST(TextTest, MetricsAreShownInTheirUnit) {
  EXPECT_EQ(HumanMetric("miou", 0.61234), "0.6123");
  EXPECT_EQ(HumanMetric("macs", 1.25e9), "1.25 G");
  EXPECT_EQ(HumanMetric("params", 2'810'000), "2.81 M");
  EXPECT_EQ(HumanMetric("latency_ms", 12.34), "12.3 ms");
  EXPECT_EQ(HumanMetric("other_bytes", 3'410'000), "3.41 MB");
}

TEST(TextTest, MillisecondsBecomeSecondsWhenTheyAreMany) {
  EXPECT_EQ(HumanMilliseconds(0), "0 ms");
  EXPECT_EQ(HumanMilliseconds(0.451), "0.451 ms");
  EXPECT_EQ(HumanMilliseconds(0.0123), "0.0123 ms");
  EXPECT_EQ(HumanMilliseconds(9'876), "9876 ms");
  EXPECT_EQ(HumanMilliseconds(12'300), "12.3 s");
}

TEST(TextTest, SpansUseTwoUnits) {
  EXPECT_EQ(HumanSpan(-5), "0 s");
  EXPECT_EQ(HumanSpan(42'900), "42 s");
  EXPECT_EQ(HumanSpan(200'000), "3 min 20 s");
  EXPECT_EQ(HumanSpan(3'900'000), "1 h 05 min");
  EXPECT_EQ(HumanSpan(183'600'000), "2 d 03 h");
  EXPECT_EQ(HumanAge(1'000'000, 958'000), "42 s ago");
  EXPECT_EQ(HumanAge(1'000'000, 0), "-");
}

TEST(TextTest, TimesAreUtcCalendarDates) {
  EXPECT_EQ(UtcTime(0), "-");
  EXPECT_EQ(UtcTime(1'700'000'000'000), "2023-11-14 22:13:20 UTC");
  EXPECT_EQ(UtcTime(1'709'164'800'000), "2024-02-29 00:00:00 UTC");
  EXPECT_EQ(UtcTime(951'868'799'000), "2000-02-29 23:59:59 UTC");
}

TEST(TextTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3U);
  EXPECT_EQ(DisplayWidth("Zürich"), 6U);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1U);
  EXPECT_EQ(DisplayWidth("漢字"), 4U);
  EXPECT_EQ(DisplayWidth("\xFF\xC3"), 2U);
}

TEST(TextTest, ClippedTextKeepsWholeCharacters) {
  EXPECT_EQ(Clip("abcdef", 6), "abcdef");
  EXPECT_EQ(Clip("abcdef", 4), "abc…");
  EXPECT_EQ(Clip("漢字漢字", 4), "漢…");
  EXPECT_EQ(Clip("ab", 1), "…");
  EXPECT_EQ(Clip("ab", 0), "");
  EXPECT_EQ(PadLeft("é", 3), "  é");
  EXPECT_EQ(PadRight("漢", 3), "漢 ");
}

TEST(TextTest, ControlCharactersCannotReachTheTerminal) {
  EXPECT_EQ(OneLine("bad\x1b[31mred\nnext\tend\n"), "bad\\x1b[31mred next end");
  EXPECT_EQ(OneLine("a\xC2\x9b"
                    "b"),
            "a\\u009bb");
  EXPECT_EQ(OneLine("ok\xFF"), "ok\\xff");
  EXPECT_EQ(OneLine("a\xE2\x80\xAE"
                    "b"),
            "a\\u202eb");
}

TEST(TextTest, BarFillsWithTheFraction) {
  EXPECT_EQ(Bar(0, 4), "────");
  EXPECT_EQ(Bar(0.5, 4), "━━──");
  EXPECT_EQ(Bar(1, 4), "━━━━");
  EXPECT_EQ(Bar(7, 2), "━━");
  EXPECT_EQ(DisplayWidth(Bar(0.33, 24)), 24U);
}

}  // namespace
}  // namespace voxbit::client
