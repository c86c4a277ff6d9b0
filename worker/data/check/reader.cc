#include "worker/data/check/reader.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <new>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/mutex.h"
#include "worker/data/files/source_files.h"

namespace voxbit::data {
namespace {

// What reading a scan has shown, to be counted wherever it stands.
struct Seen {
  SplitFacts counts;
  std::string digest;            // of the file of its points; "": there is none, or a fault
  std::vector<Status> faults{};  // by which it cannot be used

  explicit Seen(const Facts& like) {
    counts.classes.resize(like.splits[0].classes.size());
    counts.categories.resize(like.splits[0].categories.size());
  }
};

// `rows` are the points that count.
void CountLabels(const Dataset& dataset, const Scan& scan, const std::vector<int64_t>& rows,
                 SplitFacts& facts) {
  const bool has_category = scan.category >= 0;
  if (dataset.traits().scoring == Scoring::kObjects) {
    if (!has_category) return facts.unlabelled.Note(0);
    ++facts.labelled;
    ++facts.classes.at(static_cast<size_t>(scan.category));
    return;
  }
  for (const int64_t row : rows) {
    const int32_t label =
        scan.labels.empty() ? kIgnoredLabel : scan.labels[static_cast<size_t>(row)];
    if (label == kIgnoredLabel) continue;
    ++facts.labelled;
    ++facts.classes.at(static_cast<size_t>(label));
  }
  if (facts.labelled == 0) facts.unlabelled.Note(0);
  if (has_category && !facts.categories.empty()) {
    ++facts.categories.at(static_cast<size_t>(scan.category));
  }
}

int64_t PointsAtOrigin(const Scan& scan, const std::vector<int64_t>& rows) {
  return std::count_if(rows.begin(), rows.end(), [&scan](int64_t row) {
    const float* point = &scan.points[4 * static_cast<size_t>(row)];
    return point[0] == 0 && point[1] == 0 && point[2] == 0;
  });
}

// The points that the settings do not leave out; all of a scan that they refuse.
std::vector<int64_t> RowsThatCount(const Scan& scan, const Result<PreparedScan>& prepared) {
  if (prepared.ok() && prepared->num_dropped > 0) return prepared->point_index;
  std::vector<int64_t> all(static_cast<size_t>(scan.num_points()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void NoteSize(int64_t num_points, SplitFacts& facts) {
  facts.points = num_points;
  facts.fewest_points = num_points;
  facts.most_points = num_points;
}

void NoteWarnings(const std::vector<ScanWarning>& warnings, SplitFacts& facts) {
  for (const ScanWarning& warning : warnings) {
    if (warning.kind == kInvalidWarning) continue;  // counted with what else is left out
    Warned& warned = facts.warned[warning.kind];
    warned.message = warning.message;
    warned.where.Note(0);
  }
}

void CountFiles(const std::vector<std::string>& files, Seen& seen) {
  for (const std::string& path : files) {
    ++seen.counts.files;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) {
      seen.faults.push_back(FromErrno(error.value(), path));
    } else {
      seen.counts.bytes += static_cast<int64_t>(size);
    }
  }
}

// A scan without points, or of which the settings leave none, is counted and no fault: nothing is
// learned from it and nothing scored on it.
Status LookAt(const Dataset& dataset, const ScanPlace& place, Seen& seen,
              std::vector<FeatureFacts>& features) {
  SplitFacts& counts = seen.counts;
  counts.read = 1;
  const std::vector<std::string> files = dataset.files(place.split, place.index);
  CountFiles(files, seen);
  if (!seen.faults.empty()) return OkStatus();
  const Result<Scan> loaded = dataset.Load(place.split, place.index);
  if (IsEmptyScan(loaded.status())) {
    NoteSize(0, counts);
    counts.empty.Note(0);
    return OkStatus();
  }
  VOXBIT_RETURN_IF_ERROR(loaded.status());
  const Scan& scan = *loaded;
  NoteSize(scan.num_points(), counts);
  const std::vector<ScanWarning> warnings = dataset.TakeWarnings(scan);
  const Result<PreparedScan> prepared = dataset.Prepare(scan, nullptr);
  if (IsEmptyScan(prepared.status())) {
    counts.left_out = scan.num_points();
    counts.empty.Note(0);
    return OkStatus();
  }
  const std::vector<int64_t> rows = RowsThatCount(scan, prepared);
  CountLabels(dataset, scan, rows, counts);
  VOXBIT_RETURN_IF_ERROR(prepared.status());
  counts.left_out = prepared->num_dropped;
  counts.at_origin = PointsAtOrigin(scan, rows);
  NoteWarnings(warnings, counts);
  for (size_t i = 0; i < prepared->feats.size(); ++i) {
    features[i % features.size()].Note(prepared->feats[i]);
  }
  if (files.empty()) return OkStatus();
  VOXBIT_ASSIGN_OR_RETURN(seen.digest, Sha256OfFile(files.front()));
  return OkStatus();
}

// The splits of `places` but for the first one's.
std::vector<Split> FurtherSplits(const std::vector<ScanPlace>& places) {
  std::vector<Split> further;
  for (const ScanPlace& place : places) {
    const bool is_first = place.split == places.front().split;
    if (!is_first && std::find(further.begin(), further.end(), place.split) == further.end()) {
      further.push_back(place.split);
    }
  }
  return further;
}

void AddFault(const std::vector<ScanPlace>& places, const Status& status, Facts& facts) {
  const std::vector<Split> also = FurtherSplits(places);
  const ScanPlace& first = places.front();
  if (also.empty()) return facts.faults.push_back({first.split, first.index, status});
  const std::string message = status.message() + " (in " + SplitNames(first.split, also) + ")";
  facts.faults.push_back(
      {first.split, first.index, {status.code(), message, status.reason()}, also});
}

void ReadScan(const Dataset& dataset, const std::vector<ScanPlace>& places, Facts& facts) {
  Seen seen(facts);
  const Status status = LookAt(dataset, places.front(), seen, facts.features);
  if (!status.ok()) seen.faults.push_back(status);
  for (const Status& fault : seen.faults) AddFault(places, fault, facts);
  for (const ScanPlace& place : places) {
    seen.counts.MoveTo(place.index);
    facts.splits[Place(place.split)].Add(seen.counts);
    if (!seen.digest.empty()) facts.contents.push_back({seen.digest, place.split, place.index});
  }
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
      ReadScan(dataset_, reading_.At(position), facts);
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
