#include "worker/data/objects/object_list.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/number_text.h"
#include "worker/data/files/source_files.h"
#include "worker/data/files/text_rows.h"
#include "worker/data/objects/object_categories.h"
#include "worker/data/objects/object_files.h"

namespace voxbit::data {
namespace {

// Name of the folder that says what the objects in it are.
std::string TellingFolder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::string name = folder.filename().string();
  if (name != "train" && name != "test") return name;
  return folder.parent_path().filename().string();
}

int32_t IndexIn(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int32_t>(found - names.begin());
}

// The category that a folder with this name has in the published set; "" for another name.
std::string CategoryOfSynset(const std::string& synset) {
  for (const ObjectCategory& category : ShapeNetCategories()) {
    if (category.synset == synset) return category.name;
  }
  return "";
}

class ObjectList final : public ObjectFiles {
 public:
  ObjectList(const ObjectSettings& settings, const ObjectClasses& classes, const Json& config,
             const ObjectIndex& index)
      : ObjectFiles(settings, classes, config, index) {}

 private:
  Result<Scan> Read(const ObjectFile& file) const override {
    size_t columns = 0;
    VOXBIT_ASSIGN_OR_RETURN(const Table table,
                            ReadObjectTable(file.path, settings(), /*parts=*/true,
                                            std::numeric_limits<int64_t>::max(), columns));
    Scan scan = MakeObjectScan(table.values, columns);
    scan.category = file.category;
    if (settings().task != "parts") return scan;
    for (size_t i = 0; columns == 7 && i < table.lines.size(); ++i) {
      VOXBIT_ASSIGN_OR_RETURN(const int32_t part, PartOf(table.values[i * columns + 6], file.path,
                                                         table.lines[i], scan.category));
      scan.labels.push_back(part);
    }
    if (scan.category >= 0) return scan;
    return InvalidArgument(file.path +
                           ": nothing says what the object is; give its category, one of " +
                           boost::algorithm::join(category_names(), ", "));
  }

  // Train id of a part; `category` becomes the one that it belongs to where it was -1.
  Result<int32_t> PartOf(float value, const std::string& path, int64_t line,
                         int32_t& category) const {
    const std::vector<uint32_t> raw = raw_ids();
    const auto found = std::find_if(
        raw.begin(), raw.end(), [value](uint32_t id) { return static_cast<float>(id) == value; });
    const auto part = static_cast<int64_t>(found - raw.begin());
    for (size_t c = 0; c < parts_of_category().size(); ++c) {
      const std::vector<int64_t>& parts = parts_of_category()[c];
      if (std::find(parts.begin(), parts.end(), part) == parts.end()) continue;
      if (category < 0) category = static_cast<int32_t>(c);
      if (static_cast<size_t>(category) == c) return static_cast<int32_t>(part);
    }
    const std::string of =
        category < 0 ? "" : " of " + category_names()[static_cast<size_t>(category)];
    return InvalidArgument(path + ": line " + std::to_string(line) + ": expected a part" + of +
                           ", found " + NumberText(value));
  }
};

// What to do with a file of x y z alone.
std::string NoNormals(const ObjectSettings& settings) {
  return "x y z without the normals that the features nx, ny and nz need; the setting "
         "\"features\": " +
         CanonicalJson(settings.FeaturesWithoutNormals()) + " does without them";
}

// The classes that a dataset was described with, or those of ShapeNet-part.
Result<ObjectClasses> DescribedClasses(const ObjectSettings& settings, const Json& description) {
  ObjectClasses classes = ClassesOf(ShapeNetParts(), settings.task);
  try {
    if (description.contains("classes")) description["classes"].get_to(classes.names);
    if (!description.contains("parts_of_category")) return classes;
    description.at("category_names").get_to(classes.category_names);
    description["parts_of_category"].get_to(classes.parts_of_category);
    if (description.contains("raw_ids")) description["raw_ids"].get_to(classes.raw_ids);
  } catch (const Json::exception& error) {
    return FieldError("/dataset", std::string("no classes and categories: ") + error.what());
  }
  if (classes.raw_ids.size() == classes.names.size()) return classes;
  return FieldError("/dataset/raw_ids", "expected an id for each of the parts");
}

}  // namespace

int32_t ClassOfFolder(const std::string& path, const std::vector<std::string>& names) {
  return IndexIn(names, TellingFolder(path));
}

Result<Table> ReadObjectTable(const std::string& path, const ObjectSettings& settings, bool parts,
                              int64_t max_rows, size_t& columns) {
  VOXBIT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  RowReader reader(text, path);
  reader.LeaveUnjudged(std::vector<bool>(7, true));  // here the columns are only counted
  std::vector<float> row;
  for (bool more = true; more && row.empty();) {
    VOXBIT_ASSIGN_OR_RETURN(more, reader.Next(row));
  }
  if (row.size() == 3 && settings.NeedsNormals()) return reader.Error(NoNormals(settings));
  std::vector<std::string> names = {"x", "y", "z", "nx", "ny", "nz", "part"};
  columns = row.size() == 3 ? 3 : row.size() == 7 && parts ? 7 : 6;
  names.resize(columns);
  return ParseTable(text, path, names, max_rows, settings.UnusedColumns());
}

Result<std::unique_ptr<Dataset>> OpenObjectTables(const ObjectSettings& settings,
                                                  const Json& description, const FileList& files) {
  VOXBIT_ASSIGN_OR_RETURN(const ObjectClasses classes, DescribedClasses(settings, description));
  const bool parts = settings.task == "parts";
  const std::vector<std::string>& names = parts ? classes.category_names : classes.names;
  const int32_t given = IndexIn(names, files.category);
  if (!files.category.empty() && given < 0) {
    return InvalidArgument("no category is called \"" + files.category + "\"; there are " +
                           boost::algorithm::join(names, ", "));
  }
  ObjectIndex index;
  for (const std::string& path : files.paths) {
    if (!IsFile(path)) return NotFound(path + ": no such file");
    const std::filesystem::path file(path);
    const std::string folder = TellingFolder(path);
    const std::string synset_of = CategoryOfSynset(folder);
    ObjectFile object{file.stem().string(), path, given};
    // As the published layout names its objects: the sample of their points hangs on the name.
    if (!synset_of.empty()) object.name = Join({folder, "/", object.name});
    if (given < 0) object.category = IndexIn(names, synset_of.empty() ? folder : synset_of);
    index.splits[static_cast<size_t>(Split::kVal)].push_back(std::move(object));
  }
  return std::unique_ptr<Dataset>(std::make_unique<ObjectList>(
      settings, classes, description.value("config", Json::object()), index));
}

}  // namespace voxbit::data
