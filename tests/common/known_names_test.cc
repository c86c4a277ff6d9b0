#include "common/known_names.h"

#include <gtest/gtest.h>

namespace voxbit {
namespace {

const std::vector<std::string>& Metrics() {
  static const std::vector<std::string> metrics = {"miou", "macs", "params", "latency_ms",
                                                   "latency_lut_ms"};
  return metrics;
}

TEST(KnownNamesTest, SlipsAndOtherCaseAreNear) {
  EXPECT_EQ(NearestName("MIOU", Metrics()), "miou");
  EXPECT_EQ(NearestName("mioo", Metrics()), "miou");
  EXPECT_EQ(NearestName("param", Metrics()), "params");
  EXPECT_EQ(NearestName("latency-ms", Metrics()), "latency_ms");
}

TEST(KnownNamesTest, AStartThatOnlyOneHasIsNear) {
  EXPECT_EQ(NearestName("latency_lut", Metrics()), "latency_lut_ms");
  EXPECT_EQ(NearestName("laten", Metrics()), "");
  EXPECT_EQ(KnownNames("laten", Metrics()), "did you mean one of latency_ms, latency_lut_ms?");
}

TEST(KnownNamesTest, WithoutANearOneAllAreNamed) {
  EXPECT_EQ(KnownNames("beauty", Metrics()),
            "known: miou, macs, params, latency_ms, latency_lut_ms");
  EXPECT_EQ(KnownNames("x", {"a", "b"}), "known: a, b");
  EXPECT_EQ(KnownNames("mcas", Metrics()), "did you mean \"macs\"?");
}

}  // namespace
}  // namespace voxbit
