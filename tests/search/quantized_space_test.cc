// Costs, constraints and the budget wall on a space of architecture and bits: SPVNAS, quantized.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "search/algorithm/feasibility.h"
#include "search/bits/bit_budget.h"
#include "supernet/models/specs.h"
#include "supernet/quant/codes/methods.h"

namespace voxbit::search {
namespace {

std::unique_ptr<SupernetSpec> MakeSpec(const Json& quantization) {
  SupernetSpecRegistry registry("supernet");
  supernet::RegisterBuiltinSpecs(registry);
  return registry.Find("spvnas")
      .value()({{"kind", "spvnas"}, {"width", 0.25}, {"quantization", quantization}}, "")
      .value();
}

// Every count that a layer asks for.
Workload MakeWorkload(const SupernetSpec& spec) {
  Workload workload;
  workload.num_classes = 5;
  for (const LayerSpec& layer : spec.Expand(spec.space().Largest(), 4, 5)) {
    workload.counts.try_emplace(layer.workload, 100.0 + static_cast<double>(layer.workload.size()));
  }
  return workload;
}

cost::CostModelRegistry CostModels() {
  cost::CostModelRegistry models("cost model");
  cost::RegisterBuiltins(models);
  return models;
}

class QuantizedSpaceTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<CostFilter>> Filter(std::vector<Constraint> constraints) const {
    return CostFilter::Create(*spec_, models_, &workload_, std::move(constraints));
  }
  double Cost(const std::string& metric, const Candidate& candidate) const {
    return (*models_.Find(metric))()->Cost(spec_->Expand(candidate, 4, 5), workload_).value();
  }
  // The largest architecture with every width at a level, or at its highest where that is lower.
  Candidate UniformBits(int32_t level) const {
    Candidate candidate = spec_->space().Largest();
    for (size_t d = 0; d < candidate.choices.size(); ++d) {
      if (IsBits(d)) candidate.choices[d] = std::min(candidate.choices[d], level);
    }
    return candidate;
  }
  bool IsBits(size_t d) const {
    return spec_->space().dimensions()[d].name.find("_bits") != std::string::npos;
  }

  const cost::CostModelRegistry models_ = CostModels();
  const std::unique_ptr<SupernetSpec> spec_ =
      MakeSpec({{"weight_bits", {2, 4, 8}}, {"activation_bits", {4, 8}}});
  const Workload workload_ = MakeWorkload(*spec_);
};

TEST_F(QuantizedSpaceTest, CostsNeverFallWhenAChoiceRises) {
  std::vector<std::unique_ptr<SupernetSpec>> specs;
  for (const quant::Method& method : quant::Methods()) {
    if (!method.IsForWeights()) continue;
    for (const bool per_channel : {false, true}) {
      if (per_channel && method.coding == quant::MethodCoding::kCodebook) continue;
      specs.push_back(MakeSpec({{"weight_bits", {1, 2, 3, 4, 5, 6, 7, 8, 16, 32}},
                                {"activation_bits", {1, 4, 8, 32}},
                                {"weight_quantizer", method.name},
                                {"per_channel", per_channel},
                                {"pinned", Json::array()}}));
    }
  }
  Rng rng(1);
  for (const auto& spec : specs) {
    const SearchSpace& space = spec->space();
    const auto costs = [&](const Candidate& genes) {
      const LayerTable layers = spec->Expand(space.Canonical(genes), 4, 5);
      std::map<std::string, double> values;
      for (const auto& [metric, entry] : models_.entries()) {
        values[metric] = entry.factory()->Cost(layers, workload_).value();
      }
      return values;
    };
    for (int i = 0; i < 2; ++i) {
      const Candidate genes = i == 0 ? space.Smallest() : space.Sample(rng);
      const auto before = costs(genes);
      for (size_t d = 0; d < space.size(); ++d) {
        Candidate larger = genes;
        if (++larger.choices[d] == static_cast<int32_t>(space.dimensions()[d].choices.size())) {
          continue;
        }
        for (const auto& [metric, value] : costs(larger)) {
          EXPECT_GE(value, before.at(metric))
              << metric << " " << space.dimensions()[d].name << " " << spec->config();
        }
      }
    }
  }
}

TEST_F(QuantizedSpaceTest, RatioIsThatOfUniformBits) {
  EXPECT_EQ(Cost("quantized_size_ratio", UniformBits(0)), 2.0 / 32);
  EXPECT_EQ(Cost("quantized_size_ratio", UniformBits(1)), 4.0 / 32);
  const auto fixed = MakeSpec({{"pinned", {".*"}}});
  const auto model = (*models_.Find("quantized_size_ratio"))();
  EXPECT_EQ(model->Cost(fixed->Expand(fixed->space().Largest(), 4, 5), {}).value(), 1);
}

TEST_F(QuantizedSpaceTest, BitopsAreMacsTimesBothWidths) {
  const auto spec =
      MakeSpec({{"weight_bits", {4}}, {"activation_bits", {8}}, {"pinned", Json::array()}});
  const LayerTable layers = spec->Expand(spec->space().Largest(), 4, 5);
  const double macs = (*models_.Find("macs"))()->Cost(layers, workload_).value();
  EXPECT_EQ((*models_.Find("bitops"))()->Cost(layers, workload_).value(), 32 * macs);
}

TEST_F(QuantizedSpaceTest, ImpossibleSizesAreRefusedWithTheSmallestOne) {
  for (const std::string metric : {"size_bytes", "quantized_size_ratio", "bitops"}) {
    const double smallest = Cost(metric, spec_->space().Smallest());
    EXPECT_TRUE(Filter({{metric, "", std::nullopt, smallest}}).ok());
    const auto filter = Filter({{metric, "", std::nullopt, 0.99 * smallest}});
    ASSERT_FALSE(filter.ok()) << metric;
    EXPECT_EQ(filter.status().reason(), "CONSTRAINTS_INFEASIBLE");
    EXPECT_NE(filter.status().message().find(CanonicalJson(Json(smallest))), std::string::npos)
        << filter.status();
  }
}

TEST_F(QuantizedSpaceTest, RepairMeetsBudgetsOfSize) {
  const SearchSpace& space = spec_->space();
  for (const std::string metric : {"size_bytes", "quantized_size_ratio"}) {
    const double low = Cost(metric, space.Smallest());
    const double high = Cost(metric, space.Largest());
    for (const double share : {0.0, 0.1, 0.5}) {
      const double budget = low + share * (high - low);
      const auto filter = Filter(
          {{metric, "", share > 0 ? std::optional<double>(0.8 * budget) : std::nullopt, budget}});
      ASSERT_TRUE(filter.ok()) << filter.status();
      Rng rng(2);
      for (int i = 0; i < 20; ++i) {
        const Candidate repaired = (*filter)->Repair(space.Sample(rng), rng);
        EXPECT_TRUE(space.Validate(repaired).ok());
        EXPECT_LE(Cost(metric, repaired), budget);
      }
    }
  }
}

// What the DDPG agent does with the actions of a saturated actor: everything at its maximum.
TEST_F(QuantizedSpaceTest, TheWallEndsForActionsAtTheMaximum) {
  std::vector<BitDecision> decisions;
  std::vector<size_t> dimensions;
  for (size_t d = 0; d < spec_->space().size(); ++d) {
    if (!IsBits(d)) continue;
    decisions.push_back(
        {dimensions.size(), BitKind::kWeight, spec_->space().dimensions()[d].choices});
    dimensions.push_back(d);
  }
  const auto candidate_of = [&](const Bits& bits) {
    Candidate candidate = spec_->space().Largest();
    for (size_t i = 0; i < bits.size(); ++i) {
      const auto& levels = decisions[i].levels;
      candidate.choices[dimensions[i]] =
          static_cast<int32_t>(std::find(levels.begin(), levels.end(), bits[i]) - levels.begin());
    }
    return candidate;
  };
  for (const std::string metric : {"size_bytes", "quantized_size_ratio", "bitops"}) {
    const double low = Cost(metric, UniformBits(0));
    const double high = Cost(metric, UniformBits(2));
    for (const double share : {-0.1, 0.0, 0.3, 1.0}) {
      const double budget = low + share * (high - low);
      const BitCost cost = [&](const Bits& bits) { return Cost(metric, candidate_of(bits)); };
      Bits bits;
      for (const BitDecision& decision : decisions) bits.push_back(decision.levels.back());
      EXPECT_EQ(LowerToBudget(decisions, cost, budget, {}, bits), share >= 0) << metric << share;
      if (share >= 0) {
        EXPECT_LE(cost(bits), budget);
      }
    }
  }
}

}  // namespace
}  // namespace voxbit::search
