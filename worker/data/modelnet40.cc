// ModelNet40: the published text files with normals, or the original meshes.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "common/number_text.h"
#include "supernet/kernels/fps/fps.h"
#include "supernet/kernels/point_tree/point_tree.h"
#include "worker/data/files/source_files.h"
#include "worker/data/objects/object_files.h"
#include "worker/data/objects/object_list.h"

namespace voxbit::data {
namespace {

constexpr char kMeshEnding[] = ".off";
constexpr double kMaxValShare = 0.5;
constexpr char kClassList[] = "/modelnet40_shape_names.txt";

struct ModelNetConfig : ObjectSettings {
  std::string kind = "modelnet40";
  std::string root;
  std::string cut = "first";
  int64_t mesh_points = 10000;
  double val_share = 0.1;
  uint64_t seed = 0;

  ModelNetConfig() {
    task = "class";
    features = {"x", "y", "z", "nx", "ny", "nz"};
    dropout_max = 0.875;  // as in the published training
  }
};

Fields<ModelNetConfig> ConfigFields() {
  using Config = ModelNetConfig;
  Fields<Config> fields;
  fields.Text("kind", &Config::kind, {"modelnet40"}, "kind of dataset")
      .Text("root", &Config::root, {},
            "folder with modelnet40_shape_names.txt, modelnet40_train.txt, modelnet40_test.txt and "
            "CLASS/CLASS_ID.txt, or with CLASS/train/*.off and CLASS/test/*.off; an absolute path, "
            "the "
            "same on every machine with workers; a relative one in the server's config file is "
            "taken from the server's working directory")
      .Required()
      .Text("cut", &Config::cut, {"first", "farthest", "none"},
            "how an object is cut to `points` points: the first ones of the file, as published; "
            "farthest-point sampling; or at random, anew for every epoch")
      .Int("mesh_points", &Config::mesh_points, {.min = 1, .max = 1 << 20}, "points",
           "meshes: points drawn from the surface, before the cut")
      .Number("val_share", &Config::val_share, {.min = 0, .max = kMaxValShare}, "",
              "share of the training objects that becomes the validation split; 0: validate on the "
              "test objects, as the published trainings do")
      .Seed("seed", &Config::seed, "meshes: seed of the points drawn");
  AddObjectFields(fields, {"x", "y", "z", "nx", "ny", "nz"});
  return fields;
}

Result<ModelNetConfig> ReadConfig(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(ModelNetConfig config, ReadObjectConfig(ConfigFields(), json, pointer));
  if (config.root.empty()) return FieldError(pointer + "/root", "expected a folder, found \"\"");
  return config;
}

struct Index : ObjectIndex {
  std::vector<std::string> classes;
  std::vector<std::string> folders;  // of each class's training objects
  std::string objects;               // what is expected there, for messages
};

// IDs such as "night_stand_0001", whose class is what precedes the last "_".
Result<std::vector<ObjectFile>> ReadObjectList(const std::string& root, const std::string& path,
                                               const std::vector<std::string>& classes) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<ListedName> ids, ReadNameList(path, "object"));
  FileFinder finder;
  std::vector<ObjectFile> files;
  files.reserve(ids.size());
  for (const ListedName& id : ids) {
    const size_t end = id.name.rfind('_');
    const std::string name = id.name.substr(0, end == std::string::npos ? 0 : end);
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) {
      return InvalidArgument(Join(
          {path, ": line ", std::to_string(id.line), ": expected CLASS_ID, such as \"",
           classes.empty() ? "chair" : classes.front(), "_0001\", with a CLASS that is listed in ",
           root, kClassList, ", found \"", id.name, "\""}));
    }
    files.push_back({id.name, finder.Find(Join({root, "/", name, "/", id.name}), ".txt"),
                     static_cast<int32_t>(found - classes.begin())});
  }
  return files;
}

Result<Index> ReadTextIndex(const std::string& root) {
  Index index;
  const std::string train = root + "/modelnet40_train.txt";
  const std::string test = root + "/modelnet40_test.txt";
  index.paths = {root + kClassList, train, test};
  index.stamp = StampOf(index.paths);
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<ListedName> names,
                          ReadNameList(root + kClassList, "class"));
  for (const ListedName& listed : names) {
    index.classes.push_back(listed.name);
    index.folders.push_back(Join({root, "/", listed.name}));
  }
  index.objects = "lines CLASS_ID in " + train;
  VOXBIT_ASSIGN_OR_RETURN(index.splits[0], ReadObjectList(root, train, index.classes));
  VOXBIT_ASSIGN_OR_RETURN(index.splits[2], ReadObjectList(root, test, index.classes));
  return index;
}

Result<Index> ReadMeshIndex(const std::string& root) {
  Index index;
  index.paths = {root};
  index.objects = "files *.off";
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(root));
  for (const std::string& name : names) {
    if (!IsFolder(Join({root, "/", name, "/train"}))) continue;
    index.classes.push_back(name);
    index.folders.push_back(Join({root, "/", name, "/train"}));
    for (const char* split : {"/train", "/test"}) {
      index.paths.push_back(Join({root, "/", name, split}));
    }
  }
  if (index.classes.size() < 2) {
    return NotFound(Join({root, ": neither a file ", std::string_view(kClassList).substr(1),
                          " nor two or more folders CLASS/train in it; expected one of the two "
                          "layouts"}));
  }
  index.stamp = StampOf(index.paths);
  for (size_t c = 0; c < index.classes.size(); ++c) {
    for (const size_t split : {size_t{0}, size_t{2}}) {
      const std::string folder =
          Join({root, "/", index.classes[c], split == 0 ? "/train" : "/test"});
      if (!IsFolder(folder)) continue;
      VOXBIT_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(folder));
      for (const std::string& file : files) {
        if (!HasExtension(file, ".off")) continue;
        index.splits[split].push_back({std::filesystem::path(file).stem().string(),
                                       Join({folder, "/", file}), static_cast<int32_t>(c)});
      }
    }
  }
  return index;
}

// Evenly spread over the list, which is in the order of the classes.
Status HoldOut(double share, const std::string& pointer, Index& index) {
  auto& [train, val, test] = index.splits;
  if (share == 0) {
    val = test;
    return OkStatus();
  }
  const auto num = static_cast<double>(train.size());
  if (num > 0 && std::floor(num * share) < 1) {
    const double least = std::ceil(100 / num) / 100;
    return FieldError(
        pointer,
        Join({NumberText(share), " of ", Counted(train.size(), "training object"),
              " is less than one object; expected ",
              least <= kMaxValShare ? "at least " + NumberText(least) + ", or " : std::string(),
              "0 to validate on the test objects"}));
  }
  std::vector<ObjectFile> kept;
  for (size_t i = 0; i < train.size(); ++i) {
    const auto held = [share](size_t count) {
      return std::floor(static_cast<double>(count) * share);
    };
    (held(i + 1) > held(i) ? val : kept).push_back(std::move(train[i]));
  }
  train = std::move(kept);
  return OkStatus();
}

// A class that is never seen in training would only lower the score.
Status CheckClasses(const Index& index, double val_share) {
  for (size_t c = 0; c < index.classes.size(); ++c) {
    const auto category = static_cast<int32_t>(c);
    if (HasObjects(index, Split::kTrain, category)) continue;
    const bool held_out = val_share > 0 && HasObjects(index, Split::kVal, category);
    return InvalidArgument(Join(
        {index.folders[c], ": the class \"", index.classes[c], "\" has no training objects",
         held_out ? " but those that val_share holds out" : "", "; expected ", index.objects}));
  }
  return OkStatus();
}

class ModelNet40 final : public ObjectFiles {
 public:
  ModelNet40(const ModelNetConfig& config, const Index& index)
      : ObjectFiles(config, {.names = index.classes}, ConfigFields().ToJson(config), index),
        config_(config) {}

 private:
  Result<Scan> Read(const ObjectFile& file) const override {
    Scan scan;
    if (HasExtension(file.path, kMeshEnding)) {
      VOXBIT_ASSIGN_OR_RETURN(const Mesh mesh, ReadOff(file.path));
      Rng rng = Rng(config_.seed).Fork("modelnet40/" + file.name);
      scan = MakeObjectScan(config_, SampleSurface(mesh, config_.mesh_points, rng));
    } else {
      // The published files are ten times as long as what is used of them.
      const int64_t max_rows =
          config_.cut == "first" ? config_.points : std::numeric_limits<int64_t>::max();
      size_t columns = 0;
      VOXBIT_ASSIGN_OR_RETURN(
          const Table table,
          ReadObjectTable(file.path, config_, /*parts=*/false, max_rows, columns));
      scan = MakeObjectScan(table.values, columns);
    }
    Cut(scan);
    return scan;
  }

  void Cut(Scan& scan) const {
    const int64_t num = scan.num_points();
    if (config_.cut == "none" || num <= config_.points) return;
    std::vector<int64_t> rows(static_cast<size_t>(config_.points));
    std::iota(rows.begin(), rows.end(), 0);
    if (config_.cut == "farthest") {
      std::vector<float> xyz;
      xyz.reserve(static_cast<size_t>(3 * num));
      for (size_t i = 0; i < scan.points.size(); i += 4) {
        xyz.insert(xyz.end(), &scan.points[i], &scan.points[i] + 3);
      }
      const kernels::PointTree tree(xyz.data(), num);
      kernels::FarthestPointSample(kernels::ActiveIsa(), tree.view(), config_.points, {},
                                   rows.data());
    }
    Scan kept;
    for (const ExtraChannel& channel : scan.extra) kept.extra.push_back({channel.name, {}});
    for (const int64_t row : rows) {
      const auto first = scan.points.begin() + 4 * row;
      kept.points.insert(kept.points.end(), first, first + 4);
      for (size_t c = 0; c < scan.extra.size(); ++c) {
        kept.extra[c].values.push_back(scan.extra[c].values[static_cast<size_t>(row)]);
      }
    }
    scan = std::move(kept);
  }

  const ModelNetConfig config_;
};

Result<Index> ReadIndex(const ModelNetConfig& config, const std::string& pointer,
                        FilesNeeded needed) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string root, ResolveRoot(config.root, pointer));
  Result<Index> read = IsFile(root + kClassList) ? ReadTextIndex(root) : ReadMeshIndex(root);
  if (!read.ok()) return read.status();
  Index index = std::move(read).value();
  if (index.classes.size() > static_cast<size_t>(kIgnoredLabel)) {
    return InvalidArgument(root + ": " + std::to_string(index.classes.size()) +
                           " classes; there can be " + std::to_string(kIgnoredLabel));
  }
  VOXBIT_RETURN_IF_ERROR(HoldOut(config.val_share, pointer + "/val_share", index));
  VOXBIT_RETURN_IF_ERROR(CheckFiles(index, root, needed));
  VOXBIT_RETURN_IF_ERROR(CheckClasses(index, config.val_share));
  return index;
}

template <FilesNeeded kNeeded>
Result<std::unique_ptr<Dataset>> Open(const Json& json, const std::string& pointer,
                                      const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const ModelNetConfig config, ReadConfig(json, pointer));
  VOXBIT_ASSIGN_OR_RETURN(const Index index, ReadIndex(config, pointer, kNeeded));
  auto dataset = std::make_unique<ModelNet40>(config, index);
  VOXBIT_RETURN_IF_ERROR(dataset->Digest(stop, kNeeded));
  return std::unique_ptr<Dataset>(std::move(dataset));
}

Status Look(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const ModelNetConfig config, ReadConfig(json, pointer));
  return ReadIndex(config, pointer, FilesNeeded::kFirst).status();
}

Result<std::unique_ptr<Dataset>> OpenListed(const Json& description, const FileList& files) {
  VOXBIT_ASSIGN_OR_RETURN(
      const ModelNetConfig config,
      ReadConfig(description.value("config", Json::object()), "/dataset/config"));
  const Json names = description.value("classes", Json());
  if (!names.is_array() || names.empty() || !names[0].is_string()) {
    return FieldError("/dataset/classes", "expected the names of the classes");
  }
  Index index;
  for (const Json& name : names) index.classes.push_back(name.get<std::string>());
  for (const std::string& path : files.paths) {
    if (!IsFile(path)) return NotFound(path + ": no such file");
    index.splits[static_cast<size_t>(Split::kVal)].push_back(
        {std::filesystem::path(path).stem().string(), path, ClassOfFolder(path, index.classes)});
  }
  return std::unique_ptr<Dataset>(std::make_unique<ModelNet40>(config, index));
}

}  // namespace

DatasetKind MakeModelNet40() {
  return {
      .parse_config = [](const Json& json, const std::string& pointer) -> Result<Json> {
        VOXBIT_ASSIGN_OR_RETURN(const ModelNetConfig config, ReadConfig(json, pointer));
        return ConfigFields().ToJson(config);
      },
      .traits = [](const Json& json, const std::string& pointer) -> Result<DatasetTraits> {
        VOXBIT_ASSIGN_OR_RETURN(const ModelNetConfig config, ReadConfig(json, pointer));
        return ObjectTraits(config);
      },
      .open = Open<FilesNeeded::kAll>,
      .help = [] { return ConfigFields().Help(); },
      .look = Look,
      .open_incomplete = Open<FilesNeeded::kNone>,
      .file_endings = {kTableEnding, kMeshEnding},
      .open_files = OpenListed,
  };
}

}  // namespace voxbit::data
