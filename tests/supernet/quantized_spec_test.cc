// Bits as dimensions of a space: which layers get them, when they are active, what they cost.
#include "supernet/models/quantized_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supernet/models/specs.h"

namespace voxbit::supernet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<std::unique_ptr<search::SupernetSpec>> Make(const Json& quantization) {
  search::SupernetSpecRegistry registry("supernet");
  RegisterBuiltinSpecs(registry);
  return registry.Find("spvnas").value()(
      {{"kind", "spvnas"}, {"width", 0.25}, {"quantization", quantization}}, "/supernet");
}

search::LayerSpec LayerOf(const search::SupernetSpec& spec, const search::Candidate& candidate,
                          const std::string& name) {
  for (const search::LayerSpec& layer : spec.Expand(candidate, 4, 5)) {
    if (layer.name == name) return layer;
  }
  ADD_FAILURE() << "no layer " << name;
  return {};
}

const search::Dimension& DimensionOf(const search::SupernetSpec& spec, const std::string& name) {
  return spec.space().dimensions()[spec.space().Find(name).value()];
}

TEST(QuantizedSpecTest, WithoutTheKeyASpecIsAsItWas) {
  search::SupernetSpecRegistry registry("supernet");
  RegisterBuiltinSpecs(registry);
  const auto spec = registry.Find("spvnas").value()({{"kind", "spvnas"}}, "").value();
  EXPECT_FALSE(spec->config().contains("quantization"));
  EXPECT_FALSE(spec->space().Find("stem.3.weight_bits").ok());
}

TEST(QuantizedSpecTest, LayersThatAreNotPinnedGetDimensionsInTheirOrder) {
  const auto spec = Make({{"weight_bits", {2, 4}}, {"activation_bits", {4, 8}}}).value();
  const size_t inner = 8 + 8 * 4;
  std::vector<std::string> expected;
  const auto table = spec->Expand(spec->space().Largest(), 4, 5);
  for (size_t i = 1; i + 1 < table.size(); ++i) {
    expected.push_back(table[i].name + ".weight_bits");
    expected.push_back(table[i].name + ".activation_bits");
  }
  std::vector<std::string> found;
  for (size_t d = inner; d < spec->space().size(); ++d) {
    found.push_back(spec->space().dimensions()[d].name);
  }
  EXPECT_EQ(found, expected);
  EXPECT_THAT(DimensionOf(*spec, "stem.3.weight_bits").choices, ElementsAre(2, 4));
  EXPECT_THAT(DimensionOf(*spec, "stem.3.activation_bits").choices, ElementsAre(4, 8));
}

TEST(QuantizedSpecTest, BitsOfALayerThatIsNotThereAreInactive) {
  const auto spec = Make({{"weight_bits", {2, 4}}}).value();
  const search::SearchSpace& space = spec->space();
  const std::string layer = "downsample.0.feature.layers.1.net.layers.1";
  const size_t bits = space.Find(layer + ".weight_bits").value();
  const size_t depth = space.Find("downsample.0.feature").value();
  EXPECT_EQ(space.dimensions()[bits].parent, static_cast<int32_t>(depth));
  EXPECT_EQ(space.dimensions()[bits].parent_min, 2);
  search::Candidate candidate = space.Largest();
  EXPECT_TRUE(space.IsActive(candidate, bits));
  candidate.choices[depth] = 0;
  EXPECT_FALSE(space.IsActive(candidate, bits));
  EXPECT_EQ(DimensionOf(*spec, "downsample.0.feature.layers.0.net.layers.1.weight_bits").parent,
            -1);
  // Every candidate gives every layer that it has the bits of an active dimension.
  Rng rng(1);
  for (int i = 0; i < 50; ++i) {
    const search::Candidate sample = space.Sample(rng);
    for (const search::LayerSpec& row : spec->Expand(sample, 4, 5)) {
      if (!row.chooses_weight_bits) continue;
      const size_t d = space.Find(row.name + ".weight_bits").value();
      EXPECT_TRUE(space.IsActive(sample, d)) << row.name;
      EXPECT_EQ(row.weight_bits, space.Value(sample, d)) << row.name;
    }
  }
}

TEST(QuantizedSpecTest, PinnedLayersKeepTheirBits) {
  const auto spec = Make({{"weight_bits", {2, 4}},
                          {"activation_bits", {4}},
                          {"pinned", {"first", "last", "downsample\\.[01]", "point_transforms"}},
                          {"pinned_bits", 8}})
                        .value();
  const search::Candidate largest = spec->space().Largest();
  // The input of the network stays float.
  EXPECT_EQ(LayerOf(*spec, largest, "stem.0").weight_bits, 8);
  EXPECT_EQ(LayerOf(*spec, largest, "stem.0").activation_bits, 32);
  for (const char* name : {"classifier.linear", "downsample.0.transition",
                           "downsample.1.feature.layers.0.downsample", "point_transforms.2"}) {
    const search::LayerSpec layer = LayerOf(*spec, largest, name);
    EXPECT_EQ(layer.weight_bits, 8) << name;
    EXPECT_EQ(layer.activation_bits, 8) << name;
    EXPECT_FALSE(layer.chooses_weight_bits) << name;
    EXPECT_FALSE(spec->space().Find(std::string(name) + ".weight_bits").ok());
  }
  for (const char* name : {"stem.3", "downsample.2.transition", "upsample.0.transition"}) {
    EXPECT_EQ(LayerOf(*spec, largest, name).weight_bits, 4) << name;
    EXPECT_TRUE(LayerOf(*spec, largest, name).chooses_weight_bits) << name;
  }
}

TEST(QuantizedSpecTest, PatternsMatchWholeNamesOfLayersOrModules) {
  const auto spec = Make({{"weight_bits", {2}}, {"pinned", {"stem"}}}).value();
  EXPECT_FALSE(spec->space().Find("stem.0.weight_bits").ok());
  EXPECT_FALSE(spec->space().Find("stem.3.weight_bits").ok());
  EXPECT_TRUE(spec->space().Find("classifier.linear.weight_bits").ok());
  EXPECT_THAT(Make({{"pinned", {"transition"}}}).status().message(),
              HasSubstr("/supernet/quantization/pinned/0"));
  EXPECT_TRUE(Make({{"pinned", {".*\\.transition"}}}).ok());
}

TEST(QuantizedSpecTest, ConfigurationErrorsNameThePointer) {
  const std::vector<std::pair<Json, std::string>> cases = {
      {{{"weight_bits", Json::array()}}, "/weight_bits"},
      {{{"weight_bits", {4, 2}}}, "/weight_bits/1"},
      {{{"weight_bits", {2, 2}}}, "/weight_bits/1"},
      {{{"weight_bits", {0}}}, "/weight_bits/0"},
      {{{"weight_bits", 4}}, "/weight_bits"},
      {{{"activation_bits", {4, 12}}}, "/activation_bits/1"},
      {{{"weight_quantizer", "wave"}}, "/weight_quantizer"},
      {{{"activation_quantizer", "kmeans"}}, "/activation_quantizer"},
      {{{"weight_quantizer", "pact"}}, "/weight_quantizer"},
      {{{"pinned", {"first", "("}}}, "/pinned/1"},
      {{{"pinned", {"stem.0", "transformers"}}}, "/pinned/1"},
      {{{"pinned_bits", 12}}, "/pinned_bits"},
      {{{"per_channel", true}}, "/per_channel"},
      {{{"calibration", "max"}}, "/calibration"},
      {{{"bits", {2}}}, "/bits"},
      {{{"train_bits", "none"}}, "/train_bits"}};
  for (const auto& [quantization, pointer] : cases) {
    const auto spec = Make(quantization);
    ASSERT_FALSE(spec.ok()) << quantization;
    EXPECT_EQ(spec.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(spec.status().message(), HasSubstr("/supernet/quantization" + pointer));
  }
  EXPECT_THAT(Make({{"weight_quantizer", "pact"}}).status().message(), HasSubstr("kmeans"));
  EXPECT_FALSE(Make(Json()).ok());
}

TEST(QuantizedSpecTest, ConfigurationComesBackResolved) {
  const auto spec = Make({{"weight_bits", {2, 4}}}).value();
  const Json config = spec->config();
  EXPECT_EQ(config["quantization"]["weight_quantizer"], "kmeans");
  EXPECT_EQ(config["quantization"]["pinned"], Json({"first", "last"}));
  search::SupernetSpecRegistry registry("supernet");
  RegisterBuiltinSpecs(registry);
  const auto again = registry.Find("spvnas").value()(config, "").value();
  EXPECT_EQ(again->space().digest(), spec->space().digest());
  EXPECT_EQ(again->config(), config);
}

TEST(QuantizedSpecTest, DescriptionHasTheBitsByLayer) {
  const auto spec = Make({{"weight_bits", {2, 4}}, {"activation_bits", {8}}}).value();
  const Json description = spec->Describe(spec->space().Smallest());
  EXPECT_EQ(description["bits"]["stem.3"], Json({{"weight", 2}, {"activation", 8}}));
  EXPECT_EQ(description["bits"]["stem.0"], Json({{"weight", 32}, {"activation", 32}}));
  EXPECT_EQ(description["downsample.0.feature"], 1);
  EXPECT_FALSE(description["bits"].contains("downsample.0.feature.layers.1.net.layers.0"));
}

TEST(QuantizedSpecTest, LevelsThatDoNotPayAreLeftOut) {
  // The smallest stem has 27 x 8 x 8 weights, the smallest transition 8 x 8 x 4: a codebook of 8
  // bits takes more than their float16 values.
  const auto spec = Make({{"weight_bits", {4, 8, 16}}}).value();
  EXPECT_THAT(DimensionOf(*spec, "stem.3.weight_bits").choices, ElementsAre(4, 8, 16));
  EXPECT_THAT(DimensionOf(*spec, "downsample.0.transition.weight_bits").choices,
              ElementsAre(4, 16));
}

TEST(QuantizedSpecTest, StoredBytesAreThoseOfTheParts) {
  search::LayerSpec layer;
  layer.in_channels = 3;
  layer.out_channels = 5;
  layer.kernel_volume = 27;
  layer.bias = true;
  layer.batch_norm = true;
  EXPECT_EQ(layer.WeightBytes(), 4 * 405);
  EXPECT_EQ(layer.StoredBytes(), 4 * (405 + 5 + 4 * 5));
  layer.weight_bits = 3;
  layer.num_scales = 10;
  layer.num_activation_ranges = 1;
  EXPECT_EQ(layer.WeightBytes(), 152 + 40);
  EXPECT_EQ(layer.StoredBytes(), 152 + 40 + 4 * (5 + 4 * 5 + 1));
  layer.weight_coding = search::WeightCoding::kCodebook;
  EXPECT_EQ(layer.WeightBytes(), 152 + 4 * 8);
  layer.weight_bits = 8;
  EXPECT_EQ(layer.WeightBytes(), 405 + 4 * 256);
  layer.kernel_volume = 1;  // fewer weights than codes
  EXPECT_EQ(layer.WeightBytes(), 15 + 4 * 15);
  layer.weight_bits = 16;
  EXPECT_EQ(layer.WeightBytes(), 30);
}

}  // namespace
}  // namespace voxbit::supernet
