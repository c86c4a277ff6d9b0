// A small dataset of clouds in memory: balls of two halves and rods of three pieces.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "worker/data/dataset.h"

namespace voxbit::testing {

// Every third object is a rod, so that the categories differ in size.
class ToyClouds : public data::Dataset {
 public:
  static constexpr int64_t kPoints = 48;

  // `scoring`: the part of each point (the category is given away as two features), or the category
  // of the object.
  explicit ToyClouds(data::Scoring scoring) : scoring_(scoring) {}

  static Json Config(data::Scoring scoring) {
    return {{"kind", "toy_clouds"}, {"parts", scoring == data::Scoring::kParts}};
  }

  const std::vector<std::string>& class_names() const override {
    static const std::vector<std::string> parts = {"lower", "upper", "left", "middle", "right"};
    return scoring_ == data::Scoring::kParts ? parts : Categories();
  }
  int64_t size(data::Split split) const override {
    if (split == data::Split::kTest) return 5;
    return split == data::Split::kTrain ? 12 : 7;
  }

  Result<data::Scan> Load(data::Split split, int64_t index) const override {
    if (index < 0 || index >= size(split)) return InvalidArgument("no such object");
    data::Scan scan;
    scan.name = std::string(data::SplitName(split)) + "_" + std::to_string(index);
    scan.source = scan.name;
    scan.category = index % 3 == 2 ? 1 : 0;
    Rng rng = Rng(1).Fork(scan.name);
    for (int64_t i = 0; i < kPoints; ++i) {
      const double thin = scan.category == 1 ? 0.2 : 1;
      const double x = rng.Uniform(-1, 1);
      const double y = thin * rng.Uniform(-1, 1);
      const double z = thin * rng.Uniform(-1, 1);
      for (const double value : {x, y, z, 0.0}) scan.points.push_back(static_cast<float>(value));
      if (scoring_ != data::Scoring::kParts) continue;
      const int32_t third = x < -0.33 ? 2 : x < 0.33 ? 3 : 4;
      scan.labels.push_back(scan.category == 1 ? third : z < 0 ? 0 : 1);
    }
    return scan;
  }

  Result<data::PreparedScan> Prepare(const data::Scan& scan, Rng* augment) const override {
    const double scale = augment == nullptr ? 1 : augment->Uniform(0.9, 1.1);
    const bool is_parts = scoring_ == data::Scoring::kParts;
    data::PreparedScan out;
    out.name = scan.name;
    out.num_features = num_features();
    out.category = scan.category;
    for (int64_t i = 0; i < scan.num_points(); ++i) {
      const float* point = &scan.points[static_cast<size_t>(4 * i)];
      for (int axis = 0; axis < 3; ++axis) {
        out.feats.push_back(static_cast<float>(point[axis] * scale));
      }
      if (!is_parts) continue;
      out.feats.push_back(scan.category == 0 ? 1.0F : 0.0F);
      out.feats.push_back(scan.category == 1 ? 1.0F : 0.0F);
      out.inverse.push_back(i);
    }
    out.labels = is_parts ? scan.labels : std::vector<int32_t>{scan.category};
    out.point_labels = scan.labels;
    return out;
  }
  int64_t num_features() const override { return scoring_ == data::Scoring::kParts ? 5 : 3; }

  data::DatasetTraits traits() const override {
    return data::MakeTraits(data::InputForm::kClouds, scoring_);
  }
  const std::vector<std::vector<int64_t>>& parts_of_category() const override {
    static const std::vector<std::vector<int64_t>> parts = {{0, 1}, {2, 3, 4}};
    return scoring_ == data::Scoring::kParts ? parts : Dataset::parts_of_category();
  }
  const std::vector<std::string>& category_names() const override {
    return scoring_ == data::Scoring::kParts ? Categories() : Dataset::category_names();
  }
  Json InputContract() const override { return {{"tensors", {{{"name", "clouds"}}}}}; }
  Json OutputContract() const override { return {{"class_names", class_names()}}; }
  Json Describe() const override {
    return {{"kind", "toy_clouds"},
            {"config", Config(scoring_)},
            {"classes", class_names()},
            {"scans", {{"train", size(data::Split::kTrain)}, {"val", size(data::Split::kVal)}}},
            {"digest", Sha256Hex(CanonicalJson(Config(scoring_)))}};
  }

 private:
  static const std::vector<std::string>& Categories() {
    static const std::vector<std::string> names = {"ball", "rod"};
    return names;
  }

  const data::Scoring scoring_;
};

// For registries: the kind "toy_clouds" with {"parts": whether parts are scored}.
inline data::Scoring ToyScoring(const Json& config) {
  return config.at("parts").get<bool>() ? data::Scoring::kParts : data::Scoring::kObjects;
}
inline data::DatasetKind ToyCloudsKind() {
  return {
      .parse_config = [](const Json& config, const std::string&) -> Result<Json> { return config; },
      .traits = [](const Json& config, const std::string&) -> Result<data::DatasetTraits> {
        return data::MakeTraits(data::InputForm::kClouds, ToyScoring(config));
      },
      .open = [](const Json& config, const std::string&,
                 const std::stop_token&) -> Result<std::unique_ptr<data::Dataset>> {
        return std::unique_ptr<data::Dataset>(std::make_unique<ToyClouds>(ToyScoring(config)));
      },
      .help = [] { return std::vector<FieldHelp>(); },
  };
}

}  // namespace voxbit::testing
