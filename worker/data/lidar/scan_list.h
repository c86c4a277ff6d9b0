// LiDAR scans in files of any folder.
#pragma once

#include <memory>

#include "common/status.h"
#include "worker/data/dataset.h"
#include "worker/data/files/class_map.h"
#include "worker/data/lidar/lidar_settings.h"

namespace voxbit::data {

// DatasetKind::open_files of LiDAR scans. Labels and returns of X/NAME.bin are X/NAME.label and
// X/NAME.returns or, where the folder X is called velodyne, ../labels/NAME.label and
// ../returns/NAME.returns. NOT_FOUND for a missing file of points; one of returns that a feature
// needs is missed when its scan is loaded.
Result<std::unique_ptr<Dataset>> OpenScanFiles(const LidarSettings& settings, ClassMap map,
                                               const FileList& files);

}  // namespace voxbit::data
