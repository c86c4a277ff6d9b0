#include "worker/train/candidate_sampler.h"

#include <gtest/gtest.h>

#include <set>

namespace voxbit::train {
namespace {

// One depth with a width that only exists at depth 2, and a free width.
search::SearchSpace SmallSpace() {
  return search::SearchSpace({
      {.name = "depth", .choices = {1, 2}, .parent = -1, .parent_min = 0},
      {.name = "inner", .choices = {4, 8, 12}, .parent = 0, .parent_min = 2},
      {.name = "width", .choices = {16, 32, 48, 64}, .parent = -1, .parent_min = 0},
  });
}

TEST(CandidateSamplerTest, KeepsFullDepthInTheFirstHalf) {
  const search::SearchSpace space = SmallSpace();
  const CandidateSampler sampler(space, "random", /*progressive_depth=*/true, 100, 1);
  std::set<int64_t> early;
  std::set<int64_t> late;
  for (int64_t step = 0; step < 100; ++step) {
    (step < 50 ? early : late).insert(space.Value(sampler.At(step), 0));
  }
  EXPECT_EQ(early, std::set<int64_t>({2}));
  EXPECT_EQ(late, std::set<int64_t>({1, 2}));
}

TEST(CandidateSamplerTest, DrawsEveryDepthFromTheStartWithoutProgression) {
  const search::SearchSpace space = SmallSpace();
  const CandidateSampler sampler(space, "random", /*progressive_depth=*/false, 100, 1);
  std::set<int64_t> depths;
  for (int64_t step = 0; step < 20; ++step) depths.insert(space.Value(sampler.At(step), 0));
  EXPECT_EQ(depths, std::set<int64_t>({1, 2}));
}

TEST(CandidateSamplerTest, SandwichTakesTurnsWithTheEndsOfTheSpace) {
  const search::SearchSpace space = SmallSpace();
  const CandidateSampler sampler(space, "sandwich", /*progressive_depth=*/false, 100, 1);
  for (int64_t turn = 0; turn < 25; ++turn) {
    EXPECT_EQ(sampler.At(4 * turn), space.Largest());
    EXPECT_EQ(sampler.At(4 * turn + 1), space.Smallest());
  }
  EXPECT_NE(sampler.At(2), sampler.At(6));
}

TEST(CandidateSamplerTest, DrawsValidCandidatesThatDependOnTheSeedAlone) {
  const search::SearchSpace space = SmallSpace();
  const CandidateSampler one(space, "random", true, 40, 7);
  const CandidateSampler same(space, "random", true, 40, 7);
  const CandidateSampler other(space, "random", true, 40, 8);
  bool differs = false;
  for (int64_t step = 39; step >= 0; --step) {
    EXPECT_TRUE(space.Validate(one.At(step)).ok());
    EXPECT_EQ(one.At(step), same.At(step));
    differs = differs || one.At(step) != other.At(step);
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace voxbit::train
