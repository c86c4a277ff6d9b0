// The experiment of Sharpiless/Point-Transformers-with-Quantization on the spec of its network: the
// sizes of its log, and of the whole model.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "search/bits/bit_budget.h"
#include "search/cost/cost_model.h"
#include "supernet/models/specs.h"

namespace voxbit::search {
namespace {

class SeedNetworkTest : public ::testing::Test {
 protected:
  SeedNetworkTest() : models_("cost model") {
    SupernetSpecRegistry registry("supernet");
    supernet::RegisterBuiltinSpecs(registry);
    const Json quantization = {{"weight_bits", {2, 4}},
                               {"pinned", {"backbone.fc1", "transformers.3", "fc3"}}};
    spec_ = registry.Find("point_transformer")
                .value()({{"kind", "point_transformer"}, {"quantization", quantization}}, "")
                .value();
    cost::RegisterBuiltins(models_);
    for (size_t d = 0; d < spec_->space().size(); ++d) {
      const Dimension& dimension = spec_->space().dimensions()[d];
      if (dimension.name.find(".weight_bits") == std::string::npos) continue;
      decisions_.push_back({dimensions_.size(), BitKind::kWeight, dimension.choices});
      dimensions_.push_back(d);
    }
  }

  LayerTable Layers(const Bits& bits) const {
    Candidate candidate = spec_->space().Largest();
    for (size_t i = 0; i < bits.size(); ++i) {
      candidate.choices[dimensions_[i]] = bits[i] == 2 ? 0 : 1;
    }
    return spec_->Expand(candidate, /*in_channels=*/22, /*num_classes=*/50);
  }
  double Cost(const std::string& metric, const Bits& bits) const {
    return (*models_.Find(metric))()->Cost(Layers(bits), {}).value();
  }
  double Percent(const Bits& bits) const { return 100 * Cost("quantized_size_ratio", bits); }

  // Bits of 4 but for 2 at `low`.
  Bits With(const std::set<size_t>& low) const {
    Bits bits(decisions_.size(), 4);
    for (const size_t i : low) bits[i] = 2;
    return bits;
  }
  // The same behind the wall at a tenth of the float size.
  Bits Walled(const std::set<size_t>& low) const {
    Bits bits = With(low);
    const BitCost cost = [&](const Bits& tried) { return Cost("quantized_size_ratio", tried); };
    EXPECT_TRUE(LowerToBudget(decisions_, cost, 0.1, {.step = BitWall::Step::kLowestLevel}, bits));
    return bits;
  }
  // Of episode 74.
  Bits BestPolicy() const {
    std::set<size_t> low = {4, 40, 42, 45, 46, 56, 57, 58, 59, 60, 65};
    for (size_t i = 75; i < 100; ++i) low.insert(i);
    return With(low);
  }

  cost::CostModelRegistry models_;
  std::unique_ptr<SupernetSpec> spec_;
  std::vector<BitDecision> decisions_;
  std::vector<size_t> dimensions_;
};

TEST_F(SeedNetworkTest, QuantizesAHundredOfItsLayers) {
  const LayerTable layers = Layers({});
  EXPECT_EQ(layers.size(), 114U);
  ASSERT_EQ(decisions_.size(), 100U);
  EXPECT_EQ(spec_->space().dimensions()[dimensions_[0]].name,
            "backbone.transformer1.fc1.weight_bits");
  EXPECT_EQ(spec_->space().dimensions()[dimensions_[99]].name, "transformers.2.w_vs.weight_bits");
  int64_t chosen = 0;
  int64_t all = 0;
  for (const LayerSpec& layer : layers) {
    all += layer.WeightCount();
    if (layer.chooses_weight_bits) chosen += layer.WeightCount();
    EXPECT_EQ(layer.largest_chosen_weights, 17741120);
  }
  EXPECT_EQ(chosen, 17741120);
  EXPECT_EQ(all, 19359360);
}

TEST_F(SeedNetworkTest, BestPolicyHasThePublishedRatio) {
  EXPECT_NEAR(Cost("quantized_size_ratio", BestPolicy()), 0.099807, 5e-7);
  // The wall made it and leaves it as it is.
  Bits bits = BestPolicy();
  const BitCost cost = [&](const Bits& tried) { return Cost("quantized_size_ratio", tried); };
  EXPECT_TRUE(LowerToBudget(decisions_, cost, 0.1, {}, bits));
  EXPECT_EQ(bits, BestPolicy());
}

// The log's last nine episodes: what was at 2 bits before the wall began its tail of 2, and the
// share that the log gives. Source: search.log of that repository.
TEST_F(SeedNetworkTest, LoggedEpisodesHaveTheirRatios) {
  struct Episode {
    int number;
    std::set<size_t> low;
    size_t tail;  // from here to the end
    double percent;
  };
  const std::vector<Episode> episodes = {
      {74, {4, 40, 42, 45, 46, 56, 57, 58, 59, 60, 65}, 75, 9.9807},
      {75, {14, 32, 55}, 60, 9.9129},
      {76, {}, 57, 9.9355},
      {77, {6, 30}, 60, 9.9360},
      {78, {40}, 59, 9.9360},
      {79, {22, 46}, 59, 9.9355},
      {80, {}, 57, 9.9355},
      {81, {5, 11, 15}, 60, 9.9786},
      {82, {0, 35, 49}, 60, 9.9764},
  };
  for (const Episode& episode : episodes) {
    std::set<size_t> low = episode.low;
    for (size_t i = episode.tail; i < decisions_.size(); ++i) low.insert(i);
    EXPECT_NEAR(Percent(With(low)), episode.percent, 5e-5) << "episode " << episode.number;
  }
}

TEST_F(SeedNetworkTest, TheWallEndsForAllAtTheMaximum) {
  EXPECT_EQ(Percent(With({})), 12.5);
  EXPECT_EQ(Percent(Bits(decisions_.size(), 2)), 6.25);
  // Where the original never ends, because the lowest bits that were chosen are the highest. As in
  // episodes 76 and 80, the last 43 layers are lowered.
  Bits cut(57, 4);
  cut.resize(decisions_.size(), 2);
  EXPECT_EQ(Walled({}), cut);
  EXPECT_EQ(Walled({99}), cut);
  EXPECT_NEAR(Percent(cut), 9.9355, 5e-5);
}

TEST_F(SeedNetworkTest, WholeModelIsLargerThanTheRatioSays) {
  std::map<int64_t, double> codebooks;  // bytes, by bits
  const Bits bits = BestPolicy();
  for (const int64_t b : bits) codebooks[b] += 4.0 * static_cast<double>(int64_t{1} << b);
  const double quantized = Cost("quantized_size_ratio", bits) * 4 * 17741120;
  const double pinned = 4.0 * 1618240;
  const double biases_and_norms = 4.0 * (19397362 - 19359360);
  const double statistics = 4.0 * 2 * (2 * (64 + 128 + 256 + 512) + 2 * (256 + 128 + 64 + 32));
  const double size = Cost("size_bytes", bits);
  // Weights are packed to whole bytes layer by layer.
  EXPECT_NEAR(
      size, quantized + codebooks[2] + codebooks[4] + pinned + biases_and_norms + statistics, 100);
  EXPECT_NEAR(size / (4.0 * 19397362 + statistics), 0.177, 5e-4);
}

}  // namespace
}  // namespace voxbit::search
