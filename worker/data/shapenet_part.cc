// ShapeNet-part: the published folder with normals (v0_normal), or one folder of such files; either
// with a table of its own categories and parts.
#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "common/files.h"
#include "common/number_text.h"
#include "worker/data/files/source_files.h"
#include "worker/data/files/text_rows.h"
#include "worker/data/objects/object_categories.h"
#include "worker/data/objects/object_files.h"
#include "worker/data/objects/object_list.h"

namespace voxbit::data {
namespace {

constexpr char kPartTable[] = "/parts.tsv";
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
            "train.txt, val.txt, perhaps test.txt, and NAME.txt; rows x y z nx ny nz part; "
            "parts.tsv, "
            "where there is one, names categories and parts of your own; an absolute path, the "
            "same on every machine with workers; a relative one in the server's "
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

struct Index : ObjectIndex {
  PartTable table;
  bool own_table = false;
};

// Category index by synset, from lines "Airplane<tab>02691156". Categories of one's own may have
// blanks in their names.
Result<std::map<std::string, int32_t>> ReadCategories(const std::string& path, const Index& index) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  const auto& known = index.table.categories;
  std::map<std::string, int32_t> by_synset;
  RowReader reader(text, path);
  for (std::string_view line; reader.NextLine(line);) {
    const size_t blank = std::min(line.find_last_of(" \t"), line.size());
    const std::string_view name = line.substr(0, line.find_last_not_of(" \t", blank) + 1);
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const ObjectCategory& c) { return c.name == name; });
    if (blank == line.size() || found == known.end()) {
      return reader.Error(
          Join({"expected a category of ",
                index.own_table ? std::string_view(kPartTable).substr(1) : "ShapeNet-part",
                " and its synset, found \"", line, "\""}));
    }
    const std::string synset(line.substr(blank + 1));
    if (!by_synset.emplace(synset, static_cast<int32_t>(found - known.begin())).second) {
      return reader.Error("the synset " + synset + " is listed already");
    }
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
  FileFinder finder;
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
    files.push_back({name, finder.Find(Join({root, "/", name}), ".txt"), category->second});
  }
  return files;
}

Result<std::vector<ObjectFile>> ReadPlainList(const std::string& root, Split split) {
  const std::string path = ListPath(root, split, /*published=*/false);
  std::vector<ObjectFile> files;
  if (split == Split::kTest && !IsFile(path)) return files;
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<ListedName> names, ReadNameList(path, "object"));
  FileFinder finder;
  files.reserve(names.size());
  for (const ListedName& listed : names) {
    files.push_back({listed.name, finder.Find(Join({root, "/", listed.name}), ".txt"), -1});
  }
  return files;
}

// A category that is never seen in training would only lower the score. One without a folder and
// without objects is not there, as in a part of the published set.
Status CheckCategories(const std::string& root, const std::map<std::string, int32_t>& categories,
                       const ObjectIndex& index) {
  for (const auto& [synset, category] : categories) {
    const std::string folder = Join({root, "/", synset});
    if (HasObjects(index, Split::kTrain, category)) continue;
    if (!IsFolder(folder) && !HasObjects(index, Split::kVal, category) &&
        !HasObjects(index, Split::kTest, category)) {
      continue;
    }
    return InvalidArgument(
        Join({folder, ": the category has no training objects; expected some in ",
              ListPath(root, Split::kTrain, /*published=*/true), ", or no line for it in ", root,
              kCategoryList}));
  }
  return OkStatus();
}

// The table in the folder, or that of ShapeNet-part.
Status ReadParts(const std::string& root, Index& index) {
  const std::string path = root + kPartTable;
  index.own_table = IsFile(path);
  if (!index.own_table) {
    index.table = ShapeNetParts();
    return OkStatus();
  }
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  VOXBIT_ASSIGN_OR_RETURN(index.table, ParsePartTable(text, path));
  index.parts = {{"ids", index.table.ids}, {"categories", Json::array()}};
  for (const ObjectCategory& category : index.table.categories) {
    index.parts["categories"].push_back({category.name, category.parts.size()});
  }
  return OkStatus();
}

Result<Index> ReadIndex(const std::string& root, FilesNeeded needed) {
  const bool published = IsFile(root + kCategoryList);
  if (!published && !IsFile(ListPath(root, Split::kTrain, published)) &&
      !IsFile(ListPath(root, Split::kVal, published))) {
    return NotFound(Join({root, ": neither a file ", std::string_view(kCategoryList).substr(1),
                          " nor train.txt and val.txt in it; expected one of the two layouts"}));
  }
  Index index;
  index.paths.push_back(root + kPartTable);
  if (published) index.paths.push_back(root + kCategoryList);
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    index.paths.push_back(ListPath(root, split, published));
  }
  index.stamp = StampOf(index.paths);
  VOXBIT_RETURN_IF_ERROR(ReadParts(root, index));
  std::map<std::string, int32_t> categories;
  if (published) {
    VOXBIT_ASSIGN_OR_RETURN(categories, ReadCategories(root + kCategoryList, index));
  }
  for (const Split split : {Split::kTrain, Split::kVal, Split::kTest}) {
    Result<std::vector<ObjectFile>> files =
        published ? ReadPublishedList(root, split, categories) : ReadPlainList(root, split);
    if (!files.ok()) return files.status();
    index.splits[static_cast<size_t>(split)] = std::move(files).value();
  }
  VOXBIT_RETURN_IF_ERROR(CheckFiles(index, root, needed));
  VOXBIT_RETURN_IF_ERROR(CheckCategories(root, categories, index));
  return index;
}

// "a part from 36 to 37" or, of ids with gaps, "one of the parts 3, 7, 12".
std::string IdsText(std::vector<int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  if (ids.size() > 1 && ids.back() - ids.front() + 1 == static_cast<int32_t>(ids.size())) {
    return Join({"a part from ", std::to_string(ids.front()), " to ", std::to_string(ids.back())});
  }
  std::string text = "one of the parts";
  for (const int32_t id : ids) {
    text += (id == ids.front() ? " " : ", ") + std::to_string(id);
  }
  return text;
}

class ShapeNetPart final : public ObjectFiles {
 public:
  ShapeNetPart(const ShapeNetPartConfig& config, const Index& index)
      : ObjectFiles(config, ClassesOf(index.table, config.task), ConfigFields().ToJson(config),
                    index),
        table_(index.table) {}

 private:
  Result<Scan> Read(const ObjectFile& file) const override {
    VOXBIT_ASSIGN_OR_RETURN(
        const Table rows,
        ReadTable(file.path, {"x", "y", "z", "nx", "ny", "nz", "part"},
                  std::numeric_limits<int64_t>::max(), settings().UnusedColumns()));
    Scan scan = MakeObjectScan(rows.values, kColumns);
    scan.category = file.category;
    for (size_t i = 0; i < rows.lines.size(); ++i) {
      if (settings().task != "parts" && scan.category >= 0) break;  // parts are not looked at
      const float id = rows.values[(i + 1) * kColumns - 1];
      const int32_t part = table_.PartWithId(id);
      // The first row tells a category that is not known yet.
      if (scan.category < 0) scan.category = table_.CategoryOf(part);
      if (scan.category < 0 || table_.CategoryOf(part) != scan.category) {
        return InvalidArgument(Join({file.path, ": line ", std::to_string(rows.lines[i]), ": ",
                                     WrongPart(id, part, scan.category)}));
      }
      if (settings().task == "parts") scan.labels.push_back(part);
    }
    return scan;
  }

  // What is wrong with a part, -1 for an id there is not, in an object of a category, -1 if it is
  // not known.
  std::string WrongPart(float id, int32_t part, int32_t category) const {
    std::string expected = IdsText(table_.ids);
    if (category >= 0) {
      const ObjectCategory& own = table_.categories[static_cast<size_t>(category)];
      const auto first = table_.ids.begin() + own.first_part;
      expected = Join({IdsText({first, first + static_cast<std::ptrdiff_t>(own.parts.size())}),
                       ", those of ", own.name});
    }
    const int32_t other = table_.CategoryOf(part);
    return Join({"expected ", expected, ", found ", NumberText(id), other < 0 ? "" : ", a part of ",
                 other < 0 ? "" : table_.categories[static_cast<size_t>(other)].name});
  }

  const PartTable table_;
};

template <FilesNeeded kNeeded>
Result<std::unique_ptr<Dataset>> Open(const Json& json, const std::string& pointer,
                                      const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const ShapeNetPartConfig config, ReadConfig(json, pointer));
  VOXBIT_ASSIGN_OR_RETURN(const std::string root, ResolveRoot(config.root, pointer));
  VOXBIT_ASSIGN_OR_RETURN(const Index index, ReadIndex(root, kNeeded));
  if (config.task == "class" && index.table.categories.size() < 2) {
    return FieldError(pointer + "/task", Join({"with one category in ", root, kPartTable,
                                               " there is no class to find; expected \"parts\""}));
  }
  auto dataset = std::make_unique<ShapeNetPart>(config, index);
  VOXBIT_RETURN_IF_ERROR(dataset->Digest(stop, kNeeded));
  return std::unique_ptr<Dataset>(std::move(dataset));
}

Status Look(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(const ShapeNetPartConfig config, ReadConfig(json, pointer));
  VOXBIT_ASSIGN_OR_RETURN(const std::string root, ResolveRoot(config.root, pointer));
  return ReadIndex(root, FilesNeeded::kFirst).status();
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
      .open = Open<FilesNeeded::kAll>,
      .help = [] { return ConfigFields().Help(); },
      .look = Look,
      .open_incomplete = Open<FilesNeeded::kNone>,
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
