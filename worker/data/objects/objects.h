// What datasets of single objects have in common: settings, declared once, and the way from a scan
// of an object to a cloud of a fixed number of points.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config.h"
#include "worker/data/dataset.h"
#include "worker/data/geometry/mesh.h"
#include "worker/data/objects/object_categories.h"

namespace voxbit::data {

// Defaults are those of the published part segmentation. A configuration derives from these.
struct ObjectSettings {
  std::string task = "parts";
  int64_t points = 1024;
  std::vector<std::string> features = {"x", "y", "z", "nx", "ny", "nz", "category"};
  double scale_min = 0.8;
  double scale_max = 1.25;
  double shift = 0.1;
  bool rotate = false;
  std::string up_axis = "y";
  double jitter = 0;
  double dropout_max = 0;

  bool HasFeature(const std::string& name) const;
  bool NeedsNormals() const { return HasFeature("nx") || HasFeature("ny") || HasFeature("nz"); }
  std::vector<std::string> FeaturesWithoutNormals() const;
  // Columns of files that are not used: "nx", "ny", "nz" without a normal among the features,
  // "part" where parts are not the task.
  std::vector<std::string> UnusedColumns() const;
};

// What single fields cannot say: x, y, z first, no feature twice, "category" only where parts are
// the task (it would give the class away), scale_min at most scale_max.
Status CheckObjectSettings(const ObjectSettings& settings, const std::string& pointer);

// Declares the common fields but for `task`. `features` is what the dataset can deliver.
template <class Config>
void AddObjectFields(Fields<Config>& fields, const std::vector<std::string>& features) {
  using Settings = ObjectSettings;
  fields
      .Int("points", static_cast<int64_t Config::*>(&Settings::points), {.min = 1, .max = 1 << 20},
           "points", "points of a cloud that the network is given")
      .TextList("features", &Settings::features, features,
                "input channels of the network in this order, x, y, z first; nx, ny, nz: the "
                "surface normal; category: one channel for each category, 1 at the object's own")
      .Number("scale_min", &Settings::scale_min, {.min = 0.01, .max = 100}, "",
              "training: lower end of the uniform scale factor")
      .Number("scale_max", &Settings::scale_max, {.min = 0.01, .max = 100}, "",
              "training: upper end of the uniform scale factor")
      .Number("shift", &Settings::shift, {.min = 0, .max = 10}, "radii",
              "training: each axis is shifted by a uniform amount up to this")
      .Bool("rotate", &Settings::rotate,
            "training: rotation about the up axis, uniform in a full turn")
      .Text("up_axis", &Settings::up_axis, {"x", "y", "z"},
            "axis of that rotation; y in the published sets, z in the OFF files of ModelNet")
      .Number("jitter", &Settings::jitter, {.min = 0, .max = 1}, "radii",
              "training: standard deviation of the noise added to every coordinate")
      .Number("dropout_max", &Settings::dropout_max, {.min = 0, .max = 0.99}, "",
              "training: a share of the points, uniform up to this, becomes copies of the first");
}

// For the datasets with the categories of ShapeNet-part: the common fields and `task`.
template <class Config>
void AddShapeNetFields(Fields<Config>& fields) {
  fields.Text("task", static_cast<std::string Config::*>(&ObjectSettings::task), {"parts", "class"},
              "the part of each point, or the category of the object");
  AddObjectFields(fields, {"x", "y", "z", "nx", "ny", "nz", "category"});
}

// Parses `json`, found at `pointer`. The default features of the task "class" lack "category".
template <class Config>
Result<Config> ReadObjectConfig(const Fields<Config>& fields, const Json& json,
                                const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(Config config, fields.Parse(json, pointer));
  if (config.task == "class" && !json.contains("features")) {
    std::erase(config.features, "category");
  }
  VOXBIT_RETURN_IF_ERROR(CheckObjectSettings(config, pointer));
  return config;
}

// What there is to predict.
struct ObjectClasses {
  std::vector<std::string> names{};  // parts, or classes of objects
  // Task "parts" only.
  std::vector<std::string> category_names{};
  std::vector<std::vector<int64_t>> parts_of_category{};
  std::vector<uint32_t> raw_ids{};  // what files write for each part
};

// The parts of a table, or its categories when the task is "class".
ObjectClasses ClassesOf(const PartTable& table, const std::string& task);

DatasetTraits ObjectTraits(const ObjectSettings& settings);

// A scan of points with normals; parts become labels when the task is to find them.
Scan MakeObjectScan(const ObjectSettings& settings, const std::vector<SurfacePoint>& points);
// The same from `table` [N,columns], of which the first six are x, y, z, nx, ny, nz; with fewer
// than six there are no normals. No labels.
Scan MakeObjectScan(const std::vector<float>& table, size_t columns);

// The normals of a scan, [N,3]. INVALID_ARGUMENT, naming the scan's source, when it carries none or
// one is not finite.
Result<std::vector<float>> Normals(const Scan& scan);

class ObjectDataset : public Dataset {
 public:
  const std::vector<std::string>& class_names() const final { return classes_.names; }
  std::vector<uint32_t> raw_ids() const final;
  const std::vector<std::string>& category_names() const final { return classes_.category_names; }
  const std::vector<std::vector<int64_t>>& parts_of_category() const final {
    return classes_.parts_of_category;
  }

  // Order of the steps: the mean of all points to the origin and the farthest to distance 1, a
  // sample of `points` points, in training drop-out, rotation, scale, shift, jitter. Normals only
  // turn. The sample is drawn without replacement; a scan with fewer points is taken whole, then
  // repeats points at random. In evaluation it depends on the scan's name alone.
  Result<PreparedScan> Prepare(const Scan& scan, Rng* augment) const final;
  int64_t num_features() const final;
  std::vector<std::string> feature_names() const final;
  DatasetTraits traits() const final { return ObjectTraits(settings_); }
  Json InputContract() const override;
  Json OutputContract() const final;
  Json Describe() const final;

 protected:
  // `config` is the resolved configuration that `settings` are part of.
  ObjectDataset(const ObjectSettings& settings, ObjectClasses classes, Json config);

  const ObjectSettings& settings() const { return settings_; }
  const Json& config() const { return config_; }
  void set_digest(std::string digest) { digest_ = std::move(digest); }
  // INVALID_ARGUMENT for an index outside the split.
  Status CheckIndex(Split split, int64_t index) const;

 private:
  const ObjectSettings settings_;
  const ObjectClasses classes_;
  const Json config_;
  std::string digest_;
};

}  // namespace voxbit::data
