// deploy/compare.py as users run it, against what the stores of its seeds hold.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

#include "common/files.h"
#include "search/domain/candidate.h"
#include "tests/integration/study_fixture.h"

namespace voxbit::testing {
namespace {

constexpr Milliseconds kLimit(600'000);

std::string DeployFile(const std::string& name) {
  const char* folder = std::getenv("VOXBIT_SOURCE_DIR");
  EXPECT_NE(folder, nullptr) << "VOXBIT_SOURCE_DIR is not set; run through ctest";
  return std::string(folder == nullptr ? "" : folder) + "/deploy/" + name;
}

Process::Options Python(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/usr/bin/python3");
  return {.arguments = std::move(arguments),
          .output = "",
          .max_file_bytes = {},
          .bound_by_modes = false};
}

// Every part of the form: a search of bits, one of architectures, one of bits for these, networks
// with fine-tuning and without bits, another look on the other seed's supernet, fronts.
constexpr char kForm[] = R"({
  "seeds": [1, 2],
  "metric": "miou",
  "server": {"local_workers": 1, "sync_interval_ms": 200},
  "searches": [
    {"label": "bits", "study": {}},
    {
      "label": "architecture",
      "study": {"supernet": {"quantization": null}, "objectives": [{"metric": "miou"}]}
    },
    {
      "label": "Then bits",
      "architecture_from": {"search": "architecture", "count": 1},
      "study": {"search": {"trials": 2}}
    }
  ],
  "finals": [
    {"label": "float", "of": "bits", "study": {"supernet": {"quantization": null}}},
    {"label": "tuned", "of": "bits", "study": {"finetune": {"top": 1, "steps": 1}}}
  ],
  "final_seeds": 1,
  "again": {},
  "front": {
    "objectives": ["miou", "bitops"],
    "groups": [
      {"label": "joint", "searches": ["bits"]},
      {"label": "one after the other", "searches": ["Then bits"]}
    ]
  }
})";

Json SmallExperiment() {
  Json study = SmallStudy("", 3);
  study.erase("name");
  study.erase("seed");
  study["supernet"]["quantization"] =
      ParseJson(R"({"weight_bits": [2, 8], "weight_quantizer": "linear"})").value();
  study["train"]["steps"] = 2;
  study["search"] = ParseJson(R"({"algorithm": "random", "trials": 3})").value();
  study["objectives"] = ParseJson(R"([{"metric": "miou"}, {"metric": "bitops"}])").value();
  Json experiment = ParseJson(kForm).value();
  experiment["study"] = study;
  return experiment;
}

// An experiment and the folder of its results.
class Comparison {
 public:
  explicit Comparison(const Json& experiment) {
    EXPECT_TRUE(WriteFileAtomically(file(), experiment.dump(2)).ok());
  }

  std::string file() const { return dir_.File("experiment.json"); }

  Process::Options Command() const {
    return Python({DeployFile("compare.py"), file(), "--out", out(), "--bin", BinDir()});
  }
  Finished Run() const { return RunToEnd(Command(), kLimit); }

  std::string out() const { return dir_.File("out"); }
  std::string Text(const std::string& name) const { return ReadText(out() + "/" + name); }
  Json Results() const { return ParseJson(Text("results.json")).value(); }

  // Of a seed whose server has ended.
  std::unique_ptr<storage::Store> OpenStore(int64_t seed) const {
    auto store = storage::Store::Open(out() + "/seed-" + std::to_string(seed) + "/store", clock_);
    EXPECT_TRUE(store.ok()) << store.status();
    return std::move(store).value();
  }

 private:
  TempDir dir_;
  SystemClock clock_;
};

// One run for all tests that look at its results.
struct FirstRun {
  Comparison comparison{SmallExperiment()};
  Finished finished = comparison.Run();
};
const FirstRun& SharedRun() {
  static const FirstRun run;
  return run;
}

std::vector<search::Trial> TrialsOf(const storage::Store& store, const std::string& study) {
  const auto found = store.GetStudy(study);
  EXPECT_TRUE(found.ok()) << study;
  return found.ok() ? store.ListTrials(found->id, {}).value() : std::vector<search::Trial>();
}

double Number(const Json& json, const char* key) { return json.at(key).get<double>(); }
std::string Text(const Json& json, const char* key) { return json.at(key).get<std::string>(); }

double Miou(const search::Measurements& measured) { return measured.at({"miou", ""}).value; }

// The trial with this candidate among all studies whose name begins so.
std::optional<search::Trial> FindTrial(const storage::Store& store, const std::string& prefix,
                                       const std::string& candidate) {
  for (const search::Study& study : store.ListStudies(0, 1000).value()) {
    if (study.config.name.rfind(prefix, 0) != 0) continue;
    for (const search::Trial& trial : store.ListTrials(study.id, {}).value()) {
      if (search::Encode(trial.candidate) == candidate) return trial;
    }
  }
  return std::nullopt;
}

int64_t CountAttempts(const storage::Store& store) {
  int64_t count = 0;
  for (const search::Study& study : store.ListStudies(0, 1000).value()) {
    for (const search::Task& task : store.ListTasks(study.id, {}, {}).value()) {
      count += static_cast<int64_t>(store.ListAttempts(task.id).value().size());
    }
  }
  return count;
}

class CompareTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(SharedRun().finished.code, 0) << SharedRun().finished.output; }

  static const Comparison& comparison() { return SharedRun().comparison; }
  // The entry of a search or a final, by place, for the seed at place `seed_index`.
  static Json Entry(const char* list, size_t index, size_t seed_index) {
    return comparison().Results().at(list).at(index).at("seeds").at(seed_index);
  }
};

TEST_F(CompareTest, BestOfASearchIsItsBestTrial) {
  for (const size_t s : {0U, 1U}) {
    const Json entry = Entry("searches", 0, s);
    const auto store = comparison().OpenStore(entry.at("seed").get<int64_t>());
    const auto trials = TrialsOf(*store, "bits");
    ASSERT_EQ(trials.size(), 3U);
    const auto best = std::max_element(
        trials.begin(), trials.end(),
        [](const auto& a, const auto& b) { return Miou(a.measured) < Miou(b.measured); });
    EXPECT_DOUBLE_EQ(Number(entry, "value"), Miou(best->measured));
    EXPECT_EQ(Text(entry, "candidate"), search::Encode(best->candidate));
    EXPECT_EQ(entry.at("evaluations"), 3);
    EXPECT_EQ(entry.at("curve").size(), 3U);
    EXPECT_EQ(entry.at("curve").back(), entry.at("value"));
  }
}

TEST_F(CompareTest, LaterBitsKeepTheArchitectureThatWasFound) {
  const Json entry = Entry("searches", 2, 0);
  EXPECT_EQ(entry.at("evaluations"), 2);
  EXPECT_EQ(entry.at("evaluations_before"), 3);
  const auto store = comparison().OpenStore(1);
  std::set<std::string> architectures;
  for (const auto& trial : TrialsOf(*store, "architecture")) {
    architectures.insert(search::Encode(trial.candidate));
  }
  const size_t length = TrialsOf(*store, "architecture").at(0).candidate.choices.size();
  for (const auto& trial : TrialsOf(*store, "then-bits.1")) {
    search::Candidate architecture = trial.candidate;
    ASSERT_GT(architecture.choices.size(), length);
    architecture.choices.resize(length);
    EXPECT_TRUE(architectures.contains(search::Encode(architecture)));
  }
}

TEST_F(CompareTest, WinnersAreScoredOnTheSupernetOfTheOtherSeed) {
  const Json entry = Entry("searches", 0, 0);
  ASSERT_EQ(entry.at("seed"), 1);
  const auto store = comparison().OpenStore(2);
  const auto trial = FindTrial(*store, "again.", Text(entry, "candidate"));
  ASSERT_TRUE(trial.has_value());
  EXPECT_DOUBLE_EQ(Number(entry.at("again"), "2"), Miou(trial->measured));
  EXPECT_EQ(entry.at("again_mean"), entry.at("again").at("2"));
}

TEST_F(CompareTest, NetworksHaveTheValueAfterFineTuningWhereTheyAskForIt) {
  const Json tuned = Entry("finals", 1, 0);
  const Json best = Entry("searches", 0, 0);
  EXPECT_EQ(tuned.at("candidate"), best.at("candidate"));
  const auto store = comparison().OpenStore(1);
  const auto trials = TrialsOf(*store, Text(tuned, "study"));
  ASSERT_EQ(trials.size(), 1U);
  EXPECT_DOUBLE_EQ(Number(tuned, "value"), Miou(trials[0].finetuned));
  EXPECT_DOUBLE_EQ(Number(tuned, "before_finetuning"), Miou(trials[0].measured));
}

TEST_F(CompareTest, NetworkWithoutBitsHasTheArchitectureOfTheWinner) {
  const auto plain = Text(Entry("finals", 0, 0), "candidate");
  const auto best = Text(Entry("searches", 0, 0), "candidate");
  EXPECT_EQ(comparison().Results().at("finals").at(0).at("seeds").size(), 1U) << "final_seeds";
  EXPECT_EQ(best.rfind(plain + ".", 0), 0U) << plain << " of " << best;
  EXPECT_DOUBLE_EQ(Number(Entry("finals", 0, 0), "quantized_size_ratio"), 1);
}

TEST_F(CompareTest, HypervolumesShareOneReference) {
  const Json front = comparison().Results().at("front");
  EXPECT_EQ(front.at("objectives"), Json::array({"miou", "bitops"}));
  EXPECT_LE(Number(front.at("worst"), "miou"), Number(front.at("best"), "miou"));
  EXPECT_GE(Number(front.at("worst"), "bitops"), Number(front.at("best"), "bitops"));
  for (const Json& group : front.at("groups")) {
    for (const Json& entry : group.at("seeds")) {
      EXPECT_GE(Number(entry, "hypervolume"), 0);
      EXPECT_LE(Number(entry, "hypervolume"), 1);
      EXPECT_FALSE(entry.at("front").empty());
    }
  }
  // The two trials of the group, and the three that found its architecture.
  EXPECT_EQ(front.at("groups").at(1).at("seeds").at(0).at("evaluations"), 5);
}

TEST_F(CompareTest, TablesAndPicturesNameEverySearch) {
  for (const char* label : {"bits", "architecture", "Then bits", "float", "tuned"}) {
    EXPECT_NE(comparison().Text("table.md").find(std::string("| ") + label + " |"),
              std::string::npos)
        << label;
  }
  EXPECT_NE(comparison().Text("curves.svg").find(">Then bits<"), std::string::npos);
  EXPECT_NE(comparison().Text("front.svg").find(">one after the other<"), std::string::npos);
}

TEST_F(CompareTest, SecondRunRepeatsNothing) {
  const std::string before = comparison().Text("results.json");
  const int64_t attempts = CountAttempts(*comparison().OpenStore(1));
  const Finished again = comparison().Run();
  EXPECT_EQ(again.code, 0) << again.output;
  EXPECT_EQ(comparison().Text("results.json"), before);
  EXPECT_EQ(CountAttempts(*comparison().OpenStore(1)), attempts);
}

TEST(CompareCommandTest, UnknownKeyIsAClearError) {
  Json experiment = SmallExperiment();
  experiment["searches"][0]["trails"] = 5;
  const Comparison comparison(experiment);
  const Finished finished = comparison.Run();
  EXPECT_EQ(finished.code, 1);
  EXPECT_NE(finished.output.find("/searches/0: unknown key \"trails\"; known: label, study"),
            std::string::npos)
      << finished.output;
  EXPECT_EQ(finished.output.find("Traceback"), std::string::npos);
}

TEST(CompareCommandTest, KeyGivenTwiceIsNamedByItsPointer) {
  const Comparison comparison(SmallExperiment());
  std::string text = ReadFile(comparison.file()).value();
  const size_t at = text.find("\"label\"");
  ASSERT_NE(at, std::string::npos);
  text.insert(at, "\"label\": \"a\", ");
  ASSERT_TRUE(WriteFileAtomically(comparison.file(), text).ok());
  const Finished finished = comparison.Run();
  EXPECT_EQ(finished.code, 1);
  EXPECT_NE(finished.output.find("/finals/0/label: this key is given twice"), std::string::npos)
      << finished.output;
}

TEST(CompareCommandTest, SignalEndsTheServerToo) {
  const Comparison comparison(SmallExperiment());
  Process process(comparison.Command());
  const std::string log = comparison.out() + "/seed-1/server.log";
  ASSERT_TRUE(Eventually([&] { return !LineAfter(log, "listening").empty(); }));
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kLimit), 143);
  // A server that still ran would hold the lock of the store.
  comparison.OpenStore(1);
}

TEST(CompareCommandTest, EveryExperimentIsValid) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DeployFile("experiments"))) {
    if (entry.path().extension() != ".json") continue;
    const Finished finished = RunToEnd(
        Python({DeployFile("compare.py"), entry.path().string(), "--check", "--bin", BinDir()}));
    EXPECT_EQ(finished.code, 0) << finished.output;
    ++found;
  }
  EXPECT_GE(found, 2);
}

TEST(CompareCommandTest, ExamplesInTheMathsHold) {
  const Finished finished = RunToEnd(Python({"-m", "doctest", DeployFile("compare_report.py")}));
  EXPECT_EQ(finished.code, 0) << finished.output;
}

}  // namespace
}  // namespace voxbit::testing
