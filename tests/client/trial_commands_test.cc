#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "client/format/text.h"
#include "client/view/trial_view.h"
#include "common/files.h"
#include "tests/client/fake_server.h"
#include "tests/support/temp_dir.h"

namespace voxbit::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TrialCommandsTest : public ::testing::Test {
 protected:
  TrialCommandsTest() {
    server_.studies = {MakeStudy("first", v1::STUDY_STATE_ACTIVE)};
    server_.trials = {MakeTrial(1, 0.40, 10.0), MakeTrial(2, 0.55, 20.0), MakeTrial(3, 0.50, 25.0),
                      MakeTrial(4, 0.60, 30.0)};
    search::Trial infeasible = MakeTrial(5, 0, 0);
    infeasible.state = search::TrialState::kInfeasible;
    infeasible.measured.clear();
    infeasible.message = "macs 3e9 is above 2e9";
    server_.trials.push_back(infeasible);
    server_.front = {1, 2, 4};
  }

  RunOutcome Run(std::vector<std::string> arguments) {
    return RunLine(server_.address, std::move(arguments));
  }

  RunOutcome RunOnTerminal(std::vector<std::string> arguments) {
    RunSettings settings;
    settings.terminal.out_is_terminal = true;
    return RunLine(server_.address, std::move(arguments), settings);
  }

  // First column of each CSV row.
  static std::vector<std::string> Numbers(const std::string& csv) {
    std::vector<std::string> numbers;
    std::istringstream lines(csv);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) numbers.push_back(line.substr(0, line.find(',')));
    return numbers;
  }

  FakeServer server_;
  voxbit::testing::TempDir folder_;
};

TEST_F(TrialCommandsTest, ListReadsAllPagesByNumber) {
  const RunOutcome run = Run({"trial", "list", "first", "-o", "csv"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(Numbers(run.out), ElementsAre("1", "2", "3", "4", "5"));
  EXPECT_EQ(server_.trial_lists.size(), 3U);
}

TEST_F(TrialCommandsTest, ListCsvHasFlatNamesAndFullPrecision) {
  server_.trials = {MakeTrial(1, 0.1234567890123, 10.0)};
  const RunOutcome run = Run({"trial", "list", "first", "-o", "csv"});
  EXPECT_EQ(run.out,
            "number,state,measured.miou,measured.miou.spread,measured.latency_ms[local],"
            "measured.latency_ms[local].spread,measured.macs,measured.macs.spread,origin,message,"
            "digest,choices,sequence,created_ms,finished_ms\n"
            "1,succeeded,0.1234567890123,0.0,10.0,0.25,1000000000.0,0.0,random,,digest-1,0.1.1,1,"
            "1699999950000,1699999990000\n");
}

TEST_F(TrialCommandsTest, ListTableHasUnitsAndFits) {
  const RunOutcome run = RunOnTerminal({"trial", "list", "first"});
  EXPECT_THAT(run.out, HasSubstr("0.5500"));
  EXPECT_THAT(run.out, HasSubstr("20 ms"));
  EXPECT_THAT(run.out, HasSubstr("2 G"));
  EXPECT_THAT(run.out, HasSubstr("macs 3e9 is"));
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80U) << line;
}

TEST_F(TrialCommandsTest, APipeGetsRowsAloneAndWhole) {
  const std::string message(300, 'm');
  server_.trials.back().message = message;
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"trial", "list", "first"}, {"pareto", "first"}}) {
    const RunOutcome run = Run(command);
    EXPECT_THAT(run.out, Not(HasSubstr("…")));
    EXPECT_THAT(run.out + run.err, Not(HasSubstr("too narrow")));
    EXPECT_THAT(run.out, HasSubstr("origin"));
  }
  EXPECT_THAT(Run({"trial", "list", "first"}).out, HasSubstr(message));
  EXPECT_EQ(RunOnTerminal({"trial", "list", "first", "--wide"}).out,
            Run({"trial", "list", "first"}).out);
}

TEST_F(TrialCommandsTest, ATerminalIsToldOnStandardErrorWhatItIsTooNarrowFor) {
  RunSettings settings;
  settings.terminal.out_is_terminal = true;
  settings.terminal.width = 40;
  const RunOutcome run = RunLine(server_.address, {"trial", "list", "first"}, settings);
  EXPECT_THAT(run.out, Not(HasSubstr("too narrow")));
  EXPECT_THAT(run.err, HasSubstr("too narrow for: "));
  EXPECT_THAT(run.err, HasSubstr("origin"));
  EXPECT_THAT(run.err, HasSubstr("--wide"));
  EXPECT_EQ(RunLine(server_.address, {"trial", "list", "first", "--wide"}, settings).err, "");
}

TEST_F(TrialCommandsTest, ColumnsChoosesAndOrders) {
  EXPECT_EQ(Run({"trial", "list", "first", "--columns", "digest,number,miou", "-o", "csv"})
                .out.substr(0, 52),
            "digest,number,measured.miou\ndigest-1,1,0.4\ndigest-2,");
  // The name behind the flag is the study's.
  EXPECT_THAT(Run({"trial", "list", "--columns", "state,origin", "first"}).out,
              ::testing::StartsWith("state       origin\nsucceeded   random\n"));
  EXPECT_THAT(Run({"pareto", "first", "--columns", "choices"}).out,
              ::testing::StartsWith("choices\n"));
  const RunOutcome wrong = Run({"trial", "list", "first", "--columns", "state,orgin"});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_EQ(wrong.out, "");
  EXPECT_THAT(wrong.err, HasSubstr("--columns: there is no column \"orgin\"; did you mean"));
  EXPECT_THAT(Run({"trial", "list", "first", "--columns", "speed"}).err,
              HasSubstr("known: number, state, measured.miou"));
  const RunOutcome json = Run({"trial", "list", "first", "--columns", "state", "-o", "json"});
  EXPECT_EQ(json.code, kExitUsage);
  EXPECT_THAT(json.err, HasSubstr("-o json has everything"));
}

TEST_F(TrialCommandsTest, LimitTakesTheFirstOnes) {
  EXPECT_THAT(Numbers(Run({"trial", "list", "first", "--limit", "2", "-o", "csv"}).out),
              ElementsAre("1", "2"));
  EXPECT_EQ(server_.trial_lists.size(), 1U) << "no page more than needed";
  EXPECT_THAT(Numbers(Run({"trial", "list", "first", "--limit", "3", "-o", "csv"}).out),
              ElementsAre("1", "2", "3"));
  EXPECT_THAT(
      Numbers(Run({"trial", "list", "first", "--sort", "miou", "--limit", "2", "-o", "csv"}).out),
      ElementsAre("4", "2"));
  EXPECT_THAT(Numbers(Run({"trial", "list", "first", "--limit", "99", "-o", "csv"}).out),
              ElementsAre("1", "2", "3", "4", "5"));
  EXPECT_EQ(Run({"trial", "list", "first", "--limit", "0"}).code, kExitUsage);
}

TEST_F(TrialCommandsTest, ShowListsBitsInTheOrderOfTheLayers) {
  server_.architecture_json =
      R"({"width": 0.5, "bits": {"blocks.10": {"weight": 3}, "blocks.2": {"weight": 4},)"
      R"( "stem": {"weight": 8}, "away": {"weight": 2}}})";
  server_.layers_json = R"([{"name":"stem"},{"name":"blocks.2"},{"name":"blocks.10"}])";
  const std::string out = Run({"trial", "show", "first", "2"}).out;
  EXPECT_THAT(out, HasSubstr("width                  0.5\n"
                             "bits.stem.weight       8\n"
                             "bits.blocks.2.weight   4\n"
                             "bits.blocks.10.weight  3\n"
                             "bits.away.weight       2\n"));
}

TEST_F(TrialCommandsTest, ListAsksForTheStatesThatTheUserNames) {
  const RunOutcome run =
      Run({"trial", "list", "first", "--state", "succeeded,failed", "-o", "csv"});
  EXPECT_THAT(Numbers(run.out), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(server_.trial_lists.at(0).states(),
              ElementsAre(v1::TRIAL_STATE_SUCCEEDED, v1::TRIAL_STATE_FAILED));
  const RunOutcome wrong = Run({"trial", "list", "first", "--state", "great"});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_THAT(wrong.err, HasSubstr("--state"));
}

TEST_F(TrialCommandsTest, SortPutsTheBestFirstAndTheUnmeasuredLast) {
  EXPECT_THAT(Numbers(Run({"trial", "list", "first", "--sort", "miou", "-o", "csv"}).out),
              ElementsAre("4", "2", "3", "1", "5"));
  EXPECT_THAT(Numbers(Run({"trial", "list", "first", "--sort", "latency_ms", "-o", "csv"}).out),
              ElementsAre("1", "2", "3", "4", "5"));
  const RunOutcome wrong = Run({"trial", "list", "first", "--sort", "speed"});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_THAT(wrong.err, HasSubstr("it has miou, latency_ms[local], macs"));
}

TEST_F(TrialCommandsTest, SortByAnObjectiveWorksBeforeTheFirstMeasurement) {
  search::Trial pending = MakeTrial(1, 0, 0);
  pending.state = search::TrialState::kPending;
  pending.measured.clear();
  server_.trials = {pending};
  for (const char* metric : {"miou", "latency_ms"}) {
    const RunOutcome run = Run({"trial", "list", "first", "--sort", metric, "-o", "csv"});
    EXPECT_EQ(run.code, kExitDone) << run.err;
    EXPECT_THAT(Numbers(run.out), ElementsAre("1"));
  }
  EXPECT_EQ(Run({"trial", "list", "first", "--sort", "macs"}).code, kExitUsage);
}

TEST_F(TrialCommandsTest, SortCountsWhatFineTuningBrought) {
  search::Measurement tuned = server_.trials[2].measured.at({"miou", ""});
  tuned.value = 0.9;
  server_.trials[2].finetuned[{"miou", ""}] = tuned;
  const RunOutcome run = Run({"trial", "list", "first", "--sort", "miou", "-o", "csv"});
  EXPECT_THAT(Numbers(run.out), ElementsAre("3", "4", "2", "1", "5"));
  EXPECT_THAT(run.out, HasSubstr("finetuned.miou"));
}

TEST_F(TrialCommandsTest, AFineTuningThatGainedNothingIsToldWithBothNumbers) {
  search::Measurement tuned = server_.trials[3].measured.at({"miou", ""});
  tuned.value = 0.61;
  tuned.detail = {{"kept", "start"}, {"start", 0.61}, {"end", 0.58}};
  server_.trials[3].finetuned[{"miou", ""}] = tuned;
  for (const char* const command : {"trial list", "pareto"}) {
    std::vector<std::string> words = {"pareto", "first"};
    if (command == std::string("trial list")) words = {"trial", "list", "first"};
    EXPECT_THAT(Run(words).out, HasSubstr("0.6100 (start; end 0.5800)")) << command;
    words.insert(words.end(), {"-o", "csv"});
    EXPECT_THAT(Run(words).out, Not(HasSubstr("start"))) << command;
  }
  EXPECT_THAT(Run({"trial", "show", "first", "4"}).out,
              HasSubstr("gained nothing, the start was kept: miou 0.6100 at the start, 0.5800 at "
                        "the end"));
  const Json json = Json::parse(Run({"trial", "show", "first", "4", "-o", "json"}).out);
  const Json& detail = json.at("trial").at("finetuned").at("miou").at("detail");
  EXPECT_EQ(detail.at("kept"), "start");
  EXPECT_EQ(detail.at("end"), 0.58);
}

TEST_F(TrialCommandsTest, AFineTuningThatGainedReadsAsItsResult) {
  search::Measurement tuned = server_.trials[3].measured.at({"miou", ""});
  tuned.value = 0.66;
  tuned.detail = {{"kept", "end"}, {"start", 0.61}, {"end", 0.66}};
  server_.trials[3].finetuned[{"miou", ""}] = tuned;
  EXPECT_THAT(Run({"trial", "list", "first"}).out,
              ::testing::AllOf(HasSubstr("0.6600"), Not(HasSubstr("0.6600 ("))));
  EXPECT_THAT(Run({"trial", "show", "first", "4"}).out,
              HasSubstr("kept its end: miou 0.6100 at the start, 0.6600 at the end"));
}

TEST_F(TrialCommandsTest, AMetricOnSeveralTargetsMustBeNamedInFull) {
  const std::vector<std::string> keys = {"latency_ms[a]", "latency_ms[b]", "miou"};
  EXPECT_EQ(*ResolveMetric("latency_ms[b]", keys), "latency_ms[b]");
  EXPECT_EQ(*ResolveMetric("miou", keys), "miou");
  EXPECT_EQ(ResolveMetric("latency_ms", keys).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(TrialCommandsTest, ShowSpellsTheNetworkOut) {
  server_.architecture_json = R"({"width": 0.5, "depths": [1, 2, 3]})";
  server_.layers_json =
      R"([{"name":"stem.0","kind":"sparse_conv","in_channels":4,"out_channels":32,)"
      R"("kernel_volume":27,"parameters":3456,"macs":1.5e8},)"
      R"({"name":"classifier","kind":"linear","in_channels":32,"out_channels":20,)"
      R"("kernel_volume":1,"parameters":660,"macs":2.5e7}])";
  const RunOutcome run = Run({"trial", "show", "first", "2"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.out, HasSubstr("stem.0"));
  EXPECT_THAT(run.out, HasSubstr("3.46 k  150 M"));
  EXPECT_THAT(run.out, HasSubstr("2 layers, 4.12 k parameters, 175 M MACs"));
  EXPECT_THAT(run.out, HasSubstr("depths  1 2 3"));
  EXPECT_THAT(run.out, HasSubstr("± 0.25 ms"));

  const Json json = Json::parse(Run({"trial", "show", "first", "2", "-o", "json"}).out);
  EXPECT_EQ(json["layers"][1]["macs"], 2.5e7);
  EXPECT_EQ(json["architecture"]["depths"], Json::array({1, 2, 3}));
  EXPECT_EQ(json["trial"]["measured"]["latency_ms[local]"]["unit"], "ms");

  const RunOutcome csv = Run({"trial", "show", "first", "2", "-o", "csv"});
  EXPECT_THAT(csv.out,
              HasSubstr("name,kind,in_channels,out_channels,kernel_volume,parameters,macs\n"
                        "stem.0,sparse_conv,4,32,27,3456,150000000.0\n"));
  EXPECT_EQ(Run({"trial", "show", "first", "77"}).code, kExitNotFound);
}

TEST_F(TrialCommandsTest, ShowHasTheScoreOfEachClassThatOccurs) {
  search::Measurement& miou = server_.trials[1].measured.at({"miou", ""});
  miou.detail = {{"class_iou", {{"floor", 0.75}, {"post", nullptr}, {"wall", 0.125}}}};
  const RunOutcome searched = Run({"trial", "show", "first", "2"});
  EXPECT_THAT(searched.out, HasSubstr("floor  0.7500\n"));
  EXPECT_THAT(searched.out, HasSubstr("wall   0.1250\n"));
  EXPECT_THAT(searched.out, Not(HasSubstr("post")));
  search::Measurement tuned = miou;
  tuned.detail["class_iou"]["wall"] = 0.5;
  server_.trials[1].finetuned[{"miou", ""}] = tuned;
  EXPECT_THAT(Run({"trial", "show", "first", "2"}).out, HasSubstr("wall   0.1250  0.5000\n"));
}

TEST_F(TrialCommandsTest, ParetoShowsTheFrontBestFirst) {
  const RunOutcome run = Run({"pareto", "first", "-o", "csv"});
  EXPECT_THAT(Numbers(run.out), ElementsAre("1", "2", "4"));
  EXPECT_THAT(run.err, HasSubstr("front of 3 among 4 compared trials, hypervolume 0.75"));
  EXPECT_TRUE(server_.fronts.at(0).metrics().empty());
  const Json json = Json::parse(Run({"pareto", "first", "-o", "json"}).out);
  EXPECT_EQ(json["front"].size(), 3U);
  EXPECT_EQ(json["compared"], 4);
  EXPECT_EQ(json["succeeded"], 20);
  EXPECT_EQ(json["hypervolume"], 0.75);
}

TEST_F(TrialCommandsTest, ParetoComparesByTheMetricsThatTheUserNames) {
  Run({"pareto", "first", "--x", "macs"});
  EXPECT_THAT(server_.fronts.back().metrics(), ElementsAre("macs", "miou"));
  Run({"pareto", "first", "--y", "latency_ms"});
  EXPECT_THAT(server_.fronts.back().metrics(), ElementsAre("miou", "latency_ms[local]"));
  EXPECT_EQ(Run({"pareto", "first", "--x", "macs", "--y", "macs"}).code, kExitUsage);
}

TEST_F(TrialCommandsTest, ParetoRefusesAMetricThatNoTrialHas) {
  for (search::Trial& trial : server_.trials) trial.measured.erase({"latency_ms", "local"});
  server_.studies[0].set_config_json(R"({"objectives":[{"metric":"miou"},{"metric":"macs"}]})");
  const RunOutcome run = Run({"pareto", "first", "--x", "latency_ms", "--y", "macs"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("\"latency_ms\" is not in this study; it has miou, macs"));
}

TEST_F(TrialCommandsTest, LongTargetNamesDoNotWidenTheFront) {
  const std::string target = "nvidia-jetson-agx-orin-64gb-maxn-int8-batch1";
  for (search::Trial& trial : server_.trials) {
    if (trial.measured.empty()) continue;
    search::Measurement latency = trial.measured.at({"latency_ms", "local"});
    latency.target = target;
    trial.measured[{"latency_ms", target}] = latency;
  }
  const std::string key = "latency_ms[" + target + "]";
  const RunOutcome run = RunOnTerminal({"pareto", "first", "--x", key, "--y", "latency_ms[local]"});
  EXPECT_THAT(run.out, HasSubstr("latency_ms[nvidia"));
  EXPECT_THAT(run.out, HasSubstr("20 ms"));
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 80U) << line;
}

TEST_F(TrialCommandsTest, PlotShowsCostToTheRightAndQualityUpwards) {
  const std::string file = folder_.path() + "/front.svg";
  const RunOutcome run = Run({"pareto", "first", "--plot", file});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.err, HasSubstr("wrote " + file));
  const std::string svg = *ReadFile(file);
  EXPECT_THAT(svg, HasSubstr("latency_ms on local [ms]"));
  EXPECT_THAT(svg, HasSubstr("front (3)"));
  EXPECT_THAT(svg, HasSubstr("other compared trials (1)"));
  EXPECT_THAT(svg, HasSubstr("trial 3: latency_ms[local] 25, miou 0.5"));
}

TEST_F(TrialCommandsTest, OneObjectiveIsDrawnAgainstTheSizeOfTheNetwork) {
  server_.studies[0].set_config_json(R"({"objectives":[{"metric":"miou"}]})");
  const std::string file = folder_.path() + "/front.svg";
  const RunOutcome run = Run({"pareto", "first", "--plot", file});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(*ReadFile(file), HasSubstr(">params<"));
  EXPECT_THAT(run.err, HasSubstr("4 trials lack params or miou"));
}

TEST_F(TrialCommandsTest, PlotMakesItsFolder) {
  const std::string file = folder_.path() + "/new/folder/front.svg";
  EXPECT_EQ(Run({"pareto", "first", "--plot", file}).code, kExitDone);
  EXPECT_THAT(*ReadFile(file), HasSubstr("front (3)"));
}

TEST_F(TrialCommandsTest, PlotThatCannotBeWrittenIsWrongUsageBeforeAnythingIsAsked) {
  ASSERT_TRUE(WriteFileAtomically(folder_.path() + "/file", "").ok());
  ASSERT_TRUE(MakeFolders(folder_.path() + "/folder.svg").ok());
  for (const std::string& file :
       {folder_.path() + "/file/no/front.svg", folder_.path() + "/a.png", folder_.path() + "/a.pdf",
        folder_.path() + "/front", folder_.path() + "/folder.svg", std::string("/proc/a.svg")}) {
    const RunOutcome run = Run({"pareto", "first", "--plot", file});
    EXPECT_EQ(run.code, kExitUsage) << file;
    EXPECT_EQ(run.out, "") << file;
    EXPECT_THAT(run.err, HasSubstr("error: --plot: ")) << file;
  }
  EXPECT_TRUE(server_.fronts.empty());
  EXPECT_EQ(server_.get_study_calls, 0);
  EXPECT_EQ(Run({"pareto", "first", "--plot", folder_.path() + "/FRONT.SVG"}).code, kExitDone);
}

TEST_F(TrialCommandsTest, PlotMayHaveLogarithmicAxes) {
  server_.trials[0].measured.at({"latency_ms", "local"}).value = 0;
  const std::string file = folder_.path() + "/front.svg";
  const RunOutcome run = Run({"pareto", "first", "--plot", file, "--log-x"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(run.err, HasSubstr("1 trials have a value of 0 or less"));
  EXPECT_EQ(Run({"pareto", "first", "--log-x"}).code, kExitUsage);
}

TEST_F(TrialCommandsTest, StudyWithoutSuccessHasAnEmptyFront) {
  server_.trials.clear();
  const RunOutcome run = Run({"pareto", "first", "--plot", folder_.path() + "/front.svg"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(*ReadFile(folder_.path() + "/front.svg"), HasSubstr("no succeeded trial"));
}

}  // namespace
}  // namespace voxbit::client
