// A labelled cloud of points as it was recorded, and as a network takes it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/status.h"

namespace voxbit::data {

// Train id of a point that neither trains nor scores.
inline constexpr int32_t kIgnoredLabel = 255;

// One more value per point than coordinates and intensity, e.g. "returns"; a normal is the three
// channels "nx", "ny", "nz".
struct ExtraChannel {
  std::string name;
  std::vector<float> values;  // [N]
};

// One labelled scan or object as it was recorded: not centred, not augmented, not voxelised.
struct Scan {
  std::string name;             // unique within its split, e.g. "08/000123"
  std::string source;           // where the points come from, as error messages name it
  std::vector<float> points;    // [N,4] x, y, z in metres, intensity; row-major
  std::vector<int32_t> labels;  // [N] train ids (parts of an object) or kIgnoredLabel; empty if the
                                // points have no labels of their own
  std::vector<ExtraChannel> extra;
  int32_t category = -1;  // of the object as a whole; -1: none

  int64_t num_points() const { return static_cast<int64_t>(points.size() / 4); }
  const std::string& origin() const { return source.empty() ? name : source; }
};

// Something to tell the user about a scan that can be used. `kind` is the same for warnings of
// equal cause, so that they can be counted.
struct ScanWarning {
  std::string kind;     // kOriginWarning, kInvalidWarning, "step", "stray", "range"
  std::string message;  // names the scan's source
};
inline constexpr char kOriginWarning[] = "origin";    // many points at exactly (0, 0, 0)
inline constexpr char kInvalidWarning[] = "invalid";  // points are left out that are not finite

// Reason of the status of a scan that has no points or, in training, no label that counts: no fault
// of the file, so who reads many scans leaves it out.
inline constexpr char kEmptyScanReason[] = "EMPTY_SCAN";
inline bool IsEmptyScan(const Status& status) { return status.reason() == kEmptyScanReason; }

// What is wrong with a scan, with where it comes from.
inline Status ScanError(const Scan& scan, const std::string& message,
                        const std::string& reason = "") {
  return InvalidArgument(scan.origin() + ": " + message, reason);
}

// What is left of a scan for a network: M rows of C features. Of the N points of the scan
// that the settings leave,
//   voxels: M voxels in lexicographic order of (x, y, z), each with the features of the point that
//     is nearest to its centre and the label of most of its points; the order of the points in the
//     scan changes neither
//   clouds: M = N points in the order of the sample; the first three features are the position
struct PreparedScan {
  std::string name;
  std::vector<int32_t> coords;  // [M,3] x, y, z in voxels, minimum of the scan subtracted;
                                // empty: a cloud
  std::vector<float> feats;     // [M,C]
  int64_t num_features = 0;     // C
  std::vector<int32_t> labels;  // [M] of the rows, or [1] the class of an object that is classified
                                // as a whole; empty if unlabelled
  std::vector<int64_t> inverse;       // [N] row of each point; -1: lost to the cap. Empty for an
                                      // object that is classified as a whole
  std::vector<int32_t> point_labels;  // [N]; empty where `inverse` is, or if unlabelled
  std::vector<int64_t> point_index;   // [N] place in Scan::points of each point; empty: all of the
                                      // scan's points in their order
  std::array<int32_t, 3> origin{};    // voxels: the minimum that was subtracted, in voxels
  int32_t category = -1;              // Scan::category
  int64_t num_dropped = 0;            // recorded points that the settings leave out; not among N

  int64_t num_rows() const {
    return num_features == 0 ? 0 : static_cast<int64_t>(feats.size()) / num_features;
  }
  int64_t num_points() const { return static_cast<int64_t>(inverse.size()); }
};

}  // namespace voxbit::data
