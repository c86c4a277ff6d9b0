#include "search/algorithm/feasibility.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/bits/bit_dimensions.h"
#include "supernet/models/spvnas/spvnas.h"
#include "tests/support/toy_space.h"

namespace voxbit::search {
namespace {

class CostFilterTest : public ::testing::Test {
 protected:
  CostFilterTest() : models_("cost model"), workload_(spec_.MakeWorkload()) {
    cost::RegisterBuiltins(models_);
  }

  Result<std::unique_ptr<CostFilter>> Create(std::vector<Constraint> constraints) const {
    return CostFilter::Create(spec_, models_, &workload_, std::move(constraints));
  }
  double Cost(const std::string& metric, const Candidate& candidate) const {
    return Create({}).value()->Costs(candidate).at({metric, ""}).value;
  }
  void ExpectRepairs(const CostFilter& filter) const {
    Rng rng(1);
    for (int i = 0; i < 200; ++i) {
      const Candidate draw = spec_.space().Sample(rng);
      const Candidate repaired = filter.Repair(draw, rng);
      EXPECT_EQ(filter.Violation(repaired), 0);
      EXPECT_TRUE(spec_.space().Validate(repaired).ok());
      if (filter.Violation(draw) == 0) {
        EXPECT_EQ(repaired, draw);
      }
    }
  }

  testing::ToySpec spec_;
  cost::CostModelRegistry models_;
  Workload workload_;
};

TEST_F(CostFilterTest, ImpossibleMaximumIsRefusedWithTheSmallestValue) {
  const double smallest = Cost("macs", spec_.space().Smallest());
  EXPECT_TRUE(Create({{"macs", "", std::nullopt, smallest}}).ok());
  const auto filter = Create({{"macs", "", std::nullopt, smallest - 1}});
  ASSERT_FALSE(filter.ok());
  EXPECT_EQ(filter.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(filter.status().reason(), "CONSTRAINTS_INFEASIBLE");
  const std::string& message = filter.status().message();
  EXPECT_NE(message.find("macs <= " + CanonicalJson(smallest - 1)), std::string::npos) << message;
  EXPECT_NE(message.find("set \"max\" to at least " + CanonicalJson(smallest)), std::string::npos)
      << message;
}

TEST_F(CostFilterTest, ImpossibleMinimumIsRefusedWithTheLargestValue) {
  const double largest = Cost("params", spec_.space().Largest());
  EXPECT_TRUE(Create({{"params", "", largest, std::nullopt}}).ok());
  const auto filter = Create({{"params", "", largest + 1, std::nullopt}});
  ASSERT_FALSE(filter.ok());
  EXPECT_EQ(filter.status().reason(), "CONSTRAINTS_INFEASIBLE");
  EXPECT_NE(filter.status().message().find("set \"min\" to at most " + CanonicalJson(largest)),
            std::string::npos)
      << filter.status();
}

TEST_F(CostFilterTest, RepairMeetsATightMaximum) {
  const double smallest = Cost("macs", spec_.space().Smallest());
  for (const double factor : {1.0, 1.1, 2.0, 10.0}) {
    ExpectRepairs(*Create({{"macs", "", std::nullopt, factor * smallest}}).value());
  }
}

TEST_F(CostFilterTest, RepairMeetsATightMinimum) {
  const double largest = Cost("macs", spec_.space().Largest());
  for (const double factor : {1.0, 0.9, 0.5}) {
    ExpectRepairs(*Create({{"macs", "", factor * largest, std::nullopt}}).value());
  }
}

TEST_F(CostFilterTest, RepairStaysCloserThanTheKnownFeasibleCandidate) {
  const double budget = 0.5 * Cost("macs", spec_.space().Largest());
  const auto filter = Create({{"macs", "", std::nullopt, budget}}).value();
  Rng rng(2);
  for (int i = 0; i < 20; ++i) {
    const Candidate repaired = filter->Repair(spec_.space().Largest(), rng);
    EXPECT_GT(Cost("macs", repaired), 0.2 * budget);
  }
}

TEST_F(CostFilterTest, BoundsFromBothSidesAreMetTogether) {
  const Candidate middle = spec_.Optimum();
  const double macs = Cost("macs", middle);
  const double params = Cost("params", middle);
  const auto filter =
      Create({{"macs", "", 0.9 * macs, macs}, {"params", "", std::nullopt, params}});
  ASSERT_TRUE(filter.ok()) << filter.status();
  ExpectRepairs(**filter);
}

TEST_F(CostFilterTest, SmallSpacesAreSearchedCompletely) {
  const testing::ToySpec tiny({.stages = 1, .widths = 3});
  const Workload workload = tiny.MakeWorkload();
  const auto costs = CostFilter::Create(tiny, models_, &workload, {}).value();
  const auto all = tiny.space().Enumerate(1000);
  // A window that holds exactly one value is met by every candidate that has it.
  for (const Candidate& candidate : all) {
    const double macs = costs->Costs(candidate).at({"macs", ""}).value;
    const auto filter = CostFilter::Create(tiny, models_, &workload, {{"macs", "", macs, macs}});
    ASSERT_TRUE(filter.ok()) << Encode(candidate) << " " << filter.status();
    Rng rng(3);
    EXPECT_EQ((*filter)->Violation((*filter)->Repair(tiny.space().Largest(), rng)), 0);
  }
  const double low = costs->Costs(tiny.space().Smallest()).at({"macs", ""}).value;
  const auto gap = CostFilter::Create(tiny, models_, &workload, {{"macs", "", low + 1, low + 2}});
  ASSERT_FALSE(gap.ok());
  EXPECT_EQ(gap.status().reason(), "CONSTRAINTS_INFEASIBLE");
  EXPECT_NE(gap.status().message().find("no candidate meets macs >= "), std::string::npos)
      << gap.status();
}

TEST_F(CostFilterTest, AnArchitectureIsKeptAndItsBitsAreSearched) {
  const testing::ToySpec spec({.stages = 2, .widths = 3, .weight_bits = {2, 4, 8}});
  const SearchSpace& space = spec.space();
  const Workload workload = spec.MakeWorkload();
  const size_t num_bits = FindBitDimensions(space, space.Largest()).dimensions.size();
  Rng rng(2);
  const Candidate kept = space.Sample(rng);
  const auto filter = CostFilter::Create(spec, models_, &workload, {}, &kept).value();
  std::set<Candidate> allowed;
  for (const Candidate& candidate : space.Enumerate(100'000)) {
    const bool is_same = std::equal(candidate.choices.begin(),
                                    candidate.choices.end() - static_cast<std::ptrdiff_t>(num_bits),
                                    kept.choices.begin());
    EXPECT_EQ(filter->Violation(candidate) == 0, is_same);
    if (is_same) allowed.insert(candidate);
  }
  EXPECT_EQ(allowed.size(), 9U);  // three levels for each of two layers
  for (int i = 0; i < 50; ++i) {
    const Candidate draw = space.Sample(rng);
    EXPECT_EQ(allowed.count(filter->Pin(draw)), 1U);
    EXPECT_EQ(allowed.count(filter->Repair(draw, rng)), 1U);
  }
}

TEST_F(CostFilterTest, BoundsOfAKeptArchitectureAreItsOwn) {
  const Workload workload = spec_.MakeWorkload();
  const Candidate kept = spec_.space().Largest();
  const double largest = Cost("macs", kept);
  const auto create = [&](double max) {
    return CostFilter::Create(spec_, models_, &workload, {{"macs", "", std::nullopt, max}}, &kept);
  };
  EXPECT_TRUE(create(largest).ok());
  const auto refused = create(largest - 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().reason(), "CONSTRAINTS_INFEASIBLE");
  EXPECT_NE(refused.status().message().find("at least " + CanonicalJson(largest)),
            std::string::npos)
      << refused.status();
}

TEST_F(CostFilterTest, MeasuredMetricsAreLeftOut) {
  const auto filter = Create({{"latency_ms", "local", std::nullopt, 1e-9}});
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ((*filter)->Violation(spec_.space().Largest()), 0);
}

TEST_F(CostFilterTest, WithoutAWorkloadOnlyParametersAreChecked) {
  const auto filter = CostFilter::Create(spec_, models_, nullptr, {{"macs", "", std::nullopt, 1}});
  ASSERT_TRUE(filter.ok()) << filter.status();
  const Measurements costs = (*filter)->Costs(spec_.space().Smallest());
  EXPECT_EQ(costs.count({"params", ""}), 1U);
  EXPECT_EQ(costs.count({"macs", ""}), 0U);
  EXPECT_FALSE(CostFilter::Create(spec_, models_, nullptr, {{"params", "", std::nullopt, 1}}).ok());
}

TEST_F(CostFilterTest, WithoutAWorkloadAMinimumIsLeftToTheRealNumberOfClasses) {
  const supernet::SpvnasSpec spec(
      supernet::ParseSpvnasConfig({{"kind", "spvnas"}, {"width", 0.125}}, "").value());
  const auto largest = [&](int64_t num_classes) {
    int64_t total = 0;
    for (const auto& layer : spec.Expand(spec.space().Largest(), 4, num_classes)) {
      total += layer.ParameterCount();
    }
    return total;
  };
  constexpr double kMin = 745'990;
  ASSERT_LT(static_cast<double>(largest(2)), kMin);
  ASSERT_GE(static_cast<double>(largest(19)), kMin);
  EXPECT_TRUE(
      CostFilter::Create(spec, models_, nullptr, {{"params", "", kMin, std::nullopt}}).ok());
  // The upper bound of the same constraint is checked nevertheless.
  EXPECT_FALSE(CostFilter::Create(spec, models_, nullptr, {{"params", "", 1, 2}}).ok());
}

TEST_F(CostFilterTest, IncompleteWorkloadIsNamed) {
  workload_.counts.erase(PointsKey());
  const auto filter = Create({});
  ASSERT_FALSE(filter.ok());
  EXPECT_EQ(filter.status().code(), StatusCode::kNotFound);
  EXPECT_NE(filter.status().message().find("\"points\""), std::string::npos) << filter.status();
}

}  // namespace
}  // namespace voxbit::search
