// A labelled dataset that needs no files: a spinning scanner in seeded procedural streets.
#include <numbers>
#include <utility>

#include "common/digest.h"
#include "common/number_text.h"
#include "worker/data/files/scan_files.h"
#include "worker/data/files/writer.h"
#include "worker/data/lidar/lidar_dataset.h"
#include "worker/data/lidar/ray_cast.h"
#include "worker/data/lidar/scan_list.h"
#include "worker/data/lidar/street.h"

namespace voxbit::data {
namespace {

// Part of the digest; raised whenever equal settings no longer give equal scans.
constexpr int kGeneratorVersion = 1;

struct SyntheticConfig : LidarSettings {
  std::string kind = "synthetic_lidar";
  int64_t train_scans = 64;
  int64_t val_scans = 16;
  int64_t beams = 32;
  int64_t azimuth_steps = 512;
  double vertical_fov_low_deg = -25;
  double vertical_fov_high_deg = 8;
  double max_range_m = 50;
  double noise_m = 0.02;
  double dropout = 0.03;
  uint64_t seed = 0;
};

Fields<SyntheticConfig> ConfigFields() {
  using Config = SyntheticConfig;
  Fields<Config> fields;
  fields.Text("kind", &Config::kind, {"synthetic_lidar"}, "kind of dataset")
      .Int("train_scans", &Config::train_scans, {.min = 1, .max = 10'000'000}, "scans",
           "size of the training split")
      .Int("val_scans", &Config::val_scans, {.min = 1, .max = 10'000'000}, "scans",
           "size of the validation split")
      .Int("beams", &Config::beams, {.min = 1, .max = 512}, "rays", "rays above one another")
      .Int("azimuth_steps", &Config::azimuth_steps, {.min = 8, .max = 8192}, "rays",
           "rays in a full turn")
      .Number("vertical_fov_low_deg", &Config::vertical_fov_low_deg, {.min = -89, .max = 89},
              "degrees", "elevation of the lowest beam")
      .Number("vertical_fov_high_deg", &Config::vertical_fov_high_deg, {.min = -89, .max = 89},
              "degrees", "elevation of the highest beam")
      .Number("max_range_m", &Config::max_range_m, {.min = 5, .max = 1000}, "m", "farthest return")
      .Number("noise_m", &Config::noise_m, {.min = 0, .max = 1}, "m",
              "standard deviation of the measured range")
      .Number("dropout", &Config::dropout, {.min = 0, .max = 0.9}, "",
              "share of returns that is lost at any range; weak and far ones are lost more often")
      .Seed("seed", &Config::seed, "seed of all streets");
  AddLidarFields(fields, {"x", "y", "z", "intensity", "height"});
  return fields;
}

Result<SyntheticConfig> ReadConfig(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(SyntheticConfig config, ConfigFields().Parse(json, pointer));
  VOXBIT_RETURN_IF_ERROR(CheckLidarSettings(config, pointer));
  if (config.vertical_fov_low_deg >= config.vertical_fov_high_deg) {
    return FieldError(
        pointer + "/vertical_fov_low_deg",
        "expected less than vertical_fov_high_deg = " + NumberText(config.vertical_fov_high_deg) +
            ", found " + NumberText(config.vertical_fov_low_deg));
  }
  return config;
}

class SyntheticLidar final : public LidarDataset {
 public:
  explicit SyntheticLidar(SyntheticConfig config) : config_(std::move(config)) {}

  const std::vector<std::string>& class_names() const override { return StreetClassNames(); }
  std::vector<uint32_t> raw_ids() const override {
    return WrittenClassMap(StreetClassNames()).train_to_raw;
  }
  const LidarSettings& settings() const override { return config_; }
  int64_t size(Split split) const override {
    if (split == Split::kTest) return 0;
    return split == Split::kTrain ? config_.train_scans : config_.val_scans;
  }

  std::string ScanName(Split split, int64_t index) const override {
    return std::string(SplitName(split)) + "_" + std::to_string(index);
  }

  Result<Scan> Load(Split split, int64_t index) const override {
    const std::string split_name(SplitName(split));
    if (index < 0 || index >= size(split)) {
      return InvalidArgument("scan " + std::to_string(index) + " of the split " + split_name +
                             ", which has " + std::to_string(size(split)));
    }
    const Rng rng =
        Rng(config_.seed).Fork("synthetic_lidar/" + split_name, static_cast<uint64_t>(index));
    Rng street_rng = rng.Fork("street");
    Rng ray_rng = rng.Fork("rays");
    const Street street = MakeStreet(street_rng);
    constexpr double kRadian = std::numbers::pi / 180;
    Returns returns = CastRays(street,
                               {.beams = config_.beams,
                                .azimuth_steps = config_.azimuth_steps,
                                .low_rad = config_.vertical_fov_low_deg * kRadian,
                                .high_rad = config_.vertical_fov_high_deg * kRadian,
                                .max_range_m = config_.max_range_m,
                                .noise_m = config_.noise_m,
                                .dropout = config_.dropout},
                               ray_rng);
    Scan scan;
    scan.name = ScanName(split, index);
    scan.source = "synthetic_lidar " + scan.name;
    if (returns.labels.empty()) {
      return ScanError(scan,
                       "no ray met anything within max_range_m and the vertical field of view",
                       kEmptyScanReason);
    }
    scan.points = std::move(returns.points);
    scan.labels = std::move(returns.labels);
    return scan;
  }

  Json Describe() const override {
    Json config = ConfigFields().ToJson(config_);
    const Json identity = {{"config", ComparableLidarConfig(config)},
                           {"generator", kGeneratorVersion}};
    return {{"kind", config_.kind},
            {"config", std::move(config)},
            {"classes", StreetClassNames()},
            {"scans", {{"train", config_.train_scans}, {"val", config_.val_scans}}},
            {"digest", Sha256Hex(CanonicalJson(identity))}};
  }

 private:
  const SyntheticConfig config_;
};

}  // namespace

DatasetKind MakeSyntheticLidar() {
  return {
      .parse_config = [](const Json& json, const std::string& pointer) -> Result<Json> {
        VOXBIT_ASSIGN_OR_RETURN(const SyntheticConfig config, ReadConfig(json, pointer));
        return ConfigFields().ToJson(config);
      },
      .traits = [](const Json& json, const std::string& pointer) -> Result<DatasetTraits> {
        VOXBIT_RETURN_IF_ERROR(ReadConfig(json, pointer).status());
        return LidarTraits();
      },
      .open = [](const Json& json, const std::string& pointer,
                 const std::stop_token&) -> Result<std::unique_ptr<Dataset>> {
        VOXBIT_ASSIGN_OR_RETURN(SyntheticConfig config, ReadConfig(json, pointer));
        return std::unique_ptr<Dataset>(std::make_unique<SyntheticLidar>(std::move(config)));
      },
      .help = [] { return ConfigFields().Help(); },
      .file_endings = {kScanEnding},
      .open_files = [](const Json& description,
                       const FileList& files) -> Result<std::unique_ptr<Dataset>> {
        VOXBIT_ASSIGN_OR_RETURN(
            const SyntheticConfig config,
            ReadConfig(description.value("config", Json::object()), "/dataset/config"));
        return OpenScanFiles(config, WrittenClassMap(StreetClassNames()), files);
      },
  };
}

}  // namespace voxbit::data
