// NSGA-II: Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm (2002). The elite of N
// results by constraint domination, non-dominated rank and crowding distance; binary tournaments
// for parents; crossover, then mutation of every child.
//
// Choice indices are categories as much as numbers, hence uniform crossover with a swap probability
// of 0.5 and mutation by a fresh draw, as Optuna does, in the place of SBX and polynomial mutation.
// A crossover takes place with probability 0.9, a gene is drawn again with probability 1 / number
// of dimensions; N is "population", and 50 in the publications.
//
// Deviation: the elite is taken from all results so far, not from the last elite and its children:
// a result that crowding once cut off may return, and the elite depends on what was told alone.
// With "in_flight" the search is steady: a child is bred whenever a result has come (Durillo et
// al., On the Effect of the Steady-State Selection Scheme in Multi-Objective Genetic Algorithms,
// 2009). First generation, duplicates and bounded draws: see generational_search.h.
#include <algorithm>
#include <utility>

#include "search/algorithm/generational_search.h"

namespace voxbit::search {
namespace {

constexpr double kCrossover = 0.9;

// Binary tournament among `count` that are sorted best first.
size_t Tournament(size_t count, Rng& rng) {
  const auto limit = static_cast<int64_t>(count);
  const int64_t one = rng.Below(limit);
  const int64_t other = rng.Below(limit);
  return static_cast<size_t>(std::min(one, other));
}

class Nsga2 final : public GenerationalSearch {
 public:
  explicit Nsga2(const AlgorithmContext& context)
      : GenerationalSearch("nsga2", context, PopulationOf(context.settings),
                           IsSteady(context.settings)),
        mutation_(1.0 / static_cast<double>(std::max<size_t>(1, context.space.size()))) {}

 private:
  void PlanGeneration(const Rng& rng) override {
    // SelectBest sorts by the crowded comparison, so a tournament compares positions.
    const std::vector<Fitness> elite = SelectBest(Results(), size());
    PlanBred([&](size_t /*child*/, bool is_hard, Rng& draw) { return Breed(elite, is_hard, draw); },
             rng);
  }

  Proposal Breed(const std::vector<Fitness>& elite, bool is_hard, Rng& rng) const {
    const double mutation = is_hard ? std::max(kHardMutation, mutation_) : mutation_;
    const size_t first = Tournament(elite.size(), rng);
    const Fitness& a = elite[first];
    if (!rng.Bernoulli(kCrossover) || elite.size() < 2) {
      return {context().space.Mutate(a.candidate, mutation, rng),
              "mutation of " + std::to_string(a.number)};
    }
    // A pair of different parents: the second tournament is among the others.
    size_t second = Tournament(elite.size() - 1, rng);
    if (second >= first) ++second;
    const Fitness& b = elite[second];
    const Candidate child = context().space.Crossover(a.candidate, b.candidate, rng);
    return {context().space.Mutate(child, mutation, rng),
            "crossover of " + std::to_string(a.number) + " and " + std::to_string(b.number)};
  }

  double mutation_;
};

}  // namespace

AlgorithmKind MakeNsga2() { return {.make = &MakeAlgorithm<Nsga2>, .pace = Pace::kGenerations}; }

}  // namespace voxbit::search
