#include "worker/data/check.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "common/digest.h"
#include "common/mutex.h"
#include "worker/data/files/source_files.h"

namespace voxbit::data {
namespace {

// Raised whenever the same data would get another overview.
constexpr int64_t kCheckVersion = 1;

constexpr std::array<Split, 3> kSplits = {Split::kTrain, Split::kVal, Split::kTest};

// Of a dataset that is made from its settings, in each split: there is no file to be broken.
constexpr int64_t kGeneratedScans = 16;

// A feature below the first is lost beside others near 1; one above the second drowns them.
constexpr double kLeastFeature = 0.01;
constexpr double kMostFeature = 1000;
constexpr double kOriginShare = 0.01;
constexpr double kLabelledShare = 0.5;

// A class has few if it has less than a thousandth of what it would have if all had the same, or
// less than ten where that would be a hundred.
double FewBelow(double even) { return std::max(0.001 * even, std::min(10.0, 0.1 * even)); }

size_t Place(Split split) { return static_cast<size_t>(split); }

void GrowTo(int64_t value, int64_t& most) { most = std::max(most, value); }

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
};

void AddTo(const std::vector<int64_t>& from, std::vector<int64_t>& to) {
  for (size_t i = 0; i < from.size(); ++i) to[i] += from[i];
}

struct SplitFacts {
  int64_t read = 0;
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t points = 0;
  int64_t labelled = 0;  // points, or objects where these are classified
  int64_t at_origin = 0;
  int64_t kept_at_origin = 0;
  int64_t fewest_points = std::numeric_limits<int64_t>::max();
  int64_t most_points = 0;
  Lowest unlabelled;
  Lowest empty;
  std::vector<int64_t> classes;
  std::vector<int64_t> categories;

  void Add(const SplitFacts& other) {
    read += other.read;
    files += other.files;
    bytes += other.bytes;
    points += other.points;
    labelled += other.labelled;
    at_origin += other.at_origin;
    kept_at_origin += other.kept_at_origin;
    fewest_points = std::min(fewest_points, other.fewest_points);
    GrowTo(other.most_points, most_points);
    unlabelled.Add(other.unlabelled);
    empty.Add(other.empty);
    AddTo(other.classes, classes);
    AddTo(other.categories, categories);
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

void CountLabels(const Dataset& dataset, const Scan& scan, int64_t index, SplitFacts& facts) {
  const bool has_category = scan.category >= 0;
  if (dataset.traits().scoring == Scoring::kObjects) {
    if (!has_category) return facts.unlabelled.Note(index);
    ++facts.labelled;
    ++facts.classes.at(static_cast<size_t>(scan.category));
    return;
  }
  int64_t labelled = 0;
  for (const int32_t label : scan.labels) {
    if (label == kIgnoredLabel) continue;
    ++labelled;
    ++facts.classes.at(static_cast<size_t>(label));
  }
  facts.labelled += labelled;
  if (labelled == 0) facts.unlabelled.Note(index);
  if (has_category && !facts.categories.empty()) {
    ++facts.categories.at(static_cast<size_t>(scan.category));
  }
}

int64_t PointsAtOrigin(const Scan& scan) {
  int64_t count = 0;
  for (size_t i = 0; i + 3 < scan.points.size(); i += 4) {
    if (scan.points[i] == 0 && scan.points[i + 1] == 0 && scan.points[i + 2] == 0) ++count;
  }
  return count;
}

void NoteSize(int64_t num_points, SplitFacts& facts) {
  facts.points += num_points;
  facts.fewest_points = std::min(facts.fewest_points, num_points);
  GrowTo(num_points, facts.most_points);
}

// A scan without points, or of which the settings leave none, is counted and no fault: nothing is
// learned from it and nothing scored on it.
Status ReadScan(const Dataset& dataset, Split split, int64_t index, Facts& facts) {
  SplitFacts& of_split = facts.splits[Place(split)];
  ++of_split.read;
  const std::vector<std::string> files = dataset.files(split, index);
  bool is_whole = true;
  for (const std::string& path : files) {
    ++of_split.files;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error) {
      of_split.bytes += static_cast<int64_t>(size);
      continue;
    }
    is_whole = false;
    facts.faults.push_back({split, index, FromErrno(error.value(), path)});
  }
  if (!is_whole) return OkStatus();
  const Result<Scan> loaded = dataset.Load(split, index);
  if (IsEmptyScan(loaded.status())) {
    NoteSize(0, of_split);
    of_split.empty.Note(index);
    return OkStatus();
  }
  VOXBIT_RETURN_IF_ERROR(loaded.status());
  const Scan& scan = *loaded;
  NoteSize(scan.num_points(), of_split);
  const int64_t at_origin = PointsAtOrigin(scan);
  of_split.at_origin += at_origin;
  const Result<PreparedScan> prepared = dataset.Prepare(scan, nullptr);
  if (IsEmptyScan(prepared.status())) {
    of_split.empty.Note(index);
    return OkStatus();
  }
  CountLabels(dataset, scan, index, of_split);
  VOXBIT_RETURN_IF_ERROR(prepared.status());
  const bool keeps_all = prepared->num_points() == scan.num_points();
  if (keeps_all) of_split.kept_at_origin += at_origin;
  for (size_t i = 0; i < prepared->feats.size(); ++i) {
    facts.features[i % facts.features.size()].Note(prepared->feats[i]);
  }
  if (files.empty()) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(std::string digest, Sha256OfFile(files.front()));
  facts.contents.push_back({std::move(digest), split, index});
  return OkStatus();
}

// Which scans are read, one after the other.
class Reading {
 public:
  explicit Reading(const Dataset& dataset) {
    for (const Split split : kSplits) {
      const int64_t size = dataset.size(split);
      const bool is_generated = size > 0 && dataset.files(split, 0).empty();
      Part& part = parts_[Place(split)];
      part = {size, is_generated ? std::min(size, kGeneratedScans) : size};
      total_ += part.read;
    }
  }

  int64_t total() const { return total_; }
  int64_t size(Split split) const { return parts_[Place(split)].size; }
  // Requires: position < total().
  std::pair<Split, int64_t> At(int64_t position) const {
    for (const Split split : kSplits) {
      const Part& part = parts_[Place(split)];
      if (position < part.read) return {split, position * part.size / part.read};
      position -= part.read;
    }
    CheckFailed(__FILE__, __LINE__, "position < total()", "no such scan");
  }

 private:
  struct Part {
    int64_t size = 0;
    int64_t read = 0;
  };
  std::array<Part, 3> parts_;
  int64_t total_ = 0;
};

// Shares the scans out among threads.
class Reader {
 public:
  Reader(const Dataset& dataset, const Reading& reading, const CheckSettings& settings,
         const std::stop_token& stop)
      : dataset_(dataset), reading_(reading), settings_(settings), stop_(stop), facts_(dataset) {}

  Result<Facts> Run() {
    {
      const int64_t wanted = std::max<int64_t>(1, std::min(settings_.threads, reading_.total()));
      std::vector<std::jthread> threads;
      for (int64_t i = 0; i < wanted; ++i) threads.emplace_back([this] { Work(); });
    }
    const MutexLock lock(mutex_);
    if (!status_.ok()) return status_;
    return std::move(facts_);
  }

 private:
  void Work() {
    Status status;
    try {
      Facts facts(dataset_);
      status = ReadAll(facts);
      const MutexLock lock(mutex_);
      facts_.Add(std::move(facts));
    } catch (const std::bad_alloc&) {
      status = ResourceExhausted("out of memory while the dataset was checked", "OUT_OF_MEMORY");
    } catch (const std::exception& error) {
      status = Internal(std::string("while the dataset was checked: ") + error.what());
    }
    if (status.ok()) return;
    const MutexLock lock(mutex_);
    ended_ = true;
    if (status_.ok()) status_ = status;
  }

  Status ReadAll(Facts& facts) {
    for (int64_t position = next_++; position < reading_.total(); position = next_++) {
      if (stop_.stop_requested()) return Cancelled("asked to stop");
      if (ended_) return OkStatus();
      const auto [split, index] = reading_.At(position);
      const Status read = ReadScan(dataset_, split, index, facts);
      if (!read.ok()) facts.faults.push_back({split, index, read});
      if (!settings_.progress) continue;
      const MutexLock lock(progress_mutex_);
      settings_.progress(++done_, reading_.total());
    }
    return OkStatus();
  }

  const Dataset& dataset_;
  const Reading& reading_;
  const CheckSettings& settings_;
  const std::stop_token& stop_;
  std::atomic<int64_t> next_ = 0;
  std::atomic<bool> ended_ = false;
  Mutex progress_mutex_;
  int64_t done_ VOXBIT_GUARDED_BY(progress_mutex_) = 0;
  Mutex mutex_;
  Status status_ VOXBIT_GUARDED_BY(mutex_);
  Facts facts_ VOXBIT_GUARDED_BY(mutex_);
};

double ShareOf(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Three significant digits.
std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

std::string Percent(double share) { return Short(100 * share) + " %"; }

// The file of the points of a scan, or what else names it.
std::string NameOf(const Dataset& dataset, Split split, int64_t index) {
  const std::vector<std::string> files = dataset.files(split, index);
  if (!files.empty()) return files.front();
  return "scan " + std::to_string(index) + " of " + std::string(SplitName(split));
}

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
    JudgeClasses();
    JudgeFeatures();
    return std::move(warnings_);
  }

 private:
  void Warn(std::string text) { warnings_.push_back(std::move(text)); }
  const SplitFacts& Of(Split split) const { return facts_.splits[Place(split)]; }

  std::string Scans(int64_t count, const std::string& split) const {
    const bool is_object = dataset_.traits().input == InputForm::kClouds;
    return std::to_string(count) + (is_object ? " object" : " scan") + (count == 1 ? "" : "s") +
           " of " + split;
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
    for (const auto& [splits, where] : shared) {
      const std::string of = std::to_string(reading_.size(splits.second));
      const std::string name(SplitName(splits.second));
      const std::string example = NameOf(dataset_, splits.second, where.index);
      Warn(Scans(where.count, name) + ", of " + of +
           (splits.first == Split::kTrain
                ? ", trained on too: scores on what was trained on say little"
                : ", in " + std::string(SplitName(splits.first)) +
                      " too: the search looks at them") +
           " (the first: " + example + ")");
    }
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
    const double labelled = ShareOf(facts.labelled, facts.points);
    const bool has_point_labels = dataset_.traits().scoring != Scoring::kObjects;
    if (has_point_labels && facts.labelled > 0 && labelled < kLabelledShare) {
      Warn("only " + Percent(labelled) + " of the points of " + name + " have a label that counts");
    }
    const double at_origin = ShareOf(facts.kept_at_origin, facts.points);
    if (at_origin > kOriginShare) {
      Warn(Percent(at_origin) + " of the points of " + name +
           " lie at exactly (0, 0, 0): pulses without a return? \"drop_origin\" of LiDAR datasets "
           "leaves them out");
    }
  }

  void JudgeClasses() {
    const std::vector<std::string>& names = dataset_.class_names();
    const SplitFacts& train = Of(Split::kTrain);
    const SplitFacts& val = Of(Split::kVal);
    const bool is_whole = train.read == reading_.size(Split::kTrain);
    if (!is_whole || train.labelled == 0) return;
    const std::string what = Counted(dataset_);
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

 public:
  static std::string Counted(const Dataset& dataset) {
    return dataset.traits().scoring == Scoring::kObjects ? "objects" : "points";
  }

 private:
  const Dataset& dataset_;
  const Reading& reading_;
  const Facts& facts_;
  std::vector<std::string> warnings_;
};

Json SplitJson(const Reading& reading, Split split, const SplitFacts& facts) {
  return {{"name", SplitName(split)},
          {"scans", reading.size(split)},
          {"read", facts.read},
          {"files", facts.files},
          {"bytes", facts.bytes},
          {"points", facts.points},
          {"labelled", facts.labelled},
          {"unlabelled_scans", facts.unlabelled.count},
          {"empty_scans", facts.empty.count},
          {"at_origin", facts.at_origin},
          {"fewest_points", facts.most_points == 0 ? 0 : facts.fewest_points},
          {"most_points", facts.most_points}};
}

// Counts of one name each, with their shares of the split.
Json CountsJson(const std::vector<std::string>& names, const Facts& facts, const Reading& reading,
                std::vector<int64_t> SplitFacts::*counts) {
  Json rows = Json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    Json row = {{"name", names[i]}};
    for (const Split split : kSplits) {
      if (reading.size(split) == 0) continue;
      const std::vector<int64_t>& all = facts.splits[Place(split)].*counts;
      int64_t total = 0;
      for (const int64_t count : all) total += count;
      row[std::string(SplitName(split))] = {{"count", all[i]}, {"share", ShareOf(all[i], total)}};
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Json FeaturesJson(const std::vector<std::string>& names, const std::vector<FeatureFacts>& all) {
  Json rows = Json::array();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].is_empty()) continue;
    rows.push_back(
        {{"name", names[i]}, {"min", all[i].min}, {"max", all[i].max}, {"most", all[i].Most()}});
  }
  return rows;
}

// Nothing can be trained or scored where nothing is labelled.
void AddUnlabelledSplits(const Dataset& dataset, const Reading& reading, Facts& facts) {
  for (const Split split : kSplits) {
    if (reading.size(split) == 0) continue;
    const SplitFacts& of_split = facts.splits[Place(split)];
    const bool has_fault = std::any_of(facts.faults.begin(), facts.faults.end(),
                                       [&](const DataFault& f) { return f.split == split; });
    if (has_fault || of_split.labelled > 0) continue;
    facts.faults.push_back(
        {split, -1,
         InvalidArgument("nothing in the split " + std::string(SplitName(split)) +
                         " has a label that counts (the first of it: " + NameOf(dataset, split, 0) +
                         ")")});
  }
}

}  // namespace

Result<CheckReport> CheckDataset(const Dataset& dataset, const CheckSettings& settings,
                                 const std::stop_token& stop) {
  const auto start = std::chrono::steady_clock::now();
  const Reading reading(dataset);
  VOXBIT_ASSIGN_OR_RETURN(Facts facts, Reader(dataset, reading, settings, stop).Run());
  AddUnlabelledSplits(dataset, reading, facts);
  CheckReport report;
  report.faults = std::move(facts.faults);
  std::stable_sort(report.faults.begin(), report.faults.end(),
                   [](const DataFault& a, const DataFault& b) {
                     return std::tie(a.split, a.index) < std::tie(b.split, b.index);
                   });
  Json splits = Json::array();
  for (const Split split : kSplits) {
    if (reading.size(split) == 0) continue;
    splits.push_back(SplitJson(reading, split, facts.splits[Place(split)]));
  }
  const Json described = dataset.Describe();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  report.overview = {
      {"check_version", kCheckVersion},
      {"kind", described.at("kind")},
      {"digest", described.at("digest")},
      {"seconds", elapsed.count()},
      {"counted", Judge::Counted(dataset)},
      {"splits", std::move(splits)},
      {"classes", CountsJson(dataset.class_names(), facts, reading, &SplitFacts::classes)},
      {"categories", CountsJson(dataset.category_names(), facts, reading, &SplitFacts::categories)},
      {"features", FeaturesJson(dataset.feature_names(), facts.features)},
      {"warnings", Judge(dataset, reading, facts).Run()},
      {"num_faults", report.faults.size()}};
  return report;
}

bool IsOverviewOf(const Json& overview, const std::string& digest) {
  return overview.is_object() && !digest.empty() &&
         overview.value("digest", Json()) == Json(digest) &&
         overview.value("check_version", Json()) == Json(kCheckVersion);
}

}  // namespace voxbit::data
