#include "supernet/models/spvnas/spvnas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "common/rng.h"
#include "supernet/models/specs.h"
#include "tests/supernet/table_totals.h"

namespace voxbit::supernet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SpvnasSpec MakeSpec(const Json& config) {
  return SpvnasSpec(ParseSpvnasConfig(config, "").value());
}

// Figures of spvnas.md 3.4, computed there from the official model definitions.
TEST(UNetLayersTest, FixedNetworksHaveThePublishedParameters) {
  struct Row {
    double cr;
    int64_t used;
    int64_t allocated;
  };
  for (const Row& row :
       {Row{0.5, 5435235, 5449267}, Row{0.64, 8771298, 8793617}, Row{1.0, 21723315, 21778003}}) {
    const UNetArch arch = PlainArch(FixedChannels(row.cr), 4, 19);
    EXPECT_EQ(Parameters(UNetLayers(arch, arch, UNetKind::kMinkUNet)), row.used);
    EXPECT_EQ(AllocatedParameters(arch, UNetKind::kMinkUNet), row.allocated);
    EXPECT_EQ(Parameters(UNetLayers(arch, arch, UNetKind::kSpvcnn)), row.allocated);
  }
}

TEST(SpvnasSpecTest, LargestCandidateHasThePublishedParameters) {
  const SpvnasSpec spec = MakeSpec({{"kind", "spvnas"}});
  EXPECT_EQ(Parameters(spec.Expand(spec.space().Largest(), 4, 19)), 47802067);
}

// "SemanticKITTI_val_SPVNAS@65GMACs", the released search result (spvnas.md section 8). The keys of
// the two inactive blocks hold stale values there.
Json Released65G() {
  Json sample = {{"output_channels", {32, 24, 52, 188, 232, 140, 152, 96, 76}}};
  const int64_t stages[8][4] = {{16, 2, 44, 36},   {44, 2, 80, 68},    {84, 2, 64, 68},
                                {152, 2, 116, 96}, {188, 2, 140, 248}, {104, 1, 64, 64},
                                {48, 2, 104, 56},  {64, 1, 112, 48}};
  for (int i = 0; i < 8; ++i) {
    const std::string stage = (i < 4 ? "downsample." : "upsample.") + std::to_string(i % 4);
    sample[stage + ".transition"] = stages[i][0];
    sample[stage + ".feature"] = stages[i][1];
    sample[stage + ".feature.layers.0.net.layers.0"] = stages[i][2];
    sample[stage + ".feature.layers.1.net.layers.0"] = stages[i][3];
  }
  return sample;
}

TEST(SpvnasSpecTest, ReleasedNetworkHasThePublishedParameters) {
  const Result<UNetArch> arch = ParseSample(Released65G(), 4, 19);
  ASSERT_TRUE(arch.ok()) << arch.status();
  EXPECT_EQ(arch->stages[5].depth, 1);
  EXPECT_EQ(Parameters(UNetLayers(*arch, *arch, UNetKind::kSpvnas)), 10788891);
}

TEST(SpvnasSpecTest, SampleOfACandidateReadsBack) {
  const SpvnasSpec spec = MakeSpec({{"kind", "spvnas"}, {"width", 0.5}});
  Rng rng(3);
  for (int i = 0; i < 50; ++i) {
    const search::Candidate candidate = spec.space().Sample(rng);
    const Result<UNetArch> arch = ParseSample(spec.Describe(candidate), 4, 19);
    ASSERT_TRUE(arch.ok()) << arch.status();
    EXPECT_EQ(*arch, spec.Arch(candidate, 4, 19));
  }
}

TEST(SpvnasSpecTest, ChoicesAreThoseOfThePaper) {
  const SpvnasSpec spec = MakeSpec({{"kind", "spvnas"}});
  const search::SearchSpace& space = spec.space();
  EXPECT_EQ(space.size(), 8U + 8U * 4U);
  const auto choices = [&](const std::string& name) {
    return space.dimensions()[space.Find(name).value()].choices;
  };
  EXPECT_THAT(choices("output_channels.1"), ElementsAre(16, 20, 24, 28, 32, 36, 40, 44, 48));
  EXPECT_THAT(choices("downsample.0.transition"), ElementsAre(4, 8, 12, 16, 20, 24, 28, 32));
  EXPECT_EQ(choices("downsample.1.transition").front(), 4);
  EXPECT_EQ(choices("downsample.2.transition").front(), 12);
  EXPECT_EQ(choices("upsample.0.transition").front(), 48);
  EXPECT_EQ(choices("upsample.0.transition").back(), 384);
  EXPECT_THAT(choices("upsample.3.feature"), ElementsAre(1, 2));
}

TEST(SpvnasSpecTest, SecondMidCountsOnlyAtDepthTwo) {
  const SpvnasSpec spec = MakeSpec({{"kind", "spvnas"}});
  const search::SearchSpace& space = spec.space();
  const size_t depth = space.Find("downsample.0.feature").value();
  const size_t mid = space.Find("downsample.0.feature.layers.1.net.layers.0").value();
  search::Candidate candidate = space.Largest();
  EXPECT_TRUE(space.IsActive(candidate, mid));
  candidate.choices[depth] = 0;
  EXPECT_FALSE(space.IsActive(candidate, mid));
  const Json sample = spec.Describe(space.Canonical(candidate));
  EXPECT_TRUE(sample["downsample.0.feature.layers.1.net.layers.0"].is_null());
  EXPECT_EQ(sample["downsample.0.feature"], 1);
}

TEST(SpvnasSpecTest, NoChannelCountIsEverZeroOrOffTheDivisor) {
  for (const double width : {0.05, 0.125, 0.25, 1.0}) {
    for (const int64_t divisor : {1, 4, 16}) {
      for (const int64_t floor : {0, 16}) {
        const SpvnasSpec spec = MakeSpec({{"kind", "spvnas"},
                                          {"width", width},
                                          {"channel_divisor", divisor},
                                          {"channel_floor", floor}});
        for (const auto& dimension : spec.space().dimensions()) {
          ASSERT_FALSE(dimension.choices.empty());
          if (dimension.name.find(".feature") == dimension.name.size() - 8) continue;
          for (const int64_t choice : dimension.choices) {
            EXPECT_GE(choice, std::max<int64_t>(1, floor));
            EXPECT_EQ(choice % divisor, 0) << dimension.name;
          }
        }
      }
    }
  }
}

TEST(SpvnasSpecTest, MinDepthTwoFixesTheDepth) {
  const SpvnasSpec spec = MakeSpec({{"kind", "spvnas"}, {"min_depth", 2}});
  const size_t depth = spec.space().Find("upsample.2.feature").value();
  EXPECT_THAT(spec.space().dimensions()[depth].choices, ElementsAre(2));
}

TEST(SpvnasSpecTest, ConfigurationErrorsNameThePointer) {
  search::SupernetSpecRegistry registry("supernet");
  RegisterBuiltinSpecs(registry);
  const auto make = registry.Find("spvnas").value();
  for (const Json& bad :
       {Json{{"kind", "spvnas"}, {"width", 0}}, Json{{"kind", "spvnas"}, {"widht", 1}},
        Json{{"kind", "spvnas"}, {"min_depth", 3}}}) {
    const auto spec = make(bad, "/studies/0/supernet");
    ASSERT_FALSE(spec.ok());
    EXPECT_EQ(spec.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(spec.status().message(), HasSubstr("/studies/0/supernet"));
  }
  const auto spec = make(Json{{"kind", "spvnas"}}, "");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ((*spec)->config()["channel_divisor"], 4);
}

TEST(ParseSampleTest, MissingKeyIsNamed) {
  Json sample = Released65G();
  sample.erase("upsample.2.transition");
  EXPECT_THAT(ParseSample(sample, 4, 19).status().message(), HasSubstr("upsample.2.transition"));
  sample = Released65G();
  sample["downsample.1.feature"] = 3;
  EXPECT_FALSE(ParseSample(sample, 4, 19).ok());
  sample = Released65G();
  sample["output_channels"] = {1, 2};
  EXPECT_FALSE(ParseSample(sample, 4, 19).ok());
}

}  // namespace
}  // namespace voxbit::supernet
