// What datasets of LiDAR scans have in common: voxels, one class a point, and the texts that tell
// the user of an exported network how to make its input.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "worker/data/dataset.h"
#include "worker/data/lidar/lidar_settings.h"

namespace voxbit::data {

inline DatasetTraits LidarTraits() { return MakeTraits(InputForm::kVoxels, Scoring::kClasses); }

class LidarDataset : public Dataset {
 public:
  virtual const LidarSettings& settings() const = 0;

  // pipeline.h. Logs what is to be known of a scan (WarningsOf) when it comes for the first time,
  // naming the first few scans of each kind of warning.
  Result<PreparedScan> Prepare(const Scan& scan, Rng* augment) const final;
  std::vector<ScanWarning> TakeWarnings(const Scan& scan) const final;
  int64_t num_features() const final { return settings().num_features(); }
  std::vector<std::string> feature_names() const final { return settings().features; }
  DatasetTraits traits() const final { return LidarTraits(); }
  Json InputContract() const final;
  Json OutputContract() const final;

 private:
  void Warn(const Scan& scan) const;
  // Whether the scan was not looked at before.
  bool NoteLook(const Scan& scan) const;

  mutable Mutex mutex_;
  mutable std::set<std::string> looked_at_ VOXBIT_GUARDED_BY(mutex_);
  mutable std::map<std::string, int64_t> warned_ VOXBIT_GUARDED_BY(mutex_);  // scans by kind
};

}  // namespace voxbit::data
