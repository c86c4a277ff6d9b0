#include "client/format/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "client/format/text.h"

namespace voxbit::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Table SampleTable() {
  Table table({{"number", "#", true, 0, 0},
               {"state", "state", false, 0, 0},
               {"measured.miou", "miou", true, 0, 0},
               {"measured.macs", "macs", true, 1, 0},
               {"origin", "origin", false, 2, 8},
               {"digest", "", false, kCsvOnly, 0}});
  table.AddRow({IntCell(1),
                TextCell("succeeded", Tone::kGood),
                {"0.6123", 0.61234567, Tone::kPlain},
                {"1.25 G", 1.25e9, Tone::kPlain},
                TextCell("random"),
                TextCell("aa")});
  table.AddRow({IntCell(12),
                TextCell("failed", Tone::kBad),
                EmptyCell(),
                {"940 M", 940123456, Tone::kPlain},
                TextCell("crossover of 3 and 5"),
                TextCell("bb")});
  return table;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(TableTest, NumbersStandRightAndTextLeft) {
  EXPECT_EQ(RenderText(SampleTable(), {80, false}),
            " #  state        miou    macs  origin\n"
            " 1  succeeded  0.6123  1.25 G  random\n"
            "12  failed          -   940 M  crossover of 3 and 5\n");
}

TEST(TableTest, LongTextIsCutBeforeColumnsGo) {
  EXPECT_EQ(RenderText(SampleTable(), {42, false}),
            " #  state        miou    macs  origin\n"
            " 1  succeeded  0.6123  1.25 G  random\n"
            "12  failed          -   940 M  crossover …\n");
}

TEST(TableTest, TheLeastImportantColumnsGoFirstAndAreNamed) {
  EXPECT_EQ(RenderText(SampleTable(), {30, false}),
            " #  state        miou    macs\n"
            " 1  succeeded  0.6123  1.25 G\n"
            "12  failed          -   940 M\n");
  EXPECT_EQ(HiddenColumns(SampleTable(), {30, false}), std::vector<std::string>{"origin"});
  EXPECT_TRUE(HiddenColumns(SampleTable(), {80, false}).empty());
}

TEST(TableTest, WithoutALimitNothingIsCutOrLeftOut) {
  Table table({{"name", "name", false, 0, 4}, {"why", "why", false, 3, 5}});
  table.AddRow({TextCell(std::string(300, 'x')), TextCell(std::string(300, 'y'))});
  const TextStyle style{TextStyle::kUnlimited, false};
  EXPECT_THAT(RenderText(table, style),
              HasSubstr(std::string(300, 'x') + "  " + std::string(300, 'y') + "\n"));
  EXPECT_TRUE(HiddenColumns(table, style).empty());
}

TEST(TableTest, ColumnsAreChosenAndOrderedByKeyOrTitle) {
  const Table chosen = SelectColumns(SampleTable(), {"origin", "miou", "number", "digest"}).value();
  EXPECT_EQ(RenderText(chosen, {80, false}),
            "origin                  miou   #  digest\n"
            "random                0.6123   1  aa\n"
            "crossover of 3 and 5       -  12  bb\n");
  EXPECT_EQ(RenderCsv(chosen),
            "origin,measured.miou,number,digest\n"
            "random,0.61234567,1,aa\n"
            "crossover of 3 and 5,,12,bb\n");
  EXPECT_TRUE(HiddenColumns(chosen, {10, false}).empty());
}

TEST(TableTest, AColumnThatIsNotThereIsNamedWithThoseThatAre) {
  EXPECT_EQ(SelectColumns(SampleTable(), {"number", "speed"}).status().message(),
            "there is no column \"speed\"; known: number, state, measured.miou, measured.macs, "
            "origin, digest");
  EXPECT_THAT(SelectColumns(SampleTable(), {"orgin"}).status().message(),
              HasSubstr("did you mean \"origin\"?"));
  EXPECT_EQ(SelectColumns(SampleTable(), {""}).status().code(), StatusCode::kInvalidArgument);
}

TEST(TableTest, NoLineIsWiderThanTheTerminal) {
  for (size_t width = 24; width <= 120; ++width) {
    for (const std::string& line : Lines(RenderText(SampleTable(), {width, false}))) {
      EXPECT_LE(DisplayWidth(line), width) << line;
    }
  }
}

TEST(TableTest, WhenNothingCanGoTextIsCutBelowItsWish) {
  Table table({{"name", "name", false, 0, 30}, {"n", "n", true, 0, 0}});
  table.AddRow({TextCell(std::string(40, 'x')), IntCell(1)});
  EXPECT_EQ(RenderText(table, {20, false}),
            "name               n\n"
            "xxxxxxxxxxxxxxxx…  1\n");
}

TEST(TableTest, WhenNothingCanGoALongTitleIsCutAndNoValue) {
  Table table({{"n", "#", true, 0, 0}, {"latency", std::string(40, 't'), true, 0, 12}});
  table.AddRow({IntCell(1), {"12.3 ms", 12.3, Tone::kPlain}});
  EXPECT_EQ(RenderText(table, {15, false}),
            "#  ttttttttttt…\n"
            "1       12.3 ms\n");
  EXPECT_EQ(RenderText(table, {10, false}), RenderText(table, {15, false}));
}

TEST(TableTest, TextFromOutsideBreaksNoLineAndSteersNoTerminal) {
  Table table({{"latency_ms[a\n=1]", "latency_ms[a\n=1]", true, 0, 0}, {"n", "n\x1b[2J", false}});
  table.AddRow(
      {{"1 ms", 1, Tone::kPlain}, {"a\nb\x1b[31m\xE2\x80\xAE", "a\nb\x1b[31m", Tone::kPlain}});
  EXPECT_EQ(RenderText(table, {80, false}),
            "latency_ms[a =1]  n\\x1b[2J\n"
            "            1 ms  a b\\x1b[31m\\u202e\n");
  EXPECT_EQ(RenderCsv(table),
            "\"latency_ms[a\n=1]\",n\n"
            "1,\"a\nb\\x1b[31m\"\n");
  EXPECT_EQ(RenderFields({{"a\x1b", {"b\nc", nullptr, Tone::kPlain}}}, {80, false}),
            "a\\x1b  b c\n");
}

TEST(TableTest, WideCharactersKeepColumnsAligned) {
  Table table({{"name", "name", false, 0, 0}, {"n", "n", true, 0, 0}});
  table.AddRow({TextCell("漢字"), IntCell(1)});
  table.AddRow({TextCell("Zürich"), IntCell(22)});
  EXPECT_EQ(RenderText(table, {80, false}),
            "name     n\n"
            "漢字     1\n"
            "Zürich  22\n");
}

TEST(TableTest, WithoutRowsOnlyTheTitlesAreShown) {
  const Table table({{"a", "a", false, 0, 0}, {"b", "b", true, 0, 0}});
  EXPECT_EQ(RenderText(table, {80, false}), "a  b\n");
  EXPECT_EQ(RenderCsv(table), "a,b\n");
  EXPECT_EQ(RenderJson(table), Json::array());
}

TEST(TableTest, ColoursAreOnlyThereWhenAskedFor) {
  EXPECT_THAT(RenderText(SampleTable(), {80, false}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(RenderText(SampleTable(), {80, true}), HasSubstr("\x1b[31mfailed   \x1b[0m"));
}

TEST(TableTest, CsvHasFlatNamesAndFullPrecision) {
  EXPECT_EQ(RenderCsv(SampleTable()),
            "number,state,measured.miou,measured.macs,origin,digest\n"
            "1,succeeded,0.61234567,1250000000.0,random,aa\n"
            "12,failed,,940123456,crossover of 3 and 5,bb\n");
}

TEST(TableTest, CsvQuotesWhatNeedsIt) {
  Table table({{"text", "text", false, 0, 0}});
  table.AddRow({TextCell("a,b")});
  table.AddRow({TextCell("say \"no\"")});
  table.AddRow({TextCell("two\nlines")});
  EXPECT_EQ(RenderCsv(table), "text\n\"a,b\"\n\"say \"\"no\"\"\"\n\"two\nlines\"\n");
}

TEST(TableTest, JsonKeepsTypes) {
  const Json rows = RenderJson(SampleTable());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["number"], 1);
  EXPECT_EQ(rows[0]["measured.miou"], 0.61234567);
  EXPECT_TRUE(rows[1]["measured.miou"].is_null());
}

TEST(TableTest, FieldsAlignTheirValues) {
  EXPECT_EQ(RenderFields({{"name", TextCell("a")}, {"hypervolume", IntCell(3)}}, {80, false}),
            "name         a\n"
            "hypervolume  3\n");
}

TEST(TableTest, FlattenNamesEveryLeaf) {
  const auto flat = Flatten(Json::parse(R"({"a": {"b": [1, {"c": "x"}]}, "d": [], "e": true})"));
  ASSERT_EQ(flat.size(), 4U);
  EXPECT_EQ(flat[0].first, "a.b.0");
  EXPECT_EQ(flat[1].first, "a.b.1.c");
  EXPECT_EQ(flat[1].second, "x");
  EXPECT_EQ(flat[2].first, "d");
  EXPECT_TRUE(flat[2].second.is_null());
  EXPECT_EQ(flat[3].second, true);
}

}  // namespace
}  // namespace voxbit::client
