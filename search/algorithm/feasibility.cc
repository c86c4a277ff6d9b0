#include "search/algorithm/feasibility.h"

#include <cstdlib>
#include <limits>
#include <numeric>
#include <utility>

#include "search/algorithm/feasible_sampler.h"
#include "search/bits/bit_dimensions.h"

namespace voxbit::search {
namespace {

constexpr char kInfeasible[] = "CONSTRAINTS_INFEASIBLE";
constexpr uint64_t kRandomClimbs = 8;

std::string Text(double value) { return CanonicalJson(Json(value)); }

std::string BoundText(const Constraint& constraint) {
  std::string text;
  if (constraint.min) text += constraint.metric + " >= " + Text(*constraint.min);
  if (constraint.min && constraint.max) text += " and ";
  if (constraint.max) text += constraint.metric + " <= " + Text(*constraint.max);
  return text;
}

// Those of the dimensions that are no bit-widths.
std::vector<std::optional<int32_t>> ChoicesOf(const SearchSpace& space,
                                              const Candidate& architecture) {
  std::vector<std::optional<int32_t>> choices(architecture.choices.begin(),
                                              architecture.choices.end());
  for (const size_t d : FindBitDimensions(space, space.Largest()).dimensions) choices[d].reset();
  return choices;
}

std::vector<size_t> Shuffled(size_t size, Rng& rng) {
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = size; i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<size_t>(rng.Below(static_cast<int64_t>(i)))]);
  }
  return order;
}

}  // namespace

CostFilter::CostFilter(const SupernetSpec& spec,
                       std::map<std::string, std::unique_ptr<cost::CostModel>> models,
                       Workload workload, std::vector<Constraint> constraints)
    : spec_(spec),
      models_(std::move(models)),
      workload_(std::move(workload)),
      constraints_(std::move(constraints)),
      anchor_(spec.space().Smallest()) {}

Result<std::unique_ptr<CostFilter>> CostFilter::Create(const SupernetSpec& spec,
                                                       const cost::CostModelRegistry& models,
                                                       const Workload* workload,
                                                       std::vector<Constraint> constraints,
                                                       const Candidate* architecture) {
  std::map<std::string, std::unique_ptr<cost::CostModel>> usable;
  for (const auto& [name, entry] : models.entries()) {
    std::unique_ptr<cost::CostModel> model = entry.factory();
    if (workload != nullptr || !model->NeedsWorkload()) usable.emplace(name, std::move(model));
  }
  std::vector<Constraint> computable;
  for (Constraint& constraint : constraints) {
    if (usable.count(constraint.metric) == 0) continue;
    if (workload == nullptr) constraint.min.reset();
    if (constraint.min || constraint.max) computable.push_back(std::move(constraint));
  }
  Workload smallest_shape;
  smallest_shape.in_channels = 4;
  smallest_shape.num_classes = 2;
  std::unique_ptr<CostFilter> filter(
      new CostFilter(spec, std::move(usable), workload != nullptr ? *workload : smallest_shape,
                     std::move(computable)));
  if (architecture != nullptr) filter->pinned_ = ChoicesOf(spec.space(), *architecture);
  VOXBIT_RETURN_IF_ERROR(filter->CheckExtremes());
  VOXBIT_RETURN_IF_ERROR(filter->FindAnchor());
  return filter;
}

LayerTable CostFilter::Layers(const Candidate& candidate) const {
  return spec_.Expand(candidate, workload_.in_channels, workload_.num_classes);
}

Result<double> CostFilter::Value(const std::string& metric, const LayerTable& layers) const {
  return models_.at(metric)->Cost(layers, workload_);
}

// No candidate costs less than the smallest or more than the largest.
Status CostFilter::CheckExtremes() const {
  const LayerTable smallest = Layers(Pin(spec_.space().Smallest()));
  const LayerTable largest = Layers(Pin(spec_.space().Largest()));
  for (const auto& [metric, model] : models_) {
    VOXBIT_RETURN_IF_ERROR(Value(metric, smallest).status());
    VOXBIT_RETURN_IF_ERROR(Value(metric, largest).status());
  }
  for (const Constraint& constraint : constraints_) {
    VOXBIT_ASSIGN_OR_RETURN(const double low, Value(constraint.metric, smallest));
    VOXBIT_ASSIGN_OR_RETURN(const double high, Value(constraint.metric, largest));
    if (constraint.max && low > *constraint.max) {
      return FailedPrecondition("no candidate meets the constraint " + constraint.metric +
                                    " <= " + Text(*constraint.max) + ": the smallest has " +
                                    Text(low) + "; set \"max\" to at least " + Text(low),
                                kInfeasible);
    }
    if (constraint.min && high < *constraint.min) {
      return FailedPrecondition("no candidate meets the constraint " + constraint.metric +
                                    " >= " + Text(*constraint.min) + ": the largest has " +
                                    Text(high) + "; set \"min\" to at most " + Text(high),
                                kInfeasible);
    }
  }
  return OkStatus();
}

Status CostFilter::FindAnchor() {
  const SearchSpace& space = spec_.space();
  for (const Candidate& extreme : {space.Smallest(), space.Largest()}) {
    anchor_ = Pin(extreme);
    if (Violation(anchor_) == 0) return OkStatus();
  }
  std::vector<std::pair<std::vector<size_t>, bool>> climbs;
  std::vector<size_t> order(space.size());
  std::iota(order.begin(), order.end(), size_t{0});
  climbs.emplace_back(order, true);
  climbs.emplace_back(order, false);
  climbs.emplace_back(std::vector<size_t>(order.rbegin(), order.rend()), false);
  for (uint64_t i = 0; i < kRandomClimbs; ++i) {
    Rng rng = Rng(0).Fork("climb", i);
    climbs.emplace_back(Shuffled(space.size(), rng), i % 2 == 0);
  }
  for (const auto& [climb_order, round_robin] : climbs) {
    if (std::optional<Candidate> found = Climb(climb_order, round_robin)) {
      anchor_ = *std::move(found);
      return OkStatus();
    }
  }
  const std::vector<Candidate> all = space.Enumerate(FeasibleSampler::kEnumerateLimit);
  for (const Candidate& candidate : all) {
    if (Violation(candidate) > 0) continue;
    anchor_ = candidate;
    return OkStatus();
  }
  std::string bounds;
  for (const Constraint& constraint : constraints_) {
    bounds += (bounds.empty() ? "" : " and ") + BoundText(constraint);
  }
  return FailedPrecondition(
      (all.empty() ? "no candidate was found that meets " : "no candidate meets ") + bounds +
          " together; widen one of these bounds",
      kInfeasible);
}

// Raises one choice at a time while the upper bounds hold, until the lower bounds hold too. Costs
// are monotone, so a raise that breaks an upper bound stays impossible.
std::optional<Candidate> CostFilter::Climb(const std::vector<size_t>& order,
                                           bool round_robin) const {
  const SearchSpace& space = spec_.space();
  Candidate genes = Pin(space.Smallest());
  std::vector<bool> is_open(space.size(), true);
  for (size_t d = 0; d < pinned_.size(); ++d) is_open[d] = !pinned_[d];
  const auto raise = [&](size_t d) {
    const auto num_choices = static_cast<int32_t>(space.dimensions()[d].choices.size());
    if (genes.choices[d] + 1 >= num_choices) return false;
    ++genes.choices[d];
    if (ViolationOf(Bounds::kUpper, space.Canonical(genes)) == 0) return true;
    --genes.choices[d];
    return false;
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (const size_t d : order) {
      while (is_open[d]) {
        is_open[d] = raise(d);
        if (!is_open[d]) break;
        moved = true;
        Candidate candidate = space.Canonical(genes);
        if (ViolationOf(Bounds::kLower, candidate) == 0) return candidate;
        if (round_robin) break;
      }
    }
  }
  return std::nullopt;
}

double CostFilter::Violation(const Candidate& candidate) const {
  double num_other = 0;
  for (size_t d = 0; d < pinned_.size(); ++d) {
    if (pinned_[d] && candidate.choices[d] != *pinned_[d]) ++num_other;
  }
  return num_other > 0 ? num_other : ViolationOf(Bounds::kBoth, candidate);
}

Candidate CostFilter::Pin(Candidate candidate) const {
  if (pinned_.empty()) return candidate;
  for (size_t d = 0; d < pinned_.size(); ++d) {
    if (pinned_[d]) candidate.choices[d] = *pinned_[d];
  }
  return spec_.space().Canonical(std::move(candidate));
}

double CostFilter::ViolationOf(Bounds bounds, const Candidate& candidate) const {
  if (constraints_.empty()) return 0;
  const LayerTable layers = Layers(candidate);
  double total = 0;
  for (Constraint constraint : constraints_) {
    if (bounds == Bounds::kUpper) constraint.min.reset();
    if (bounds == Bounds::kLower) constraint.max.reset();
    const Result<double> value = Value(constraint.metric, layers);
    if (!value.ok()) return std::numeric_limits<double>::infinity();
    total += search::Violation(constraint, *value);
  }
  return total;
}

std::vector<BoundedCost> CostFilter::BoundedCosts(const Candidate& candidate) const {
  const LayerTable layers = Layers(candidate);
  std::vector<BoundedCost> costs;
  for (const Constraint& constraint : constraints_) {
    if (!constraint.max) continue;
    const Result<double> value = Value(constraint.metric, layers);
    costs.push_back(
        {value.ok() ? *value : std::numeric_limits<double>::infinity(), *constraint.max});
  }
  return costs;
}

Candidate CostFilter::Repair(const Candidate& candidate, Rng& rng) const {
  const SearchSpace& space = spec_.space();
  Candidate genes = Pin(candidate);
  if (Candidate same = space.Canonical(genes); Violation(same) == 0) return same;
  for (const size_t d : Shuffled(space.size(), rng)) {
    int32_t bad = genes.choices[d];
    int32_t good = anchor_.choices[d];
    if (bad == good) continue;
    genes.choices[d] = good;
    if (Violation(space.Canonical(genes)) > 0) continue;
    // Gives back as much of the last move as the constraints allow.
    while (std::abs(bad - good) > 1) {
      const int32_t middle = good + (bad - good) / 2;
      genes.choices[d] = middle;
      (Violation(space.Canonical(genes)) == 0 ? good : bad) = middle;
    }
    genes.choices[d] = good;
    return space.Canonical(genes);
  }
  return anchor_;
}

Measurements CostFilter::Costs(const Candidate& candidate) const {
  const LayerTable layers = Layers(candidate);
  Measurements costs;
  for (const auto& [metric, model] : models_) {
    const Result<double> value = model->Cost(layers, workload_);
    if (!value.ok()) continue;
    Measurement measurement;
    measurement.metric = metric;
    measurement.value = *value;
    costs[{metric, ""}] = std::move(measurement);
  }
  return costs;
}

}  // namespace voxbit::search
