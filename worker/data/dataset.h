// What a labelled LiDAR dataset is to the rest of the program, and the table of the kinds there
// are. No torch here: the server validates configurations with the same code.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"
#include "common/json.h"
#include "common/registry.h"
#include "common/status.h"
#include "worker/data/lidar_settings.h"

namespace voxbit::data {

// Train id of a point that neither trains nor scores.
inline constexpr int32_t kIgnoredLabel = 255;

// One more value per point than coordinates and intensity, e.g. "returns".
struct ExtraChannel {
  std::string name;
  std::vector<float> values;  // [N]
};

// One labelled scan as it was recorded: not centred, not augmented, not voxelised.
struct Scan {
  std::string name;             // unique within its split, e.g. "08/000123"
  std::string source;           // where the points come from, as error messages name it
  std::vector<float> points;    // [N,4] x, y, z in metres, intensity; row-major
  std::vector<int32_t> labels;  // [N] train ids or kIgnoredLabel; empty if unlabelled
  std::vector<ExtraChannel> extra;

  int64_t num_points() const { return static_cast<int64_t>(points.size() / 4); }
};

enum class Split { kTrain, kVal };

// "train" or "val".
std::string_view SplitName(Split split);

// Thread-safe: every method is const and may be called from several loader threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  // Names by train id; their number is the number of classes.
  virtual const std::vector<std::string>& class_names() const = 0;
  int64_t num_classes() const { return static_cast<int64_t>(class_names().size()); }

  // Number of scans of a split; at least 1.
  virtual int64_t size(Split split) const = 0;

  // Scan `index` of a split. Depends on nothing but the configuration, the split and the index,
  // never on the order of calls. INVALID_ARGUMENT for an index outside the split and for a file
  // that contradicts its format (DATA_LOSS when it is cut short), NOT_FOUND for a missing file;
  // the message names the file.
  virtual Result<Scan> Load(Split split, int64_t index) const = 0;

  // The settings that Prepare (pipeline.h) needs.
  virtual const LidarSettings& settings() const = 0;

  // {"kind", "config" (resolved), "classes", "scans": {"train", "val"}, "digest"}. The digest is
  // the SHA-256 of what must be equal for two measurements to be comparable: configuration, class
  // map, scan names and the content of the files, but not where they lie. Files are read when the
  // dataset is opened, never here.
  virtual Json Describe() const = 0;

  // False once a file that the dataset was opened from differs in size or time from then, is gone,
  // or has got a neighbour: open it again. Looks at every file, but reads none.
  virtual bool IsCurrent() const { return true; }
};

// One line of builtin.def: what a kind of dataset can do before and after its data is at hand.
struct DatasetKind {
  // Validates the `dataset` object of a study found at `pointer` and returns it with every
  // default filled in. Reads no file, so that the server can call it without having the data.
  Result<Json> (*parse_config)(const Json& config, const std::string& pointer);
  // Validates and opens: folders are looked up, split lists read, files digested. Errors name file
  // or pointer; CANCELLED once `stop` is raised.
  Result<std::unique_ptr<Dataset>> (*open)(const Json& config, const std::string& pointer,
                                           const std::stop_token& stop);
  std::vector<FieldHelp> (*help)();
};

using DatasetRegistry = Registry<DatasetKind>;

// Adds every kind of builtin.def.
void RegisterBuiltins(DatasetRegistry& registry);
// A registry of the built-in kinds.
DatasetRegistry BuiltinDatasets();

// Reads "kind" of `config`, then calls that kind. INVALID_ARGUMENT naming the JSON pointer.
Result<Json> ParseDatasetConfig(const DatasetRegistry& registry, const Json& config,
                                const std::string& pointer);
Result<std::unique_ptr<Dataset>> OpenDataset(const DatasetRegistry& registry, const Json& config,
                                             const std::string& pointer,
                                             const std::stop_token& stop = {});

}  // namespace voxbit::data
