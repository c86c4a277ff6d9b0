// The interface of every search algorithm: ask for candidates, tell results.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/registry.h"
#include "common/rng.h"
#include "search/domain/study.h"
#include "search/domain/trial.h"
#include "search/space/layer_table.h"
#include "search/space/search_space.h"

namespace voxbit::search {

struct Proposal {
  Candidate candidate;  // canonical and new to this algorithm
  std::string origin;   // "random", "mutation of 3", "crossover of 3 and 5"
};

struct AskResult {
  std::vector<Proposal> proposals;  // empty and not exhausted: tell more first
  bool exhausted = false;  // no further candidate will come; may come with the last proposals
  std::string why = {};    // it is exhausted, for people
};
inline constexpr char kSpaceExhausted[] = "the space has no further candidate";

// What a candidate costs where a computable constraint has an upper bound.
struct BoundedCost {
  double value = 0;
  double bound = 0;
};

// Decides before any measurement whether a candidate may be proposed.
class CandidateFilter {
 public:
  virtual ~CandidateFilter() = default;
  // Sum of relative violations of the computable constraints, of another architecture than the
  // study's the number of choices that differ; 0: may be proposed.
  virtual double Violation(const Candidate& candidate) const = 0;
  // `candidate` with the architecture that the study keeps, if it keeps one; canonical then.
  virtual Candidate Pin(Candidate candidate) const { return candidate; }
  // One entry for each computable constraint with an upper bound, in the order of the constraints.
  // Sums over the layers of the candidate.
  virtual std::vector<BoundedCost> BoundedCosts(const Candidate& candidate) const = 0;
  // A candidate near `candidate` without violation, found in a bounded number of steps. Proved to
  // exist before the study starts (search/algorithm/feasibility.h).
  virtual Candidate Repair(const Candidate& candidate, Rng& rng) const = 0;
};

// What candidates consist of, for algorithms that look at layers.
class LayerSource {
 public:
  virtual ~LayerSource() = default;
  // Requires: space.Validate(candidate).
  virtual LayerTable Layers(const Candidate& candidate) const = 0;
  // What one sample puts on the layers.
  virtual const Workload& workload() const = 0;
};

// Not thread-safe: one study runner owns one algorithm. No call waits or performs I/O.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  // At most `max` proposals, each of which satisfies space.Validate() and the filter.
  virtual AskResult Ask(int64_t max) = 0;
  // Finished trials, failed ones included, in the order of Trial::sequence. A trial told before
  // is ignored, unless it had failed and now has scores: it was tried again. Trials of any origin
  // are welcome, also ones this object did not propose.
  // Trials that are not final or not of this space give no score; the former are not proposed.
  virtual void Tell(std::span<const Trial> trials) = 0;
  // Load(Save()) gives an object that makes the same future proposals. Text, at most a few hundred
  // bytes for each trial, and some megabytes for an agent's networks. Load returns DATA_LOSS for
  // damaged text and FAILED_PRECONDITION for the state of another algorithm, space or version; the
  // object is then as it was.
  virtual std::string Save() const = 0;
  virtual Status Load(std::string_view blob) = 0;
};

// Everything that is referred to outlives the algorithm. Proposals depend on the seed of `rng` and
// on what was told, never on how often Ask was called or in which order results came in.
struct AlgorithmContext {
  const SearchSpace& space;
  const CandidateFilter& filter;
  const std::vector<Objective>& objectives;
  const std::vector<Constraint>& constraints;
  const SearchSettings& settings;
  Rng rng;
  const LayerSource* layers = nullptr;  // not owned; null: nothing is known of layers
};

// How an algorithm keeps "in_flight" trials under way.
enum class Pace {
  kSteady,       // always
  kGenerations,  // when that is set; at 0 a generation is complete before the next begins
  kRounds,       // so many, then all their results, then so many again
  kOwnPlan,      // only as many as its own plan has
};

// One line of builtin.def.
struct AlgorithmKind {
  std::function<std::unique_ptr<Algorithm>(const AlgorithmContext&)> make;
  // Checks what a study says about this algorithm before it starts, and returns settings.agent with
  // every default filled in; `settings` stand at `pointer`. INVALID_ARGUMENT names the JSON
  // pointer. Null: any space will do, and there is nothing to set.
  Result<Json> (*check)(const SearchSettings& settings, const SearchSpace& space,
                        const std::string& pointer) = nullptr;
  Pace pace = Pace::kSteady;
  // Proposes a few candidates of its own and ends, whatever the seed.
  bool is_baseline = false;
  // Reads "quantization_error" in the detail of measurements. Evaluations report it for such
  // algorithms alone: it quantizes every layer of a candidate once more.
  bool reads_quantization_error = false;
};

// For AlgorithmKind::make, when the class needs nothing but its context.
template <class T>
std::unique_ptr<Algorithm> MakeAlgorithm(const AlgorithmContext& context) {
  return std::make_unique<T>(context);
}

using AlgorithmRegistry = Registry<AlgorithmKind>;

// settings.agent as the named algorithm resolves it; `pointer` as in AlgorithmKind::check.
// INVALID_ARGUMENT also for an unknown algorithm and for an architecture that the space lacks.
Result<Json> ResolveAgent(const AlgorithmRegistry& registry, const SearchSettings& settings,
                          const SearchSpace& space, const std::string& pointer);
// Why fewer trials than settings.MaxInFlight() may be under way although some are left; "" when
// that many always are.
std::string WhyFewerInFlight(Pace pace, const SearchSettings& settings);
// For algorithms without settings of their own: an empty object, or INVALID_ARGUMENT when
// settings.agent is not.
Result<Json> NoAgentSettings(const SearchSettings& settings, const std::string& pointer);

// Adds every algorithm of builtin.def.
void RegisterBuiltins(AlgorithmRegistry& registry);

}  // namespace voxbit::search
