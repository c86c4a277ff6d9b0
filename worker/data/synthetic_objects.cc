// A labelled dataset of single objects that needs no files: parametric models, seen incompletely.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "common/digest.h"
#include "worker/data/geometry/occlusion.h"
#include "worker/data/objects/object_categories.h"
#include "worker/data/objects/object_list.h"
#include "worker/data/objects/object_models.h"
#include "worker/data/objects/objects.h"

namespace voxbit::data {
namespace {

// Part of the digest; raised whenever equal settings no longer give equal objects.
constexpr int kGeneratorVersion = 1;

struct SyntheticConfig : ObjectSettings {
  std::string kind = "synthetic_objects";
  int64_t train_objects = 1024;
  int64_t val_objects = 256;
  int64_t test_objects = 256;
  int64_t object_points = 2048;
  std::string occlusion = "mixed";
  double occlusion_share = 0.6;
  double cut_max = 0.4;
  double yaw_deg = 180;
  double tilt_deg = 15;
  double stretch = 0.25;
  double noise = 0.01;
  double normal_noise = 0.15;
  int64_t seed = 0;
};

Fields<SyntheticConfig> ConfigFields() {
  using Config = SyntheticConfig;
  Fields<Config> fields;
  fields.Text("kind", &Config::kind, {"synthetic_objects"}, "kind of dataset")
      .Int("train_objects", &Config::train_objects, {.min = 1, .max = 10'000'000}, "objects",
           "size of the training split")
      .Int("val_objects", &Config::val_objects, {.min = 1, .max = 10'000'000}, "objects",
           "size of the validation split")
      .Int("test_objects", &Config::test_objects, {.min = 0, .max = 10'000'000}, "objects",
           "size of the test split")
      .Int("object_points", &Config::object_points, {.min = 16, .max = 1 << 20}, "points",
           "points of an object, of which `points` are sampled; fewer where little of it is seen")
      .Text("occlusion", &Config::occlusion, {"none", "view", "cut", "mixed"},
            "what incomplete objects lack: what cannot be seen from one side, a piece behind a "
            "plane or around a point, or one of the two")
      .Number("occlusion_share", &Config::occlusion_share, {.min = 0, .max = 1}, "",
              "share of the objects that are incomplete")
      .Number("cut_max", &Config::cut_max, {.min = 0, .max = 0.9}, "",
              "share of the points that lie in the missing piece, uniform up to this")
      .Number("yaw_deg", &Config::yaw_deg, {.min = 0, .max = 180}, "degrees",
              "rotation about the up axis, uniform up to this in both directions")
      .Number("tilt_deg", &Config::tilt_deg, {.min = 0, .max = 180}, "degrees",
              "rotation about a random horizontal axis after that, uniform up to this")
      .Number("stretch", &Config::stretch, {.min = 0, .max = 2}, "",
              "each axis is scaled by exp of a uniform number up to this in both directions")
      .Number("noise", &Config::noise, {.min = 0, .max = 1}, "radii",
              "standard deviation of the noise on every coordinate")
      .Number("normal_noise", &Config::normal_noise, {.min = 0, .max = 10}, "",
              "standard deviation of the noise on every coordinate of the unit normals, which are "
              "then scaled to length 1 again")
      .Int("seed", &Config::seed, {.min = 0}, "", "seed of all objects");
  AddShapeNetFields(fields);
  return fields;
}

Result<SyntheticConfig> ReadConfig(const Json& json, const std::string& pointer) {
  return ReadObjectConfig(ConfigFields(), json, pointer);
}

// Centre of the bounding box to the origin, farthest corner to distance 1.
void FitUnitSphere(Mesh& mesh) {
  Vec3 low = mesh.vertices.front(), high = low;
  for (const Vec3& v : mesh.vertices) {
    low = {std::min(low.x, v.x), std::min(low.y, v.y), std::min(low.z, v.z)};
    high = {std::max(high.x, v.x), std::max(high.y, v.y), std::max(high.z, v.z)};
  }
  double radius = 0;
  for (Vec3& v : mesh.vertices) {
    v = v - 0.5 * (low + high);
    radius = std::max(radius, Length(v));
  }
  for (Vec3& v : mesh.vertices) v = (1 / radius) * v;
}

class SyntheticObjects final : public ObjectDataset {
 public:
  explicit SyntheticObjects(const SyntheticConfig& config)
      : ObjectDataset(config, ShapeNetClasses(config.task), ConfigFields().ToJson(config)),
        config_(config) {
    const Json identity = {{"config", this->config()}, {"generator", kGeneratorVersion}};
    set_digest(Sha256Hex(CanonicalJson(identity)));
  }

  int64_t size(Split split) const override {
    if (split == Split::kTrain) return config_.train_objects;
    return split == Split::kVal ? config_.val_objects : config_.test_objects;
  }

  Result<Scan> Load(Split split, int64_t index) const override {
    VOXBIT_RETURN_IF_ERROR(CheckIndex(split, index));
    const std::string split_name(SplitName(split));
    const Rng rng = Rng(static_cast<uint64_t>(config_.seed))
                        .Fork("synthetic_objects/" + split_name, static_cast<uint64_t>(index));
    const auto& categories = ShapeNetCategories();
    const auto category = static_cast<size_t>(index) % categories.size();
    Rng shape_rng = rng.Fork("shape");
    Mesh mesh = MakeObject(static_cast<int32_t>(category), shape_rng);
    Pose(rng.Fork("pose"), mesh);
    Scan scan = MakeObjectScan(config_, Points(mesh, rng.Fork("points")));
    const std::string number = std::to_string(index);
    scan.name = categories[category].synset + "/" + split_name + "_" +
                std::string(6 - std::min<size_t>(6, number.size()), '0') + number;
    scan.source = "synthetic_objects " + scan.name;
    scan.category = static_cast<int32_t>(category);
    return scan;
  }

 private:
  void Pose(Rng rng, Mesh& mesh) const {
    constexpr double kRadian = std::numbers::pi / 180;
    std::array<double, 3> scale{};
    for (double& axis : scale) axis = std::exp(rng.Uniform(-config_.stretch, config_.stretch));
    const double yaw = kRadian * rng.Uniform(-config_.yaw_deg, config_.yaw_deg);
    const double tilt = kRadian * rng.Uniform(0, config_.tilt_deg);
    const double heading = rng.Uniform(0, 2 * std::numbers::pi);
    const Affine map =
        TurnY(heading) * TurnX(tilt) * TurnY(yaw - heading) * Stretch(scale[0], scale[1], scale[2]);
    for (Vec3& vertex : mesh.vertices) vertex = map(vertex);
    FitUnitSphere(mesh);
  }

  std::vector<SurfacePoint> Points(const Mesh& mesh, Rng rng) const {
    // Enough that most objects keep `object_points` of them.
    constexpr int64_t kCandidates = 6;
    const bool hidden = config_.occlusion != "none" && rng.Bernoulli(config_.occlusion_share);
    const bool view =
        config_.occlusion == "view" || (config_.occlusion == "mixed" && rng.Bernoulli(0.5));
    std::vector<SurfacePoint> points;
    if (!hidden) {
      points = SampleSurface(mesh, config_.object_points, rng);
    } else if (view) {
      points = SeenFromAside(SampleSurface(mesh, kCandidates * config_.object_points, rng), rng);
    } else {
      points = SampleSurface(mesh, 2 * config_.object_points, rng);
      const double share = rng.Uniform(0, config_.cut_max);
      points = WithoutAPiece(points, share, rng);
    }
    const auto limit = static_cast<size_t>(config_.object_points);
    if (points.size() > limit) points.resize(limit);  // their order is random
    for (SurfacePoint& point : points) {
      point.position = point.position + config_.noise * Noise(rng);
      point.normal = Normalised(point.normal + config_.normal_noise * Noise(rng));
    }
    return points;
  }

  static Vec3 Noise(Rng& rng) {
    const double x = rng.Normal(), y = rng.Normal(), z = rng.Normal();
    return {x, y, z};
  }

  const SyntheticConfig config_;
};

}  // namespace

DatasetKind MakeSyntheticObjects() {
  return {
      .parse_config = [](const Json& json, const std::string& pointer) -> Result<Json> {
        VOXBIT_ASSIGN_OR_RETURN(const SyntheticConfig config, ReadConfig(json, pointer));
        return ConfigFields().ToJson(config);
      },
      .traits = [](const Json& json, const std::string& pointer) -> Result<DatasetTraits> {
        VOXBIT_ASSIGN_OR_RETURN(const SyntheticConfig config, ReadConfig(json, pointer));
        return ObjectTraits(config);
      },
      .open = [](const Json& json, const std::string& pointer,
                 const std::stop_token&) -> Result<std::unique_ptr<Dataset>> {
        VOXBIT_ASSIGN_OR_RETURN(const SyntheticConfig config, ReadConfig(json, pointer));
        return std::unique_ptr<Dataset>(std::make_unique<SyntheticObjects>(config));
      },
      .help = [] { return ConfigFields().Help(); },
      .file_endings = {kTableEnding},
      .open_files = [](const Json& description,
                       const FileList& files) -> Result<std::unique_ptr<Dataset>> {
        VOXBIT_ASSIGN_OR_RETURN(
            const SyntheticConfig config,
            ReadConfig(description.value("config", Json::object()), "/dataset/config"));
        return OpenObjectTables(config, description, files);
      },
  };
}

}  // namespace voxbit::data
