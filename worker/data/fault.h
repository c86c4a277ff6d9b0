// How a status says that the data is to blame, and neither the candidate nor the worker.
#pragma once

#include "common/status.h"

namespace voxbit::data {

// Files that contradict their format or each other: the same on every worker that has them.
inline constexpr char kDatasetBroken[] = "DATASET_BROKEN";

// What opening, loading or preparing has returned, with the reason DATASET_BROKEN where that says
// that the data is wrong. A file that is away or may not be read says nothing of the data.
inline Status AsDataFault(const Status& status) {
  const bool blames_data =
      status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kDataLoss;
  if (!blames_data || !status.reason().empty()) return status;
  return {status.code(), status.message(), kDatasetBroken};
}

}  // namespace voxbit::data
