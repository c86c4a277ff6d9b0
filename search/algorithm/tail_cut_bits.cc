// The baseline of the highest bits everywhere, with the lowest from the last layer on until the
// constraints hold: what a HAQ agent does whose actions are all at their maximum.
#include "search/algorithm/bit_problem.h"
#include "search/algorithm/generational_search.h"
#include "search/bits/bit_baselines.h"

namespace voxbit::search {
namespace {

class TailCutSearch final : public GenerationalSearch {
 public:
  explicit TailCutSearch(const AlgorithmContext& context)
      : GenerationalSearch("tail_cut_bits", context, 1), problem_(context) {}

 private:
  void PlanGeneration(const Rng& /*rng*/) override {
    const auto bits = TailCutBits(problem_.decisions(), problem_.Violation(), 0);
    PlanLast(problem_.CandidateOf(bits), "tail cut");
  }
  std::string WhyExhausted() const override { return "tail_cut_bits proposes one candidate"; }

  BitProblem problem_;
};

}  // namespace

AlgorithmKind MakeTailCutBits() {
  return {.make = &MakeAlgorithm<TailCutSearch>,
          .check = &CheckBits,
          .pace = Pace::kOwnPlan,
          .is_baseline = true};
}

}  // namespace voxbit::search
