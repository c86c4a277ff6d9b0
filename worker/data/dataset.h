// What a labelled dataset of point clouds is to the rest of the program, and the table of the kinds
// there are. No torch here: the server validates configurations with the same code.
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
#include "common/rng.h"
#include "common/status.h"
#include "worker/data/scan.h"

namespace voxbit::data {

// kTest is for numbers that are published: no search may look at it.
enum class Split { kTrain, kVal, kTest };

// "train", "val" or "test".
std::string_view SplitName(Split split);

class Dataset;
// The split of that name. INVALID_ARGUMENT for another name, FAILED_PRECONDITION when the dataset
// has no scans there.
Result<Split> UsableSplit(const Dataset& dataset, const std::string& name);

// What networks are given: sparse voxels of scans of any size, or clouds that have one number of
// points within a split.
enum class InputForm { kVoxels, kClouds };
// "voxels" or "clouds".
std::string_view InputFormName(InputForm form);

// How predictions are scored: the class of each point, the part of each point among the parts of
// its object's category, or the class of an object as a whole.
enum class Scoring { kClasses, kParts, kObjects };

// What is known of a dataset from its configuration alone.
struct DatasetTraits {
  InputForm input = InputForm::kVoxels;
  Scoring scoring = Scoring::kClasses;
  std::vector<std::string> metrics{};  // that an evaluation measures; the first is the primary one
  int64_t points = 0;                  // of each cloud; 0: not known, or voxels
};

// With the metrics of that scoring: kClasses miou, accuracy; kParts instance_miou, class_miou,
// accuracy; kObjects accuracy, balanced_accuracy.
DatasetTraits MakeTraits(InputForm input, Scoring scoring);

// Thread-safe: every method is const and may be called from several loader threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  // Names by train id (parts, or classes of objects); their number is the number of classes. Two
  // may be equal: ToldApart.
  virtual const std::vector<std::string>& class_names() const = 0;
  int64_t num_classes() const { return static_cast<int64_t>(class_names().size()); }
  // What stands for each class in files of labels, by train id; the train ids themselves where the
  // files have no others.
  virtual std::vector<uint32_t> raw_ids() const;
  // What stands there for a point that belongs to no class.
  virtual uint32_t unlabelled_raw_id() const { return 0; }

  // Number of scans of a split; at least 1, but kTest may have none.
  virtual int64_t size(Split split) const = 0;

  // Unique within the split and the same wherever the scan stands in it: Scan::name, known without
  // reading the scan. By default the number of the scan. Requires: 0 <= index < size(split).
  virtual std::string ScanName(Split split, int64_t index) const;

  // Scan `index` of a split. Depends on nothing but the configuration, the split and the index,
  // never on the order of calls. INVALID_ARGUMENT for an index outside the split and for a file
  // that contradicts its format (DATA_LOSS when it is cut short), NOT_FOUND for a missing file;
  // the message names the file.
  virtual Result<Scan> Load(Split split, int64_t index) const = 0;

  // The input of a network. With `augment` (training) random steps draw from that generator;
  // without (evaluation) nothing is random. INVALID_ARGUMENT, naming the scan's source, for a scan
  // that cannot be used; with the reason kEmptyScanReason where it is only without points or, in
  // training, without a label that counts. Deterministic in (scan, configuration, state of
  // *augment).
  virtual Result<PreparedScan> Prepare(const Scan& scan, Rng* augment) const = 0;
  // What the user should know of a scan that Load has given and Prepare takes. Who asks for it
  // tells it: Prepare, which logs it of each scan that comes for the first time, then leaves it
  // out.
  virtual std::vector<ScanWarning> TakeWarnings(const Scan& scan) const;
  // Of a row of a PreparedScan.
  virtual int64_t num_features() const = 0;
  // One for each of them.
  virtual std::vector<std::string> feature_names() const;
  // The files that scan `index` of a split is read from, that of its points first. None: it is made
  // from the settings alone.
  virtual std::vector<std::string> files(Split split, int64_t index) const;

  virtual DatasetTraits traits() const = 0;
  // Scoring::kParts: the train ids of each category's parts, and the names of the categories.
  // Empty otherwise.
  virtual const std::vector<std::vector<int64_t>>& parts_of_category() const;
  virtual const std::vector<std::string>& category_names() const;

  // For the manifest of an export: how to get from recorded points to the tensors that the network
  // reads, {"tensors": [{"name", "dtype", "shape", "layout"}], ...}, and what its output means,
  // {"tensors", "class_names", "prediction", ...}.
  virtual Json InputContract() const = 0;
  virtual Json OutputContract() const = 0;

  // {"kind", "config" (resolved), "classes", "scans": {"train", "val"}, "digest"}; "scans" has
  // "test" where that split exists. The digest is the SHA-256 of what must be equal for two
  // measurements to be comparable: configuration, class map, scan names and the content of the
  // files, but not where they lie. Files are read when the dataset is opened, never here.
  virtual Json Describe() const = 0;

  // False once a file that the dataset was opened from differs in size or time from then, is gone,
  // or has got a neighbour: open it again. Looks at every file, but reads none.
  virtual bool IsCurrent() const { return true; }
};

// The names, each that occurs more than once with its place behind it: "other (class 1)", "other
// (class 2)". For whatever is told by name.
std::vector<std::string> ToldApart(std::vector<std::string> names);

// Files that lie in no folder of a dataset.
struct FileList {
  std::vector<std::string> paths;
  std::string category;  // of every object in them, by name; "": as the files or their folders tell
};

// One line of builtin.def: what a kind of dataset can do before and after its data is at hand.
struct DatasetKind {
  // Validates the `dataset` object of a study found at `pointer` and returns it with every
  // default filled in. Reads no file, so that the server can call it without having the data.
  Result<Json> (*parse_config)(const Json& config, const std::string& pointer);
  // Of the dataset that `open` would give. Reads no file either.
  Result<DatasetTraits> (*traits)(const Json& config, const std::string& pointer);
  // Validates and opens: folders are looked up, split lists read, files digested. Errors name file
  // or pointer; CANCELLED once `stop` is raised.
  Result<std::unique_ptr<Dataset>> (*open)(const Json& config, const std::string& pointer,
                                           const std::stop_token& stop);
  std::vector<FieldHelp> (*help)();
  // The next two: nullptr where a kind needs no files.
  // What can be seen of the data at once: the folder, what lists the scans, and the files of the
  // first scan of each split. NOT_FOUND or INVALID_ARGUMENT naming what was looked at.
  Status (*look)(const Json& config, const std::string& pointer) = nullptr;
  // As `open`, but files of scans may be missing: Load says so, and the digest is then "".
  Result<std::unique_ptr<Dataset>> (*open_incomplete)(const Json& config,
                                                      const std::string& pointer,
                                                      const std::stop_token& stop) = nullptr;

  // Endings of the files that `open_files` reads, with their dots, in lower case.
  std::vector<std::string> file_endings{};
  // The files as the validation split of a dataset whose other splits are empty. They are read,
  // mapped and prepared as those of the dataset that `description` (Dataset::Describe) is of were;
  // its folder need not exist. Labels that a file brings along are its truth; without any its scans
  // are unlabelled. INVALID_ARGUMENT, NOT_FOUND naming the file or what the description lacks; what
  // is in the files is judged when they are loaded.
  Result<std::unique_ptr<Dataset>> (*open_files)(const Json& description,
                                                 const FileList& files) = nullptr;
};

using DatasetRegistry = Registry<DatasetKind>;

// Adds every kind of builtin.def.
void RegisterBuiltins(DatasetRegistry& registry);
// A registry of the built-in kinds.
DatasetRegistry BuiltinDatasets();

// Reads "kind" of `config`, then calls that kind. INVALID_ARGUMENT naming the JSON pointer.
Result<Json> ParseDatasetConfig(const DatasetRegistry& registry, const Json& config,
                                const std::string& pointer);
Result<DatasetTraits> ReadDatasetTraits(const DatasetRegistry& registry, const Json& config,
                                        const std::string& pointer);
Result<std::unique_ptr<Dataset>> OpenDataset(const DatasetRegistry& registry, const Json& config,
                                             const std::string& pointer,
                                             const std::stop_token& stop = {});
// INVALID_ARGUMENT, "<pointer>/root: ...", when the data is not where the configuration says.
Status LookAtDataset(const DatasetRegistry& registry, const Json& config,
                     const std::string& pointer);
// For a check that is to name every file that is missing.
Result<std::unique_ptr<Dataset>> OpenIncompleteDataset(const DatasetRegistry& registry,
                                                       const Json& config,
                                                       const std::string& pointer,
                                                       const std::stop_token& stop = {});
// By "kind" of `description`. FAILED_PRECONDITION for a kind that reads no files.
Result<std::unique_ptr<Dataset>> OpenFiles(const DatasetRegistry& registry, const Json& description,
                                           const FileList& files);

}  // namespace voxbit::data
