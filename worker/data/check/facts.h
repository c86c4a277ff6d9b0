// What a check counts of a dataset, and of which scans.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "worker/data/check.h"
#include "worker/data/dataset.h"

namespace voxbit::data {

inline constexpr std::array<Split, 3> kSplits = {Split::kTrain, Split::kVal, Split::kTest};

inline size_t Place(Split split) { return static_cast<size_t>(split); }

inline void GrowTo(int64_t value, int64_t& most) { most = std::max(most, value); }

// The lowest index that was noted, so that messages do not depend on the order of reading.
struct Lowest {
  int64_t count = 0;
  int64_t index = std::numeric_limits<int64_t>::max();

  void Note(int64_t at) {
    ++count;
    index = std::min(index, at);
  }
  void Add(const Lowest& other) {
    count += other.count;
    index = std::min(index, other.index);
  }
  // Of a single scan: the same at another index.
  void MoveTo(int64_t at) {
    if (count > 0) index = at;
  }
};

// Scans with a warning of one kind, and what is said of the first of them.
struct Warned {
  Lowest where;
  std::string message;

  void Add(const Warned& other) {
    if (other.where.index < where.index) message = other.message;
    where.Add(other.where);
  }
};

inline void AddTo(const std::vector<int64_t>& from, std::vector<int64_t>& to) {
  for (size_t i = 0; i < from.size(); ++i) to[i] += from[i];
}

struct SplitFacts {
  int64_t read = 0;
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t points = 0;
  int64_t left_out = 0;   // of the points, by the settings
  int64_t labelled = 0;   // points that are not left out, or objects where these are classified
  int64_t at_origin = 0;  // points that are not left out
  int64_t fewest_points = std::numeric_limits<int64_t>::max();
  int64_t most_points = 0;
  Lowest unlabelled;
  Lowest empty;
  std::map<std::string, Warned> warned;  // by kind
  std::vector<int64_t> classes;
  std::vector<int64_t> categories;

  void Add(const SplitFacts& other) {
    read += other.read;
    files += other.files;
    bytes += other.bytes;
    points += other.points;
    left_out += other.left_out;
    labelled += other.labelled;
    at_origin += other.at_origin;
    fewest_points = std::min(fewest_points, other.fewest_points);
    GrowTo(other.most_points, most_points);
    unlabelled.Add(other.unlabelled);
    empty.Add(other.empty);
    for (const auto& [kind, warning] : other.warned) warned[kind].Add(warning);
    AddTo(other.classes, classes);
    AddTo(other.categories, categories);
  }
  // Of a single scan: the same where it stands at another index.
  void MoveTo(int64_t index) {
    unlabelled.MoveTo(index);
    empty.MoveTo(index);
    for (auto& [kind, warning] : warned) warning.where.MoveTo(index);
  }
};

// Values by magnitude: the exponent and two bits of the mantissa of a float, which are in the order
// of the values. A bucket's upper end is at most a quarter above its lower one.
struct FeatureFacts {
  static constexpr int kDropped = 21;
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  std::vector<int64_t> magnitudes = std::vector<int64_t>(size_t{1} << (31 - kDropped), 0);

  void Note(float value) {
    min = std::min(min, value);
    max = std::max(max, value);
    ++magnitudes[std::bit_cast<uint32_t>(std::fabs(value)) >> kDropped];
  }
  void Add(const FeatureFacts& other) {
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    AddTo(other.magnitudes, magnitudes);
  }
  bool is_empty() const { return min > max; }
  double largest() const { return std::max(std::fabs(min), std::fabs(max)); }
  // 99 % of the values are at most this far from 0.
  double Most() const {
    int64_t total = 0;
    for (const int64_t count : magnitudes) total += count;
    int64_t seen = 0;
    for (size_t i = 0; i < magnitudes.size(); ++i) {
      seen += magnitudes[i];
      if (100 * seen < 99 * total) continue;
      const auto end = std::bit_cast<float>(static_cast<uint32_t>((i + 1) << kDropped));
      return std::min<double>(end, largest());
    }
    return largest();
  }
};

// One scan's content, for what lies under two names.
struct Content {
  std::string digest;  // of the file of its points
  Split split;
  int64_t index;
};

// What one thread has seen. All of it is counts and extremes, so that the sum over threads does not
// depend on who read what.
struct Facts {
  std::array<SplitFacts, 3> splits;
  std::vector<FeatureFacts> features;
  std::vector<Content> contents;
  std::vector<DataFault> faults;

  explicit Facts(const Dataset& dataset) : features(static_cast<size_t>(dataset.num_features())) {
    for (SplitFacts& split : splits) {
      split.classes.resize(static_cast<size_t>(dataset.num_classes()));
      split.categories.resize(dataset.category_names().size());
    }
  }

  void Add(Facts other) {
    for (size_t i = 0; i < splits.size(); ++i) splits[i].Add(other.splits[i]);
    for (size_t i = 0; i < features.size(); ++i) features[i].Add(other.features[i]);
    std::move(other.contents.begin(), other.contents.end(), std::back_inserter(contents));
    std::move(other.faults.begin(), other.faults.end(), std::back_inserter(faults));
  }
};

struct ScanPlace {
  Split split = Split::kTrain;
  int64_t index = 0;
};

// Which scans are read, one after the other: each once, wherever it stands.
class Reading {
 public:
  explicit Reading(const Dataset& dataset);

  int64_t total() const { return static_cast<int64_t>(scans_.size()); }
  int64_t size(Split split) const { return sizes_[Place(split)]; }
  // Where a scan stands, in the order of the splits. Requires: position < total().
  const std::vector<ScanPlace>& At(int64_t position) const {
    return scans_[static_cast<size_t>(position)];
  }
  // Whether the splits have the same scans in the same order.
  bool AreEqual(Split a, Split b) const { return positions_[Place(a)] == positions_[Place(b)]; }

 private:
  void Add(const Dataset& dataset, const ScanPlace& place,
           std::map<std::string, size_t>& by_identity);

  std::array<int64_t, 3> sizes_{};
  std::array<std::vector<size_t>, 3> positions_;  // of the scans of each split
  std::vector<std::vector<ScanPlace>> scans_;
};

// "val and test": the names of `first` and of those in `also`.
std::string SplitNames(Split first, const std::vector<Split>& also);

inline double ShareOf(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// The file of the points of a scan, or what else names it.
inline std::string NameOf(const Dataset& dataset, Split split, int64_t index) {
  const std::vector<std::string> files = dataset.files(split, index);
  if (!files.empty()) return files.front();
  return "scan " + std::to_string(index) + " of " + std::string(SplitName(split));
}

}  // namespace voxbit::data
