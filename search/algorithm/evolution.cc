// Evolutionary search: 3D-NAS of Tang et al., SPVNAS (ECCV 2020), sec. 4.2. Half of a generation
// are mutations of the best k, half are crossovers of pairs of them; a child that breaks a
// computable constraint is drawn again.
//
// Deviations from the paper, and why:
// - The best k are taken from all results so far, not from the last generation alone: scores with
//   shared weights never change, so a good candidate need not be found a second time.
// - The first generation holds the smallest and the largest feasible candidate, a candidate is
//   proposed once, and draws are bounded: see generational_search.h.
// - With "in_flight" the search is steady: no generation is waited for, and mutations and
//   crossovers take turns.
// - Several objectives and measured constraints: see selection.h.
#include <algorithm>
#include <utility>

#include "search/algorithm/generational_search.h"

namespace voxbit::search {
namespace {

class Evolution final : public GenerationalSearch {
 public:
  explicit Evolution(const AlgorithmContext& context)
      : GenerationalSearch("evolution", context, PopulationOf(context.settings),
                           IsSteady(context.settings)),
        num_parents_(context.settings.parents > 0 ? static_cast<size_t>(context.settings.parents)
                                                  : std::max<size_t>(2, size() / 4)) {}

 private:
  void PlanGeneration(const Rng& rng) override {
    const std::vector<Fitness> parents = SelectBest(Results(), num_parents_);
    const size_t num_mutations = size() - size() / 2;
    const double usual = context().settings.mutation_probability;
    PlanBred(
        [&](size_t child, bool is_hard, Rng& draw) {
          const bool has_turn = is_steady() ? child % 2 == 0 : child < num_mutations;
          const bool is_mutation = is_hard || has_turn || parents.size() < 2;
          return Breed(parents, is_mutation, is_hard ? std::max(kHardMutation, usual) : usual,
                       draw);
        },
        rng);
  }

  Proposal Breed(const std::vector<Fitness>& parents, bool is_mutation, double probability,
                 Rng& rng) const {
    const auto num_parents = static_cast<int64_t>(parents.size());
    const auto first = static_cast<size_t>(rng.Below(num_parents));
    const Fitness& a = parents[first];
    if (is_mutation) {
      return {context().space.Mutate(a.candidate, probability, rng),
              "mutation of " + std::to_string(a.number)};
    }
    // A pair of different parents: the second is drawn from the others.
    auto second = static_cast<size_t>(rng.Below(num_parents - 1));
    if (second >= first) ++second;
    const Fitness& b = parents[second];
    return {context().space.Crossover(a.candidate, b.candidate, rng),
            "crossover of " + std::to_string(a.number) + " and " + std::to_string(b.number)};
  }

  size_t num_parents_;
};

}  // namespace

AlgorithmKind MakeEvolution() {
  return {.make = &MakeAlgorithm<Evolution>, .pace = Pace::kGenerations};
}

}  // namespace voxbit::search
