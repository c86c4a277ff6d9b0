#include "common/known_names.h"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/predicate.hpp>
#include <cstddef>
#include <numeric>

namespace voxbit {
namespace {

constexpr size_t kMostSlips = 2;  // further away is no likely slip
constexpr size_t kShortestStart = 3;

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

// Those of `known` that begin with `lower`, which is long enough to mean something.
std::vector<std::string> StartingWith(const std::string& lower,
                                      const std::vector<std::string>& known) {
  std::vector<std::string> starting;
  if (lower.size() < kShortestStart) return starting;
  for (const std::string& candidate : known) {
    if (boost::algorithm::istarts_with(candidate, lower)) starting.push_back(candidate);
  }
  return starting;
}

}  // namespace

std::string NearestName(std::string_view name, const std::vector<std::string>& known) {
  const std::string wanted = boost::algorithm::to_lower_copy(std::string(name));
  std::string nearest;
  size_t best = kMostSlips + 1;
  for (const std::string& candidate : known) {
    const std::string lower = boost::algorithm::to_lower_copy(candidate);
    const size_t distance = EditDistance(wanted, lower);
    // A name of two letters is two slips away from every other one.
    if (distance < best && distance < std::max(wanted.size(), lower.size())) {
      best = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) return nearest;
  const std::vector<std::string> starting = StartingWith(wanted, known);
  return starting.size() == 1 ? starting.front() : "";
}

std::string KnownNames(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) return "did you mean \"" + nearest + "\"?";
  const std::vector<std::string> starting =
      StartingWith(boost::algorithm::to_lower_copy(std::string(name)), known);
  if (!starting.empty()) {
    return "did you mean one of " + boost::algorithm::join(starting, ", ") + "?";
  }
  return "known: " + boost::algorithm::join(known, ", ");
}

}  // namespace voxbit
