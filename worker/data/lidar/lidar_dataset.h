// What datasets of LiDAR scans have in common: voxels, one class a point, and the texts that tell
// the user of an exported network how to make its input.
#pragma once

#include <string>
#include <vector>

#include "worker/data/dataset.h"
#include "worker/data/lidar/lidar_settings.h"

namespace voxbit::data {

inline DatasetTraits LidarTraits() { return MakeTraits(InputForm::kVoxels, Scoring::kClasses); }

class LidarDataset : public Dataset {
 public:
  virtual const LidarSettings& settings() const = 0;

  Result<PreparedScan> Prepare(const Scan& scan, Rng* augment) const final;  // pipeline.h
  int64_t num_features() const final { return settings().num_features(); }
  std::vector<std::string> feature_names() const final { return settings().features; }
  DatasetTraits traits() const final { return LidarTraits(); }
  Json InputContract() const final;
  Json OutputContract() const final;
};

}  // namespace voxbit::data
