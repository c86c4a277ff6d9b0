// Reads every scan of a dataset once, before hours are spent on it, and says what is wrong with it
// and what is in it. Knows no kind of dataset: all it asks is in dataset.h.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "worker/data/dataset.h"

namespace voxbit::data {

struct CheckSettings {
  int64_t threads = 1;
  // Told how many scans of how many have been read; one call at a time, from any thread. May be
  // empty.
  std::function<void(int64_t done, int64_t total)> progress{};
};

// What makes a scan unusable. `status` is what Load or Prepare has returned, naming the file and,
// where the scan stands in several splits, these.
struct DataFault {
  Split split = Split::kTrain;
  int64_t index = 0;  // -1: the split as a whole
  Status status{};
  std::vector<Split> also{};  // further splits that the same scan stands in
};

struct CheckReport {
  std::vector<DataFault> faults;  // by split and index; none: the data can be used
  // {"check_version", "kind", "digest", "seconds", "counted": "points" or "objects",
  //  "splits": [{"name", "scans", "read", "files", "bytes", "points", "labelled",
  //              "unlabelled_scans", "empty_scans", "left_out", "at_origin", "fewest_points",
  //              "most_points"}],
  //  "classes": [{"name", SPLIT: {"count", "share"}, ...}], "categories": the same of objects,
  //  "features": [{"name", "min", "max", "most"}], "warnings": [text], "num_faults"}
  // "points" are those of the files; "left_out" of them the settings leave out, and what else is
  // counted is of the others: labels, classes, points at the origin ("at_origin").
  // "counted" is what the classes have, "categories" is empty unless parts are scored, and 99 % of
  // the values of a feature are at most "most" away from 0. Features are those of prepared scans:
  // after scaling, without augmentation. Of a dataset that is made from its settings some scans of
  // each split are read: "read" is then less than "scans".
  Json overview = Json::object();
};

// Reads with `threads` threads; holds as many scans at a time. A scan that stands in several splits
// is read once and counted in each. But for "seconds" the report does
// not depend on their number. CANCELLED once `stop` is raised; RESOURCE_EXHAUSTED when memory ran
// out.
Result<CheckReport> CheckDataset(const Dataset& dataset, const CheckSettings& settings,
                                 const std::stop_token& stop);

// An overview that this version would give again: of the same digest and of the same rules.
bool IsOverviewOf(const Json& overview, const std::string& digest);

}  // namespace voxbit::data
