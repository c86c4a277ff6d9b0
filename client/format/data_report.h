// What is in a dataset, for people: the overview of a check (worker/data/check.h) as tables.
#pragma once

#include <cstdint>
#include <string>

#include "client/format/table.h"
#include "common/json.h"

namespace voxbit::client {

struct DataReportStyle {
  TextStyle text;
  bool has_features = true;   // whether the ranges of the features are shown
  size_t max_classes = 1000;  // more are counted, not listed
};

// Splits, classes, features and warnings; "" for an overview that says nothing of splits. What an
// overview of another version does not have is left out.
std::string DataReport(const Json& overview, const DataReportStyle& style);

// "86 scans, 25.8 k points, read in 1.2 s".
std::string DataReportTotals(const Json& overview);

}  // namespace voxbit::client
