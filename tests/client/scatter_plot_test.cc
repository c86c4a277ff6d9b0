#include "client/format/scatter_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "common/rng.h"

namespace voxbit::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kInf = std::numeric_limits<double>::infinity();

ScatterPlot Sample() {
  ScatterPlot plot;
  plot.title = "spvnas-lidar";
  plot.subtitle = "front of 3";
  plot.x = AxisOf("latency_ms[local]");
  plot.y = AxisOf("miou");
  plot.front = {{4, 10.0, 0.40}, {7, 20.0, 0.55}, {9, 30.0, 0.60}};
  plot.dominated = {{1, 25.0, 0.50}, {2, 12.0, 0.30}};
  return plot;
}

size_t Count(const std::string& text, const std::string& piece) {
  size_t count = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) {
    ++count;
  }
  return count;
}

// Every opened element is closed in order, and no coordinate is NaN or infinite.
void ExpectSound(const std::string& svg) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z]+)[^>]*?(/?)>");
  for (std::sregex_iterator it(svg.begin(), svg.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    if ((*it)[1] == "/") {
      ASSERT_FALSE(open.empty()) << name;
      EXPECT_EQ(open.back(), name);
      open.pop_back();
    } else if ((*it)[3] != "/") {
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_FALSE(std::regex_search(svg, std::regex("\"-?(nan|inf)"))) << svg;
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, Not(HasSubstr("href")));
}

std::vector<std::string> Labels(const std::string& svg) {
  std::vector<std::string> labels;
  const std::regex label("class=\"label\"[^>]*>([0-9]+)<");
  for (std::sregex_iterator it(svg.begin(), svg.end(), label), end; it != end; ++it) {
    labels.push_back((*it)[1]);
  }
  return labels;
}

TEST(ScatterPlotTest, FrontPointsAreLabelledAndOthersAreNot) {
  const std::string svg = RenderSvg(Sample());
  ExpectSound(svg);
  EXPECT_THAT(Labels(svg), ::testing::ElementsAre("4", "7", "9"));
  EXPECT_THAT(svg, HasSubstr("front (3)"));
  EXPECT_THAT(svg, HasSubstr("other compared trials (2)"));
  EXPECT_THAT(svg, HasSubstr("trial 1: latency_ms[local] 25, miou 0.5"));
}

TEST(ScatterPlotTest, AxesSayUnitAndWhichWayIsBetter) {
  const std::string svg = RenderSvg(Sample());
  EXPECT_THAT(svg, HasSubstr("latency_ms on local [ms]"));
  EXPECT_THAT(svg, HasSubstr("← lower is better"));
  EXPECT_THAT(svg, HasSubstr("higher is better →"));
}

TEST(ScatterPlotTest, LargeNumbersShareAPrefix) {
  ScatterPlot plot = Sample();
  plot.x = AxisOf("macs");
  for (auto* points : {&plot.front, &plot.dominated}) {
    for (PlotPoint& point : *points) point.x *= 1e8;
  }
  const std::string svg = RenderSvg(plot);
  EXPECT_THAT(svg, HasSubstr(">macs [G]<"));
  EXPECT_THAT(svg, HasSubstr(">2.0<"));
}

TEST(ScatterPlotTest, WithoutPointsItSaysSo) {
  ScatterPlot plot = Sample();
  plot.front.clear();
  plot.dominated.clear();
  const std::string svg = RenderSvg(plot);
  ExpectSound(svg);
  EXPECT_THAT(svg, HasSubstr("no succeeded trial has both metrics yet"));
}

TEST(ScatterPlotTest, OnePointAndEqualValuesHaveAnAxis) {
  ScatterPlot plot = Sample();
  plot.front = {{1, 0.0, 0.0}};
  plot.dominated.clear();
  ExpectSound(RenderSvg(plot));
  plot.front = {{1, 5.0, 0.5}, {2, 5.0, 0.5}};
  plot.dominated = {{3, 5.0, 0.5}};
  const std::string svg = RenderSvg(plot);
  ExpectSound(svg);
  EXPECT_EQ(Count(svg, "r=\"6.0\""), 2U);
}

TEST(ScatterPlotTest, ValuesThatAreNotFiniteAreLeftOut) {
  ScatterPlot plot = Sample();
  plot.dominated.push_back({3, kInf, 0.5});
  plot.front.push_back({5, std::nan(""), 0.5});
  const std::string svg = RenderSvg(plot);
  ExpectSound(svg);
  EXPECT_THAT(svg, HasSubstr("front (3)"));
}

TEST(ScatterPlotTest, LogarithmicAxesSpreadDecadesEvenly) {
  ScatterPlot plot = Sample();
  plot.x = AxisOf("macs");
  plot.x.is_log = true;
  plot.front = {{1, 1e6, 0.40}, {2, 1e7, 0.50}, {3, 1e8, 0.60}};
  plot.dominated = {{4, 0, 0.1}, {5, -3, 0.2}};
  const std::string svg = RenderSvg(plot);
  ExpectSound(svg);
  std::vector<double> xs;
  const std::regex dot("cx=\"([0-9.]+)\" cy=\"[0-9.]+\" r=\"6.0\"");
  for (std::sregex_iterator it(svg.begin(), svg.end(), dot), end; it != end; ++it) {
    xs.push_back(std::stod((*it)[1]));
  }
  ASSERT_EQ(xs.size(), 3U);
  EXPECT_NEAR(xs[1] - xs[0], xs[2] - xs[1], 0.02);  // coordinates have two decimals
  for (const char* tick : {">macs<", ">1 M<", ">10 M<", ">100 M<"}) {
    EXPECT_THAT(svg, HasSubstr(tick));
  }
  EXPECT_EQ(NumHidden(plot), 2U);
  EXPECT_THAT(svg, HasSubstr("other compared trials (0)"));
}

TEST(ScatterPlotTest, LogarithmicAxesStandFewAndEqualValues) {
  ScatterPlot plot = Sample();
  plot.x.is_log = true;
  plot.y.is_log = true;
  ExpectSound(RenderSvg(plot));
  EXPECT_THAT(RenderSvg(plot), HasSubstr(">20<"));
  plot.dominated.clear();
  plot.front = {{1, 5.0, 0.5}, {2, 5.0, 0.5}};
  ExpectSound(RenderSvg(plot));
  plot.front = {{1, 0.0, 0.5}};
  ExpectSound(RenderSvg(plot));
  plot.front.clear();
  ExpectSound(RenderSvg(plot));
}

TEST(ScatterPlotTest, LogarithmicTicksAreFewAndInsideTheRange) {
  EXPECT_THAT(LogTicks(0.9, 110), ::testing::ElementsAre(1, 2, 5, 10, 20, 50, 100));
  EXPECT_THAT(LogTicks(1, 1e6), ::testing::ElementsAre(1, 10, 100, 1e3, 1e4, 1e5, 1e6));
  for (const double decades : {0.001, 0.1, 0.5, 1.0, 3.0, 12.0, 40.0}) {
    for (const double low : {1e-3, 0.7, 3.3e5}) {
      const double high = low * std::pow(10, decades);
      const std::vector<double> ticks = LogTicks(low, high);
      EXPECT_GE(ticks.size(), 2U) << low << " " << decades;
      EXPECT_LE(ticks.size(), 10U) << low << " " << decades;
      for (const double tick : ticks) {
        EXPECT_GE(tick, low * (1 - 1e-9));
        EXPECT_LE(tick, high * (1 + 1e-9));
      }
    }
  }
}

TEST(ScatterPlotTest, TextIsEscaped) {
  ScatterPlot plot = Sample();
  plot.title = "a<b>&\"c\"";
  const std::string svg = RenderSvg(plot);
  ExpectSound(svg);
  EXPECT_THAT(svg, HasSubstr("a&lt;b&gt;&amp;&quot;c&quot;"));
}

// With more than two objectives a front member may be beaten in the two that are shown; the line
// must pass it by.
TEST(ScatterPlotTest, StepLineOnlyConnectsWhatNothingBeatsInThePicture) {
  ScatterPlot plot = Sample();
  const std::string before = RenderSvg(plot);
  plot.front.push_back({11, 28.0, 0.45});
  const std::string after = RenderSvg(plot);
  const std::regex line("<path d=\"([^\"]*)\" fill=\"none\"[^>]*stroke-width=\"2\"");
  std::smatch first;
  std::smatch second;
  ASSERT_TRUE(std::regex_search(before, first, line));
  ASSERT_TRUE(std::regex_search(after, second, line));
  EXPECT_EQ(first[1], second[1]);
}

TEST(ScatterPlotTest, LabelsNeverCoverEachOther) {
  Rng rng(3);
  for (int round = 0; round < 20; ++round) {
    ScatterPlot plot = Sample();
    plot.front.clear();
    const int64_t count = 1 + rng.Below(60);
    for (int64_t i = 0; i < count; ++i) {
      const double t = rng.Uniform();
      plot.front.push_back({100 + i, 10 + 50 * t * t, 0.3 + 0.4 * t});
    }
    const std::string svg = RenderSvg(plot);
    ExpectSound(svg);
    struct At {
      double x, y;
    };
    std::vector<At> labels;
    const std::regex label("<text x=\"([0-9.]+)\" y=\"([0-9.]+)\" class=\"label\"");
    for (std::sregex_iterator it(svg.begin(), svg.end(), label), end; it != end; ++it) {
      labels.push_back({std::stod((*it)[1]), std::stod((*it)[2])});
    }
    EXPECT_FALSE(labels.empty());
    for (size_t i = 0; i < labels.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        // Three digits are about 22 units wide and 12 high.
        EXPECT_TRUE(std::abs(labels[i].x - labels[j].x) >= 22 ||
                    std::abs(labels[i].y - labels[j].y) >= 11.9)
            << "round " << round;
      }
    }
  }
}

TEST(ScatterPlotTest, TicksAreNiceAndInsideTheRange) {
  Rng rng(5);
  for (int i = 0; i < 2000; ++i) {
    const double low = (rng.Uniform() - 0.5) * std::pow(10, rng.Uniform(-6, 12));
    const double high = low + std::pow(10, rng.Uniform(-6, 12)) * (0.1 + rng.Uniform());
    // A range of a few representable values has no room for ticks.
    if (high - low < 1e-9 * std::max(std::abs(low), std::abs(high))) continue;
    const std::vector<double> ticks = NiceTicks(low, high);
    ASSERT_GE(ticks.size(), 3U) << low << " " << high;
    ASSERT_LE(ticks.size(), 10U) << low << " " << high;
    const double step = ticks[1] - ticks[0];
    EXPECT_GE(ticks.front(), low - step * 1e-6);
    EXPECT_LE(ticks.back(), high + step * 1e-6);
  }
}

TEST(ScatterPlotTest, AxisOfKnowsTheMetricTable) {
  EXPECT_EQ(AxisOf("miou").direction, search::Direction::kHigher);
  EXPECT_EQ(AxisOf("latency_ms[gpu]").unit, "ms");
  EXPECT_EQ(AxisOf("latency_ms[gpu]").direction, search::Direction::kLower);
  EXPECT_EQ(AxisOf("something_bytes").unit, "byte");
}

}  // namespace
}  // namespace voxbit::client
