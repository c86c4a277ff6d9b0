#include "worker/data/lidar/scan_list.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "worker/data/files/scan_files.h"
#include "worker/data/files/source_files.h"
#include "worker/data/lidar/lidar_dataset.h"

namespace voxbit::data {
namespace {

struct ListedScan {
  std::string points;
  std::string labels;   // "": none
  std::string returns;  // "": none
};

// The file that belongs to the points at `path`, "" if there is none.
std::string Companion(const std::string& path, const std::string& folder,
                      const std::string& ending) {
  std::filesystem::path beside(path);
  beside.replace_extension(ending);
  if (IsFile(beside.string())) return beside.string();
  if (beside.parent_path().filename() != "velodyne") return "";
  const auto apart = beside.parent_path().parent_path() / folder / beside.filename();
  return IsFile(apart.string()) ? apart.string() : "";
}

class ScanList final : public LidarDataset {
 public:
  ScanList(const LidarSettings& settings, ClassMap map, std::vector<ListedScan> scans)
      : settings_(settings), map_(std::move(map)), scans_(std::move(scans)) {}

  const std::vector<std::string>& class_names() const override { return map_.names; }
  std::vector<uint32_t> raw_ids() const override { return map_.train_to_raw; }
  uint32_t unlabelled_raw_id() const override { return UnlabelledRawId(map_); }
  const LidarSettings& settings() const override { return settings_; }
  int64_t size(Split split) const override {
    return split == Split::kVal ? static_cast<int64_t>(scans_.size()) : 0;
  }

  Result<Scan> Load(Split split, int64_t index) const override {
    VOXBIT_CHECK(index >= 0 && index < size(split), "a scan of the list");
    const ListedScan& listed = scans_[static_cast<size_t>(index)];
    Scan scan;
    scan.name = std::filesystem::path(listed.points).stem().string();
    scan.source = listed.points;
    VOXBIT_ASSIGN_OR_RETURN(scan.points, ReadPoints(listed.points));
    if (!listed.labels.empty()) {
      VOXBIT_ASSIGN_OR_RETURN(scan.labels, ReadLabels(listed.labels, map_, scan));
    }
    if (!settings_.NeedsReturns()) return scan;
    if (listed.returns.empty()) {
      return NotFound(listed.points + ": no file " + kReturnsEnding +
                      " with the returns of its pulses beside it, which the features need");
    }
    VOXBIT_RETURN_IF_ERROR(AddReturns(listed.returns, scan));
    return scan;
  }

  Json Describe() const override {
    return {{"kind", "files"},
            {"classes", map_.names},
            {"scans", {{"val", scans_.size()}}},
            {"digest", ""}};
  }

 private:
  const LidarSettings settings_;
  const ClassMap map_;
  const std::vector<ListedScan> scans_;
};

}  // namespace

Result<std::unique_ptr<Dataset>> OpenScanFiles(const LidarSettings& settings, ClassMap map,
                                               const FileList& files) {
  std::vector<ListedScan> scans;
  scans.reserve(files.paths.size());
  for (const std::string& path : files.paths) {
    if (!IsFile(path)) return NotFound(path + ": no such file");
    scans.push_back({path, Companion(path, "labels", kLabelEnding),
                     Companion(path, "returns", kReturnsEnding)});
  }
  return std::unique_ptr<Dataset>(
      std::make_unique<ScanList>(settings, std::move(map), std::move(scans)));
}

}  // namespace voxbit::data
