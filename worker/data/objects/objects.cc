#include "worker/data/objects/objects.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numbers>
#include <numeric>
#include <utility>

#include "common/number_text.h"
#include "supernet/kernels/unit_sphere/unit_sphere.h"
#include "worker/data/setting_checks.h"

namespace voxbit::data {
namespace {

constexpr const char* kPosition[] = {"x", "y", "z"};
constexpr const char* kNormal[] = {"nx", "ny", "nz"};

const ExtraChannel* FindChannel(const Scan& scan, const std::string& name) {
  const auto found =
      std::find_if(scan.extra.begin(), scan.extra.end(),
                   [&](const ExtraChannel& channel) { return channel.name == name; });
  return found == scan.extra.end() ? nullptr : &*found;
}

bool IsOnePlace(const Scan& scan) {
  for (size_t i = 4; i < scan.points.size(); ++i) {
    if (i % 4 != 3 && scan.points[i] != scan.points[i % 4]) return false;
  }
  return true;
}

Status CheckObject(const Scan& scan, bool parts, bool training) {
  if (scan.points.empty()) return ScanError(scan, "the cloud has no points", kEmptyScanReason);
  const auto bad = std::find_if_not(scan.points.begin(), scan.points.end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad != scan.points.end()) {
    return ScanError(scan, "point " + std::to_string((bad - scan.points.begin()) / 4) +
                               " has a coordinate that is not finite");
  }
  if (IsOnePlace(scan)) {
    return ScanError(scan,
                     (scan.num_points() == 1 ? "there is only one point"
                                             : "all of its " + std::to_string(scan.num_points()) +
                                                   " points lie in one place") +
                         std::string("; an object needs some extent"));
  }
  const bool labelled = training || !scan.labels.empty();
  if (parts && labelled && scan.labels.size() != static_cast<size_t>(scan.num_points())) {
    return ScanError(
        scan, Counted(scan.num_points(), "point") + " but " + Counted(scan.labels.size(), "label"));
  }
  if ((parts || training) && scan.category < 0) {
    return ScanError(scan, "the object has no category");
  }
  return OkStatus();
}

// `count` of `num` rows: a random selection, or all and then random repetitions.
std::vector<size_t> PickRows(int64_t num, int64_t count, Rng& rng) {
  std::vector<size_t> rows(static_cast<size_t>(num));
  std::iota(rows.begin(), rows.end(), 0);
  for (int64_t i = 0; num > count && i < count; ++i) {
    std::swap(rows[static_cast<size_t>(i)], rows[static_cast<size_t>(i + rng.Below(num - i))]);
  }
  rows.resize(static_cast<size_t>(std::min(num, count)));
  while (rows.size() < static_cast<size_t>(count)) {
    rows.push_back(static_cast<size_t>(rng.Below(num)));
  }
  return rows;
}

void DropRows(double ratio_max, Rng& rng, std::vector<size_t>& rows) {
  if (ratio_max == 0) return;
  const double ratio = rng.Uniform(0, ratio_max);
  for (size_t& row : rows) {
    if (rng.Bernoulli(ratio)) row = rows.front();
  }
}

// Changes xyz and normals, both [N,3]; `normals` may be empty.
void Augment(const ObjectSettings& settings, Rng& rng, std::vector<float>& xyz,
             std::vector<float>& normals) {
  if (settings.rotate) {
    const double angle = rng.Uniform(0, 2 * std::numbers::pi);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    // The two axes that turn, in the order that keeps the turn right-handed.
    const size_t a = settings.up_axis == "x" ? 1 : settings.up_axis == "y" ? 2 : 0;
    const size_t b = (a + 1) % 3;
    for (std::vector<float>* vectors : {&xyz, &normals}) {
      for (size_t i = 0; i < vectors->size(); i += 3) {
        const double u = (*vectors)[i + a], v = (*vectors)[i + b];
        (*vectors)[i + a] = static_cast<float>(cosine * u - sine * v);
        (*vectors)[i + b] = static_cast<float>(sine * u + cosine * v);
      }
    }
  }
  const double scale = rng.Uniform(settings.scale_min, settings.scale_max);
  double shift[3];
  for (double& amount : shift) amount = rng.Uniform(-settings.shift, settings.shift);
  for (size_t i = 0; i < xyz.size(); ++i) {
    double moved = scale * xyz[i] + shift[i % 3];
    if (settings.jitter > 0) moved += settings.jitter * rng.Normal();
    xyz[i] = static_cast<float>(moved);
  }
}

std::vector<float> Gather(const std::vector<float>& from, size_t stride,
                          const std::vector<size_t>& rows) {
  if (from.empty()) return {};
  std::vector<float> out;
  out.reserve(3 * rows.size());
  for (const size_t row : rows) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(stride * row);
    out.insert(out.end(), first, first + 3);
  }
  return out;
}

size_t IndexOf(const std::string& name, const char* const (&names)[3]) {
  return static_cast<size_t>(std::find(std::begin(names), std::end(names), name) - names);
}

}  // namespace

std::vector<std::string> ObjectSettings::UnusedColumns() const {
  std::vector<std::string> unused;
  if (!NeedsNormals()) unused.assign(std::begin(kNormal), std::end(kNormal));
  if (task != "parts") unused.emplace_back("part");
  return unused;
}

std::vector<std::string> ObjectSettings::FeaturesWithoutNormals() const {
  std::vector<std::string> others;
  std::copy_if(features.begin(), features.end(), std::back_inserter(others),
               [](const std::string& name) { return IndexOf(name, kNormal) == 3; });
  return others;
}

bool ObjectSettings::HasFeature(const std::string& name) const {
  return std::find(features.begin(), features.end(), name) != features.end();
}

Status CheckObjectSettings(const ObjectSettings& settings, const std::string& pointer) {
  VOXBIT_RETURN_IF_ERROR(CheckFeatureList(settings.features, pointer + "/features"));
  if (settings.features.size() < 3 ||
      !std::equal(std::begin(kPosition), std::end(kPosition), settings.features.begin())) {
    return FieldError(pointer + "/features",
                      "expected x, y, z first: networks take the position of a point from there");
  }
  if (settings.task == "class" && settings.HasFeature("category")) {
    return FieldError(pointer + "/features",
                      "\"category\" gives away what the task \"class\" is to find");
  }
  return CheckScale(settings.scale_min, settings.scale_max, pointer);
}

ObjectClasses ClassesOf(const PartTable& table, const std::string& task) {
  ObjectClasses classes;
  for (const ObjectCategory& category : table.categories) {
    (task == "class" ? classes.names : classes.category_names).push_back(category.name);
  }
  if (task == "class") return classes;
  classes.names = table.PartNames();
  classes.raw_ids.assign(table.ids.begin(), table.ids.end());
  for (const ObjectCategory& category : table.categories) {
    auto& own = classes.parts_of_category.emplace_back(category.parts.size());
    std::iota(own.begin(), own.end(), category.first_part);
  }
  return classes;
}

DatasetTraits ObjectTraits(const ObjectSettings& settings) {
  DatasetTraits traits = MakeTraits(InputForm::kClouds,
                                    settings.task == "parts" ? Scoring::kParts : Scoring::kObjects);
  traits.points = settings.points;
  return traits;
}

Scan MakeObjectScan(const ObjectSettings& settings, const std::vector<SurfacePoint>& points) {
  std::vector<float> table;
  table.reserve(6 * points.size());
  for (const SurfacePoint& point : points) {
    for (const Vec3& v : {point.position, point.normal}) {
      for (const double value : {v.x, v.y, v.z}) table.push_back(static_cast<float>(value));
    }
  }
  Scan scan = MakeObjectScan(table, 6);
  if (settings.task != "parts") return scan;
  scan.labels.reserve(points.size());
  for (const SurfacePoint& point : points) scan.labels.push_back(point.part);
  return scan;
}

Scan MakeObjectScan(const std::vector<float>& table, size_t columns) {
  const size_t num = table.size() / columns;
  Scan scan;
  scan.points.reserve(4 * num);
  const bool has_normals = columns >= 6;
  for (const char* name : kNormal) {
    if (has_normals) scan.extra.push_back({name, std::vector<float>(num)});
  }
  for (size_t i = 0; i < num; ++i) {
    const float* row = &table[columns * i];
    scan.points.insert(scan.points.end(), {row[0], row[1], row[2], 0});
    for (size_t axis = 0; has_normals && axis < 3; ++axis) {
      scan.extra[axis].values[i] = row[3 + axis];
    }
  }
  return scan;
}

Result<std::vector<float>> Normals(const Scan& scan) {
  const auto num = static_cast<size_t>(scan.num_points());
  std::vector<float> normals(3 * num);
  for (size_t axis = 0; axis < 3; ++axis) {
    const ExtraChannel* channel = FindChannel(scan, kNormal[axis]);
    if (channel == nullptr) {
      return ScanError(scan, std::string("the scan carries no feature \"") + kNormal[axis] + "\"");
    }
    if (channel->values.size() != num) {
      return ScanError(scan, Counted(num, "point") + " but " +
                                 Counted(channel->values.size(), "value") + " of " + channel->name);
    }
    for (size_t i = 0; i < num; ++i) {
      if (!std::isfinite(channel->values[i])) {
        return ScanError(scan, "point " + std::to_string(i) + " has a normal that is not finite");
      }
      normals[3 * i + axis] = channel->values[i];
    }
  }
  return normals;
}

ObjectDataset::ObjectDataset(const ObjectSettings& settings, ObjectClasses classes, Json config)
    : settings_(settings), classes_(std::move(classes)), config_(std::move(config)) {}

Status ObjectDataset::CheckIndex(Split split, int64_t index) const {
  if (index >= 0 && index < size(split)) return OkStatus();
  return InvalidArgument("object " + std::to_string(index) + " of the split " +
                         std::string(SplitName(split)) + ", which has " +
                         std::to_string(size(split)));
}

std::vector<uint32_t> ObjectDataset::raw_ids() const {
  return classes_.raw_ids.empty() ? Dataset::raw_ids() : classes_.raw_ids;
}

int64_t ObjectDataset::num_features() const {
  const auto named = static_cast<int64_t>(settings_.features.size());
  const auto categories = static_cast<int64_t>(classes_.category_names.size());
  return settings_.HasFeature("category") ? named - 1 + categories : named;
}

std::vector<std::string> ObjectDataset::feature_names() const {
  std::vector<std::string> names;
  for (const std::string& feature : settings_.features) {
    if (feature != "category") {
      names.push_back(feature);
      continue;
    }
    for (const std::string& category : classes_.category_names) {
      names.push_back("category " + category);
    }
  }
  return names;
}

Result<PreparedScan> ObjectDataset::Prepare(const Scan& scan, Rng* augment) const {
  const bool parts = settings_.task == "parts";
  VOXBIT_RETURN_IF_ERROR(CheckObject(scan, parts, augment != nullptr));
  std::vector<float> normals;
  if (settings_.NeedsNormals()) {
    VOXBIT_ASSIGN_OR_RETURN(normals, Normals(scan));
  }
  std::vector<float> points = scan.points;
  kernels::ScaleToUnitSphere(points.data(), scan.num_points(), 4);
  Rng evaluation = Rng(0).Fork("evaluation/" + scan.name);
  std::vector<size_t> rows =
      PickRows(scan.num_points(), settings_.points, augment == nullptr ? evaluation : *augment);
  if (augment != nullptr) DropRows(settings_.dropout_max, *augment, rows);
  std::vector<float> xyz = Gather(points, 4, rows);
  normals = Gather(normals, 3, rows);
  if (augment != nullptr) Augment(settings_, *augment, xyz, normals);

  PreparedScan out;
  out.name = scan.name;
  out.num_features = num_features();
  out.category = scan.category;
  out.feats.reserve(rows.size() * static_cast<size_t>(out.num_features));
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const std::string& name : settings_.features) {
      if (name == "category") {
        out.feats.resize(out.feats.size() + classes_.category_names.size(), 0);
        *(out.feats.end() - static_cast<std::ptrdiff_t>(classes_.category_names.size()) +
          scan.category) = 1;
      } else if (const size_t axis = IndexOf(name, kPosition); axis < 3) {
        out.feats.push_back(xyz[3 * i + axis]);
      } else {
        out.feats.push_back(normals[3 * i + IndexOf(name, kNormal)]);
      }
    }
  }
  if (!parts) {
    if (scan.category >= 0) out.labels = {scan.category};
    return out;
  }
  for (const size_t row : rows) {
    out.point_index.push_back(static_cast<int64_t>(row));
    if (!scan.labels.empty()) out.labels.push_back(scan.labels[row]);
  }
  out.point_labels = out.labels;
  out.inverse.resize(rows.size());
  std::iota(out.inverse.begin(), out.inverse.end(), 0);
  return out;
}

Json ObjectDataset::InputContract() const {
  const std::map<std::string, std::string> texts = {
      {"x", "x of the point after normalisation"},
      {"y", "y of the point after normalisation"},
      {"z", "z of the point after normalisation"},
      {"nx", "x of the surface normal, of length 1 and pointing outwards"},
      {"ny", "y of that normal"},
      {"nz", "z of that normal"},
      {"category", "a channel for each of category_names, 1 at the object's own and else 0"}};
  Json chosen = Json::object();
  for (const std::string& feature : settings_.features) chosen[feature] = texts.at(feature);
  return {{"tensors", Json::array({{{"name", "clouds"},
                                    {"dtype", "float32"},
                                    {"shape", Json::array({"objects", "points", num_features()})},
                                    {"layout", "the features below, in their order"}}})},
          {"points", settings_.points},
          {"points_text",
           "the number that the network was evaluated with: a random selection without repetition; "
           "of an object with fewer all, then some of them again at random"},
          {"normalisation",
           "before points are selected: the mean of all points is moved to the origin, then the "
           "farthest point scaled to distance 1"},
          {"features", settings_.features},
          {"feature_texts", std::move(chosen)},
          {"category_names", classes_.category_names}};
}

Json ObjectDataset::OutputContract() const {
  const bool parts = settings_.task == "parts";
  Json logits = {{"name", "logits"},
                 {"dtype", "float32"},
                 {"shape", Json::array({parts ? "objects * points" : "objects", num_classes()})}};
  if (parts) logits["layout"] = "the points of the first object, then those of the next";
  Json contract = {{"tensors", Json::array({std::move(logits)})},
                   {"class_names", classes_.names},
                   {"prediction", parts ? "the largest logit of a point among the parts of its "
                                          "object's category is its part"
                                        : "the largest logit is the class of the object"}};
  if (parts) {
    contract["category_names"] = classes_.category_names;
    contract["parts_of_category"] = classes_.parts_of_category;
    contract["raw_ids"] = raw_ids();
    contract["raw_ids_text"] = "what stands for each part in files of labels";
  }
  return contract;
}

Json ObjectDataset::Describe() const {
  Json scans = {{"train", size(Split::kTrain)}, {"val", size(Split::kVal)}};
  if (size(Split::kTest) > 0) scans["test"] = size(Split::kTest);
  Json description = {{"kind", config_["kind"]},
                      {"config", config_},
                      {"classes", classes_.names},
                      {"scans", std::move(scans)},
                      {"digest", digest_}};
  if (settings_.task == "parts") {
    description["category_names"] = classes_.category_names;
    description["parts_of_category"] = classes_.parts_of_category;
    description["raw_ids"] = classes_.raw_ids;
  }
  return description;
}

}  // namespace voxbit::data
