// HAQ's search for bit-widths: Wang et al., HAQ (CVPR 2019). An agent walks over the layers, gives
// each its bits, a wall lowers them until the constraints hold, and the first objective of the
// measured candidate is the reward of every step.
//
// Decided are the bit-widths of one architecture: the one that the study keeps, or the largest that
// the constraints allow.
//
// Deviations, and why:
// - Episodes run in rounds of "in_flight" (or "population") candidates, made by the same weights;
//   the agent learns from a round when all of it is told, in the order of trial numbers. So the
//   order in which workers finish does not matter, and an agent that is told a history becomes the
//   one that made it.
// - Trials of any origin teach. A transition holds the raw action before the wall, as published.
//   Actions are not saved: an episode is walked again when its result is learned, by the same
//   weights and the same draws. Where that does not lead to the candidate (it is of another
//   origin), actions are the middles of the levels that it has.
// - A candidate is proposed once. An episode that ends where an earlier one did is walked again,
//   at last with the noise of the end of the warm-up; then a random candidate takes its place.
// - The reward is not relative to the float accuracy: the moving baseline takes off any constant.
// - An infeasible candidate (a loss that is not finite, out of memory) teaches the worst reward so
//   far. Failed and cancelled trials teach nothing: lost workers or a full disk are no fault of a
//   candidate.
// - Episodes of a round have none before them, so each starts from a table of its own, also with
//   haq_bug_compat.
// For users the list is in docs/algorithms.md.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "search/agents/ddpg.h"
#include "search/algorithm/bit_problem.h"
#include "search/algorithm/generational_search.h"
#include "search/algorithm/saved_state.h"
#include "search/bits/bit_episode.h"

namespace voxbit::rl {
namespace {

using search::BitEpisode;
using search::BitProblem;
using search::Bits;
using search::Candidate;
using search::Fitness;
using search::Trial;
using search::TrialState;

constexpr char kName[] = "ddpg_bits";
constexpr uint64_t kRedraws = 10;
constexpr uint64_t kHardRedraws = 10;
constexpr char kOrigin[] = "episode ";
constexpr char kAfter[] = " after ";
constexpr char kInfeasible[] = "infeasible";
// The worst reward where nothing was measured yet is that of this score: the least of a share.
constexpr double kLeastScore = 0;

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
  return static_cast<size_t>(settings.MaxInFlight());
}

class DdpgBits final : public search::GenerationalSearch {
 public:
  // Requires: settings.agent that CheckDdpgBits accepts.
  explicit DdpgBits(const search::AlgorithmContext& context)
      : GenerationalSearch(kName, context, RoundOf(context.settings)),
        settings_(ResolveDdpg(context.settings, "").value()),
        reward_{settings_.reward_scale, settings_.reward_of_fractions, false},
        problem_(context),
        walk_(
            problem_.Layers(), problem_.decisions(),
            search::BitEpisodeOptions{problem_.found().has_activations, settings_.haq_bug_compat}),
        agent_(settings_, static_cast<int64_t>(walk_.state_size()),
               static_cast<int64_t>(problem_.decisions().size()), context.rng.Fork("agent")) {
    wall_.step = settings_.wall == "lowest_level" ? search::BitWall::Step::kLowestLevel
                                                  : search::BitWall::Step::kNextLevel;
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

  void NoteResult(const Trial& trial) override {
    if (trial.state == TrialState::kInfeasible) infeasible_.insert(trial.candidate);
  }

  void AddMore(Json& state) const override {
    state["learned"] = search::CandidatesJson(learned_);
    state["agent"] = agent_.Save();
    if (!infeasible_.empty()) state[kInfeasible] = search::CandidatesJson(infeasible_);
  }

  Status ReadMore(const Json& state) override {
    VOXBIT_ASSIGN_OR_RETURN(std::set<Candidate> learned,
                            search::CandidatesIn(state, "learned", context().space));
    // Not there when there are none; and older states have no such list.
    std::set<Candidate> infeasible;
    if (state.contains(kInfeasible)) {
      VOXBIT_ASSIGN_OR_RETURN(infeasible,
                              search::CandidatesIn(state, kInfeasible, context().space));
    }
    const auto agent = state.find("agent");
    if (agent == state.end()) {
      return DataLoss("the saved state of the algorithm is damaged: no agent");
    }
    VOXBIT_RETURN_IF_ERROR(agent_.Load(*agent));
    learned_ = std::move(learned);
    infeasible_ = std::move(infeasible);
    return OkStatus();
  }

  // Learns from what was told since the last round.
  void LearnResults() {
    std::vector<Fitness> fresh;
    std::optional<double> worst;  // reward of what was measured so far
    for (Fitness& fitness : Results()) {
      if (learned_.count(fitness.candidate) == 0) {
        fresh.push_back(std::move(fitness));
      } else {
        worst = Worse(worst, RewardOf(fitness));
      }
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
      for (size_t i = first; i < last; ++i) worst = Worse(worst, RewardOf(fresh[i]));
      // The whole round is walked again before any of it is learned.
      std::vector<std::vector<Transition>> episodes;
      for (size_t i = first; i < last; ++i) {
        std::optional<double> reward = RewardOf(fresh[i]);
        if (infeasible_.count(fresh[i].candidate) > 0) {
          reward = worst.value_or(reward_.Of(kLeastScore, 0, 1));
        }
        if (!reward) continue;
        const bool is_ours = OriginOf(fresh[i].origin).num_learned == num_learned;
        episodes.push_back(TransitionsOf(fresh[i], *reward, is_ours));
      }
      for (const auto& episode : episodes) agent_.Learn(episode);
      for (; first < last; ++first) learned_.insert(fresh[first].candidate);
    }
  }

  // Nothing where nothing was measured.
  std::optional<double> RewardOf(const Fitness& fitness) const {
    if (fitness.scores.empty()) return std::nullopt;
    // A violated measured constraint counts like a loss of as much of the objective.
    return reward_.Of(fitness.scores[0] - fitness.violation, 0, 1);
  }

  static std::optional<double> Worse(std::optional<double> a, std::optional<double> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
  }

  std::vector<Transition> TransitionsOf(const Fitness& fitness, double reward, bool is_ours) const {
    std::optional<Episode> again;
    if (is_ours) {
      again = FindEpisode(OriginOf(fitness.origin).episode,
                          [&](const Candidate& tried) { return tried == fitness.candidate; });
    }
    BitEpisode walk = walk_;
    walk.Reset();
    std::vector<Transition> transitions;
    for (size_t i = 0; i < problem_.decisions().size(); ++i) {
      Transition step;
      step.state = Floats(walk.state());
      const int64_t bits = context().space.Value(fitness.candidate, problem_.found().dimensions[i]);
      const double action =
          again ? again->actions[i] : search::ActionOf(problem_.decisions()[i].levels, bits);
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
    for (uint64_t attempt = 0; attempt < kRedraws + kHardRedraws; ++attempt) {
      Rng draw = rng.Fork("redraw", attempt);
      const bool is_hard = attempt >= kRedraws;
      Episode episode = Walk(is_hard ? std::min(number, end_of_warmup) : number, draw);
      if (accepts(episode.candidate)) return episode;
    }
    return std::nullopt;
  }

  Episode Walk(int64_t number, Rng& rng) const {
    Episode episode;
    BitEpisode walk = walk_;
    walk.Reset();
    while (!walk.IsDone()) {
      episode.actions.push_back(agent_.Explore(walk.state(), number, rng));
      walk.Step(episode.actions.back());
    }
    Bits bits = walk.AllowedBits();
    const bool holds = problem_.Lower(wall_, bits);
    episode.candidate = problem_.CandidateOf(bits);
    // Lower bounds may work against the wall.
    if (!holds) episode.candidate = context().filter.Repair(episode.candidate, rng);
    return episode;
  }

  DdpgSettings settings_;
  search::BitReward reward_;
  BitProblem problem_;
  search::BitWall wall_;
  BitEpisode walk_;
  Ddpg agent_;
  std::set<Candidate> learned_;
  std::set<Candidate> infeasible_;  // of those that were told
};

Result<Json> CheckDdpgBits(const search::SearchSettings& settings, const search::SearchSpace& space,
                           const std::string& pointer) {
  VOXBIT_RETURN_IF_ERROR(search::CheckHasBits(settings, space, pointer));
  VOXBIT_ASSIGN_OR_RETURN(const DdpgSettings resolved, ResolveDdpg(settings, pointer + "/agent"));
  if (resolved.warmup_episodes >= settings.trials) {
    return FieldError(pointer + "/agent/warmup_episodes",
                      "the " + std::to_string(settings.trials) +
                          " trials end within the warm-up (" +
                          std::to_string(resolved.warmup_episodes) +
                          "), so nothing would be learned; the preset \"short\" fits it to them");
  }
  return DdpgFields().ToJson(resolved);
}

}  // namespace

search::AlgorithmKind MakeDdpgBits() {
  return {.make = &search::MakeAlgorithm<DdpgBits>,
          .check = &CheckDdpgBits,
          .pace = search::Pace::kRounds};
}

}  // namespace voxbit::rl
