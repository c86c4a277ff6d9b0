#include "worker/data/lidar/lidar_dataset.h"

#include <map>
#include <string>

#include "common/log.h"
#include "worker/data/lidar/pipeline.h"
#include "worker/data/lidar/scan_checks.h"

namespace voxbit::data {
namespace {

// Warnings of one kind: of every scan they would be noise.
constexpr int64_t kNamedScans = 5;

// How to compute each input channel of a voxel from the point that stands for it.
Json FeatureTexts(const LidarSettings& settings) {
  const std::map<std::string, std::string> texts = {
      {"x", "x of the point in metres, after centring if that is on"},
      {"y", "y of the point in metres, after centring if that is on"},
      {"z", "z of the point in metres, after centring if that is on"},
      {"intensity", "recorded intensity times intensity_scale"},
      {"height",
       "z minus the ground below the point, in metres. Ground: a horizontal grid of 2 m cells (a "
       "500th of the extent where that is more; above 1 km of extent first each group of points by "
       "itself, squares of 250 m that touch) from the smallest x and y; in each cell the lowest z "
       "after leaving out the lowest 2 % of its points; cells where that point has none within 1 m "
       "above it or lower, in the cell or the eight around, and cells more than 0.3 m above the "
       "lower envelope of these heights, the highest surface below them that is nowhere steeper "
       "than 15 %, are filled from those around them; bilinear between the centres of the cells. "
       "To "
       "the last digit: worker/data/lidar/ground.cc of the version named in provenance"},
      {"returns", "number of returns of the point's pulse, minus 1"},
      {"return_ratio",
       "number of the point's return, from 1, divided by the number of returns of its pulse"}};
  Json chosen = Json::object();
  for (const std::string& feature : settings.features) chosen[feature] = texts.at(feature);
  return chosen;
}

}  // namespace

Result<PreparedScan> LidarDataset::Prepare(const Scan& scan, Rng* augment) const {
  VOXBIT_ASSIGN_OR_RETURN(PreparedScan prepared, data::Prepare(scan, settings(), augment));
  Warn(scan);
  return prepared;
}

std::vector<ScanWarning> LidarDataset::TakeWarnings(const Scan& scan) const {
  NoteLook(scan);
  return WarningsOf(scan, settings());
}

bool LidarDataset::NoteLook(const Scan& scan) const {
  const MutexLock lock(mutex_);
  return looked_at_.insert(scan.origin()).second;
}

void LidarDataset::Warn(const Scan& scan) const {
  if (!NoteLook(scan)) return;
  for (const ScanWarning& warning : WarningsOf(scan, settings())) {
    const MutexLock lock(mutex_);
    const int64_t count = ++warned_[warning.kind];
    if (count > kNamedScans) continue;
    log::Warning(warning.message +
                 (count < kNamedScans ? "" : "; further such scans are not named"));
  }
}

Json LidarDataset::InputContract() const {
  const LidarSettings& lidar = settings();
  return {
      {"tensors", Json::array({{{"name", "coords"},
                                {"dtype", "int32"},
                                {"shape", Json::array({"voxels", 4})},
                                {"layout", "x, y, z, batch; unique rows"}},
                               {{"name", "feats"},
                                {"dtype", "float32"},
                                {"shape", Json::array({"voxels", lidar.num_features()})},
                                {"layout", "the features below, in their order"}}})},
      {"voxel_m", lidar.voxel_m},
      {"coordinates",
       "round half to even of xyz / voxel_m in float32, minus the minimum of the scan; the point "
       "nearest to the centre of a voxel stands for it, of equally near ones that with the smaller "
       "features, compared in their order"},
      {"features", lidar.features},
      {"feature_texts", FeatureTexts(lidar)},
      {"intensity_scale", lidar.intensity_scale},
      {"center", lidar.center},
      {"center_text",
       "if true: from x and y their mean over the points of the scan is subtracted, from z the "
       "value at place floor(points / 100), counted from 0, of all z in ascending order; before "
       "anything else but leaving points out"},
      {"drop_origin", lidar.drop_origin},
      {"drop_origin_text", "if true: points at exactly (0, 0, 0) are left out first"},
      {"drop_invalid", lidar.drop_invalid},
      {"drop_invalid_text",
       "if true: points with a coordinate or a feature that is not finite are left out next"},
      {"max_range_m", lidar.keep_range_m},
      {"max_range_text",
       "if above 0: points farther than this from the origin, with center from the medians of x, y "
       "and z, are left out after that"}};
}

Json LidarDataset::OutputContract() const {
  Json logits = {
      {"name", "logits"}, {"dtype", "float32"}, {"shape", Json::array({"voxels", num_classes()})}};
  return {{"tensors", Json::array({std::move(logits)})},
          {"class_names", class_names()},
          {"raw_ids", raw_ids()},
          {"raw_ids_text", "what stands for each class in files of labels"},
          {"prediction", "the largest logit of a voxel is the class of all its points"}};
}

}  // namespace voxbit::data
