#include "common/known_names.h"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/join.hpp>
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

}  // namespace

std::string NearestName(std::string_view name, const std::vector<std::string>& known) {
  const std::string wanted = boost::algorithm::to_lower_copy(std::string(name));
  std::string nearest;
  size_t best = kMostSlips + 1;
  std::vector<std::string> starting;
  for (const std::string& candidate : known) {
    const std::string lower = boost::algorithm::to_lower_copy(candidate);
    const size_t distance = EditDistance(wanted, lower);
    // A name of two letters is two slips away from every other one.
    if (distance < best && distance < std::max(wanted.size(), lower.size())) {
      best = distance;
      nearest = candidate;
    }
    if (lower.rfind(wanted, 0) == 0) starting.push_back(candidate);
  }
  const bool has_start = wanted.size() >= kShortestStart && starting.size() == 1;
  return nearest.empty() && has_start ? starting.front() : nearest;
}

std::string KnownNames(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) return "did you mean \"" + nearest + "\"?";
  return "known: " + boost::algorithm::join(known, ", ");
}

}  // namespace voxbit
