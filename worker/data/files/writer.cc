#include "worker/data/files/writer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/files.h"
#include "worker/data/files/source_files.h"
#include "worker/data/objects/object_categories.h"
#include "worker/data/objects/objects.h"

namespace voxbit::data {
namespace {

constexpr uint32_t kIgnoredRawId = 0;

template <class T>
Status WriteValues(const std::string& path, const std::vector<T>& values) {
  const void* bytes = values.data();
  return WriteFileAtomically(
      path, std::string_view(static_cast<const char*>(bytes), values.size() * sizeof(T)));
}

Status WriteScan(const Scan& scan, const ClassMap& map, const std::string& root,
                 const std::string& name) {
  if (scan.labels.size() != static_cast<size_t>(scan.num_points())) {
    return InvalidArgument(scan.name + ": a scan without labels cannot be written");
  }
  std::vector<uint32_t> raw(scan.labels.size());
  std::transform(scan.labels.begin(), scan.labels.end(), raw.begin(), [&map](int32_t label) {
    return label == kIgnoredLabel ? kIgnoredRawId : map.train_to_raw[static_cast<size_t>(label)];
  });
  VOXBIT_RETURN_IF_ERROR(WriteValues(root + "/velodyne/" + name + ".bin", scan.points));
  return WriteValues(root + "/labels/" + name + ".label", raw);
}

std::string ClassTable(const ClassMap& map) {
  std::string table = "raw_id\ttrain_id\tname\n";
  for (const auto& [raw, train] : map.raw_to_train) {
    table += std::to_string(raw) + "\t" + std::to_string(train) + "\t" +
             (train == kIgnoredLabel ? "unlabelled" : map.names[static_cast<size_t>(train)]) + "\n";
  }
  return table;
}

// The shortest text that is read back as the same float32.
void AppendNumber(float value, char after, std::string& text) {
  char digits[32];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  text.append(digits, end);
  text += after;
}

Result<std::string> ObjectTable(const Scan& object) {
  const auto num = static_cast<size_t>(object.num_points());
  if (object.category < 0 || object.labels.size() != num) {
    return InvalidArgument(object.name + ": an object without labelled parts cannot be written");
  }
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<float> normals, Normals(object));
  std::string text;
  for (size_t i = 0; i < num; ++i) {
    for (size_t axis = 0; axis < 3; ++axis) AppendNumber(object.points[4 * i + axis], ' ', text);
    for (size_t axis = 0; axis < 3; ++axis) AppendNumber(normals[3 * i + axis], ' ', text);
    text += std::to_string(object.labels[i]) + "\n";
  }
  return text;
}

}  // namespace

ClassMap WrittenClassMap(const std::vector<std::string>& class_names) {
  ClassMap map;
  map.names = class_names;
  map.raw_to_train[kIgnoredRawId] = kIgnoredLabel;
  for (size_t i = 0; i < class_names.size(); ++i) {
    map.train_to_raw.push_back(static_cast<uint32_t>(i) + 1);
    map.raw_to_train[map.train_to_raw.back()] = static_cast<int32_t>(i);
  }
  return map;
}

Status WriteSemanticKittiFolder(const Dataset& dataset, const std::string& root) {
  const ClassMap map = WrittenClassMap(dataset.class_names());
  VOXBIT_RETURN_IF_ERROR(MakeFolders(root + "/velodyne"));
  VOXBIT_RETURN_IF_ERROR(MakeFolders(root + "/labels"));
  VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(root + "/classes.tsv", ClassTable(map)));
  std::string names[2];
  for (const Split split : {Split::kTrain, Split::kVal}) {
    for (int64_t i = 0; i < dataset.size(split); ++i) {
      VOXBIT_ASSIGN_OR_RETURN(const Scan scan, dataset.Load(split, i));
      std::string name = scan.name;
      std::replace(name.begin(), name.end(), '/', '_');
      VOXBIT_RETURN_IF_ERROR(WriteScan(scan, map, root, name));
      names[split == Split::kTrain ? 0 : 1] += name + "\n";
    }
  }
  VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(root + "/train.txt", names[0]));
  return WriteFileAtomically(root + "/val.txt", names[1]);
}

Status WriteShapeNetPartFolder(const Dataset& dataset, const std::string& root) {
  const auto& categories = ShapeNetCategories();
  std::string synsets;
  for (const ObjectCategory& category : categories) {
    synsets.append(category.name).append("\t").append(category.synset).append("\n");
  }
  VOXBIT_RETURN_IF_ERROR(MakeFolders(root + "/train_test_split"));
  VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(root + "/synsetoffset2category.txt", synsets));
  constexpr Split kSplits[] = {Split::kTrain, Split::kVal, Split::kTest};
  Json lists[3];
  for (size_t split = 0; split < 3; ++split) {
    lists[split] = Json::array();
    for (int64_t i = 0; i < dataset.size(kSplits[split]); ++i) {
      VOXBIT_ASSIGN_OR_RETURN(const Scan object, dataset.Load(kSplits[split], i));
      VOXBIT_ASSIGN_OR_RETURN(const std::string table, ObjectTable(object));
      const std::string& synset = categories[static_cast<size_t>(object.category)].synset;
      VOXBIT_RETURN_IF_ERROR(MakeFolders(Join({root, "/", synset})));
      std::string name = synset;
      name.append("/").append(object.name.substr(object.name.rfind('/') + 1));
      std::string path = root;
      path.append("/").append(name).append(".txt");
      VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(path, table));
      lists[split].push_back(name.insert(0, "shape_data/"));
    }
  }
  for (size_t split = 0; split < 3; ++split) {
    const std::string path = root + "/train_test_split/shuffled_" +
                             std::string(SplitName(kSplits[split])) + "_file_list.json";
    VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(path, lists[split].dump(1) + "\n"));
  }
  return OkStatus();
}

}  // namespace voxbit::data
