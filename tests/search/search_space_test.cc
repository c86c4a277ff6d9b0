#include "search/space/search_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "common/digest.h"
#include "search/space/layer_table.h"
#include "tests/support/toy_space.h"

namespace voxbit::search {
namespace {

// width; depth 1 or 2; middle at depth 2; inner at a middle of at least 20.
SearchSpace Nested() {
  return SearchSpace({{"width", {8, 16, 24}, -1, 0},
                      {"depth", {1, 2}, -1, 0},
                      {"middle", {10, 20}, 1, 2},
                      {"inner", {1, 2, 3}, 2, 20}});
}

TEST(SearchSpaceTest, FindsDimensionsAndValues) {
  const SearchSpace space = Nested();
  EXPECT_EQ(*space.Find("middle"), 2U);
  EXPECT_EQ(space.Find("height").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(space.Value(Candidate{{2, 0, 0, 0}}, 0), 24);
  EXPECT_NEAR(space.LogCardinality(), std::log(36.0), 1e-12);
}

TEST(SearchSpaceTest, ActivityFollowsTheWholeChainOfParents) {
  const SearchSpace space = Nested();
  EXPECT_FALSE(space.IsActive(Candidate{{0, 0, 0, 0}}, 2));
  EXPECT_TRUE(space.IsActive(Candidate{{0, 1, 0, 0}}, 2));
  EXPECT_FALSE(space.IsActive(Candidate{{0, 1, 0, 0}}, 3));
  EXPECT_TRUE(space.IsActive(Candidate{{0, 1, 1, 0}}, 3));
  EXPECT_FALSE(space.IsActive(Candidate{{0, 0, 1, 0}}, 3));  // its grandparent is too shallow
  EXPECT_EQ(space.Canonical(Candidate{{1, 0, 1, 2}}), (Candidate{{1, 0, 0, 0}}));
  EXPECT_EQ(space.Smallest(), (Candidate{{0, 0, 0, 0}}));
  EXPECT_EQ(space.Largest(), (Candidate{{2, 1, 1, 2}}));
}

TEST(SearchSpaceTest, ValidateNamesWhatIsWrong) {
  const SearchSpace space = Nested();
  EXPECT_TRUE(space.Validate(Candidate{{2, 1, 1, 2}}).ok());
  EXPECT_NE(space.Validate(Candidate{{0}}).message().find("4 dimensions"), std::string::npos);
  EXPECT_NE(space.Validate(Candidate{{3, 0, 0, 0}}).message().find("width"), std::string::npos);
  EXPECT_FALSE(space.Validate(Candidate{{-1, 0, 0, 0}}).ok());
  EXPECT_NE(space.Validate(Candidate{{0, 0, 1, 0}}).message().find("middle is inactive"),
            std::string::npos);
}

TEST(SearchSpaceTest, EnumeratesEveryCandidateOnce) {
  const SearchSpace space = Nested();
  const auto all = space.Enumerate(100);
  // 3 widths x (depth 1, or depth 2 with middle 10, or with middle 20 and 3 inner choices).
  EXPECT_EQ(all.size(), 15U);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(std::set<Candidate>(all.begin(), all.end()).size(), all.size());
  for (const Candidate& candidate : all) EXPECT_TRUE(space.Validate(candidate).ok());
  EXPECT_EQ(space.Enumerate(15).size(), 15U);
  EXPECT_TRUE(space.Enumerate(14).empty());
}

TEST(SearchSpaceTest, DigestChangesWithTheSpace) {
  const SearchSpace space = Nested();
  EXPECT_TRUE(IsSha256(space.digest()));
  EXPECT_EQ(space.digest(), Nested().digest());
  const SearchSpace other({{"width", {8, 16, 24}, -1, 0},
                           {"depth", {1, 2}, -1, 0},
                           {"middle", {10, 20}, 1, 1},
                           {"inner", {1, 2, 3}, 2, 20}});
  EXPECT_NE(space.digest(), other.digest());
}

TEST(SearchSpaceTest, SampleIsValidAndUniform) {
  const SearchSpace space = Nested();
  Rng rng(1);
  int64_t wide = 0;
  int64_t deep = 0;
  constexpr int kDraws = 6000;
  for (int i = 0; i < kDraws; ++i) {
    const Candidate candidate = space.Sample(rng);
    ASSERT_TRUE(space.Validate(candidate).ok());
    wide += candidate.choices[0] == 2 ? 1 : 0;
    deep += candidate.choices[1];
  }
  // Four standard deviations of the binomial distributions.
  EXPECT_NEAR(static_cast<double>(wide) / kDraws, 1.0 / 3, 0.025);
  EXPECT_NEAR(static_cast<double>(deep) / kDraws, 0.5, 0.026);
}

TEST(SearchSpaceTest, MutationWithProbabilityZeroReturnsTheParent) {
  const testing::ToySpec spec;
  Rng rng(2);
  for (int i = 0; i < 100; ++i) {
    const Candidate parent = spec.space().Sample(rng);
    EXPECT_EQ(spec.space().Mutate(parent, 0, rng), parent);
  }
}

TEST(SearchSpaceTest, MutationWithProbabilityOneForgetsTheParent) {
  const testing::ToySpec spec;
  Rng first(3);
  Rng second(3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(spec.space().Mutate(spec.space().Smallest(), 1, first),
              spec.space().Mutate(spec.space().Largest(), 1, second));
  }
}

TEST(SearchSpaceTest, MutationChangesTheGivenShareOfGenes) {
  const SearchSpace space(
      {{"a", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, -1, 0}, {"b", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, -1, 0}});
  Rng rng(4);
  int changed = 0;
  constexpr int kDraws = 5000;
  for (int i = 0; i < kDraws; ++i) {
    const Candidate child = space.Mutate(space.Smallest(), 0.2, rng);
    for (const int32_t choice : child.choices) changed += choice != 0 ? 1 : 0;
  }
  // A re-drawn gene keeps its value in one of ten cases; four standard deviations.
  EXPECT_NEAR(changed / (2.0 * kDraws), 0.2 * 0.9, 0.016);
}

TEST(SearchSpaceTest, NewlyActiveGenesAreDrawn) {
  const SearchSpace space = Nested();
  Rng rng(5);
  std::set<int32_t> middles;
  for (int i = 0; i < 200; ++i) {
    const Candidate child = space.Mutate(space.Smallest(), 0.5, rng);
    if (child.choices[1] == 1) middles.insert(child.choices[2]);
  }
  EXPECT_EQ(middles, (std::set<int32_t>{0, 1}));
}

TEST(SearchSpaceTest, CrossoverOfEqualParentsReturnsTheParent) {
  const testing::ToySpec spec;
  Rng rng(6);
  for (int i = 0; i < 100; ++i) {
    const Candidate parent = spec.space().Sample(rng);
    EXPECT_EQ(spec.space().Crossover(parent, parent, rng), parent);
  }
}

TEST(SearchSpaceTest, CrossoverTakesEveryActiveGeneFromAParent) {
  const testing::ToySpec spec;
  const SearchSpace& space = spec.space();
  Rng rng(7);
  for (int i = 0; i < 500; ++i) {
    const Candidate a = space.Sample(rng);
    const Candidate b = space.Sample(rng);
    const Candidate child = space.Crossover(a, b, rng);
    ASSERT_TRUE(space.Validate(child).ok());
    for (size_t d = 0; d < space.size(); ++d) {
      if (!space.IsActive(child, d)) continue;
      const bool from_a = space.IsActive(a, d) && child.choices[d] == a.choices[d];
      const bool from_b = space.IsActive(b, d) && child.choices[d] == b.choices[d];
      EXPECT_TRUE(from_a || from_b) << space.dimensions()[d].name;
    }
  }
}

TEST(WorkloadTest, RoundTripsAndRefusesBadCounts) {
  Workload workload = testing::ToySpec().MakeWorkload();
  workload.class_names = {"ground", "building", "tree"};
  const auto parsed = ParseWorkload(ParseJson(CanonicalJson(ToJson(workload))).value());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, workload);
  EXPECT_FALSE(ParseWorkload(Json::object()).ok());
  const auto negative = ParseWorkload(Json{{"counts", {{"points", -1}}}});
  ASSERT_FALSE(negative.ok());
  EXPECT_EQ(negative.status().message().find("/counts/points: expected a finite number"), 0U);
}

TEST(LayerTableTest, CountsWeightsBiasAndBatchNorm) {
  LayerSpec layer;
  layer.in_channels = 4;
  layer.out_channels = 6;
  layer.kernel_volume = 27;
  layer.batch_norm = true;
  EXPECT_EQ(layer.WeightCount(), 27 * 4 * 6);
  EXPECT_EQ(layer.ParameterCount(), 27 * 4 * 6 + 2 * 6);
  layer.bias = true;
  EXPECT_EQ(layer.ParameterCount(), 27 * 4 * 6 + 2 * 6 + 6);
  EXPECT_EQ(ToJson(layer)["kind"], "sparse_conv");
}

}  // namespace
}  // namespace voxbit::search
