// The files of a LiDAR scan: points, labels, returns. All are plain little-endian arrays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/data/files/class_map.h"
#include "worker/data/scan.h"

namespace voxbit::data {

inline constexpr char kScanEnding[] = ".bin";
inline constexpr char kLabelEnding[] = ".label";
inline constexpr char kReturnsEnding[] = ".returns";

// [N,4] float32: x, y, z in metres, intensity. DATA_LOSS for a file that is cut short.
Result<std::vector<float>> ReadPoints(const std::string& path);

// Train ids of the raw labels, uint32, of the points of `scan`. DATA_LOSS for a file that is cut
// short, INVALID_ARGUMENT for another number of labels than points and as MapLabels.
Result<std::vector<int32_t>> ReadLabels(const std::string& path, const ClassMap& map,
                                        const Scan& scan);

// Adds the channels "returns" and "return_ratio" from a file of uint8 [N,2]: return number and
// number of returns, both from 1. Errors as ReadLabels.
Status AddReturns(const std::string& path, Scan& scan);

}  // namespace voxbit::data
