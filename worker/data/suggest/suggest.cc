#include "worker/data/suggest/suggest.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "worker/data/dataset.h"
#include "worker/data/files/scan_files.h"
#include "worker/data/files/source_files.h"
#include "worker/data/suggest/scan_look.h"

namespace voxbit::data {
namespace {

namespace fs = std::filesystem;

// What two cores search in minutes.
constexpr double kMostVoxels = 35'000;
// Below this a voxel holds its own point and nothing else.
constexpr double kLeastPointsPerVoxel = 1.5;
constexpr int64_t kScansLookedAt = 8;
// float32 has steps of 4 mm there.
constexpr double kMapOffsetM = 50'000;
constexpr double kLargeExtentM = 200;

// Three significant digits without an exponent where there can be none.
std::string Text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  if (std::fabs(value) < 1000 || std::fabs(value) > 1e15) return text;
  std::snprintf(text, sizeof(text), "%.0f", std::strtod(text, nullptr));
  return text;
}

std::string Percent(double share) { return Text(100 * share) + " %"; }

// Paths in a folder whose names end so, in order; without an ending all folders.
std::vector<std::string> Names(const std::string& folder, const std::string& ending) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.front() == '.') continue;
    if (ending.empty() ? it->is_directory(error) : HasExtension(name, ending)) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool HasFiles(const std::string& folder, const std::string& ending) {
  return !Names(folder, ending).empty();
}

// Evenly spread over the list.
std::vector<std::string> Spread(const std::vector<std::string>& all) {
  const auto size = static_cast<int64_t>(all.size());
  const int64_t num = std::min(size, kScansLookedAt);
  std::vector<std::string> chosen;
  for (int64_t i = 0; i < num; ++i) chosen.push_back(all[static_cast<size_t>(size * i / num)]);
  return chosen;
}

void Choose(Suggestion& out, const std::string& setting, Json value, std::string why) {
  out.dataset[setting] = value;
  out.choices.push_back({setting, std::move(value), std::move(why)});
}

// A setting that this build may not have.
void ChooseIfKnown(Suggestion& out, const std::string& setting, Json value, std::string why) {
  const auto kind = BuiltinDatasets().Find(out.dataset["kind"].get<std::string>());
  const std::vector<FieldHelp> fields = kind->help();
  const bool known = std::any_of(fields.begin(), fields.end(),
                                 [&](const FieldHelp& field) { return field.name == setting; });
  if (known) Choose(out, setting, std::move(value), std::move(why));
}

void ChooseVoxel(const ScanLook& look, Suggestion& out) {
  const std::vector<double>& sizes = VoxelSizes();
  size_t i = 0;
  const auto fits = [&](size_t place) {
    return look.voxels[place] <= kMostVoxels &&
           look.points / look.voxels[place] >= kLeastPointsPerVoxel;
  };
  while (i + 1 < sizes.size() && !fits(i)) ++i;  // a size that cannot be counted does not fit
  const double voxels = look.voxels[i];
  Choose(out, "voxel_m", sizes[i],
         "a scan of " + Text(look.points) + " points becomes " + Text(voxels) +
             " voxels; a search on a laptop bears " + Text(kMostVoxels) +
             (i > 0 && std::isfinite(look.voxels[i - 1])
                  ? ", and " + Text(sizes[i - 1]) + " m gives " + Text(look.voxels[i - 1])
                  : ""));
  if (look.viewpoint == Viewpoint::kSensor && sizes[i] > 0.05) {
    out.hints.emplace_back(
        "voxel_m 0.05 is what is published for cars; it takes a GPU and finds smaller things");
  }
  if (look.viewpoint == Viewpoint::kMap &&
      std::max(look.extent[0], look.extent[1]) > kLargeExtentM) {
    out.hints.push_back("scans of " + Text(look.extent[0]) + " x " + Text(look.extent[1]) +
                        " m need large voxels; cut them into tiles of some 50 m for finer ones");
  }
}

// Whether intensities tell anything, and the power of ten that brings them near 0 to 1.
bool ChooseIntensity(const ScanLook& look, Suggestion& out) {
  if (!(look.intensity_high > look.intensity_low)) {
    out.hints.push_back("the intensity is " + Text(look.intensity_high) +
                        " everywhere and is left out of the features");
    return false;
  }
  const double largest = std::max(std::fabs(look.intensity_low), std::fabs(look.intensity_high));
  const double scale = std::pow(10, std::round(-std::log10(largest)));
  Choose(out, "intensity_scale", scale,
         "recorded intensities go from " + Text(look.intensity_low) + " to " +
             Text(look.intensity_high) + " (1st and 99th percentile); they should end near 0 to 1");
  return true;
}

void ChooseFeatures(const ScanLook& look, bool has_intensity, Suggestion& out) {
  std::vector<std::string> features;
  std::string why;
  if (look.viewpoint == Viewpoint::kMap) {
    features = {"z"};
    why = "x and y say nothing where a scan is a piece of a map; height is that above the ground";
  } else {
    features = {"x", "y", "z"};
    why = "the place of a point as seen from the sensor says much";
  }
  if (has_intensity) features.emplace_back("intensity");
  if (look.viewpoint == Viewpoint::kMap) features.emplace_back("height");
  Choose(out, "features", features, why);
}

void ChooseFrame(const ScanLook& look, Suggestion& out) {
  const double offset = std::max(std::fabs(look.middle[0]), std::fabs(look.middle[1]));
  if (look.viewpoint == Viewpoint::kMap) {
    Choose(out, "center", true,
           "the middle of a scan lies " + Text(offset) + " m from the origin of its coordinates");
    Choose(out, "flip", true, "a mirrored piece of a map is another one: twice the data");
  }
  if (offset > kMapOffsetM) {
    out.hints.push_back("coordinates of " + Text(offset) +
                        " m lose centimetres in float32; subtract the corner of the tile in double "
                        "precision before the files are written");
  }
  if (look.viewpoint == Viewpoint::kClose && look.nearest_z > 0) {
    Choose(out, "rotate", false,
           "all points have positive z: a camera's view, in which z is no vertical to turn about");
  }
  if (look.origin_share > 0) {
    Choose(out, "drop_origin", true,
           Percent(look.origin_share) +
               " of the points lie at exactly (0, 0, 0): pulses that "
               "nothing sent back");
  }
  if (look.not_finite_share > 0) {
    ChooseIfKnown(out, "drop_invalid", true,
                  Percent(look.not_finite_share) + " of the points are no numbers");
  }
}

std::string WhatScans(const ScanLook& look) {
  const std::string size = Text(look.extent[0]) + " x " + Text(look.extent[1]) + " x " +
                           Text(look.extent[2]) + " m, " + Text(look.points) + " points";
  const std::string median = "; half of the points lie within " + Text(look.range_median) +
                             " m of the origin, 99 % within " + Text(look.range_far) + " m";
  switch (look.viewpoint) {
    case Viewpoint::kSensor:
      return "LiDAR scans of a sensor at the origin, as on a car (" + size + median + ")";
    case Viewpoint::kMap:
      return "pieces of a map, as from the air (" + size + ", evenly spread)";
    case Viewpoint::kClose:
      return "scans of things close by (" + size + ")";
  }
  return "";
}

Result<Suggestion> SuggestScans(const std::string& folder, const std::vector<std::string>& paths,
                                Suggestion out) {
  VOXBIT_ASSIGN_OR_RETURN(const ScanLook look, LookAtScans(Spread(paths)));
  out.example = "quickstart_lidar";
  out.metric = "miou";
  out.what = WhatScans(look);
  out.found = look.ToJson();
  out.dataset["kind"] = "semantic_kitti";
  out.dataset["root"] = folder;
  ChooseVoxel(look, out);
  const bool has_intensity = ChooseIntensity(look, out);
  ChooseFeatures(look, has_intensity, out);
  ChooseFrame(look, out);
  if (look.viewpoint == Viewpoint::kMap && HasFiles(folder + "/returns", kReturnsEnding)) {
    out.hints.emplace_back(
        "the returns of the pulses are recorded: the features returns and return_ratio tell "
        "vegetation from roofs");
  }
  return out;
}

// The sequences that are there, where the published split is not.
void ChooseSequences(const std::vector<std::string>& there, Suggestion& out) {
  const auto has = [&](const std::string& name) {
    return std::find(there.begin(), there.end(), name) != there.end();
  };
  const std::vector<std::string> published = {"00", "01", "02", "03", "04",
                                              "05", "06", "07", "09", "10"};
  if (has("08") && std::all_of(published.begin(), published.end(), has)) return;
  if (there.size() < 2) return;  // nothing to choose; opening it says what is missing
  const std::string val = has("08") ? "08" : there.back();
  std::vector<std::string> train = there;
  train.erase(std::find(train.begin(), train.end(), val));
  const std::string why = "of the published sequences only " + boost::algorithm::join(there, ", ") +
                          " are here with labels";
  Choose(out, "train_sequences", train, why);
  Choose(out, "val_sequences", std::vector<std::string>{val}, why);
}

Result<Suggestion> SuggestSequences(const std::string& folder) {
  Suggestion out;
  std::vector<std::string> labelled;
  std::vector<std::string> paths;
  for (const std::string& name : Names(folder + "/sequences", "")) {
    const std::string sequence = Join({folder, "/sequences/", name});
    if (!IsFolder(sequence + "/labels") || !IsFolder(sequence + "/velodyne")) continue;
    labelled.push_back(name);
    for (const std::string& file : Names(sequence + "/velodyne", kScanEnding)) {
      paths.push_back(Join({sequence, "/velodyne/", file}));
    }
  }
  if (paths.empty()) {
    return InvalidArgument(folder + "/sequences: no sequence NN/velodyne/*.bin with NN/labels");
  }
  ChooseSequences(labelled, out);
  return SuggestScans(folder, paths, std::move(out));
}

Suggestion SuggestObjects(const std::string& kind, const std::string& folder, bool parts) {
  Suggestion out;
  out.example = "quickstart_objects";
  out.metric = parts ? "instance_miou" : "accuracy";
  out.task = parts ? "segmentation" : "classification";
  out.what = parts ? "objects whose points belong to parts (the layout of ShapeNet-part)"
                   : "objects to classify (a layout of ModelNet40)";
  out.dataset = {{"kind", kind}, {"root", folder}};
  Choose(out, "points", 512,
         "enough for a search on a laptop; published results give the network 1024");
  return out;
}

// Clouds without normals can be classified if no feature asks for them. The first one speaks for
// all.
void LeaveOutNormals(const Dataset& dataset, const std::stop_token& stop, Suggestion& out) {
  if (out.dataset["kind"] != "modelnet40" || dataset.Load(Split::kTrain, 0).ok()) return;
  const std::vector<std::string> features = {"x", "y", "z"};
  Json without = out.dataset;
  without["features"] = features;
  const auto again = OpenIncompleteDataset(BuiltinDatasets(), without, "/dataset", stop);
  if (!again.ok() || !(*again)->Load(Split::kTrain, 0).ok()) return;
  Choose(out, "features", features,
         dataset.files(Split::kTrain, 0).front() +
             " has no normals that can be used, and by default nx, ny and nz are features, too");
}

bool HasMeshFolders(const std::string& folder) {
  const std::vector<std::string> names = Names(folder, "");
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return HasFiles(Join({folder, "/", name, "/train"}), ".off");
  });
}

Result<Suggestion> Recognise(const std::string& folder) {
  if (IsFolder(folder + "/sequences")) return SuggestSequences(folder);
  if (IsFolder(folder + "/velodyne")) {
    std::vector<std::string> paths;
    for (const std::string& name : Names(folder + "/velodyne", kScanEnding)) {
      paths.push_back(Join({folder, "/velodyne/", name}));
    }
    if (paths.empty()) return InvalidArgument(folder + "/velodyne: no .bin file in this folder");
    return SuggestScans(folder, paths, {});
  }
  const bool tables = HasFiles(folder, ".txt");
  if (tables && IsFile(folder + "/modelnet40_shape_names.txt")) {
    return SuggestObjects("modelnet40", folder, /*parts=*/false);
  }
  if (HasMeshFolders(folder)) {
    Suggestion out = SuggestObjects("modelnet40", folder, /*parts=*/false);
    Choose(out, "up_axis", "z", "the vertical of OFF files in ModelNet, should you set rotate");
    return out;
  }
  if (IsFile(folder + "/synsetoffset2category.txt") || (IsFile(folder + "/train.txt") && tables)) {
    return SuggestObjects("shapenet_part", folder, /*parts=*/true);
  }
  std::string hint;
  if (HasFiles(folder, kScanEnding)) {
    hint = "; there are .bin files in it: put them into velodyne/ and their labels into labels/";
  }
  return InvalidArgument(
      folder +
      ": in none of the layouts that can be read: LiDAR scans have velodyne/ and labels/ (or "
      "sequences/NN/...), objects with parts synsetoffset2category.txt or train.txt and NAME.txt, "
      "objects to classify modelnet40_shape_names.txt or CLASS/train/*.off" +
      hint + "; docs/data.md describes them");
}

}  // namespace

Result<Suggestion> SuggestFor(const std::string& folder, const std::stop_token& stop) {
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(folder, error);
  const std::string path = error ? folder : absolute.string();
  if (!IsFolder(path)) return InvalidArgument(path + ": no such folder");
  VOXBIT_ASSIGN_OR_RETURN(Suggestion out, Recognise(path));
  const auto dataset = OpenDataset(BuiltinDatasets(), out.dataset, "/dataset", stop);
  out.usable = dataset.status();
  if (out.usable.code() == StatusCode::kCancelled) return out.usable;
  if (dataset.ok()) LeaveOutNormals(**dataset, stop, out);
  return out;
}

}  // namespace voxbit::data
