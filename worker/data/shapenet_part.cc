// ShapeNet-part: the published folder with normals (v0_normal), or one folder of such files.
#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "common/files.h"
#include "worker/data/files/source_files.h"
#include "worker/data/files/text_rows.h"
#include "worker/data/objects/object_categories.h"
#include "worker/data/objects/object_files.h"
#include "worker/data/objects/object_list.h"

namespace voxbit::data {
namespace {

constexpr char kCategoryList[] = "/synsetoffset2category.txt";
constexpr size_t kColumns = 7;

struct ShapeNetPartConfig : ObjectSettings {
  std::string kind = "shapenet_part";
  std::string root;
};

Fields<ShapeNetPartConfig> ConfigFields() {
  using Config = ShapeNetPartConfig;
  Fields<Config> fields;
  fields.Text("kind", &Config::kind, {"shapenet_part"}, "kind of dataset")
      .Text("root", &Config::root, {},
            "folder with synsetoffset2category.txt, train_test_split/ and SYNSET/ID.txt, or with "
            "train.txt, val.txt, perhaps test.txt, and NAME.txt; rows x y z nx ny nz part; an "
            "absolute path, the same on every machine with workers; a relative one in the server's "
            "config file is taken from the server's working directory")
      .Required();
  AddShapeNetFields(fields);
  return fields;
}

Result<ShapeNetPartConfig> ReadConfig(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(ShapeNetPartConfig config,
                          ReadObjectConfig(ConfigFields(), json, pointer));
  if (config.root.empty()) return FieldError(pointer + "/root", "expected a folder, found \"\"");
  return config;
}

std::string ListPath(const std::string& root, Split split, bool published) {
  return published
             ? Join({root, "/train_test_split/shuffled_", SplitName(split), "_file_list.json"})
             : Join({root, "/", SplitName(split), ".txt"});
}

// Category index by synset, from lines "Airplane<tab>02691156".
Result<std::map<std::string, int32_t>> ReadCategories(const std::string& path) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const auto& known = ShapeNetCategories();
  std::map<std::string, int32_t> by_synset;
  RowReader reader(text, path);
  for (std::string_view line; reader.NextLine(line);) {
    if (line.empty()) continue;
    const size_t space = std::min(line.find_first_of(" \t"), line.size());
    const std::string name(line.substr(0, space));
    const std::string synset(line.substr(std::min(line.find_last_of(" \t") + 1, line.size())));
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const ObjectCategory& c) { return c.name == name; });
    if (space == line.size() || found == known.end()) {
      return reader.Error("expected a category of ShapeNet-part and its synset, found \"" +
                          std::string(line) + "\"");
    }
    by_synset[synset] = static_cast<int32_t>(found - known.begin());
  }
  return by_synset;
}

// A list of texts "shape_data/SYNSET/ID".
Result<std::vector<ObjectFile>> ReadPublishedList(
    const std::string& root, Split split, const std::map<std::string, int32_t>& categories) {
  const std::string path = ListPath(root, split, /*published=*/true);
  if (!IsFile(path)) return NotFound(path + ": missing split file");
  VOXBIT_ASSIGN_OR_RETURN(const Json list, ReadJsonFile(path));
  if (!list.is_array()) return InvalidArgument(path + ": expected a list, found " + Describe(list));
  std::vector<ObjectFile> files;
  files.reserve(list.size());
  for (const Json& entry : list) {
    const std::string text = entry.is_string() ? entry.get<std::string>() : "";
    const size_t slash = text.rfind('/');
    const size_t before =
        slash == std::string::npos || slash == 0 ? std::string::npos : text.rfind('/', slash - 1);
    const std::string where = Join({path, ": entry ", std::to_string(files.size()), ": "});
    if (before == std::string::npos || slash + 1 == text.size()) {
      return InvalidArgument(where + "expected \"shape_data/SYNSET/ID\", found " + Describe(entry));
    }
    const auto category = categories.find(text.substr(before + 1, slash - before - 1));
    if (category == categories.end()) {
      return InvalidArgument(
          Join({where, "the synset of \"", text, "\" is not in ", root, kCategoryList}));
    }
    const std::string name = text.substr(before + 1);
    files.push_back({name, Join({root, "/", name, ".txt"}), category->second});
  }
  return files;
}

Result<std::vector<ObjectFile>> ReadPlainList(const std::string& root, Split split) {
  const std::string path = ListPath(root, split, /*published=*/false);
  std::vector<ObjectFile> files;
  if (split == Split::kTest && !IsFile(path)) return files;
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<ListedName> names, ReadNameList(path, "object"));
  files.reserve(names.size());
  for (const ListedName& listed : names) {
    files.push_back({listed.name, Join({root, "/", listed.name, ".txt"}), -1});
  }
  return files;
}

Result<ObjectIndex> ReadIndex(const std::string& root) {
  const bool published = IsFile(root + kCategoryList);
  if (!published && !IsFile(ListPath(root, Split::kTrain, published)) &&
      !IsFile(ListPath(root, Split::kVal, published))) {
    return NotFound(Join({root, ": neither a file ", std::string_view(kCategoryList).substr(1),
                          " nor train.txt and val.txt in it; expected one of the two layouts"}));
  }
  ObjectIndex index;
  if (published) index.paths.push_back(root + kCategoryList);
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    index.paths.push_back(ListPath(root, split, published));
  }
  index.stamp = StampOf(index.paths);
  std::map<std::string, int32_t> categories;
  if (published) {
    VOXBIT_ASSIGN_OR_RETURN(categories, ReadCategories(root + kCategoryList));
  }
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    Result<std::vector<ObjectFile>> files =
        published ? ReadPublishedList(root, split, categories) : ReadPlainList(root, split);
    if (!files.ok()) return files.status();
    index.splits[static_cast<size_t>(split)] = std::move(files).value();
  }
  VOXBIT_RETURN_IF_ERROR(CheckFiles(index, root));
  return index;
}

class ShapeNetPart final : public ObjectFiles {
 public:
  ShapeNetPart(const ShapeNetPartConfig& config, const ObjectIndex& index)
      : ObjectFiles(config, ShapeNetClasses(config.task), ConfigFields().ToJson(config), index) {}

 private:
  Result<Scan> Read(const ObjectFile& file) const override {
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<float> table,
                            ReadTable(file.path, {"x", "y", "z", "nx", "ny", "nz", "part"}));
    Scan scan = MakeObjectScan(table, kColumns);
    scan.category = file.category;
    for (size_t i = 0; i < table.size(); i += kColumns) {
      VOXBIT_ASSIGN_OR_RETURN(const int32_t part, PartOf(table[i + kColumns - 1], file.path,
                                                         i / kColumns + 1, scan.category));
      if (settings().task == "parts") scan.labels.push_back(part);
    }
    return scan;
  }

  // The part that a row names. The first row sets a category that is not known yet.
  static Result<int32_t> PartOf(float value, const std::string& path, size_t line,
                                int32_t& category) {
    const auto& categories = ShapeNetCategories();
    const bool is_part =
        value >= 0 && value < 50 && value == static_cast<float>(static_cast<int32_t>(value));
    const int32_t part = is_part ? static_cast<int32_t>(value) : -1;
    if (category < 0) category = CategoryOfPart(part);
    if (category >= 0 && categories[static_cast<size_t>(category)].HasPart(part)) return part;
    std::string expected = "0 to 49";
    if (category >= 0) {
      const ObjectCategory& own = categories[static_cast<size_t>(category)];
      expected = Join({std::to_string(own.first_part), " to ",
                       std::to_string(own.first_part + static_cast<int32_t>(own.parts.size()) - 1),
                       ", those of ", own.name});
    }
    return InvalidArgument(Join({path, ": line ", std::to_string(line), ": expected a part from ",
                                 expected, ", found ", CanonicalJson(value)}));
  }
};

Result<std::unique_ptr<Dataset>> Open(const Json& json, const std::string& pointer,
                                      const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const ShapeNetPartConfig config, ReadConfig(json, pointer));
  VOXBIT_ASSIGN_OR_RETURN(const std::string root, ResolveRoot(config.root, pointer));
  VOXBIT_ASSIGN_OR_RETURN(ObjectIndex index, ReadIndex(root));
  auto dataset = std::make_unique<ShapeNetPart>(config, std::move(index));
  VOXBIT_RETURN_IF_ERROR(dataset->Digest(stop));
  return std::unique_ptr<Dataset>(std::move(dataset));
}

}  // namespace

DatasetKind MakeShapeNetPart() {
  return {
      .parse_config = [](const Json& json, const std::string& pointer) -> Result<Json> {
        VOXBIT_ASSIGN_OR_RETURN(const ShapeNetPartConfig config, ReadConfig(json, pointer));
        return ConfigFields().ToJson(config);
      },
      .traits = [](const Json& json, const std::string& pointer) -> Result<DatasetTraits> {
        VOXBIT_ASSIGN_OR_RETURN(const ShapeNetPartConfig config, ReadConfig(json, pointer));
        return ObjectTraits(config);
      },
      .open = Open,
      .help = [] { return ConfigFields().Help(); },
      .file_endings = {kTableEnding},
      .open_files = [](const Json& description,
                       const FileList& files) -> Result<std::unique_ptr<Dataset>> {
        VOXBIT_ASSIGN_OR_RETURN(
            const ShapeNetPartConfig config,
            ReadConfig(description.value("config", Json::object()), "/dataset/config"));
        return OpenObjectTables(config, description, files);
      },
  };
}

}  // namespace voxbit::data
