#include "search/domain/candidate.h"

#include <gtest/gtest.h>

#include "common/digest.h"

namespace voxbit::search {
namespace {

TEST(CandidateTest, EncodingRoundTrips) {
  for (const std::vector<int32_t>& choices :
       {std::vector<int32_t>{}, {0}, {3, 0, 12, 7}, {2147483647, 1}}) {
    const Candidate candidate{choices};
    const auto decoded = DecodeCandidate(Encode(candidate));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, candidate);
  }
  EXPECT_EQ(Encode(Candidate{{3, 0, 12, 7}}), "3.0.12.7");
}

TEST(CandidateTest, DecodeRefusesEveryOtherForm) {
  for (const char* text : {".", "1.", ".1", "1..2", "01", "-1", "1.x", " 1", "1 ", "+1", "00",
                           "2147483648", "1.2.3,4", "0x1"}) {
    const auto decoded = DecodeCandidate(text);
    ASSERT_FALSE(decoded.ok()) << text;
    EXPECT_EQ(decoded.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_NE(decoded.status().message().find(text), std::string::npos) << decoded.status();
  }
}

TEST(CandidateTest, DigestSeparatesCandidatesAndSpaces) {
  const std::string digest = CandidateDigest("space", Candidate{{1, 2}});
  EXPECT_TRUE(IsSha256(digest));
  EXPECT_EQ(digest, CandidateDigest("space", Candidate{{1, 2}}));
  EXPECT_NE(digest, CandidateDigest("space", Candidate{{12}}));
  EXPECT_NE(digest, CandidateDigest("other", Candidate{{1, 2}}));
}

}  // namespace
}  // namespace voxbit::search
