#include "worker/data/check/judge.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>
#include <utility>

#include "common/number_text.h"

namespace voxbit::data {
namespace {

// A feature below the first is lost beside others near 1; one above the second drowns them.
constexpr double kLeastFeature = 0.01;
constexpr double kMostFeature = 1000;
constexpr double kOriginShare = 0.01;
constexpr double kLabelledShare = 0.5;

// A class has few if it has less than a thousandth of what it would have if all had the same, or
// less than ten where that would be a hundred.
double FewBelow(double even) { return std::max(0.001 * even, std::min(10.0, 0.1 * even)); }

// Three significant digits.
std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

std::string Percent(double share) { return Short(100 * share) + " %"; }

std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

// The warnings, in a fixed order.
class Judge {
 public:
  Judge(const Dataset& dataset, const Reading& reading, const Facts& facts)
      : dataset_(dataset), reading_(reading), facts_(facts) {}

  std::vector<std::string> Run() {
    JudgeSharedFiles();
    JudgeEqualContents();
    for (const Split split : kSplits) JudgeSplit(split);
    JudgeNames();
    JudgeClasses();
    JudgeFeatures();
    return std::move(warnings_);
  }

 private:
  // What is true of two splits alike is said once.
  void Warn(std::string text) {
    const bool is_said = std::find(warnings_.begin(), warnings_.end(), text) != warnings_.end();
    if (!is_said) warnings_.push_back(std::move(text));
  }
  const SplitFacts& Of(Split split) const { return facts_.splits[Place(split)]; }

  std::string Scans(int64_t count, const std::string& split, const std::string& more = "") const {
    const bool is_object = dataset_.traits().input == InputForm::kClouds;
    return Counted(count, more + (is_object ? "object" : "scan")) + " of " + split;
  }

  // Only files can be named twice.
  void JudgeSharedFiles() {
    std::map<std::string, Split> first_in;
    std::map<std::pair<Split, Split>, Lowest> shared;  // in the first, and in the second too
    for (const Split split : kSplits) {
      for (int64_t i = 0; i < reading_.size(split); ++i) {
        const std::vector<std::string> files = dataset_.files(split, i);
        if (files.empty()) break;
        const auto [found, is_new] = first_in.emplace(files.front(), split);
        if (!is_new && found->second != split) shared[{found->second, split}].Note(i);
      }
    }
    for (const auto& [splits, where] : shared) WarnOfShared(splits.first, splits.second, where);
  }

  // `where`: scans of `split` that are in `other` too.
  void WarnOfShared(Split other, Split split, const Lowest& where) {
    const std::string effect =
        other == Split::kTrain
            ? "trained on too: scores on what was trained on say little"
            : "in " + std::string(SplitName(other)) + " too: the search looks at them";
    Warn(Scans(where.count, std::string(SplitName(split))) + ", of " +
         std::to_string(reading_.size(split)) + ", " + effect +
         " (the first: " + NameOf(dataset_, split, where.index) + ")");
  }

  void JudgeEqualContents() {
    std::vector<const Content*> sorted;
    for (const Content& content : facts_.contents) sorted.push_back(&content);
    const auto key = [](const Content* c) { return std::tie(c->digest, c->split, c->index); };
    std::sort(sorted.begin(), sorted.end(),
              [&](const Content* a, const Content* b) { return key(a) < key(b); });
    // Of each pair of splits: how many, and the first one with its twin.
    struct Twins {
      int64_t count = 0;
      const Content* first = nullptr;
      const Content* of = nullptr;
    };
    std::map<std::pair<Split, Split>, Twins> found;
    for (size_t begin = 0; begin < sorted.size();) {
      size_t end = begin + 1;
      while (end < sorted.size() && sorted[end]->digest == sorted[begin]->digest) ++end;
      const Content* original = sorted[begin];
      const std::string path = NameOf(dataset_, original->split, original->index);
      for (size_t i = begin + 1; i < end; ++i) {
        const Content* twin = sorted[i];
        if (NameOf(dataset_, twin->split, twin->index) == path) continue;  // the same file
        Twins& twins = found[{original->split, twin->split}];
        ++twins.count;
        const bool is_first = twins.first == nullptr || twin->index < twins.first->index;
        if (is_first) twins = {twins.count, twin, original};
      }
      begin = end;
    }
    for (const auto& [splits, twins] : found) {
      const bool is_trained_on = splits.first == Split::kTrain && splits.second != Split::kTrain;
      Warn(Scans(twins.count, std::string(SplitName(splits.second))) + " with the content of " +
           (splits.first == splits.second ? "another one"
                                          : "one of " + std::string(SplitName(splits.first))) +
           " under another name" + (is_trained_on ? ", so trained on too" : "") +
           " (the first: " + NameOf(dataset_, twins.first->split, twins.first->index) + " is " +
           NameOf(dataset_, twins.of->split, twins.of->index) + ")");
    }
  }

  void JudgeSplit(Split split) {
    const SplitFacts& facts = Of(split);
    const std::string name(SplitName(split));
    const auto example = [&](const Lowest& where) {
      return " (the first: " + NameOf(dataset_, split, where.index) + ")";
    };
    if (facts.empty.count > 0) {
      Warn(Scans(facts.empty.count, name) + " without a point that can be used" +
           example(facts.empty));
    }
    if (facts.unlabelled.count > 0) {
      Warn(Scans(facts.unlabelled.count, name) + " without a label that counts" +
           example(facts.unlabelled));
    }
    const int64_t points = facts.points - facts.left_out;
    const double labelled = ShareOf(facts.labelled, points);
    const bool has_point_labels = dataset_.traits().scoring != Scoring::kObjects;
    if (has_point_labels && facts.labelled > 0 && labelled < kLabelledShare) {
      Warn("only " + Percent(labelled) + " of the points of " + name + " have a label that counts");
    }
    const double at_origin = ShareOf(facts.at_origin, points);
    // Objects may be recorded so; they have no such setting.
    const bool is_lidar = dataset_.traits().input == InputForm::kVoxels;
    const bool has_many_at_origin = is_lidar && at_origin > kOriginShare;
    if (has_many_at_origin) {
      Warn(Percent(at_origin) + " of the points of " + name +
           " lie at exactly (0, 0, 0): pulses without a return? \"drop_origin\" of LiDAR datasets "
           "leaves them out");
    }
    for (const auto& [kind, warned] : facts.warned) {
      if (kind == kOriginWarning && has_many_at_origin) continue;  // said of the split as a whole
      const int64_t others = warned.where.count - 1;
      Warn(warned.message + (others == 0 ? "" : "; the same of " + Scans(others, name, "more ")));
    }
  }

  void JudgeNames() {
    std::vector<std::string> shared;
    const std::vector<std::string> names = ToldApart(dataset_.class_names());
    for (size_t c = 0; c < names.size(); ++c) {
      if (names[c] != dataset_.class_names()[c]) shared.push_back(names[c]);
    }
    if (shared.empty()) return;
    Warn("classes of one name: " + Listed(shared) +
         "; they are learnt and scored apart, give them one train id if they are meant to be one");
  }

  void JudgeClasses() {
    const std::vector<std::string> names = ToldApart(dataset_.class_names());
    const SplitFacts& train = Of(Split::kTrain);
    const SplitFacts& val = Of(Split::kVal);
    const bool is_whole = train.read == reading_.size(Split::kTrain);
    if (!is_whole || train.labelled == 0) return;
    const std::string what = WhatIsCounted(dataset_);
    std::vector<std::string> nowhere, unlearnt, unscored, few;
    const double even = static_cast<double>(train.labelled) / static_cast<double>(names.size());
    for (size_t c = 0; c < names.size(); ++c) {
      const int64_t trained = train.classes[c];
      const int64_t scored = val.classes[c];
      if (trained == 0) (scored == 0 ? nowhere : unlearnt).push_back(names[c]);
      if (trained > 0 && scored == 0) unscored.push_back(names[c]);
      if (trained > 0 && static_cast<double>(trained) < FewBelow(even)) {
        few.push_back(names[c] + " (" + std::to_string(trained) + ")");
      }
    }
    if (!nowhere.empty()) Warn("classes without " + what + ": " + Listed(nowhere));
    if (!unlearnt.empty()) {
      Warn("classes with " + what +
           " in val and none in train, which nothing can learn: " + Listed(unlearnt));
    }
    if (!unscored.empty()) {
      Warn("classes without " + what + " in val, which no score speaks of: " + Listed(unscored));
    }
    if (!few.empty()) Warn("classes with very few " + what + " in train: " + Listed(few));
  }

  void JudgeFeatures() {
    const std::vector<std::string> names = dataset_.feature_names();
    std::vector<std::string> zero;
    for (size_t i = 0; i < facts_.features.size(); ++i) {
      const FeatureFacts& feature = facts_.features[i];
      if (feature.is_empty()) continue;
      const double most = feature.Most();
      // A channel that is 1 for a few and 0 for the others is fine.
      if (feature.largest() == 0) {
        zero.push_back(names[i]);
      } else if (most < kLeastFeature && feature.largest() < 1) {
        Warn("the feature " + names[i] + " is at most " + Short(most) +
             " in 99 % of the rows: practically zero for a network, which wants values near 1; see "
             "its scale");
      } else if (most > kMostFeature) {
        Warn("the feature " + names[i] + " reaches " + Short(feature.largest()) +
             ": a network wants values near 1; scale or centre it");
      }
    }
    if (!zero.empty()) Warn("features that are 0 everywhere: " + Listed(zero));
  }

  const Dataset& dataset_;
  const Reading& reading_;
  const Facts& facts_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::string WhatIsCounted(const Dataset& dataset) {
  return dataset.traits().scoring == Scoring::kObjects ? "objects" : "points";
}

std::vector<std::string> WarningsAbout(const Dataset& dataset, const Reading& reading,
                                       const Facts& facts) {
  return Judge(dataset, reading, facts).Run();
}

}  // namespace voxbit::data
