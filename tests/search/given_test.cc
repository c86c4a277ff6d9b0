// The algorithm that scores a list.
#include <gtest/gtest.h>

#include "tests/search/harness.h"

namespace voxbit::search {
namespace {

class GivenTest : public ::testing::Test {
 protected:
  GivenTest() {
    Rng rng(3);
    for (int i = 0; i < 5; ++i) candidates_.push_back(harness_.spec().space().Sample(rng));
    harness_.settings().algorithm = "given";
    Give(candidates_);
  }
  void Give(const std::vector<Candidate>& candidates) {
    Json list = Json::array();
    for (const Candidate& candidate : candidates) list.push_back(Encode(candidate));
    harness_.settings().agent = {{"candidates", std::move(list)}};
  }
  std::string Refusal(const Json& agent) {
    harness_.settings().agent = agent;
    const auto resolved = ResolveAgent(harness_.algorithms(), harness_.settings(),
                                       harness_.spec().space(), "/search");
    EXPECT_FALSE(resolved.ok()) << agent;
    return resolved.ok() ? "" : resolved.status().message();
  }

  Harness harness_{{}};
  std::vector<Candidate> candidates_;
};

TEST_F(GivenTest, ProposesTheListInItsOrderAndEnds) {
  const auto algorithm = harness_.Make("given");
  EXPECT_EQ(Candidates(harness_.Run(*algorithm, 100)), candidates_);
  EXPECT_EQ(algorithm->Ask(1).why, "all given candidates were proposed");
}

TEST_F(GivenTest, SaysHowManyBreakTheConstraints) {
  Harness tight({.macs_share = 0.0});
  const Candidate smallest = tight.spec().space().Smallest();
  tight.settings().agent = {
      {"candidates", {Encode(tight.spec().space().Largest()), Encode(smallest)}}};
  const auto algorithm = tight.Make("given");
  EXPECT_EQ(Candidates(tight.Run(*algorithm, 100)), std::vector<Candidate>{smallest});
  EXPECT_EQ(algorithm->Ask(1).why,
            "all given candidates were proposed but 1 that break the constraints");
}

TEST_F(GivenTest, WrongListsAreRefusedWithTheirPointer) {
  const std::string good = Encode(candidates_[0]);
  EXPECT_EQ(Refusal(Json::object()), "/search/agent/candidates: missing");
  EXPECT_EQ(Refusal({{"candidates", Json::array()}})
                .find("/search/agent/candidates: expected a list of candidates"),
            0U);
  EXPECT_EQ(Refusal({{"candidates", {good, 7}}}).find("/search/agent/candidates/1: expected"), 0U);
  EXPECT_EQ(Refusal({{"candidates", {good, "1.x"}}}).find("/search/agent/candidates/1: "), 0U);
  EXPECT_EQ(Refusal({{"candidates", {good, "99.0"}}}).find("/search/agent/candidates/1: "), 0U);
  EXPECT_EQ(Refusal({{"candidates", {good, good}}}), "/search/agent/candidates/1: is listed twice");
  harness_.settings().trials = 1;
  EXPECT_EQ(Refusal({{"candidates", {good, Encode(candidates_[1])}}}),
            "/search/trials: expected at least 2, the number of given candidates, found 1");
}

}  // namespace
}  // namespace voxbit::search
