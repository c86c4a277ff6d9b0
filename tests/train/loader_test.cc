#include "worker/train/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/data/data_folders.h"
#include "tests/train/train_fixture.h"
#include "worker/train/class_weights.h"

namespace voxbit::train {
namespace {

std::vector<std::string> NamesOf(const Batch& batch) {
  std::vector<std::string> names;
  for (const Batch::Sample& sample : batch.samples) names.push_back(sample.name);
  return names;
}

TEST(LoaderTest, EveryEpochIsAPermutationOfItsOwn) {
  std::vector<int64_t> first = EpochOrder(50, 1, 0);
  const std::vector<int64_t> second = EpochOrder(50, 1, 1);
  EXPECT_EQ(first, EpochOrder(50, 1, 0));
  EXPECT_NE(first, second);
  EXPECT_NE(first, EpochOrder(50, 2, 0));
  std::sort(first.begin(), first.end());
  std::vector<int64_t> all(50);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(first, all);
}

TEST(LoaderTest, EqualSeedsGiveEqualTrainingBatches) {
  const auto source = OpenTiny();
  const auto one = TrainingBatches(*source, 5, 3, 9, at::kCPU);
  const auto same = TrainingBatches(*source, 5, 3, 9, at::kCPU);
  const auto other = TrainingBatches(*source, 5, 3, 10, at::kCPU);
  bool differs = false;
  for (int step = 0; step < 5; ++step) {
    const Batch a = one->Next({}).value();
    const Batch b = same->Next({}).value();
    const Batch c = other->Next({}).value();
    EXPECT_EQ(NamesOf(a), NamesOf(b));
    EXPECT_TRUE(at::equal(a.input.voxels.coords, b.input.voxels.coords));
    EXPECT_TRUE(at::equal(a.input.voxels.feats, b.input.voxels.feats));
    EXPECT_TRUE(at::equal(a.labels, b.labels));
    differs = differs || !at::equal(a.labels, c.labels);
  }
  EXPECT_TRUE(differs);
}

TEST(LoaderTest, AScanIsAugmentedAnewInEveryEpoch) {
  const auto source = OpenTiny({{"train_scans", 1}});
  const auto batches = TrainingBatches(*source, 2, 1, 1, at::kCPU);
  const Batch first = batches->Next({}).value();
  const Batch second = batches->Next({}).value();
  EXPECT_EQ(NamesOf(first), NamesOf(second));
  EXPECT_FALSE(at::equal(first.input.voxels.coords, second.input.voxels.coords));
}

TEST(LoaderTest, CloudsAreAugmentedInTrainingOnly) {
  const auto source = OpenClouds(data::Scoring::kParts);
  const auto batches = TrainingBatches(*source, 2, 12, 1, at::kCPU);
  const Batch first = batches->Next({}).value();
  EXPECT_EQ(first.input.clouds.sizes(), at::IntArrayRef({12, 48, 5}));
  EXPECT_FALSE(at::equal(first.input.clouds, batches->Next({}).value().input.clouds));
  const int64_t scan = 3;
  const auto evaluate = [&] {
    return EvaluationBatch(*source, data::Split::kTrain, std::span(&scan, 1), at::kCPU).value();
  };
  EXPECT_TRUE(at::equal(evaluate().input.clouds, evaluate().input.clouds));
}

TEST(LoaderTest, EvaluationBatchesStayInMemoryWhileTheBudgetLasts) {
  const auto source = OpenTiny();
  const auto scans = WholeSplit(*source, data::Split::kVal, 1);
  const auto visit = [](const Batch&) { return OkStatus(); };
  ASSERT_TRUE(scans->ForEach(visit, {}).ok());
  EXPECT_EQ(scans->num_resident(), 2);

  const auto poor = OpenTiny(Json::object(), /*cache_bytes=*/0);
  const auto fleeting = WholeSplit(*poor, data::Split::kVal, 1);
  ASSERT_TRUE(fleeting->ForEach(visit, {}).ok());
  EXPECT_EQ(fleeting->num_resident(), 0);
}

TEST(LoaderTest, ResidentAndRebuiltBatchesAreEqualAndInOrder) {
  const auto rich = OpenTiny();
  const auto poor = OpenTiny(Json::object(), /*cache_bytes=*/0);
  std::vector<std::string> names;
  std::vector<at::Tensor> feats;
  for (ScanSource* source : {rich.get(), poor.get()}) {
    const auto scans = WholeSplit(*source, data::Split::kVal, 1);
    for (int pass = 0; pass < 2; ++pass) {
      ASSERT_TRUE(scans
                      ->ForEach(
                          [&](const Batch& batch) {
                            names.push_back(batch.samples.at(0).name);
                            feats.push_back(batch.input.voxels.feats);
                            return OkStatus();
                          },
                          {})
                      .ok());
    }
  }
  ASSERT_EQ(names.size(), 8U);
  for (size_t i = 2; i < names.size(); ++i) {
    EXPECT_EQ(names[i], names[i % 2]);
    EXPECT_TRUE(at::equal(feats[i], feats[i % 2]));
  }
}

// The numbers of rows of the batches of one pass.
std::vector<int64_t> RowsOfBatches(EvaluationSet& scans) {
  std::vector<int64_t> rows;
  const Status status = scans.ForEach(
      [&](const Batch& batch) {
        rows.push_back(batch.num_rows());
        return OkStatus();
      },
      {});
  EXPECT_TRUE(status.ok()) << status;
  return rows;
}

TEST(LoaderTest, BatchesTakeAsManyScansAsFitInPassesAlike) {
  const auto source = OpenTiny();
  const auto alone = WholeSplit(*source, data::Split::kTrain, 1);
  const std::vector<int64_t> sizes = RowsOfBatches(*alone);
  ASSERT_EQ(sizes.size(), 4U);
  const auto batches_of = [&](int64_t rows, int64_t cache_bytes) {
    const auto fresh = OpenTiny(Json::object(), cache_bytes);
    EvaluationSet scans(*fresh, data::Split::kTrain, SpreadIndices(4, 4), {.rows = rows}, at::kCPU);
    const std::vector<int64_t> first = RowsOfBatches(scans);
    EXPECT_EQ(RowsOfBatches(scans), first);
    EXPECT_EQ(scans.num_batches(), static_cast<int64_t>(first.size()));
    return first;
  };
  const int64_t all = sizes[0] + sizes[1] + sizes[2] + sizes[3];
  const int64_t half_batch = 1500 * (sizes[0] + sizes[1]);  // bytes: some are kept, some are not
  for (const int64_t cache_bytes : {int64_t{0}, half_batch, int64_t{1} << 28}) {
    EXPECT_EQ(batches_of(all, cache_bytes), std::vector<int64_t>({all}));
    EXPECT_EQ(batches_of(all - 1, cache_bytes), std::vector<int64_t>({all - sizes[3], sizes[3]}));
    EXPECT_EQ(batches_of(1, cache_bytes), sizes);
    EXPECT_EQ(batches_of(sizes[0] + sizes[1], cache_bytes).front(), sizes[0] + sizes[1]);
  }
}

TEST(LoaderTest, APassThatWasCutShortIsTakenUp) {
  const auto source = OpenTiny();
  const auto scans = WholeSplit(*source, data::Split::kTrain, 1);
  const auto refuse = [](const Batch&) { return Unavailable("enough"); };
  EXPECT_EQ(scans->ForEach(refuse, {}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(scans->num_resident(), 1);
  EXPECT_EQ(RowsOfBatches(*scans), RowsOfBatches(*WholeSplit(*source, data::Split::kTrain, 1)));
}

TEST(LoaderTest, GivesItsBytesBack) {
  const auto source = OpenTiny();
  ASSERT_TRUE(source->Load(data::Split::kVal, 0).ok());
  ASSERT_TRUE(source->Load(data::Split::kVal, 1).ok());
  const int64_t before = source->budget()->left();
  {
    const auto scans = WholeSplit(*source, data::Split::kVal);
    ASSERT_TRUE(scans->ForEach([](const Batch&) { return OkStatus(); }, {}).ok());
    EXPECT_LT(source->budget()->left(), before);
  }
  EXPECT_EQ(source->budget()->left(), before);
}

TEST(LoaderTest, StopsWhenAsked) {
  const auto source = OpenTiny();
  std::stop_source stop;
  stop.request_stop();
  const auto scans = WholeSplit(*source, data::Split::kVal);
  EXPECT_EQ(scans->ForEach([](const Batch&) { return OkStatus(); }, stop.get_token()).code(),
            StatusCode::kCancelled);
  const auto batches = TrainingBatches(*source, 3, 1, 1, at::kCPU);
  EXPECT_EQ(batches->Next(stop.get_token()).status().code(), StatusCode::kCancelled);
}

TEST(LoaderTest, PassesOnWhatTheDatasetSays) {
  const auto source = OpenTiny({{"features", {"x", "y", "z"}}});
  EvaluationSet beyond(*source, data::Split::kVal, {5}, {.scans = 1}, at::kCPU);
  EXPECT_EQ(beyond.ForEach([](const Batch&) { return OkStatus(); }, {}).code(),
            StatusCode::kInvalidArgument);
}

TEST(LoaderTest, ThrowsInTheConsumerWhatTheMakerThrew) {
  BatchQueue queue([](int64_t) -> Result<Batch> { throw std::runtime_error("no memory"); }, 2, 1);
  EXPECT_THROW((void)queue.Next({}), std::runtime_error);
}

TEST(LoaderTest, SpreadsIndicesEvenlyButNotInStep) {
  EXPECT_EQ(SpreadIndices(3, 8), std::vector<int64_t>({0, 1, 2}));
  EXPECT_EQ(SpreadIndices(5, 5), std::vector<int64_t>({0, 1, 2, 3, 4}));
  const std::vector<int64_t> spread = SpreadIndices(2048, 64);
  EXPECT_EQ(SpreadIndices(2048, 64), spread);
  ASSERT_EQ(spread.size(), 64U);
  std::set<int64_t> categories;  // where 16 of them come in turn
  for (size_t i = 0; i < spread.size(); ++i) {
    EXPECT_EQ(spread[i] / 32, static_cast<int64_t>(i));
    categories.insert(spread[i] % 16);
  }
  EXPECT_GE(categories.size(), 14U);
}

// Training scans a, b, ..., each with as many points of class 0 as `labels` says: 0 for a scan
// without points, -1 for one whose points are all ignored. Validation has "v0" (empty) and "v1".
class LeftOutTest : public ::testing::Test {
 protected:
  std::unique_ptr<ScanSource> Open(const std::vector<int>& training) {
    data::WriteSmallFolder(folder_.path());
    std::string names;
    for (size_t i = 0; i < training.size(); ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      names += name + "\n";
      Write(name, training[i]);
    }
    data::WriteText(folder_.path() + "/train.txt", names);
    Write("v0", 0);
    Write("v1", 3);
    data::WriteText(folder_.path() + "/val.txt", "v0\nv1\n");
    auto dataset = data::OpenFolder(folder_.path());
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return std::make_unique<ScanSource>(std::move(dataset).value(),
                                        std::make_shared<ByteBudget>(int64_t{1} << 20));
  }

  void Write(const std::string& name, int points) {
    std::vector<float> values;
    for (int i = 0; i < std::abs(points); ++i) {
      values.insert(values.end(), {static_cast<float>(i + 1), 0, 0, 0});
    }
    const std::vector<uint32_t> labels(values.size() / 4, points < 0 ? 0 : 10);
    data::WriteArray(folder_.path() + "/velodyne/" + name + ".bin", values);
    data::WriteArray(folder_.path() + "/labels/" + name + ".label", labels);
  }

  const testing::TempDir folder_;
};

TEST_F(LeftOutTest, TrainingPassesOverScansWithoutLabelsAndSaysOnceHowMany) {
  const auto source = Open({3, -2, 4, 0, 5});
  ::testing::internal::CaptureStderr();
  std::multiset<std::string> seen;
  for (int training = 0; training < 2; ++training) {
    const auto batches = TrainingBatches(*source, 3, 2, 1, at::kCPU);
    for (int step = 0; step < 3; ++step) {
      const auto batch = batches->Next({});
      ASSERT_TRUE(batch.ok()) << batch.status();
      EXPECT_GT(batch->num_labelled, 0);
      for (const std::string& name : NamesOf(*batch)) seen.insert(name);
    }
  }
  // Two epochs of the three that are left, twice.
  EXPECT_EQ(seen, (std::multiset<std::string>{"a", "a", "a", "a", "c", "c", "c", "c", "e", "e", "e",
                                              "e"}));
  const std::string log = ::testing::internal::GetCapturedStderr();
  const size_t warning = log.find("are left out");
  ASSERT_NE(warning, std::string::npos) << log;
  EXPECT_EQ(log.find("are left out", warning + 1), std::string::npos) << log;
  EXPECT_NE(log.find("scans=2"), std::string::npos) << log;
  EXPECT_NE(log.find("of=5"), std::string::npos) << log;
  EXPECT_NE(log.find("b.bin: no point of this training scan"), std::string::npos) << log;
}

TEST_F(LeftOutTest, TrainingWithoutASingleLabelIsAnErrorThatNamesAScan) {
  const auto source = Open({-2, 0});
  const auto batches = TrainingBatches(*source, 3, 2, 1, at::kCPU);
  const Status status = batches->Next({}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find("none of the scans of the split train"), std::string::npos);
  EXPECT_NE(status.message().find("a.bin: no point of this training scan"), std::string::npos)
      << status;
}

TEST_F(LeftOutTest, EvaluationAndCalibrationPassOverScansWithoutPoints) {
  const auto source = Open({0, 0, 3, -2});
  for (const int64_t batch : {1, 2}) {
    for (const data::Split split : {data::Split::kTrain, data::Split::kVal}) {
      const auto scans = WholeSplit(*source, split, batch);
      for (int pass = 0; pass < 2; ++pass) {
        std::vector<std::string> names;
        const Status status = scans->ForEach(
            [&](const Batch& visited) {
              for (const std::string& name : NamesOf(visited)) names.push_back(name);
              return OkStatus();
            },
            {});
        EXPECT_TRUE(status.ok()) << status;
        // Points without labels have statistics all the same.
        EXPECT_EQ(names, split == data::Split::kTrain ? std::vector<std::string>({"c", "d"})
                                                      : std::vector<std::string>({"v1"}));
      }
    }
  }
}

// Whoever has trained calibrates with the same samples as whoever has not.
TEST_F(LeftOutTest, WhatTrainingPassesOverChangesNoCalibration) {
  const auto source = Open({3, -2, 4});
  const auto scans = WholeSplit(*source, data::Split::kTrain, 1);
  const auto names_of_pass = [&] {
    std::vector<std::string> names;
    const Status status = scans->ForEach(
        [&](const Batch& visited) {
          for (const std::string& name : NamesOf(visited)) names.push_back(name);
          return OkStatus();
        },
        {});
    EXPECT_TRUE(status.ok()) << status;
    return names;
  };
  ASSERT_TRUE(source->budget()->Take(source->budget()->left()));  // no batch is kept
  const auto training = TrainingBatches(*source, 2, 2, 1, at::kCPU);
  for (int step = 0; step < 2; ++step) ASSERT_TRUE(training->Next({}).ok());
  EXPECT_TRUE(source->IsLeftOut(data::Split::kTrain, 1));
  EXPECT_EQ(names_of_pass(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(names_of_pass(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(LeftOutTest, ASplitWithoutPointsIsAnErrorThatNamesAScan) {
  const auto source = Open({0, 0});
  const Status status = WholeSplit(*source, data::Split::kTrain, 1)
                            ->ForEach([](const Batch&) { return OkStatus(); }, {});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find("a.bin: the scan has no points"), std::string::npos) << status;
}

TEST_F(LeftOutTest, ClassWeightsCountTheScansThatAreLeft) {
  const auto source = Open({3, -2, 0});
  const auto weights = ClassWeights("sqrt_inverse", *source, {});
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(*weights, (std::vector<float>{1, 1}));
}

TEST(IndicesByNameTest, AreTheSameScansWhateverTheOrderOfTheSplit) {
  const testing::TempDir folder;
  data::WriteSmallFolder(folder.path());
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) {
    names.push_back("s" + std::to_string(i));
    data::WriteArray(folder.path() + "/velodyne/" + names.back() + ".bin", data::ThreePoints());
    data::WriteArray<uint32_t>(folder.path() + "/labels/" + names.back() + ".label", {10, 10, 20});
  }
  std::vector<std::vector<std::string>> chosen;
  for (int turn = 0; turn < 3; ++turn) {
    std::rotate(names.begin(), names.begin() + 13, names.end());
    std::string list;
    for (const std::string& name : names) list += name + "\n";
    data::WriteText(folder.path() + "/val.txt", list);
    const auto dataset = data::OpenFolder(folder.path());
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    std::vector<std::string>& own = chosen.emplace_back();
    for (const int64_t index : IndicesByName(**dataset, data::Split::kVal, 8)) {
      own.push_back((*dataset)->Load(data::Split::kVal, index)->name);
    }
    EXPECT_EQ(IndicesByName(**dataset, data::Split::kVal, 100).size(), 40U);
  }
  EXPECT_EQ(chosen[0].size(), 8U);
  EXPECT_EQ(chosen[1], chosen[0]);
  EXPECT_EQ(chosen[2], chosen[0]);
}

}  // namespace
}  // namespace voxbit::train
