#include "search/bits/bit_dimensions.h"

#include <gtest/gtest.h>

namespace voxbit::search {
namespace {

// Two layers; the second exists at depth 2 only.
SearchSpace Space() {
  return SearchSpace({{"depth", {1, 2}, -1, 0},
                      {"a.activation_bits", {4, 8}, -1, 0},
                      {"b.weight_bits", {2, 4, 8}, 0, 2},
                      {"a.weight_bits", {2, 4}, -1, 0},
                      {"my_weight_bits", {1, 2}, -1, 0}});
}

TEST(BitDimensionsTest, DecisionsStandInTheOrderOfLayersWeightsFirst) {
  const SearchSpace space = Space();
  const BitDimensions found = FindBitDimensions(space, space.Largest());
  EXPECT_EQ(found.layers, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(found.dimensions, (std::vector<size_t>{3, 1, 2}));
  EXPECT_EQ(found.decisions, (std::vector<BitDecision>{{0, BitKind::kWeight, {2, 4}},
                                                       {0, BitKind::kActivation, {4, 8}},
                                                       {1, BitKind::kWeight, {2, 4, 8}}}));
  EXPECT_TRUE(found.has_activations);
}

TEST(BitDimensionsTest, LayersThatTheArchitectureLacksAreNotDecided) {
  const SearchSpace space = Space();
  const BitDimensions found = FindBitDimensions(space, space.Smallest());
  EXPECT_EQ(found.layers, (std::vector<std::string>{"a"}));
  EXPECT_EQ(found.dimensions, (std::vector<size_t>{3, 1}));
}

TEST(BitDimensionsTest, BitsAreWrittenIntoTheArchitecture) {
  const SearchSpace space = Space();
  const BitDimensions found = FindBitDimensions(space, space.Largest());
  EXPECT_EQ(WithBits(space, found, space.Largest(), {2, 8, 4}), (Candidate{{1, 1, 1, 0, 1}}));
}

TEST(BitDimensionsTest, LayersHaveTheFactsOfTheTable) {
  const SearchSpace space = Space();
  LayerSpec layer;
  layer.name = "b";
  layer.in_channels = 3;
  layer.out_channels = 5;
  const auto layers = BitLayersOf(FindBitDimensions(space, space.Largest()), {layer}, Workload());
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_EQ(layers[0], BitLayer());
  EXPECT_EQ(layers[1].num_weights, 15);
}

}  // namespace
}  // namespace voxbit::search
