// The common part of algorithms that breed candidates or plan them in rounds: what is planned,
// asked for and told, what is waited for in between, and how all of it is saved.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/json.h"
#include "search/algorithm/algorithm.h"
#include "search/algorithm/feasible_sampler.h"
#include "search/algorithm/selection.h"

namespace voxbit::search {

// Two ways to go on. Generations: the next is planned only when all of the last is told, so that
// its members do not depend on the order in which workers finish. Steady: a candidate is planned
// when it is asked for, from what was told until then. Either way a candidate is proposed once, and
// depends on the seed, on the candidates proposed before it and on what was told before it alone.
class GenerationalSearch : public Algorithm {
 public:
  AskResult Ask(int64_t max) final;
  void Tell(std::span<const Trial> trials) final;
  std::string Save() const final;
  Status Load(std::string_view blob) final;

 protected:
  // Makes one child, feasible or not. `child` counts the children of a generation; in a steady
  // search, all of them. With `is_hard` the usual ways gave nothing new: the child should differ
  // more.
  using Breeder = std::function<Proposal(size_t child, bool is_hard, Rng& rng)>;

  // The share of genes that is drawn anew, at least, when the usual share gave nothing new.
  static constexpr double kHardMutation = 0.5;
  // "population", and two at least: a generation needs a pair of parents.
  static size_t PopulationOf(const SearchSettings& settings);

  // "in_flight" of its own: that many at all times, whatever the generation.
  static bool IsSteady(const SearchSettings& settings) { return settings.in_flight > 0; }

  // `size`: of a generation; of a steady search, of the first one.
  GenerationalSearch(std::string name, const AlgorithmContext& context, size_t size,
                     bool is_steady = false);

  // Plans at least one proposal, or ends the search. `rng` is a stream of this generation: an
  // algorithm that was told the history goes on exactly where the one that made it would.
  virtual void PlanGeneration(const Rng& rng) = 0;
  // Called once for each trial that is told, after it has got its place among the results.
  virtual void NoteResult(const Trial& /*trial*/) {}
  // Why no further candidate will come, for people.
  virtual std::string WhyExhausted() const { return kSpaceExhausted; }
  // What a subclass keeps beside results. ReadMore changes nothing when it fails.
  virtual void AddMore(Json& /*state*/) const {}
  virtual Status ReadMore(const Json& /*state*/) { return OkStatus(); }

  // Fills a generation: at first with the ends of the trade-off and random candidates, then with
  // children. A steady search plans one child, and random candidates until half of the first
  // generation has given parents. Draws are bounded: a child that is still not new and feasible is
  // repaired, then bred hard, then replaced by a random candidate.
  void PlanBred(const Breeder& breed, const Rng& rng);
  void Plan(Candidate candidate, std::string origin);
  // Plans a random candidate; false, and the search ends, when there is no new one.
  bool PlanRandom(const Rng& rng);
  // Plans these in order, but for those that are known or infeasible, up to `size()` known ones in
  // all. False when none was left.
  bool PlanNew(const std::vector<Proposal>& proposals);
  // Nothing more will be planned.
  void End() { state_.exhausted = true; }
  // Plans the last one, if it is new and feasible, and ends the search.
  void PlanLast(const std::optional<Candidate>& candidate, std::string origin);

  // All results so far, by candidate.
  std::vector<Fitness> Results() const;
  bool IsNew(const Candidate& candidate) const { return state_.known.count(candidate) == 0; }
  // New and feasible.
  bool Accepts(const Candidate& candidate) const {
    return sampler_.Accepts(state_.known, candidate);
  }
  size_t NumKnown() const { return state_.known.size(); }
  size_t size() const { return size_; }
  bool is_steady() const { return is_steady_; }
  const AlgorithmContext& context() const { return context_; }

 private:
  struct State {
    std::deque<Proposal> plan;    // of this generation, not yet asked for
    std::set<Candidate> waiting;  // asked for, not yet told
    std::set<Candidate> known;    // planned, asked for or told
    std::map<Candidate, Fitness> told;
    bool exhausted = false;
  };

  bool IsWaiting() const { return !is_steady_ && !state_.waiting.empty(); }
  void PlanFirst(size_t count, const Rng& rng);
  size_t NumScored() const;  // results that can be parents
  std::optional<Proposal> Child(size_t child, const Breeder& breed, const Rng& rng) const;

  std::string name_;
  AlgorithmContext context_;
  size_t size_;
  bool is_steady_;
  Rng rng_;
  FeasibleSampler sampler_;
  State state_;
};

}  // namespace voxbit::search
