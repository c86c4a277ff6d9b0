#include "search/space/search_space.h"

#include <cmath>
#include <set>
#include <utility>

#include "common/check.h"
#include "common/digest.h"

namespace voxbit::search {
namespace {

int64_t ValueAt(const Dimension& dimension, int32_t choice) {
  return dimension.choices[static_cast<size_t>(choice)];
}

int32_t DrawChoice(const Dimension& dimension, Rng& rng) {
  return static_cast<int32_t>(rng.Below(static_cast<int64_t>(dimension.choices.size())));
}

}  // namespace

SearchSpace::SearchSpace(std::vector<Dimension> dimensions) : dimensions_(std::move(dimensions)) {
  std::set<std::string> names;
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    const Dimension& dimension = dimensions_[d];
    VOXBIT_CHECK(names.insert(dimension.name).second, "two dimensions are named " + dimension.name);
    VOXBIT_CHECK(!dimension.choices.empty(), dimension.name + " has no choices");
    for (size_t i = 1; i < dimension.choices.size(); ++i) {
      VOXBIT_CHECK(dimension.choices[i - 1] < dimension.choices[i],
                   "the choices of " + dimension.name + " do not ascend");
    }
    VOXBIT_CHECK(dimension.parent >= -1 && dimension.parent < static_cast<int32_t>(d),
                 "the parent of " + dimension.name + " does not stand before it");
  }
  digest_ = Sha256Hex(CanonicalJson(ToJson()));
}

Json SearchSpace::ToJson() const {
  Json list = Json::array();
  for (const Dimension& dimension : dimensions_) {
    Json json = {{"name", dimension.name}, {"choices", dimension.choices}};
    if (dimension.parent >= 0) {
      json["parent"] = dimensions_[static_cast<size_t>(dimension.parent)].name;
      json["parent_min"] = dimension.parent_min;
    }
    list.push_back(std::move(json));
  }
  return list;
}

Result<size_t> SearchSpace::Find(const std::string& name) const {
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    if (dimensions_[d].name == name) return d;
  }
  return NotFound("the search space has no dimension \"" + name + "\"");
}

int64_t SearchSpace::Value(const Candidate& candidate, size_t dimension) const {
  return ValueAt(dimensions_[dimension], candidate.choices[dimension]);
}

bool SearchSpace::IsActive(const Candidate& candidate, size_t dimension) const {
  // Parents stand before their children, so this climbs at most `dimension` steps.
  const Dimension* current = &dimensions_[dimension];
  while (current->parent >= 0) {
    const auto parent = static_cast<size_t>(current->parent);
    if (Value(candidate, parent) < current->parent_min) return false;
    current = &dimensions_[parent];
  }
  return true;
}

double SearchSpace::LogCardinality() const {
  double sum = 0;
  for (const Dimension& dimension : dimensions_) {
    sum += std::log(static_cast<double>(dimension.choices.size()));
  }
  return sum;
}

Status SearchSpace::Validate(const Candidate& candidate) const {
  if (candidate.choices.size() != dimensions_.size()) {
    return InvalidArgument("the candidate has " + std::to_string(candidate.choices.size()) +
                           " choices, the search space has " + std::to_string(dimensions_.size()) +
                           " dimensions");
  }
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    const int32_t choice = candidate.choices[d];
    if (choice < 0 || static_cast<size_t>(choice) >= dimensions_[d].choices.size()) {
      return InvalidArgument("choice " + std::to_string(choice) + " of " + dimensions_[d].name +
                             " is not one of 0 to " +
                             std::to_string(dimensions_[d].choices.size() - 1));
    }
  }
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    if (candidate.choices[d] != 0 && !IsActive(candidate, d)) {
      return InvalidArgument(dimensions_[d].name + " is inactive, but its choice is " +
                             std::to_string(candidate.choices[d]) + " instead of 0");
    }
  }
  return OkStatus();
}

Candidate SearchSpace::Canonical(Candidate candidate) const {
  VOXBIT_CHECK(candidate.choices.size() == dimensions_.size(), "a candidate of another space");
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    if (!IsActive(candidate, d)) candidate.choices[d] = 0;
  }
  return candidate;
}

std::vector<Candidate> SearchSpace::Enumerate(size_t limit) const {
  // Prefixes of all candidates, one dimension longer in every round; their number only grows.
  std::vector<Candidate> prefixes(1);
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    std::vector<Candidate> longer;
    for (const Candidate& prefix : prefixes) {
      const size_t num_choices = IsActive(prefix, d) ? dimensions_[d].choices.size() : 1;
      if (longer.size() + num_choices > limit) return {};
      for (size_t choice = 0; choice < num_choices; ++choice) {
        longer.push_back(prefix);
        longer.back().choices.push_back(static_cast<int32_t>(choice));
      }
    }
    prefixes = std::move(longer);
  }
  return prefixes;
}

Candidate SearchSpace::Smallest() const {
  return Candidate{std::vector<int32_t>(dimensions_.size(), 0)};
}

Candidate SearchSpace::Largest() const {
  Candidate candidate;
  for (const Dimension& dimension : dimensions_) {
    candidate.choices.push_back(static_cast<int32_t>(dimension.choices.size()) - 1);
  }
  return Canonical(std::move(candidate));
}

Candidate SearchSpace::Sample(Rng& rng) const {
  Candidate candidate;
  for (const Dimension& dimension : dimensions_) {
    candidate.choices.push_back(DrawChoice(dimension, rng));
  }
  return Canonical(std::move(candidate));
}

Candidate SearchSpace::Mutate(const Candidate& parent, double probability, Rng& rng) const {
  Candidate child = parent;
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    // Both numbers are drawn for every gene, so that one gene's fate never shifts another's.
    const bool redraw = rng.Bernoulli(probability);
    const int32_t fresh = DrawChoice(dimensions_[d], rng);
    if (redraw || !IsActive(parent, d)) child.choices[d] = fresh;
  }
  return Canonical(std::move(child));
}

Candidate SearchSpace::Crossover(const Candidate& a, const Candidate& b, Rng& rng) const {
  Candidate child = a;
  for (size_t d = 0; d < dimensions_.size(); ++d) {
    bool from_b = rng.Bernoulli(0.5);
    const bool active_in_a = IsActive(a, d);
    if (active_in_a != IsActive(b, d)) from_b = !active_in_a;
    if (from_b) child.choices[d] = b.choices[d];
  }
  return Canonical(std::move(child));
}

}  // namespace voxbit::search
