// Laws that every registered cost model keeps, and figures computed by hand.
#include <gtest/gtest.h>

#include "search/cost/cost_model.h"
#include "search/domain/metric.h"
#include "tests/support/toy_space.h"

namespace voxbit::cost {
namespace {

CostModelRegistry Builtins() {
  CostModelRegistry registry("cost model");
  RegisterBuiltins(registry);
  return registry;
}

class CostModelTest : public ::testing::TestWithParam<std::string> {
 protected:
  CostModelTest() : model_((*Builtins().Find(GetParam()))()) {}

  double Cost(const search::Candidate& candidate) const {
    const auto layers = spec_.Expand(candidate, 4, 3);
    return model_->Cost(layers, spec_.MakeWorkload()).value();
  }

  voxbit::testing::ToySpec spec_;
  std::unique_ptr<CostModel> model_;
};

TEST_P(CostModelTest, NoLayersCostNothing) {
  EXPECT_EQ(model_->Cost({}, spec_.MakeWorkload()).value(), 0);
}

TEST_P(CostModelTest, NeverFallsWhenAChoiceRises) {
  Rng rng(1);
  for (int i = 0; i < 100; ++i) {
    search::Candidate genes = spec_.space().Smallest();
    for (size_t d = 0; d < genes.choices.size(); ++d) {
      genes.choices[d] = static_cast<int32_t>(
          rng.Below(static_cast<int64_t>(spec_.space().dimensions()[d].choices.size())));
    }
    const double before = Cost(spec_.space().Canonical(genes));
    EXPECT_GE(before, 0);
    for (size_t d = 0; d < genes.choices.size(); ++d) {
      search::Candidate larger = genes;
      if (++larger.choices[d] ==
          static_cast<int32_t>(spec_.space().dimensions()[d].choices.size())) {
        continue;
      }
      EXPECT_GE(Cost(spec_.space().Canonical(larger)), before)
          << spec_.space().dimensions()[d].name;
    }
  }
}

TEST_P(CostModelTest, AnswersWithoutAWorkloadUnlessItSaysSo) {
  const auto layers = spec_.Expand(spec_.space().Largest(), 4, 2);
  const auto cost = model_->Cost(layers, search::Workload{});
  EXPECT_EQ(cost.ok(), !model_->NeedsWorkload());
  if (!cost.ok()) {
    EXPECT_EQ(cost.status().code(), StatusCode::kNotFound);
    EXPECT_NE(cost.status().message().find("stage.0.0"), std::string::npos) << cost.status();
  }
}

TEST_P(CostModelTest, ComputesAMetricOfTheTable) {
  const auto metric = search::FindMetric(GetParam());
  ASSERT_TRUE(metric.ok()) << metric.status();
  EXPECT_EQ(metric->source, search::MetricSource::kCostModel);
}

INSTANTIATE_TEST_SUITE_P(Builtin, CostModelTest, ::testing::ValuesIn(Builtins().Names()),
                         [](const auto& named) { return named.param; });

// stem.0 of the published SPVNAS (27 x 4 x 32, batch norm) on the official example scan: 286,263
// pairs of a 3^3 kernel; and its first transition (8 x 32 x 32) on 94,625 voxels.
TEST(CostTest, CountsSparseConvolutionsByTheirPairs) {
  search::LayerSpec stem;
  stem.in_channels = 4;
  stem.out_channels = 32;
  stem.kernel_volume = 27;
  stem.batch_norm = true;
  stem.workload = search::Pairs3Key(1);
  search::LayerSpec transition;
  transition.in_channels = 32;
  transition.out_channels = 32;
  transition.kernel_volume = 8;
  transition.stride = 2;
  transition.batch_norm = true;
  transition.workload = search::Pairs2Key(1);
  search::Workload workload;
  workload.counts = {{search::Pairs3Key(1), 286263}, {search::Pairs2Key(1), 94625}};
  const auto registry = Builtins();
  EXPECT_EQ((*registry.Find("macs"))()->Cost({stem, transition}, workload).value(),
            286263.0 * 4 * 32 + 94625.0 * 32 * 32);
  EXPECT_EQ((*registry.Find("params"))()->Cost({stem, transition}, workload).value(),
            27.0 * 4 * 32 + 64 + 8.0 * 32 * 32 + 64);
}

TEST(CostTest, EveryMetricOfACostModelHasOne) {
  const auto registry = Builtins();
  for (const search::Metric& metric : search::Metrics()) {
    if (metric.source != search::MetricSource::kCostModel) continue;
    if (metric.name == search::kLatencyLut) continue;  // a study brings its own
    EXPECT_TRUE(registry.Find(metric.name).ok()) << metric.name;
  }
}

}  // namespace
}  // namespace voxbit::cost
