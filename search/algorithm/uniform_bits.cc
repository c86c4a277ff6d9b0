// The baseline of one number of bits for all layers: the largest that meets the constraints.
#include "search/algorithm/bit_problem.h"
#include "search/algorithm/generational_search.h"
#include "search/bits/bit_baselines.h"

namespace voxbit::search {
namespace {

class UniformSearch final : public GenerationalSearch {
 public:
  explicit UniformSearch(const AlgorithmContext& context)
      : GenerationalSearch("uniform_bits", context, 1), problem_(context) {}

 private:
  void PlanGeneration(const Rng& /*rng*/) override {
    const auto bits = LargestUniformBits(problem_.decisions(), problem_.Violation(), 0);
    PlanLast(problem_.CandidateOf(bits), "uniform");
  }
  std::string WhyExhausted() const override { return "uniform_bits proposes one candidate"; }

  BitProblem problem_;
};

}  // namespace

AlgorithmKind MakeUniformBits() {
  return {.make = &MakeAlgorithm<UniformSearch>,
          .check = &CheckBits,
          .pace = Pace::kOwnPlan,
          .is_baseline = true};
}

}  // namespace voxbit::search
