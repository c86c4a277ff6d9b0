#include "worker/data/writer.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/files.h"

namespace voxbit::data {
namespace {

constexpr uint32_t kIgnoredRawId = 0;

template <class T>
Status WriteValues(const std::string& path, const std::vector<T>& values) {
  const void* bytes = values.data();
  return WriteFileAtomically(
      path, std::string_view(static_cast<const char*>(bytes), values.size() * sizeof(T)));
}

Status WriteScan(const Scan& scan, const std::string& root, const std::string& name) {
  if (scan.labels.size() != static_cast<size_t>(scan.num_points())) {
    return InvalidArgument(scan.name + ": a scan without labels cannot be written");
  }
  std::vector<uint32_t> raw(scan.labels.size());
  std::transform(scan.labels.begin(), scan.labels.end(), raw.begin(), [](int32_t label) {
    return label == kIgnoredLabel ? kIgnoredRawId : static_cast<uint32_t>(label) + 1;
  });
  VOXBIT_RETURN_IF_ERROR(WriteValues(root + "/velodyne/" + name + ".bin", scan.points));
  return WriteValues(root + "/labels/" + name + ".label", raw);
}

std::string ClassTable(const Dataset& dataset) {
  std::string table = "raw_id\ttrain_id\tname\n0\t255\tunlabelled\n";
  for (size_t i = 0; i < dataset.class_names().size(); ++i) {
    table +=
        std::to_string(i + 1) + "\t" + std::to_string(i) + "\t" + dataset.class_names()[i] + "\n";
  }
  return table;
}

}  // namespace

Status WriteSemanticKittiFolder(const Dataset& dataset, const std::string& root) {
  VOXBIT_RETURN_IF_ERROR(MakeFolders(root + "/velodyne"));
  VOXBIT_RETURN_IF_ERROR(MakeFolders(root + "/labels"));
  VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(root + "/classes.tsv", ClassTable(dataset)));
  std::string names[2];
  for (const Split split : {Split::kTrain, Split::kVal}) {
    for (int64_t i = 0; i < dataset.size(split); ++i) {
      VOXBIT_ASSIGN_OR_RETURN(const Scan scan, dataset.Load(split, i));
      std::string name = scan.name;
      std::replace(name.begin(), name.end(), '/', '_');
      VOXBIT_RETURN_IF_ERROR(WriteScan(scan, root, name));
      names[split == Split::kTrain ? 0 : 1] += name + "\n";
    }
  }
  VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(root + "/train.txt", names[0]));
  return WriteFileAtomically(root + "/val.txt", names[1]);
}

}  // namespace voxbit::data
