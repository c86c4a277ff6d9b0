// Spaces and layer tables of the networks over clouds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "supernet/models/pct/spec.h"
#include "supernet/models/point_transformer/spec.h"
#include "supernet/models/specs.h"
#include "tests/supernet/table_totals.h"

namespace voxbit::supernet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

int64_t Weights(const search::LayerTable& table) {
  int64_t total = 0;
  for (const auto& layer : table) total += layer.WeightCount();
  return total;
}

// ---- Point Transformer ----

PointTransformerSpec MakePointTransformer(Json config) {
  config["kind"] = "point_transformer";
  return PointTransformerSpec(ParsePointTransformerConfig(config, "").value());
}

// Figures of the reference sheet, computed there from the official model definitions.
TEST(PointTransformerSpecTest, DefaultIsThePublishedNetworkAlone) {
  const PointTransformerSpec spec = MakePointTransformer(Json::object());
  EXPECT_EQ(spec.space().Smallest(), spec.space().Largest());
  EXPECT_EQ(spec.space().LogCardinality(), 0);
  const search::LayerTable table = spec.Expand(spec.space().Largest(), 22, 50);
  EXPECT_EQ(table.size(), 114U);
  EXPECT_EQ(Weights(table), 19359360);
  EXPECT_EQ(Parameters(table), 19397362);
  EXPECT_EQ(spec.input_form(), search::InputForm::kClouds);
}

TEST(PointTransformerSpecTest, ClassificationHasThePublishedParameters) {
  const PointTransformerSpec spec = MakePointTransformer({{"task", "classification"}});
  EXPECT_EQ(Parameters(spec.Expand(spec.space().Largest(), 6, 40)), 9584136);
  EXPECT_EQ(Parameters(spec.Expand(spec.space().Largest(), 3, 40)), 9584040);
}

TEST(PointTransformerSpecTest, LayersStandInOfficialOrder) {
  const PointTransformerSpec spec = MakePointTransformer(Json::object());
  const search::LayerTable table = spec.Expand(spec.space().Largest(), 22, 50);
  std::vector<std::string> block;
  for (size_t i = 2; i < 11; ++i) block.push_back(table[i].name.substr(21));
  EXPECT_EQ(table[1].name, "backbone.fc1.2");
  EXPECT_THAT(block, ElementsAre(".fc1", ".fc2", ".fc_delta.0", ".fc_delta.2", ".fc_gamma.0",
                                 ".fc_gamma.2", ".w_qs", ".w_ks", ".w_vs"));
  EXPECT_EQ(table[12].name, "backbone.transition_downs.0.sa.mlp_convs.1");
  EXPECT_EQ(table[19].name, "backbone.transformers.0.fc1");
  EXPECT_EQ(table[55].name, "fc2.0");
  EXPECT_EQ(table[58].name, "transformer2.fc1");
  EXPECT_EQ(table[67].name, "transition_ups.0.fc1.0");
  EXPECT_EQ(table[75].name, "transformers.0.fc1");
  EXPECT_EQ(table[113].name, "fc3.4");
  EXPECT_THAT(table[12].tensors,
              ElementsAre("backbone.transition_downs.0.sa.mlp_convs.1.weight",
                          "backbone.transition_downs.0.sa.mlp_convs.1.bias",
                          "backbone.transition_downs.0.sa.mlp_bns.1.weight",
                          "backbone.transition_downs.0.sa.mlp_bns.1.bias",
                          "backbone.transition_downs.0.sa.mlp_bns.1.running_mean",
                          "backbone.transition_downs.0.sa.mlp_bns.1.running_var"));
  EXPECT_THAT(table[10].tensors, ElementsAre("backbone.transformer1.w_vs.weight"));
}

// Multiply-accumulates of one cloud of 1024 points, straight from the formulas of the paper's
// layers: N (2 d D + 3 D^2) + N k (3 D + 3 D^2) for a block of d channels and model dimension D.
TEST(PointTransformerSpecTest, MacsFollowTheFormula) {
  const PointTransformerSpec spec = MakePointTransformer(Json::object());
  const std::vector<double> points = {1024, 256, 64, 16, 4};
  std::map<std::string, double> counts;
  for (int64_t level = 0; level < 5; ++level) {
    const auto at = static_cast<size_t>(level);
    counts[search::LevelPointsKey(level)] = points[at];
    counts[search::NeighboursKey(level, 16)] = points[at] * std::min(16.0, points[at]);
    if (level > 0) counts[search::GroupsKey(level, 16)] = points[at] * 16;
  }
  double macs = 0;
  for (const auto& layer : spec.Expand(spec.space().Largest(), 22, 50)) {
    macs += counts.at(layer.workload) * static_cast<double>(layer.in_channels) *
            static_cast<double>(layer.out_channels);
  }
  const auto block = [](double n, double k, double d) {
    return n * (2 * d * 512 + 3 * 512 * 512) + n * k * (3 * 512 + 3 * 512 * 512);
  };
  double expected =
      1024 * (22 * 32 + 32 * 32) + 4 * (3 * 512 * 512) + 1024 * (32 * 64 + 64 * 64 + 64 * 50);
  const std::vector<double> neighbours = {16, 16, 16, 16, 4};
  for (size_t level = 0; level < 5; ++level) {
    const double d = 32 << level;
    expected += 2 * block(points[level], neighbours[level], d);  // encoder and decoder
    if (level == 0) continue;
    expected += points[level] * 16 * ((d / 2 + 3) * d + d * d);
    expected += points[level] * d * d / 2 + points[level - 1] * d / 2 * d / 2;
  }
  EXPECT_EQ(macs, expected);
}

TEST(PointTransformerSpecTest, ListsOfChoicesMakeASpace) {
  const PointTransformerSpec spec = MakePointTransformer({{"levels", 1},
                                                          {"width", 0.125},
                                                          {"neighbours", {8, 16}},
                                                          {"model_dim_ratios", {0.25, 1}},
                                                          {"optional_blocks", {"decoder"}}});
  std::vector<std::string> names;
  for (const auto& dimension : spec.space().dimensions()) names.push_back(dimension.name);
  EXPECT_THAT(names,
              ElementsAre("backbone.transformer1.model_dim", "backbone.transformers.0.model_dim",
                          "transformer2", "transformer2.model_dim", "transformers.0",
                          "transformers.0.model_dim", "level0.neighbours", "level1.neighbours"));
  EXPECT_THAT(spec.space().dimensions()[0].choices, ElementsAre(16, 64));
  EXPECT_EQ(spec.space().dimensions()[3].parent, 2);
  const PointTransformerArch small = spec.Arch(spec.space().Smallest(), 6, 5);
  EXPECT_EQ(small.blocks[1], (PointTransformerArch::Block{true, 16}));
  EXPECT_FALSE(small.blocks[3].runs);
  EXPECT_THAT(small.neighbours, ElementsAre(8, 8));
  for (const auto& layer : spec.Expand(spec.space().Smallest(), 6, 5)) {
    EXPECT_EQ(layer.name.rfind("transformer2", 0), std::string::npos);
    EXPECT_EQ(layer.name.rfind("transformers.", 0), std::string::npos);
  }
  const Json described = spec.Describe(spec.space().Smallest());
  EXPECT_EQ(described.at("model_dim").size(), 2U);
  EXPECT_EQ(described.at("neighbours"), Json({8, 8}));
}

TEST(PointTransformerSpecTest, HeadsFollowTheChannels) {
  const PointTransformerSpec spec = MakePointTransformer({{"channels", 16}, {"levels", 2}});
  const PointTransformerArch arch = spec.Largest(6, 5);
  EXPECT_THAT(CoarsestWidths(arch), ElementsAre(64, 256, 256, 64));
  EXPECT_THAT(FinestWidths(arch), ElementsAre(16, 32, 32, 5));
}

TEST(PointTransformerSpecTest, ConfigurationErrorsNameThePointer) {
  search::SupernetSpecRegistry registry("supernet");
  RegisterBuiltinSpecs(registry);
  const auto make = registry.Find("point_transformer").value();
  struct Row {
    Json change;
    std::string at;
  };
  for (const Row& row :
       std::vector<Row>{{{{"task", "detection"}}, "/s/task"},
                        {{{"neighbours", Json::array()}}, "/s/neighbours"},
                        {{{"neighbours", 16}}, "/s/neighbours"},
                        {{{"neighbours", {8, 8}}}, "/s/neighbours/1"},
                        {{{"neighbours", {0}}}, "/s/neighbours/0"},
                        {{{"model_dim_ratios", {0.5, 1.5}}}, "/s/model_dim_ratios/1"},
                        {{{"optional_blocks", {"all"}}}, "/s/optional_blocks/0"},
                        {{{"levels", 0}}, "/s/levels"},
                        {{{"with", 1}}, "/s/with"}}) {
    Json config = {{"kind", "point_transformer"}};
    config.update(row.change);
    const auto spec = make(config, "/s");
    ASSERT_FALSE(spec.ok()) << config;
    EXPECT_EQ(spec.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(spec.status().message(), HasSubstr(row.at + ":")) << config;
  }
}

// ---- PCT ----

PctSpec MakePct(Json config) {
  config["kind"] = "pct";
  return PctSpec(ParsePctConfig(config, "").value());
}

int64_t LargestParameters(const PctSpec& spec, int64_t in_channels, int64_t num_classes) {
  return Parameters(spec.Expand(spec.space().Largest(), in_channels, num_classes));
}

TEST(PctSpecTest, DefaultIsThePublishedNetworkAlone) {
  const PctSpec spec = MakePct(Json::object());
  EXPECT_EQ(spec.space().Smallest(), spec.space().Largest());
  EXPECT_EQ(spec.Largest(3, 40), PublishedPct(PctPort::kPytorch, 3, 40));
  EXPECT_EQ(LargestParameters(spec, 3, 40), 2876136);
  EXPECT_EQ(spec.input_form(), search::InputForm::kClouds);
}

TEST(PctSpecTest, OtherNetworksHaveThePublishedParameters) {
  EXPECT_EQ(LargestParameters(MakePct({{"port", "menghao"}}), 6, 40), 2876328);
  EXPECT_EQ(LargestParameters(MakePct({{"port", "pct_pytorch_positions"}}), 3, 40), 2811112);
  EXPECT_EQ(LargestParameters(MakePct({{"task", "segmentation"}}), 22, 50), 2446130);
}

TEST(PctSpecTest, TheLayerTableFollowsTheNumberOfCategories) {
  const PctSpec spec = MakePct({{"task", "segmentation"}, {"categories", 2}});
  EXPECT_EQ(spec.min_channels(), 5);
  EXPECT_EQ(LargestParameters(spec, 5, 50), 2446130 - 14 * 64);
}

TEST(PctSpecTest, QueriesAndKeysAreOneRowWithTwoNames) {
  const PctSpec spec = MakePct({{"task", "segmentation"}});
  const search::LayerTable table = spec.Expand(spec.space().Largest(), 19, 50);
  EXPECT_EQ(table.size(), 7U + 3 * 4);
  EXPECT_EQ(table[2].name, "sa1.q_conv.conv");
  EXPECT_THAT(table[2].tensors, ElementsAre("sa1.q_conv.conv.weight", "sa1.k_conv.conv.weight"));
  EXPECT_EQ(table[2].WeightCount(), 128 * 32);
}

// Of one cloud of 1024 points, from the sizes of the layers (point_transformer.md, C2).
TEST(PctSpecTest, MacsFollowTheLayers) {
  const PctSpec spec = MakePct(Json::object());
  const std::map<std::string, double> counts = {{"clouds", 1},
                                                {"points/l0", 1024},
                                                {"points/l2", 256},
                                                {"groups/l1/k32", 512 * 32},
                                                {"groups/l2/k32", 256 * 32}};
  double macs = 0;
  for (const auto& layer : spec.Expand(spec.space().Largest(), 3, 40)) {
    macs += counts.at(layer.workload) * static_cast<double>(layer.in_channels) *
            static_cast<double>(layer.out_channels);
  }
  const double embedding = 1024 * (3 * 64 + 64 * 64) + 512 * 32 * (2 * 128 * 128) +
                           256 * 32 * (2 * 256 * 256) + 256 * (2 * 256 * 256);
  const double attention = 4 * 256 * (256 * 64 + 2 * 256 * 256);
  const double head = 256 * 1280 * 1024 + 1024 * 512 + 512 * 256 + 256 * 40;
  EXPECT_EQ(macs, embedding + attention + head);
}

TEST(PctSpecTest, ListsOfChoicesMakeASpace) {
  const PctSpec spec = MakePct({{"neighbours", {8, 32}},
                                {"attention_layers", {1, 2}},
                                {"query_ratios", {0.25, 1}},
                                {"channels", 16}});
  std::vector<std::string> names;
  for (const auto& dimension : spec.space().dimensions()) names.push_back(dimension.name);
  EXPECT_THAT(names,
              ElementsAre("attention_layers", "pt_last.sa1.query_channels",
                          "pt_last.sa2.query_channels", "group0.neighbours", "group1.neighbours"));
  const PctArch small = spec.Arch(spec.space().Smallest(), 3, 5);
  EXPECT_THAT(small.queries, ElementsAre(4));
  EXPECT_THAT(small.neighbours, ElementsAre(8, 8));
  EXPECT_THAT(spec.Largest(3, 5).queries, ElementsAre(16, 16));
  EXPECT_FALSE(spec.space().IsActive(spec.space().Smallest(), 2));
  EXPECT_EQ(spec.Describe(spec.space().Smallest()).at("query_channels"), Json({4}));
}

TEST(PctSpecTest, ConfigurationErrorsNameThePointer) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"port", "jittor"},
                                                 {"channels", 7},
                                                 {"channels", 0},
                                                 {"picked", {512}},
                                                 {"picked", {128, 256}},
                                                 {"categories", 0},
                                                 {"attention_layers", Json::array()},
                                                 {"query_ratios", 1},
                                                 {"dropout", 1}}) {
    const auto parsed = ParsePctConfig({{"kind", "pct"}, {key, value}}, "/s");
    ASSERT_FALSE(parsed.ok()) << key << value;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(parsed.status().message(), HasSubstr("/s/" + key)) << value;
  }
}

}  // namespace
}  // namespace voxbit::supernet
