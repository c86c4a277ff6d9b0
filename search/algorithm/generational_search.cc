#include "search/algorithm/generational_search.h"

#include <algorithm>
#include <utility>

#include "search/algorithm/saved_state.h"

namespace voxbit::search {
namespace {

constexpr size_t kMinSizeForExtremes = 4;

Json FitnessJson(const Fitness& fitness) {
  return {{"number", fitness.number},
          {"candidate", Encode(fitness.candidate)},
          {"violation", fitness.violation},
          {"scores", fitness.scores},
          {"origin", fitness.origin}};
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
  // States of the first version have no origins.
  if (const auto origin = json.find("origin"); origin != json.end()) {
    if (!origin->is_string()) return damaged;
    fitness.origin = origin->get<std::string>();
  }
  const Json& scores = json["scores"];
  if (!scores.is_array() || (!scores.empty() && scores.size() != num_objectives)) return damaged;
  for (const Json& score : scores) {
    if (!score.is_number()) return damaged;
    fitness.scores.push_back(score.get<double>());
  }
  return fitness;
}

}  // namespace

size_t GenerationalSearch::PopulationOf(const SearchSettings& settings) {
  return static_cast<size_t>(std::max<int64_t>(2, settings.population));
}

GenerationalSearch::GenerationalSearch(std::string name, const AlgorithmContext& context,
                                       size_t size, bool is_steady)
    : name_(std::move(name)),
      context_(context),
      size_(size),
      is_steady_(is_steady),
      rng_(context.rng.Fork(name_)),
      sampler_(context.space, context.filter) {}

AskResult GenerationalSearch::Ask(int64_t max) {
  AskResult result;
  if (max <= 0) return result;
  while (result.proposals.size() < static_cast<size_t>(max)) {
    if (state_.plan.empty() && !state_.exhausted && !IsWaiting()) {
      // The number of known candidates names the generation.
      PlanGeneration(rng_.Fork("generation", state_.known.size()));
    }
    if (state_.plan.empty()) break;
    state_.waiting.insert(state_.plan.front().candidate);
    result.proposals.push_back(std::move(state_.plan.front()));
    state_.plan.pop_front();
  }
  result.exhausted = state_.exhausted && state_.plan.empty();
  if (result.exhausted) result.why = WhyExhausted();
  return result;
}

void GenerationalSearch::Tell(std::span<const Trial> trials) {
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
    Fitness fitness = FitnessOf(trial, context_.objectives, context_.constraints);
    const auto told = state_.told.find(trial.candidate);
    if (told == state_.told.end()) {
      state_.told.emplace(trial.candidate, std::move(fitness));
      NoteResult(trial);
    } else if (told->second.scores.empty() && !fitness.scores.empty()) {
      told->second = std::move(fitness);
    }
  }
}

std::vector<Fitness> GenerationalSearch::Results() const {
  std::vector<Fitness> results;
  results.reserve(state_.told.size());
  for (const auto& [candidate, fitness] : state_.told) results.push_back(fitness);
  return results;
}

void GenerationalSearch::Plan(Candidate candidate, std::string origin) {
  state_.known.insert(candidate);
  state_.plan.push_back({std::move(candidate), std::move(origin)});
}

bool GenerationalSearch::PlanRandom(const Rng& rng) {
  std::optional<Candidate> candidate = sampler_.Draw(state_.known, rng);
  state_.exhausted = !candidate;
  if (candidate) Plan(*std::move(candidate), "random");
  return !state_.exhausted;
}

bool GenerationalSearch::PlanNew(const std::vector<Proposal>& proposals) {
  for (const Proposal& proposal : proposals) {
    if (state_.known.size() >= size_) break;
    if (Accepts(proposal.candidate)) Plan(proposal.candidate, proposal.origin);
  }
  return !state_.plan.empty();
}

void GenerationalSearch::PlanLast(const std::optional<Candidate>& candidate, std::string origin) {
  if (candidate && Accepts(*candidate)) Plan(*candidate, std::move(origin));
  End();
}

void GenerationalSearch::PlanBred(const Breeder& breed, const Rng& rng) {
  if (state_.known.size() < size_) {
    PlanFirst(size_ - state_.known.size(), rng);
    return;
  }
  const size_t enough = is_steady_ ? std::max<size_t>(1, size_ / 2) : 1;
  const size_t count = is_steady_ ? 1 : size_;
  if (NumScored() < enough) {
    PlanFirst(count, rng);
    return;
  }
  const size_t first = is_steady_ ? state_.known.size() - size_ : 0;
  for (size_t j = 0; j < count; ++j) {
    const Rng child_rng = rng.Fork("child", j);
    if (std::optional<Proposal> child = Child(first + j, breed, child_rng)) {
      Plan(std::move(child->candidate), std::move(child->origin));
    } else if (!PlanRandom(child_rng.Fork("random"))) {
      return;
    }
  }
}

size_t GenerationalSearch::NumScored() const {
  return static_cast<size_t>(
      std::count_if(state_.told.begin(), state_.told.end(),
                    [](const auto& told) { return !told.second.scores.empty(); }));
}

// The very first generation holds the smallest and the largest feasible candidate: uniform draws
// practically never reach the ends of the trade-off.
void GenerationalSearch::PlanFirst(size_t count, const Rng& rng) {
  if (state_.known.empty() && count >= kMinSizeForExtremes) {
    uint64_t index = 0;
    for (const Candidate& extreme : {context_.space.Smallest(), context_.space.Largest()}) {
      Rng repair = rng.Fork("extreme", index);
      Candidate candidate = context_.filter.Repair(extreme, repair);
      if (Accepts(candidate)) Plan(std::move(candidate), index == 0 ? "smallest" : "largest");
      ++index;
    }
  }
  const size_t goal = state_.plan.size() >= count ? 0 : count - state_.plan.size();
  for (uint64_t i = 0; i < goal; ++i) {
    if (!PlanRandom(rng.Fork("random", i))) return;
  }
}

std::optional<Proposal> GenerationalSearch::Child(size_t child, const Breeder& breed,
                                                  const Rng& rng) const {
  for (uint64_t attempt = 0; attempt < FeasibleSampler::kRedraws; ++attempt) {
    Rng draw = rng.Fork("redraw", attempt);
    Proposal bred = breed(child, false, draw);
    bred.candidate = context_.filter.Pin(std::move(bred.candidate));
    if (Accepts(bred.candidate)) return bred;
  }
  for (const bool is_hard : {false, true}) {
    for (uint64_t attempt = 0; attempt < FeasibleSampler::kRepairs; ++attempt) {
      Rng draw = rng.Fork(is_hard ? "hard" : "repair", attempt);
      Proposal bred = breed(child, is_hard, draw);
      bred.candidate = context_.filter.Repair(bred.candidate, draw);
      if (Accepts(bred.candidate)) return bred;
    }
  }
  return std::nullopt;
}

std::string GenerationalSearch::Save() const {
  Json state = NewState(name_, context_.space);
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
  AddMore(state);
  return CanonicalJson(state);
}

Status GenerationalSearch::Load(std::string_view blob) {
  const SearchSpace& space = context_.space;
  VOXBIT_ASSIGN_OR_RETURN(const Json json, OpenState(blob, name_, space));
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
  VOXBIT_RETURN_IF_ERROR(ReadMore(json));
  state_ = std::move(loaded);
  return OkStatus();
}

}  // namespace voxbit::search
