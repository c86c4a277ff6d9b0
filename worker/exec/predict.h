// What an exported network says of scans and objects. No torch in this header.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/status.h"
#include "search/domain/measurement.h"
#include "worker/data/dataset.h"
#include "worker/exec/bundle.h"

namespace voxbit::worker {

// Of one scan or object.
struct Prediction {
  int64_t index = 0;             // in its split
  std::string name;              // data::Scan::name
  std::vector<int32_t> classes;  // [points of the scan] train ids, -1: left out before the network;
                                 // [1] of an object that is classified as a whole
  std::vector<float> probabilities;  // [classes] of an object that is classified as a whole
};

struct PredictSettings {
  std::string device = "cpu";  // "cpu" or "cuda:N"
  int64_t threads = 1;
  int64_t batch = 1;  // scans of one pass
};

struct PredictCalls {
  // Once for each scan, in order. An error ends the run.
  std::function<Status(const Prediction&)> done;
  // Instead of `done` for a scan that cannot be used, or of which the network makes no finite
  // number; the run goes on with the others of its batch. Not set: it ends the run.
  std::function<void(int64_t index, const Status&)> failed{};
  std::stop_token stop{};
};

// Runs the network of `bundle` over a split of `dataset`, with the statistics and ranges that the
// bundle has, and returns the dataset's metrics over all of it that has labels, by the code of an
// evaluation; none if nothing has. Of a cloud with more points than the network is given, the rest
// takes the part of the nearest point that was given.
// INVALID_ARGUMENT when features, preprocessing or classes of `dataset` are not the network's,
// naming the first that differs; FAILED_PRECONDITION, SPACE_MISMATCH for a bundle of another
// version of the program; CANCELLED when stopped; what `calls.failed` would be told, INFEASIBLE for
// a logit that is no finite number.
Result<std::vector<search::Measurement>> Predict(const Bundle& bundle, const data::Dataset& dataset,
                                                 data::Split split, const PredictSettings& settings,
                                                 const PredictCalls& calls);

}  // namespace voxbit::worker
