// HAQ's search for bit-widths: Wang et al., HAQ (CVPR 2019). An agent walks over the layers, gives
// each its bits, a wall lowers them until the constraints hold, and the first objective of the
// measured candidate is the reward of every step.
//
// Decided are the dimensions whose names end in ".weight_bits" or ".activation_bits"; all others
// take their largest value.
//
// Deviations, and why:
// - Episodes run in rounds of "in_flight" (or "population") candidates, made by the same weights;
//   the agent learns from a round when all of it is told, in the order of trial numbers. So the
//   order in which workers finish does not matter, and an agent that is told a history becomes the
//   one that made it.
// - Trials of any origin teach. A transition holds the raw action before the wall, as published: an
//   agent that learned from actions after it would never see what its own do. The actions are not
//   kept: an episode is walked again when its result is learned, by the same weights and the same
//   draws. Where that does not lead to the candidate (it is of another origin), actions are the
//   middles of the levels that it has.
// - A candidate is proposed once. An episode that ends where an earlier one did is walked again,
//   at last with the noise of the end of the warm-up; then a random candidate takes its place.
// - The reward is not relative to the float accuracy: the moving baseline takes off any constant.
#include "search/agents/ddpg_bits.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "search/agents/ddpg.h"
#include "search/algorithm/generational_search.h"
#include "search/algorithm/saved_state.h"
#include "search/bits/bit_budget.h"
#include "search/bits/bit_episode.h"

namespace voxbit::rl {
namespace {

using search::BitDecision;
using search::BitEpisode;
using search::BitKind;
using search::BitLayer;
using search::Bits;
using search::Candidate;
using search::Fitness;

constexpr char kName[] = "ddpg_bits";
constexpr std::string_view kWeightBits = ".weight_bits";
constexpr std::string_view kActivationBits = ".activation_bits";
constexpr uint64_t kRedraws = 10;
constexpr uint64_t kHardRedraws = 10;
constexpr char kOrigin[] = "episode ";
constexpr char kAfter[] = " after ";

bool EndsWith(const std::string& text, std::string_view end) {
  return text.size() >= end.size() &&
         std::string_view(text).substr(text.size() - end.size()) == end;
}

// The bit-width dimensions of a space as decisions on layers.
struct BitDimensions {
  std::vector<std::string> layers;  // in the order of their first dimension
  std::vector<BitDecision> decisions;
  std::vector<size_t> dimensions;  // of the space, by decision
  bool has_activations = false;
};

BitDimensions FindBitDimensions(const search::SearchSpace& space) {
  BitDimensions found;
  std::map<std::string, size_t> index;
  std::vector<std::pair<BitDecision, size_t>> pairs;
  for (size_t d = 0; d < space.size(); ++d) {
    const search::Dimension& dimension = space.dimensions()[d];
    const bool is_weight = EndsWith(dimension.name, kWeightBits);
    if (!is_weight && !EndsWith(dimension.name, kActivationBits)) continue;
    const size_t tail = is_weight ? kWeightBits.size() : kActivationBits.size();
    const std::string layer = dimension.name.substr(0, dimension.name.size() - tail);
    const auto [at, is_new] = index.try_emplace(layer, found.layers.size());
    if (is_new) found.layers.push_back(layer);
    const BitKind kind = is_weight ? BitKind::kWeight : BitKind::kActivation;
    found.has_activations = found.has_activations || !is_weight;
    pairs.emplace_back(BitDecision{at->second, kind, dimension.choices}, d);
  }
  // By layer, the weight before the activation.
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.layer, a.first.kind) < std::pair(b.first.layer, b.first.kind);
  });
  for (auto& [decision, dimension] : pairs) {
    found.decisions.push_back(std::move(decision));
    found.dimensions.push_back(dimension);
  }
  return found;
}

// Facts of the named layers in the largest candidate; of a layer that it does not have, nothing.
std::vector<BitLayer> LayersOf(const search::AlgorithmContext& context,
                               const std::vector<std::string>& names) {
  std::vector<BitLayer> layers(names.size());
  if (context.layers == nullptr) return layers;
  const search::LayerTable table = context.layers->Layers(context.space.Largest());
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found =
        std::find_if(table.begin(), table.end(),
                     [&](const search::LayerSpec& layer) { return layer.name == names[i]; });
    if (found != table.end()) layers[i] = BitLayerOf(*found, context.layers->workload());
  }
  return layers;
}

std::vector<float> Floats(const search::BitState& state) { return {state.begin(), state.end()}; }

// How a candidate was made: the number of its episode, and of the results learned before it. As
// text "episode 12 after 8".
struct Origin {
  int64_t episode = -1;  // -1: not by an episode
  int64_t num_learned = -1;
  friend bool operator==(const Origin&, const Origin&) = default;
};

std::string TextOf(const Origin& origin) {
  return kOrigin + std::to_string(origin.episode) + kAfter + std::to_string(origin.num_learned);
}

Origin OriginOf(const std::string& text) {
  Origin origin;
  if (std::sscanf(text.c_str(), "episode %" SCNd64 " after %" SCNd64, &origin.episode,
                  &origin.num_learned) != 2 ||
      text != TextOf(origin)) {
    return {};
  }
  return origin;
}

// One walk over the layers.
struct Episode {
  std::vector<double> actions;  // before the wall
  Candidate candidate;          // after it
};

size_t RoundOf(const search::SearchSettings& settings) {
  const int64_t size = settings.in_flight > 0 ? settings.in_flight : settings.population;
  return static_cast<size_t>(std::max<int64_t>(1, size));
}

class DdpgBits final : public search::GenerationalSearch {
 public:
  DdpgBits(const search::AlgorithmContext& context, const DdpgSettings& settings)
      : GenerationalSearch(kName, context, RoundOf(context.settings)),
        settings_(settings),
        reward_{settings.reward_scale, settings.reward_of_fractions, false},
        found_(FindBitDimensions(context.space)) {
    if (found_.decisions.empty()) return;
    walk_.emplace(LayersOf(context, found_.layers), found_.decisions,
                  search::BitEpisodeOptions{found_.has_activations, false});
    agent_.emplace(settings_, static_cast<int64_t>(walk_->state_size()),
                   static_cast<int64_t>(found_.decisions.size()), context.rng.Fork("agent"));
  }

 private:
  void PlanGeneration(const Rng& rng) override {
    LearnResults();
    for (uint64_t i = 0; i < size(); ++i) {
      const Origin origin{static_cast<int64_t>(NumKnown()), static_cast<int64_t>(learned_.size())};
      const std::optional<Episode> episode =
          FindEpisode(origin.episode, [&](const Candidate& tried) { return Accepts(tried); });
      if (episode) {
        Plan(episode->candidate, TextOf(origin));
      } else if (!PlanRandom(rng.Fork("random", i))) {
        return;
      }
    }
  }

  void AddMore(Json& state) const override {
    state["learned"] = search::CandidatesJson(learned_);
    state["agent"] = agent_ ? agent_->Save() : Json(nullptr);
  }

  Status ReadMore(const Json& state) override {
    VOXBIT_ASSIGN_OR_RETURN(std::set<Candidate> learned,
                            search::CandidatesIn(state, "learned", context().space));
    const auto agent = state.find("agent");
    if (agent == state.end() || (!agent_ && !agent->is_null())) {
      return DataLoss("the saved state of the algorithm is damaged: bad agent");
    }
    if (agent_) VOXBIT_RETURN_IF_ERROR(agent_->Load(*agent));
    learned_ = std::move(learned);
    return OkStatus();
  }

  // Learns from what was told since the last round.
  void LearnResults() {
    if (!agent_) return;
    std::vector<Fitness> fresh;
    for (Fitness& fitness : Results()) {
      if (learned_.count(fitness.candidate) == 0) fresh.push_back(std::move(fitness));
    }
    std::stable_sort(fresh.begin(), fresh.end(),
                     [](const Fitness& a, const Fitness& b) { return a.number < b.number; });
    // Where a round of the agent began: what was learned until then made its candidates.
    std::set<int64_t> starts;
    for (const Fitness& fitness : fresh) starts.insert(OriginOf(fitness.origin).num_learned);
    for (size_t first = 0; first < fresh.size();) {
      const auto num_learned = static_cast<int64_t>(learned_.size());
      const auto next = starts.upper_bound(num_learned);
      size_t last = fresh.size();
      if (next != starts.end()) {
        last = std::min(last, first + static_cast<size_t>(*next - num_learned));
      }
      // The whole round is walked again before any of it is learned.
      std::vector<std::vector<Transition>> episodes;
      for (size_t i = first; i < last; ++i) {
        if (fresh[i].scores.empty()) continue;
        const bool is_ours = OriginOf(fresh[i].origin).num_learned == num_learned;
        episodes.push_back(TransitionsOf(fresh[i], is_ours));
      }
      for (const auto& episode : episodes) agent_->Learn(episode);
      for (; first < last; ++first) learned_.insert(fresh[first].candidate);
    }
  }

  std::vector<Transition> TransitionsOf(const Fitness& fitness, bool is_ours) const {
    std::optional<Episode> again;
    if (is_ours) {
      again = FindEpisode(OriginOf(fitness.origin).episode,
                          [&](const Candidate& tried) { return tried == fitness.candidate; });
    }
    // A violated measured constraint counts like a loss of as much of the objective.
    const double reward = reward_.Of(fitness.scores[0] - fitness.violation, 0, 1);
    BitEpisode walk = *walk_;
    walk.Reset();
    std::vector<Transition> transitions;
    for (size_t i = 0; i < found_.decisions.size(); ++i) {
      Transition step;
      step.state = Floats(walk.state());
      const int64_t bits = context().space.Value(fitness.candidate, found_.dimensions[i]);
      const double action =
          again ? again->actions[i] : search::ActionOf(found_.decisions[i].levels, bits);
      step.action = static_cast<float>(action);
      step.reward = static_cast<float>(reward);
      walk.Step(action);
      step.next_state = Floats(walk.state());
      step.is_terminal = walk.IsDone();
      transitions.push_back(std::move(step));
    }
    return transitions;
  }

  // The first of the bounded attempts at an episode whose candidate is accepted. Depends on the
  // agent's weights and the number of the episode alone.
  std::optional<Episode> FindEpisode(
      int64_t number, const std::function<bool(const Candidate& tried)>& accepts) const {
    const Rng rng = context().rng.Fork(kName).Fork("episode", static_cast<uint64_t>(number));
    const int64_t end_of_warmup = settings_.warmup_episodes + 1;
    const uint64_t num_attempts = agent_ ? kRedraws + kHardRedraws : 1;
    for (uint64_t attempt = 0; attempt < num_attempts; ++attempt) {
      Rng draw = rng.Fork("redraw", attempt);
      const bool is_hard = attempt >= kRedraws;
      Episode episode = Walk(is_hard ? std::min(number, end_of_warmup) : number, draw);
      if (accepts(episode.candidate)) return episode;
    }
    return std::nullopt;
  }

  Episode Walk(int64_t number, Rng& rng) const {
    Episode episode;
    Bits bits;
    if (agent_) {
      BitEpisode walk = *walk_;
      walk.Reset();
      while (!walk.IsDone()) {
        episode.actions.push_back(agent_->Explore(walk.state(), number, rng));
        walk.Step(episode.actions.back());
      }
      bits = walk.bits();
    }
    const auto violation = [&](const Bits& tried) {
      return context().filter.Violation(CandidateOf(tried));
    };
    const bool holds = LowerToBudget(found_.decisions, violation, 0, {}, bits);
    episode.candidate = CandidateOf(bits);
    // The constraints may not be about bits alone.
    if (!holds) episode.candidate = context().filter.Repair(episode.candidate, rng);
    return episode;
  }

  Candidate CandidateOf(const Bits& bits) const {
    Candidate candidate;
    for (const search::Dimension& dimension : context().space.dimensions()) {
      candidate.choices.push_back(static_cast<int32_t>(dimension.choices.size()) - 1);
    }
    for (size_t i = 0; i < bits.size(); ++i) {
      const std::vector<int64_t>& levels = found_.decisions[i].levels;
      const auto level = std::find(levels.begin(), levels.end(), bits[i]);
      candidate.choices[found_.dimensions[i]] = static_cast<int32_t>(level - levels.begin());
    }
    return context().space.Canonical(std::move(candidate));
  }

  DdpgSettings settings_;
  search::BitReward reward_;
  BitDimensions found_;
  std::optional<BitEpisode> walk_;  // both only when there are decisions
  std::optional<Ddpg> agent_;
  std::set<Candidate> learned_;
};

}  // namespace

std::unique_ptr<search::Algorithm> MakeDdpgBitsWith(const search::AlgorithmContext& context,
                                                    const DdpgSettings& settings) {
  return std::make_unique<DdpgBits>(context, settings);
}

std::unique_ptr<search::Algorithm> MakeDdpgBits(const search::AlgorithmContext& context) {
  return MakeDdpgBitsWith(context, {});
}

}  // namespace voxbit::rl
