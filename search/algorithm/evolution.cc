// Evolutionary search in generations: 3D-NAS of Tang et al., SPVNAS (ECCV 2020), sec. 4.2. Half
// of a generation are mutations of the best k, half are crossovers of pairs of them; a child that
// breaks a computable constraint is drawn again.
//
// Deviations from the paper, and why:
// - The best k are taken from all results so far, not from the last generation alone: scores with
//   shared weights never change, so a good candidate need not be found a second time.
// - The first generation holds the smallest and the largest feasible candidate: uniform draws
//   practically never reach the ends of the trade-off.
// - A candidate is proposed once. Draws are bounded; a child that is still not new and feasible is
//   repaired, then mutated hard, then replaced by a random candidate.
// - Several objectives and measured constraints: see selection.h.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "search/algorithm/algorithm.h"
#include "search/algorithm/feasible_sampler.h"
#include "search/algorithm/saved_state.h"
#include "search/algorithm/selection.h"

namespace voxbit::search {
namespace {

constexpr char kName[] = "evolution";
constexpr uint64_t kRedraws = 100;
constexpr uint64_t kRepairs = 20;
constexpr double kHardMutation = 0.5;
constexpr size_t kMinPopulationForExtremes = 4;

Json FitnessJson(const Fitness& fitness) {
  return {{"number", fitness.number},
          {"candidate", Encode(fitness.candidate)},
          {"violation", fitness.violation},
          {"scores", fitness.scores}};
}

Result<Fitness> FitnessIn(const Json& json, const SearchSpace& space, size_t num_objectives) {
  Status damaged = DataLoss("the saved state of the algorithm is damaged: bad result");
  if (!json.is_object() || !json.contains("number") || !json["number"].is_number_integer() ||
      !json.contains("violation") || !json["violation"].is_number() ||
      !json.contains("candidate") || !json.contains("scores")) {
    return damaged;
  }
  Fitness fitness;
  fitness.number = json["number"].get<int64_t>();
  fitness.violation = json["violation"].get<double>();
  VOXBIT_ASSIGN_OR_RETURN(fitness.candidate, CandidateIn(json["candidate"], space));
  const Json& scores = json["scores"];
  if (!scores.is_array() || (!scores.empty() && scores.size() != num_objectives)) return damaged;
  for (const Json& score : scores) {
    if (!score.is_number()) return damaged;
    fitness.scores.push_back(score.get<double>());
  }
  return fitness;
}

class Evolution final : public Algorithm {
 public:
  explicit Evolution(const AlgorithmContext& context)
      : context_(context),
        population_(static_cast<size_t>(std::max<int64_t>(2, context.settings.population))),
        num_parents_(context.settings.parents > 0 ? static_cast<size_t>(context.settings.parents)
                                                  : std::max<size_t>(2, population_ / 4)),
        rng_(context.rng.Fork(kName)),
        sampler_(context.space, context.filter) {}

  AskResult Ask(int64_t max) override {
    AskResult result;
    if (max <= 0) return result;
    // The barrier: a generation is bred only from complete results, so that its members do not
    // depend on the order in which workers finish.
    if (state_.plan.empty() && state_.waiting.empty() && !state_.exhausted) PlanGeneration();
    const size_t count = std::min(state_.plan.size(), static_cast<size_t>(max));
    for (size_t i = 0; i < count; ++i) {
      state_.waiting.insert(state_.plan[i].candidate);
      result.proposals.push_back(std::move(state_.plan[i]));
    }
    state_.plan.erase(state_.plan.begin(),
                      state_.plan.begin() + static_cast<std::ptrdiff_t>(count));
    result.exhausted = state_.exhausted && state_.plan.empty();
    return result;
  }

  void Tell(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) {
      if (!context_.space.Validate(trial.candidate).ok()) continue;
      state_.known.insert(trial.candidate);
      // Somebody else may have tried what is planned here.
      state_.plan.erase(std::remove_if(state_.plan.begin(), state_.plan.end(),
                                       [&](const Proposal& planned) {
                                         return planned.candidate == trial.candidate;
                                       }),
                        state_.plan.end());
      if (!IsFinal(trial.state)) continue;
      state_.waiting.erase(trial.candidate);
      state_.told.try_emplace(trial.candidate,
                              FitnessOf(trial, context_.objectives, context_.constraints));
    }
  }

  std::string Save() const override;
  Status Load(std::string_view blob) override;

 private:
  struct State {
    std::vector<Proposal> plan;   // of this generation, not yet asked for
    std::set<Candidate> waiting;  // asked for, not yet told
    std::set<Candidate> known;    // planned, asked for or told
    std::map<Candidate, Fitness> told;
    bool exhausted = false;
  };

  void PlanGeneration();
  void PlanRandom(size_t count, const Rng& rng);
  void PlanChildren(const std::vector<Fitness>& parents, const Rng& rng);
  // False when no new candidate was found.
  bool PlanOne(const Rng& rng);
  Proposal Breed(const std::vector<Fitness>& parents, bool is_mutation, double probability,
                 Rng& rng) const;
  std::optional<Proposal> Child(const std::vector<Fitness>& parents, bool is_mutation,
                                const Rng& rng) const;
  void Plan(Candidate candidate, std::string origin) {
    state_.known.insert(candidate);
    state_.plan.push_back({std::move(candidate), std::move(origin)});
  }

  AlgorithmContext context_;
  size_t population_;
  size_t num_parents_;
  Rng rng_;
  FeasibleSampler sampler_;
  State state_;
};

void Evolution::PlanGeneration() {
  // The number of known candidates names the generation: an algorithm that was told the history
  // goes on exactly where the one that made it would.
  const Rng rng = rng_.Fork("generation", state_.known.size());
  std::vector<Fitness> results;
  for (const auto& [candidate, fitness] : state_.told) results.push_back(fitness);
  const std::vector<Fitness> parents = SelectBest(std::move(results), num_parents_);
  if (state_.known.size() < population_) {
    PlanRandom(population_ - state_.known.size(), rng);
  } else if (parents.empty()) {
    PlanRandom(population_, rng);
  } else {
    PlanChildren(parents, rng);
  }
}

void Evolution::PlanRandom(size_t count, const Rng& rng) {
  if (state_.known.empty() && count >= kMinPopulationForExtremes) {
    uint64_t index = 0;
    for (const Candidate& extreme : {context_.space.Smallest(), context_.space.Largest()}) {
      Rng repair = rng.Fork("extreme", index);
      Candidate candidate = context_.filter.Repair(extreme, repair);
      const std::string origin = index == 0 ? "smallest" : "largest";
      if (sampler_.Accepts(state_.known, candidate)) Plan(std::move(candidate), origin);
      ++index;
    }
  }
  const size_t goal = state_.plan.size() >= count ? 0 : count - state_.plan.size();
  for (uint64_t i = 0; i < goal; ++i) {
    if (!PlanOne(rng.Fork("random", i))) return;
  }
}

bool Evolution::PlanOne(const Rng& rng) {
  std::optional<Candidate> candidate = sampler_.Draw(state_.known, rng);
  state_.exhausted = !candidate;
  if (candidate) Plan(*std::move(candidate), "random");
  return !state_.exhausted;
}

void Evolution::PlanChildren(const std::vector<Fitness>& parents, const Rng& rng) {
  const size_t num_mutations = population_ - population_ / 2;
  for (size_t j = 0; j < population_; ++j) {
    const Rng child_rng = rng.Fork("child", j);
    const bool is_mutation = j < num_mutations || parents.size() < 2;
    if (std::optional<Proposal> child = Child(parents, is_mutation, child_rng)) {
      Plan(std::move(child->candidate), std::move(child->origin));
    } else if (!PlanOne(child_rng.Fork("random"))) {
      return;
    }
  }
}

Proposal Evolution::Breed(const std::vector<Fitness>& parents, bool is_mutation, double probability,
                          Rng& rng) const {
  const auto num_parents = static_cast<int64_t>(parents.size());
  const auto first = static_cast<size_t>(rng.Below(num_parents));
  const Fitness& a = parents[first];
  if (is_mutation) {
    return {context_.space.Mutate(a.candidate, probability, rng),
            "mutation of " + std::to_string(a.number)};
  }
  // A pair of different parents: the second is drawn from the others.
  auto second = static_cast<size_t>(rng.Below(num_parents - 1));
  if (second >= first) ++second;
  const Fitness& b = parents[second];
  return {context_.space.Crossover(a.candidate, b.candidate, rng),
          "crossover of " + std::to_string(a.number) + " and " + std::to_string(b.number)};
}

std::optional<Proposal> Evolution::Child(const std::vector<Fitness>& parents, bool is_mutation,
                                         const Rng& rng) const {
  const double probability = context_.settings.mutation_probability;
  for (uint64_t attempt = 0; attempt < kRedraws; ++attempt) {
    Rng draw = rng.Fork("redraw", attempt);
    Proposal child = Breed(parents, is_mutation, probability, draw);
    if (sampler_.Accepts(state_.known, child.candidate)) return child;
  }
  for (const bool is_hard : {false, true}) {
    for (uint64_t attempt = 0; attempt < kRepairs; ++attempt) {
      Rng draw = rng.Fork(is_hard ? "hard" : "repair", attempt);
      Proposal child = Breed(parents, is_mutation || is_hard,
                             is_hard ? std::max(kHardMutation, probability) : probability, draw);
      child.candidate = context_.filter.Repair(child.candidate, draw);
      if (sampler_.Accepts(state_.known, child.candidate)) return child;
    }
  }
  return std::nullopt;
}

std::string Evolution::Save() const {
  Json state = NewState(kName, context_.space);
  state["known"] = CandidatesJson(state_.known);
  state["waiting"] = CandidatesJson(state_.waiting);
  state["exhausted"] = state_.exhausted;
  state["plan"] = Json::array();
  for (const Proposal& planned : state_.plan) {
    state["plan"].push_back({{"candidate", Encode(planned.candidate)}, {"origin", planned.origin}});
  }
  state["told"] = Json::array();
  for (const auto& [candidate, fitness] : state_.told) {
    state["told"].push_back(FitnessJson(fitness));
  }
  return CanonicalJson(state);
}

Status Evolution::Load(std::string_view blob) {
  const SearchSpace& space = context_.space;
  VOXBIT_ASSIGN_OR_RETURN(const Json json, OpenState(blob, kName, space));
  Status damaged = DataLoss("the saved state of the algorithm is damaged");
  State loaded;
  VOXBIT_ASSIGN_OR_RETURN(loaded.known, CandidatesIn(json, "known", space));
  VOXBIT_ASSIGN_OR_RETURN(loaded.waiting, CandidatesIn(json, "waiting", space));
  VOXBIT_ASSIGN_OR_RETURN(loaded.exhausted, FlagIn(json, "exhausted"));
  for (const char* key : {"plan", "told"}) {
    if (!json.contains(key) || !json[key].is_array()) return damaged;
  }
  for (const Json& item : json["plan"]) {
    if (!item.is_object() || !item.contains("candidate") || !item.contains("origin") ||
        !item["origin"].is_string()) {
      return damaged;
    }
    VOXBIT_ASSIGN_OR_RETURN(Candidate candidate, CandidateIn(item["candidate"], space));
    loaded.plan.push_back({std::move(candidate), item["origin"].get<std::string>()});
  }
  for (const Json& item : json["told"]) {
    VOXBIT_ASSIGN_OR_RETURN(Fitness fitness, FitnessIn(item, space, context_.objectives.size()));
    Candidate candidate = fitness.candidate;
    loaded.told.emplace(std::move(candidate), std::move(fitness));
  }
  state_ = std::move(loaded);
  return OkStatus();
}

}  // namespace

std::unique_ptr<Algorithm> MakeEvolution(const AlgorithmContext& context) {
  return std::make_unique<Evolution>(context);
}

}  // namespace voxbit::search
