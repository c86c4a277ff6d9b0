// Statistics and ranges of a candidate: what they rest on, and what they must not depend on.
#include "worker/train/bn_calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "supernet/nn/elastic.h"
#include "supernet/nn/elastic_layer.h"
#include "tests/train/train_fixture.h"
#include "worker/train/evaluator.h"

namespace voxbit::train {
namespace {

std::shared_ptr<supernet::Supernet> MakeNetOf(const ScanSource& source, const Json& config) {
  supernet::SupernetRegistry registry("supernet");
  supernet::RegisterBuiltinSupernets(registry);
  const auto make = registry.Find(config.at("kind").get<std::string>()).value();
  return make(config, "", source.dataset().num_features(), source.dataset().num_classes(), 1)
      .value();
}

std::unique_ptr<EvaluationSet> TrainScans(ScanSource& source, std::vector<int64_t> scans,
                                          const BatchLimit& limit) {
  return std::make_unique<EvaluationSet>(source, data::Split::kTrain, std::move(scans), limit,
                                         at::Device(at::kCPU));
}

// Small objects of four classes.
std::unique_ptr<ScanSource> OpenObjects(int64_t train_objects = 32) {
  auto dataset = data::OpenDataset(data::BuiltinDatasets(),
                                   {{"kind", "synthetic_objects"},
                                    {"task", "class"},
                                    {"points", 32},
                                    {"object_points", 64},
                                    {"train_objects", train_objects},
                                    {"val_objects", 16},
                                    {"test_objects", 0},
                                    {"features", {"x", "y", "z"}}},
                                   "/dataset");
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return std::make_unique<ScanSource>(std::move(dataset).value(),
                                      std::make_shared<ByteBudget>(int64_t{1} << 28));
}

Json SmallPct() {
  return {{"kind", "pct"}, {"channels", 8}, {"picked", {16, 8}}, {"neighbours", {4}}};
}

std::vector<at::Tensor> StatisticsFrom(supernet::Network& net, EvaluationSet& samples) {
  const BatchNormGuard guard(net);
  const Status status = CalibrateBatchNorm(net, samples, {});
  EXPECT_TRUE(status.ok()) << status;
  return net.SaveBatchNorm().buffers;
}

// The first batch norm reads what no other one has touched.
TEST(CalibrationTest, StatisticsAreThoseOfAllRowsWhateverTheBatches) {
  const auto source = OpenTiny();
  const auto net = MakeTinyNet(*source);
  const std::vector<int64_t> scans = {0, 1, 2, 3};
  const auto whole = StatisticsFrom(*net, *TrainScans(*source, scans, {}));
  for (const int64_t batch : {1, 2, 3}) {
    const auto divided = StatisticsFrom(*net, *TrainScans(*source, scans, {.scans = batch}));
    // Relative to single precision; sums are taken in blocks of rows, which differ.
    EXPECT_TRUE(at::allclose(divided[0], whole[0], 1e-4, 1e-6)) << batch;
    EXPECT_TRUE(at::allclose(divided[1], whole[1], 1e-4, 1e-6)) << batch;
  }
}

TEST(CalibrationTest, SmallSetsAreOneBatch) {
  const auto source = OpenTiny();
  const auto samples = CalibrationSamples(*source, 4, at::Device(at::kCPU));
  const auto net = MakeTinyNet(*source);
  const auto statistics = StatisticsFrom(*net, *samples);
  EXPECT_EQ(samples->num_batches(), 1);
  EXPECT_EQ(samples->num_scans(), 4);
  const auto objects = OpenObjects();
  const auto many = CalibrationSamples(*objects, 1000, at::Device(at::kCPU));
  StatisticsFrom(*MakeNetOf(*objects, SmallPct()), *many);
  EXPECT_EQ(many->num_scans(), 32);
  EXPECT_EQ(many->num_batches(), 1);
}

TEST(CalibrationTest, SamplesComeFromEverywhereInNoOrderOfTheirOwn) {
  const auto source = OpenObjects();
  const auto samples = CalibrationSamples(*source, 16, at::Device(at::kCPU));
  std::vector<std::string> names;
  ASSERT_TRUE(samples
                  ->ForEach(
                      [&](const Batch& batch) {
                        for (const auto& sample : batch.samples) names.push_back(sample.name);
                        return OkStatus();
                      },
                      {})
                  .ok());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 16U);
  EXPECT_FALSE(std::is_sorted(names.begin(), names.end()));
}

TEST(CalibrationTest, ANormThatSeesASingleRowOfAllSamplesKeepsItsStatistics) {
  const auto source = OpenObjects(/*train_objects=*/1);
  const auto net = MakeNetOf(*source, SmallPct());
  const supernet::TensorMap before = CopyOf(net->NamedTensors());
  const auto samples = CalibrationSamples(*source, 8, at::Device(at::kCPU));
  const Status status = CalibrateBatchNorm(*net, *samples, {});
  EXPECT_TRUE(status.ok()) << status;
  int64_t kept = 0;
  int64_t taken = 0;
  for (const auto& [name, tensor] : net->NamedTensors()) {
    if (!name.ends_with("running_var")) continue;
    EXPECT_TRUE(at::isfinite(tensor).all().item<bool>()) << name;
    ++(at::equal(tensor, before.at(name)) ? kept : taken);
  }
  EXPECT_GE(kept, 1);   // of the head
  EXPECT_GE(taken, 1);  // of the points
}

// Of the layer that reads the features as they are: every value of every sample counts.
TEST(CalibrationTest, RangesHoldTheExtremesOfAllSamples) {
  const auto source = OpenTiny();
  const auto net = MakeNetOf(*source, {{"kind", "spvnas"},
                                       {"width", 0.25},
                                       {"quantization",
                                        {{"weight_bits", {8}},
                                         {"activation_bits", {8}},
                                         {"pinned", Json::array()},
                                         {"calibration", "range"},
                                         {"activation_limit", 1e6}}}});
  const search::Candidate largest = net->spec().space().Largest();
  const auto first_range = [&](std::vector<int64_t> scans, const BatchLimit& limit) {
    const auto alone = net->Standalone(largest);
    const Status status =
        CalibrateRanges(*alone, *TrainScans(*source, std::move(scans), limit), {});
    EXPECT_TRUE(status.ok()) << status;
    return alone->NamedTensors().at("stem.0.input_quantizer.range").item<float>();
  };
  std::vector<float> each;
  for (int64_t scan = 0; scan < 4; ++scan) each.push_back(first_range({scan}, {}));
  const auto most = std::max_element(each.begin(), each.end());
  ASSERT_LT(*std::min_element(each.begin(), each.end()), *most);
  std::vector<int64_t> order = {0, 1, 2, 3};
  std::swap(order.back(), order[static_cast<size_t>(most - each.begin())]);  // the widest one last
  EXPECT_EQ(first_range(order, {.scans = 1}), *most);
  EXPECT_EQ(first_range(order, {.scans = 2}), *most);
  EXPECT_EQ(first_range(order, {}), *most);
}

}  // namespace
}  // namespace voxbit::train
