#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/data/data_folders.h"
#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

search::Measurement Latency(const Result<search::TaskResult>& result) {
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->measurements.size(), 1U);
  return result->measurements.at(0);
}

TEST_F(ExecTest, LatencyIsAMedianWithItsSpreadAndSurroundings) {
  search::TaskSpec spec =
      Spec(search::TaskKind::kMeasureLatency, {{"warmup", 1}, {"repeats", 5}, {"threads", 1}});
  spec.target = "local";
  const search::Measurement latency = Latency(Run(spec));
  EXPECT_EQ(latency.metric, "latency_ms");
  EXPECT_EQ(latency.target, "local");
  EXPECT_EQ(latency.samples, 5);
  EXPECT_GT(latency.value, 0);
  EXPECT_GE(latency.spread, 0);
  EXPECT_LE(latency.detail.at("min_ms").get<double>(), latency.value);
  EXPECT_GE(latency.detail.at("max_ms").get<double>(), latency.value);
  EXPECT_EQ(latency.detail.at("threads"), 1);
  EXPECT_EQ(latency.detail.at("device"), "cpu");
  EXPECT_FALSE(latency.detail.at("device_model").get<std::string>().empty());
  EXPECT_FALSE(latency.detail.contains("arithmetic"));
}

// A validation split of scans of very different sizes, in an order of one's own.
class LatencyOrderTest : public ExecTest {
 protected:
  void SetUp() override {
    ExecTest::SetUp();
    data::WriteSmallFolder(folder_.path());
    for (const auto& [name, points] : sizes_) {
      std::vector<float> values;
      for (int i = 0; i < points; ++i) {
        values.insert(values.end(), {static_cast<float>(i), 0, 0, 0.5F});
      }
      data::WriteArray(folder_.path() + "/velodyne/" + name + ".bin", values);
      data::WriteArray(folder_.path() + "/labels/" + name + ".label",
                       std::vector<uint32_t>(static_cast<size_t>(points), 10));
    }
  }

  Result<search::TaskResult> Measure(const std::vector<std::string>& order, Json settings,
                                     search::TaskKind kind = search::TaskKind::kMeasureLatency) {
    std::string list;
    for (const std::string& name : order) list += name + "\n";
    data::WriteText(folder_.path() + "/val.txt", list);
    const auto dataset = data::ParseDatasetConfig(
        data::BuiltinDatasets(),
        {{"kind", "semantic_kitti"}, {"root", folder_.path()}, {"voxel_m", 1}}, "/dataset");
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *dataset;
    return Run(Spec(kind, std::move(settings)));
  }

  // What was measured of each sample but for its times.
  Json Samples(const std::vector<std::string>& order, const Json& settings) {
    const search::Measurement latency = Latency(Measure(order, settings));
    double sum = 0;
    double spread = 0;
    int64_t runs = 0;
    Json samples = Json::array();
    for (Json sample : latency.detail.at("samples")) {
      sum += sample.at("median_ms").get<double>();
      spread += sample.at("spread_ms").get<double>();
      runs += sample.at("runs").get<int64_t>();
      sample.erase("median_ms");
      sample.erase("spread_ms");
      samples.push_back(std::move(sample));
    }
    const auto num = static_cast<double>(samples.size());
    EXPECT_NEAR(latency.value, sum / num, 1e-9 * latency.value);
    EXPECT_NEAR(latency.spread, spread / num, 1e-9 * latency.value);
    EXPECT_EQ(latency.samples, runs);
    return samples;
  }

  const std::vector<std::pair<std::string, int>> sizes_ = {{"tiny", 4}, {"twin", 40}, {"same", 40},
                                                           {"mid", 90}, {"big", 300}, {"void", 0}};
  const testing::TempDir folder_;
};

TEST_F(LatencyOrderTest, MeasuresTheSameSamplesInEveryOrderOfTheSplit) {
  const Json settings = {{"warmup", 0}, {"repeats", 7}, {"samples", 3}};
  const Json expected = {{{"name", "tiny"}, {"voxels", 4}, {"runs", 2}},
                         {{"name", "twin"}, {"voxels", 40}, {"runs", 2}},
                         {{"name", "big"}, {"voxels", 300}, {"runs", 3}}};
  for (const std::vector<std::string>& order :
       {std::vector<std::string>{"tiny", "same", "twin", "mid", "big", "void"},
        std::vector<std::string>{"void", "big", "mid", "twin", "same", "tiny"},
        std::vector<std::string>{"twin", "tiny", "big", "void", "same", "mid"}}) {
    EXPECT_EQ(Samples(order, settings), expected);
  }
}

TEST_F(LatencyOrderTest, OneSampleIsThatOfMiddleSizeAndMoreThanThereAreAreAll) {
  const std::vector<std::string> order = {"big", "tiny", "mid"};
  EXPECT_EQ(Samples(order, {{"warmup", 0}, {"repeats", 2}, {"samples", 1}}),
            Json::array({{{"name", "mid"}, {"voxels", 90}, {"runs", 2}}}));
  EXPECT_EQ(Samples(order, {{"warmup", 0}, {"repeats", 2}, {"samples", 20}}).size(), 3U);
}

TEST_F(LatencyOrderTest, TheProfileIsTheSameInEveryOrderOfTheSplit) {
  const auto profile = [&](const std::vector<std::string>& order) {
    const auto result = Measure(order, {{"max_scans", 2}}, search::TaskKind::kProfile);
    EXPECT_TRUE(result.ok()) << result.status();
    return result->detail.at("workload");
  };
  const Json first = profile({"tiny", "same", "mid", "big"});
  EXPECT_EQ(profile({"big", "mid", "same", "tiny"}), first);
  EXPECT_EQ(profile({"mid", "tiny", "big", "same"}), first);
}

TEST_F(ExecTest, ALargerSubNetworkTakesLonger) {
  search::TaskSpec spec = Spec(search::TaskKind::kMeasureLatency, {{"warmup", 2}, {"repeats", 9}});
  const search::Measurement small = Latency(Run(spec));
  spec.candidate = spec_->space().Largest();
  const search::Measurement large = Latency(Run(spec));
  EXPECT_GT(large.detail.at("min_ms").get<double>(), small.detail.at("min_ms").get<double>());
}

TEST_F(ExecTest, MeasuringPutsTheNumberOfThreadsBack) {
  executor_ = MakeExecutor({.device = "cpu", .threads = 1});
  ASSERT_TRUE(Run(Spec(search::TaskKind::kMeasureLatency, {{"repeats", 1}, {"threads", 2}})).ok());
  EXPECT_EQ(at::get_num_threads(), 1);
}

}  // namespace
}  // namespace voxbit::worker
