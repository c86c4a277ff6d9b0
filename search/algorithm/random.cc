// Random search: independent draws from the feasible part of the space. The baseline that every
// other algorithm has to beat with equal evaluations.
#include <set>
#include <utility>

#include "search/algorithm/algorithm.h"
#include "search/algorithm/feasible_sampler.h"
#include "search/algorithm/saved_state.h"

namespace voxbit::search {
namespace {

constexpr char kName[] = "random";

class RandomSearch final : public Algorithm {
 public:
  explicit RandomSearch(const AlgorithmContext& context)
      : space_(context.space),
        sampler_(context.space, context.filter),
        rng_(context.rng.Fork(kName)) {}

  AskResult Ask(int64_t max) override {
    AskResult result;
    while (!exhausted_ && static_cast<int64_t>(result.proposals.size()) < max) {
      std::optional<Candidate> candidate =
          sampler_.Draw(known_, rng_.Fork("proposal", known_.size()));
      if (!candidate) {
        exhausted_ = true;
        break;
      }
      known_.insert(*candidate);
      result.proposals.push_back({*std::move(candidate), "random"});
    }
    result.exhausted = exhausted_;
    if (exhausted_) result.why = kSpaceExhausted;
    return result;
  }

  void Tell(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) {
      if (space_.Validate(trial.candidate).ok()) known_.insert(trial.candidate);
    }
  }

  std::string Save() const override {
    Json state = NewState(kName, space_);
    state["known"] = CandidatesJson(known_);
    state["exhausted"] = exhausted_;
    return CanonicalJson(state);
  }

  Status Load(std::string_view blob) override {
    VOXBIT_ASSIGN_OR_RETURN(const Json state, OpenState(blob, kName, space_));
    VOXBIT_ASSIGN_OR_RETURN(std::set<Candidate> known, CandidatesIn(state, "known", space_));
    VOXBIT_ASSIGN_OR_RETURN(exhausted_, FlagIn(state, "exhausted"));
    known_ = std::move(known);
    return OkStatus();
  }

 private:
  const SearchSpace& space_;
  FeasibleSampler sampler_;
  Rng rng_;
  std::set<Candidate> known_;  // proposed here or told
  bool exhausted_ = false;
};

}  // namespace

AlgorithmKind MakeRandom() { return {.make = &MakeAlgorithm<RandomSearch>}; }

}  // namespace voxbit::search
