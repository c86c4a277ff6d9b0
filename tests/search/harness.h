// Runs an algorithm on the toy space, with the trials that a study would make of its proposals.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "search/algorithm/algorithm.h"
#include "search/algorithm/feasibility.h"
#include "search/pareto/pareto.h"
#include "tests/support/toy_space.h"

namespace voxbit::search {

// Adds what a test program tests. Each program that includes this defines it once.
void RegisterTested(AlgorithmRegistry& registry);

struct HarnessOptions {
  testing::ToyOptions toy = {};
  int64_t population = 8;
  int64_t in_flight = 0;
  uint64_t seed = 1;
  double macs_share = 1;  // largest allowed share of the largest candidate's
  std::vector<Objective> objectives = {{"miou", ""}};
  std::optional<Candidate> architecture = {};  // that the study keeps
};

class Harness {
 public:
  explicit Harness(HarnessOptions options) : options_(std::move(options)), spec_(options_.toy) {
    cost::CostModelRegistry models("cost model");
    cost::RegisterBuiltins(models);
    const Workload workload = spec_.MakeWorkload();
    const auto unbounded = CostFilter::Create(spec_, models, &workload, {}).value();
    const auto macs = [&](const Candidate& c) {
      return unbounded->Costs(c).at({"macs", ""}).value;
    };
    const double smallest = macs(spec_.space().Smallest());
    const double bound =
        smallest + options_.macs_share * (macs(spec_.space().Largest()) - smallest);
    constraints_ = {{"macs", "", std::nullopt, bound}};
    filter_ = CostFilter::Create(spec_, models, &workload, constraints_,
                                 options_.architecture ? &*options_.architecture : nullptr)
                  .value();
    settings_.population = options_.population;
    settings_.in_flight = options_.in_flight;
    ends_.agent["candidates"] = {Encode(spec_.space().Smallest()), Encode(spec_.space().Largest())};
    RegisterTested(algorithms_);
  }

  std::unique_ptr<Algorithm> Make(const std::string& name) const {
    const bool gives_ends = name == "given" && settings_.agent.empty();
    return algorithms_.Find(name)->make(MakeContext(gives_ends ? ends_ : settings_));
  }

  AlgorithmContext MakeContext(const SearchSettings& settings) const {
    return {spec_.space(), *filter_,           options_.objectives, constraints_,
            settings,      Rng(options_.seed), filter_.get()};
  }

  Trial Evaluate(const Proposal& proposal, int64_t number) const {
    Trial trial;
    trial.number = number;
    trial.candidate = proposal.candidate;
    trial.origin = proposal.origin;
    trial.state = TrialState::kSucceeded;
    trial.measured = filter_->Costs(proposal.candidate);
    Measurement miou;
    miou.metric = "miou";
    miou.value = spec_.Quality(proposal.candidate);
    miou.detail["quantization_error"] = spec_.QuantizationError(proposal.candidate);
    trial.measured[{"miou", ""}] = miou;
    return trial;
  }

  // Until `count` trials are done or the space is exhausted: keeps "in_flight" under way, the
  // oldest of which ends first; where that is 0, asks until nothing more comes and tells
  // everything.
  std::vector<Trial> Run(Algorithm& algorithm, size_t count) const {
    return options_.in_flight > 0 ? RunSteady(algorithm, count) : RunRounds(algorithm, count);
  }

  std::vector<Trial> RunSteady(Algorithm& algorithm, size_t count) const {
    std::vector<Trial> all;
    for (size_t told = 0;; ++told) {
      const size_t most = std::min(count, told + static_cast<size_t>(options_.in_flight));
      const auto wanted = static_cast<int64_t>(most - std::min(most, all.size()));
      for (const Proposal& proposal : algorithm.Ask(wanted).proposals) {
        all.push_back(Evaluate(proposal, static_cast<int64_t>(all.size()) + 1));
      }
      if (told == all.size()) return all;
      algorithm.Tell({&all[told], 1});
    }
  }

  std::vector<Trial> RunRounds(Algorithm& algorithm, size_t count) const {
    std::vector<Trial> done;
    while (done.size() < count) {
      std::vector<Trial> round;
      bool is_exhausted = false;
      while (done.size() + round.size() < count) {
        const AskResult asked =
            algorithm.Ask(static_cast<int64_t>(count - done.size() - round.size()));
        for (const Proposal& proposal : asked.proposals) {
          round.push_back(Evaluate(proposal, static_cast<int64_t>(done.size() + round.size()) + 1));
        }
        is_exhausted = asked.exhausted;
        if (asked.proposals.empty() || is_exhausted) break;
      }
      algorithm.Tell(round);
      done.insert(done.end(), round.begin(), round.end());
      if (is_exhausted || round.empty()) break;
    }
    return done;
  }

  const testing::ToySpec& spec() const { return spec_; }
  const CostFilter& filter() const { return *filter_; }
  const AlgorithmRegistry& algorithms() const { return algorithms_; }
  SearchSettings& settings() { return settings_; }
  std::vector<Constraint>& constraints() { return constraints_; }

 private:
  HarnessOptions options_;
  testing::ToySpec spec_;
  std::vector<Constraint> constraints_;
  std::unique_ptr<CostFilter> filter_;
  SearchSettings settings_;
  SearchSettings ends_;  // for "given": a list of the smallest and the largest candidate
  AlgorithmRegistry algorithms_{"algorithm"};
};

inline std::vector<Candidate> Candidates(const std::vector<Trial>& trials) {
  std::vector<Candidate> candidates;
  candidates.reserve(trials.size());
  for (const Trial& trial : trials) candidates.push_back(trial.candidate);
  return candidates;
}

// Of the trade-off between mIoU and MACs that the trials found.
inline double FrontVolume(const Harness& harness, const std::vector<Trial>& trials) {
  const double largest =
      harness.filter().Costs(harness.spec().space().Largest()).at({"macs", ""}).value;
  std::vector<std::vector<double>> points;
  points.reserve(trials.size());
  for (const Trial& trial : trials) {
    points.push_back(
        {trial.measured.at({"miou", ""}).value, -trial.measured.at({"macs", ""}).value / largest});
  }
  return Hypervolume(points, {0, -1.01});
}

// A latency constraint that is known only after measuring: the filter cannot help, constraint
// domination must. How many of each generation of 16 keep it.
inline std::vector<size_t> NumFeasibleByGeneration(const std::string& name, int num_generations) {
  Harness harness({.toy = {.stages = 4, .widths = 8}, .population = 16});
  const double largest =
      harness.filter().Costs(harness.spec().space().Largest()).at({"macs", ""}).value;
  harness.constraints() = {{"latency_ms", "local", std::nullopt, 0.1}};
  const auto algorithm = harness.Make(name);
  std::vector<size_t> num_feasible;
  int64_t number = 0;
  for (int generation = 0; generation < num_generations; ++generation) {
    size_t feasible = 0;
    std::vector<Trial> trials;
    for (const Proposal& proposal : algorithm->Ask(16).proposals) {
      trials.push_back(harness.Evaluate(proposal, ++number));
      Measurement latency;
      latency.metric = "latency_ms";
      latency.target = "local";
      latency.value = trials.back().measured.at({"macs", ""}).value / largest;
      feasible += latency.value <= 0.1 ? 1U : 0U;
      trials.back().measured[{"latency_ms", "local"}] = latency;
    }
    num_feasible.push_back(feasible);
    algorithm->Tell(trials);
  }
  return num_feasible;
}

}  // namespace voxbit::search
