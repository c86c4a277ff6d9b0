// Folders in the SemanticKITTI layout: one folder with class table and split files, or the
// sequences as the benchmark publishes them.
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <filesystem>
#include <utility>

#include "common/digest.h"
#include "common/files.h"
#include "worker/data/files/class_map.h"
#include "worker/data/files/scan_files.h"
#include "worker/data/files/source_files.h"
#include "worker/data/files/text_rows.h"
#include "worker/data/lidar/lidar_dataset.h"
#include "worker/data/lidar/scan_list.h"

namespace voxbit::data {
namespace {

struct SemanticKittiConfig : LidarSettings {
  std::string kind = "semantic_kitti";
  std::string root;
  std::string class_map = "spvnas";
  std::vector<std::string> train_sequences = {"00", "01", "02", "03", "04",
                                              "05", "06", "07", "09", "10"};
  std::vector<std::string> val_sequences = {"08"};
  int64_t sample_stride = 1;
};

Fields<SemanticKittiConfig> ConfigFields() {
  using Config = SemanticKittiConfig;
  Fields<Config> fields;
  fields.Text("kind", &Config::kind, {"semantic_kitti"}, "kind of dataset")
      .Text("root", &Config::root, {},
            "folder with velodyne/, labels/, classes.tsv, train.txt and val.txt, or with "
            "sequences/NN/velodyne and sequences/NN/labels; an absolute path, the same on every "
            "machine with workers; a relative one in the server's config file is taken from the "
            "server's working directory")
      .Required()
      .Text("class_map", &Config::class_map, {"spvnas", "official"},
            "sequences layout: the 19 classes as the SPVNAS models have them, or as the benchmark")
      .TextList("train_sequences", &Config::train_sequences, {},
                "sequences layout: folders of the training split")
      .TextList("val_sequences", &Config::val_sequences, {},
                "sequences layout: folders of the validation split")
      .Int("sample_stride", &Config::sample_stride, {.min = 1}, "scans",
           "take every n-th scan of each split");
  AddLidarFields(fields, AllFeatures());
  AddRangeField(fields);
  return fields;
}

Status CheckSequences(const std::vector<std::string>& names, const std::string& pointer) {
  if (names.empty()) return FieldError(pointer, "expected at least one sequence, found none");
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty() || names[i].find('/') != std::string::npos || names[i] == "..") {
      return FieldError(pointer + "/" + std::to_string(i),
                        "expected the name of a folder, found \"" + names[i] + "\"");
    }
  }
  return OkStatus();
}

Result<SemanticKittiConfig> ReadConfig(const Json& json, const std::string& pointer) {
  VOXBIT_ASSIGN_OR_RETURN(SemanticKittiConfig config, ConfigFields().Parse(json, pointer));
  VOXBIT_RETURN_IF_ERROR(CheckLidarSettings(config, pointer));
  if (config.root.empty()) return FieldError(pointer + "/root", "expected a folder, found \"\"");
  VOXBIT_RETURN_IF_ERROR(CheckSequences(config.train_sequences, pointer + "/train_sequences"));
  VOXBIT_RETURN_IF_ERROR(CheckSequences(config.val_sequences, pointer + "/val_sequences"));
  return config;
}

// The files of one scan.
struct Entry {
  std::string name;
  std::string points;
  std::string labels;
  std::string returns;
};

Entry MakeEntry(std::string name, const std::string& folder, const std::string& stem,
                FileFinder& finder) {
  return {std::move(name), finder.Find(Join({folder, "/velodyne/", stem}), ".bin"),
          finder.Find(Join({folder, "/labels/", stem}), ".label"),
          finder.Find(Join({folder, "/returns/", stem}), ".returns")};
}

// Every scan of the split file `<root>/<split>.txt`: one name a line.
Result<std::vector<Entry>> ReadSplitFile(const std::string& root, Split split) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<ListedName> names,
                          ReadNameList(Join({root, "/", SplitName(split), ".txt"}), "scan"));
  FileFinder finder;
  std::vector<Entry> entries;
  entries.reserve(names.size());
  for (const ListedName& listed : names) {
    entries.push_back(MakeEntry(listed.name, root, listed.name, finder));
  }
  return entries;
}

// The sequences that are there, for messages.
std::string SequencesIn(const std::string& root) {
  const Result<std::vector<std::string>> names = ListFolder(root + "/sequences");
  const std::string text = names.ok() ? boost::algorithm::join(*names, ", ") : "";
  return text.empty() ? "none" : text;
}

// NOT_FOUND naming all that are away and the setting at `pointer` that asks for them.
Status FindSequences(const std::string& root, const std::vector<std::string>& sequences,
                     const std::string& pointer) {
  std::vector<std::string> away;
  for (const std::string& sequence : sequences) {
    if (!IsFolder(Join({root, "/sequences/", sequence, "/velodyne"}))) away.push_back(sequence);
  }
  if (away.empty()) return OkStatus();
  return NotFound(Join({pointer, ": no folder velodyne/ in ", root, "/sequences/ for ",
                        boost::algorithm::join(away, ", "), "; there are ", SequencesIn(root)}));
}

// Every scan of the given sequences, by number.
Result<std::vector<Entry>> ListSequences(const std::string& root,
                                         const std::vector<std::string>& sequences) {
  FileFinder finder;
  std::vector<Entry> entries;
  for (const std::string& sequence : sequences) {
    const std::string folder = Join({root, "/sequences/", sequence});
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(folder + "/velodyne"));
    for (const std::string& file : files) {
      if (!HasExtension(file, ".bin")) continue;
      const std::string stem = std::filesystem::path(file).stem().string();
      entries.push_back(MakeEntry(Join({sequence, "/", stem}), folder, stem, finder));
    }
  }
  return entries;
}

// `chosen_by` is the pointer of the setting that names the sequences, or "".
Status CheckEntries(const std::vector<Entry>& entries, const SemanticKittiConfig& config,
                    Split split, const std::string& chosen_by, FilesNeeded needed) {
  if (entries.empty()) {
    const std::string none = Join({config.root, ": the split ", SplitName(split), " has no scans"});
    return InvalidArgument(chosen_by.empty() ? none : none + " in the sequences of " + chosen_by);
  }
  const bool with_returns = config.NeedsReturns();
  for (const Entry& entry : entries) {
    if (needed == FilesNeeded::kNone) break;
    if (!IsFile(entry.points)) return NotFound(entry.points + ": missing points of a scan");
    if (!IsFile(entry.labels)) return NotFound(entry.labels + ": missing labels of a scan");
    if (with_returns && !IsFile(entry.returns)) {
      return NotFound(entry.returns + ": missing returns of a scan, which the feature needs");
    }
    if (needed == FilesNeeded::kFirst) break;
  }
  return OkStatus();
}

std::vector<Entry> EveryNth(std::vector<Entry> entries, int64_t stride) {
  std::vector<Entry> kept;
  for (size_t i = 0; i < entries.size(); i += static_cast<size_t>(stride)) {
    kept.push_back(std::move(entries[i]));
  }
  return kept;
}

// Everything that says which scans there are: class table and split files, or the folders that are
// listed.
std::vector<std::string> IndexPaths(const SemanticKittiConfig& config, bool published) {
  std::vector<std::string> paths;
  if (!published) {
    for (const char* name : {"/classes.tsv", "/train.txt", "/val.txt"}) {
      paths.push_back(config.root + name);
    }
    return paths;
  }
  for (const auto* sequences : {&config.train_sequences, &config.val_sequences}) {
    for (const std::string& sequence : *sequences) {
      paths.push_back(Join({config.root, "/sequences/", sequence, "/velodyne"}));
    }
  }
  return paths;
}

std::vector<std::string> ScanPaths(const std::vector<Entry>& train, const std::vector<Entry>& val,
                                   bool with_returns) {
  std::vector<std::string> paths;
  for (const auto* entries : {&train, &val}) {
    for (const Entry& entry : *entries) {
      paths.push_back(entry.points);
      paths.push_back(entry.labels);
      if (with_returns) paths.push_back(entry.returns);
    }
  }
  return paths;
}

class SemanticKitti final : public LidarDataset {
 public:
  // `index_stamp` is the stamp of the index before it was read.
  SemanticKitti(SemanticKittiConfig config, bool published, const std::string& index_stamp,
                ClassMap map, std::vector<Entry> train, std::vector<Entry> val)
      : config_(std::move(config)),
        published_(published),
        map_(std::move(map)),
        train_(std::move(train)),
        val_(std::move(val)),
        stamp_(index_stamp + StampOf(Scans())) {}

  // Reads the files once, for Describe. Unless all are needed, one that cannot be read leaves
  // the digest empty.
  Status Digest(const std::stop_token& stop, FilesNeeded needed) {
    Json names = {{"train", Json::array()}, {"val", Json::array()}};
    for (const Entry& entry : train_) names["train"].push_back(entry.name);
    for (const Entry& entry : val_) names["val"].push_back(entry.name);
    Json config = ComparableLidarConfig(ConfigFields().ToJson(config_));
    config.erase("root");  // equal files are equal wherever they are mounted
    Sha256 hash;
    hash.Update(CanonicalJson({{"config", config}, {"classes", ToJson(map_)}, {"scans", names}}));
    const Status added = AddContents(Scans(), stop, hash);
    const bool may_lack = needed != FilesNeeded::kAll && added.code() != StatusCode::kCancelled;
    if (!added.ok() && may_lack) return OkStatus();
    VOXBIT_RETURN_IF_ERROR(added);
    digest_ = hash.Hex();
    return OkStatus();
  }

  const std::vector<std::string>& class_names() const override { return map_.names; }
  std::vector<uint32_t> raw_ids() const override { return map_.train_to_raw; }
  uint32_t unlabelled_raw_id() const override { return UnlabelledRawId(map_); }
  const LidarSettings& settings() const override { return config_; }
  int64_t size(Split split) const override {
    return split == Split::kTest ? 0 : static_cast<int64_t>(Entries(split).size());
  }

  std::string ScanName(Split split, int64_t index) const override {
    return Entries(split)[static_cast<size_t>(index)].name;
  }

  Result<Scan> Load(Split split, int64_t index) const override {
    if (index < 0 || index >= size(split)) {
      return InvalidArgument("scan " + std::to_string(index) + " of the split " +
                             std::string(SplitName(split)) + ", which has " +
                             std::to_string(size(split)));
    }
    const Entry& entry = Entries(split)[static_cast<size_t>(index)];
    Scan scan;
    scan.name = entry.name;
    scan.source = entry.points;
    VOXBIT_ASSIGN_OR_RETURN(scan.points, ReadPoints(entry.points));
    VOXBIT_ASSIGN_OR_RETURN(scan.labels, ReadLabels(entry.labels, map_, scan));
    if (config_.NeedsReturns()) {
      VOXBIT_RETURN_IF_ERROR(AddReturns(entry.returns, scan));
    }
    return scan;
  }

  std::vector<std::string> files(Split split, int64_t index) const override {
    const Entry& entry = Entries(split)[static_cast<size_t>(index)];
    std::vector<std::string> paths = {entry.points, entry.labels};
    if (config_.NeedsReturns()) paths.push_back(entry.returns);
    return paths;
  }

  Json Describe() const override {
    return {{"kind", config_.kind},
            {"config", ConfigFields().ToJson(config_)},
            {"classes", map_.names},
            {"class_map", DescribeClassMap(map_)},
            {"scans", {{"train", train_.size()}, {"val", val_.size()}}},
            {"digest", digest_}};
  }

  bool IsCurrent() const override {
    return stamp_ == StampOf(IndexPaths(config_, published_)) + StampOf(Scans());
  }

 private:
  const std::vector<Entry>& Entries(Split split) const {
    return split == Split::kTrain ? train_ : val_;
  }
  std::vector<std::string> Scans() const { return ScanPaths(train_, val_, config_.NeedsReturns()); }

  const SemanticKittiConfig config_;
  const bool published_;
  const ClassMap map_;
  const std::vector<Entry> train_;
  const std::vector<Entry> val_;
  const std::string stamp_;
  std::string digest_;
};

Result<ClassMap> ReadClassMap(const SemanticKittiConfig& config, bool published) {
  if (published) return SemanticKittiClassMap(config.class_map);
  const std::string path = config.root + "/classes.tsv";
  VOXBIT_ASSIGN_OR_RETURN(const std::string table, ReadText(path));
  return ParseClassMap(table, path);
}

// Which scans there are, and what their labels mean.
struct Index {
  SemanticKittiConfig config;
  bool published = false;
  std::string stamp;  // of what lists the scans, before it was read
  ClassMap map;
  std::vector<Entry> train;
  std::vector<Entry> val;
};

Result<Index> ReadIndex(const Json& json, const std::string& pointer, FilesNeeded needed) {
  Index index;
  SemanticKittiConfig& config = index.config;
  VOXBIT_ASSIGN_OR_RETURN(config, ReadConfig(json, pointer));
  VOXBIT_ASSIGN_OR_RETURN(config.root, ResolveRoot(config.root, pointer));
  index.published = IsFolder(config.root + "/sequences");
  const bool published = index.published;
  if (!published && !IsFolder(config.root + "/velodyne")) {
    return NotFound(config.root + ": neither a folder velodyne/ nor a folder sequences/ in it; " +
                    "expected one of the two SemanticKITTI layouts");
  }
  index.stamp = StampOf(IndexPaths(config, published));
  VOXBIT_ASSIGN_OR_RETURN(index.map, ReadClassMap(config, published));
  const std::string chosen_by[] = {pointer + "/train_sequences", pointer + "/val_sequences"};
  if (published) {
    VOXBIT_RETURN_IF_ERROR(FindSequences(config.root, config.train_sequences, chosen_by[0]));
    VOXBIT_RETURN_IF_ERROR(FindSequences(config.root, config.val_sequences, chosen_by[1]));
  }
  for (const Split split : {Split::kTrain, Split::kVal}) {
    const bool train = split == Split::kTrain;
    Result<std::vector<Entry>> listed =
        published
            ? ListSequences(config.root, train ? config.train_sequences : config.val_sequences)
            : ReadSplitFile(config.root, split);
    if (!listed.ok()) return listed.status();
    std::vector<Entry>& kept = train ? index.train : index.val;
    kept = EveryNth(std::move(listed).value(), config.sample_stride);
    VOXBIT_RETURN_IF_ERROR(
        CheckEntries(kept, config, split, published ? chosen_by[train ? 0 : 1] : "", needed));
  }
  return index;
}

template <FilesNeeded kNeeded>
Result<std::unique_ptr<Dataset>> Open(const Json& json, const std::string& pointer,
                                      const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(Index index, ReadIndex(json, pointer, kNeeded));
  auto dataset = std::make_unique<SemanticKitti>(std::move(index.config), index.published,
                                                 index.stamp, std::move(index.map),
                                                 std::move(index.train), std::move(index.val));
  VOXBIT_RETURN_IF_ERROR(dataset->Digest(stop, kNeeded));
  return std::unique_ptr<Dataset>(std::move(dataset));
}

Status Look(const Json& json, const std::string& pointer) {
  return ReadIndex(json, pointer, FilesNeeded::kFirst).status();
}

}  // namespace

DatasetKind MakeSemanticKitti() {
  return {
      .parse_config = [](const Json& json, const std::string& pointer) -> Result<Json> {
        VOXBIT_ASSIGN_OR_RETURN(const SemanticKittiConfig config, ReadConfig(json, pointer));
        return ConfigFields().ToJson(config);
      },
      .traits = [](const Json& json, const std::string& pointer) -> Result<DatasetTraits> {
        VOXBIT_RETURN_IF_ERROR(ReadConfig(json, pointer).status());
        return LidarTraits();
      },
      .open = Open<FilesNeeded::kAll>,
      .help = [] { return ConfigFields().Help(); },
      .look = Look,
      .open_incomplete = Open<FilesNeeded::kNone>,
      .file_endings = {kScanEnding},
      .open_files = [](const Json& description,
                       const FileList& files) -> Result<std::unique_ptr<Dataset>> {
        VOXBIT_ASSIGN_OR_RETURN(
            const SemanticKittiConfig config,
            ReadConfig(description.value("config", Json::object()), "/dataset/config"));
        if (!description.contains("class_map")) {
          return FailedPrecondition("/dataset/class_map: missing; export again with this version");
        }
        VOXBIT_ASSIGN_OR_RETURN(
            ClassMap map, ParseClassMapDescription(description["class_map"], "/dataset/class_map"));
        return OpenScanFiles(config, std::move(map), files);
      },
  };
}

}  // namespace voxbit::data
