#include "worker/data/check/facts.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace voxbit::data {
namespace {

// Equal for scans that are read from the same files and treated alike; "" for one that is made from
// the settings.
std::string IdentityOf(const Dataset& dataset, const ScanPlace& place) {
  std::string identity;
  for (const std::string& path : dataset.files(place.split, place.index)) identity += path + "\n";
  return identity.empty() ? "" : identity + dataset.ScanName(place.split, place.index);
}

}  // namespace

std::string SplitNames(Split first, const std::vector<Split>& also) {
  std::string names(SplitName(first));
  for (const Split split : also) {
    names += (split == also.back() ? " and " : ", ") + std::string(SplitName(split));
  }
  return names;
}

Reading::Reading(const Dataset& dataset) {
  // Of a dataset that is made from its settings, in each split: no file can be broken.
  constexpr int64_t kGeneratedScans = 16;
  std::map<std::string, size_t> by_identity;
  for (const Split split : kSplits) {
    const int64_t size = dataset.size(split);
    sizes_[Place(split)] = size;
    const bool is_generated = size > 0 && dataset.files(split, 0).empty();
    const int64_t read = is_generated ? std::min(size, kGeneratedScans) : size;
    for (int64_t i = 0; i < read; ++i) Add(dataset, {split, i * size / read}, by_identity);
  }
}

void Reading::Add(const Dataset& dataset, const ScanPlace& place,
                  std::map<std::string, size_t>& by_identity) {
  const std::string identity = IdentityOf(dataset, place);
  size_t position = scans_.size();
  if (!identity.empty()) position = by_identity.emplace(identity, position).first->second;
  if (position == scans_.size()) scans_.emplace_back();
  scans_[position].push_back(place);
  positions_[Place(place.split)].push_back(position);
}

}  // namespace voxbit::data
