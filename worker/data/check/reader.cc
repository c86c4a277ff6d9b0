#include "worker/data/check/reader.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/mutex.h"
#include "worker/data/files/source_files.h"

namespace voxbit::data {
namespace {

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

}  // namespace

Result<Facts> ReadFacts(const Dataset& dataset, const Reading& reading,
                        const CheckSettings& settings, const std::stop_token& stop) {
  return Reader(dataset, reading, settings, stop).Run();
}

}  // namespace voxbit::data
