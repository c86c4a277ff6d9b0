#include "worker/predict.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "client/format/table.h"
#include "client/format/text.h"
#include "common/config.h"
#include "common/files.h"
#include "common/json.h"
#include "common/number_text.h"
#include "worker/data/dataset.h"
#include "worker/data/files/source_files.h"
#include "worker/dataset_flag.h"
#include "worker/device_info.h"
#include "worker/exec/bundle.h"
#include "worker/exec/executors.h"
#include "worker/exec/predict.h"
#include "worker/terminal.h"

namespace voxbit::worker {
namespace {

namespace fs = std::filesystem;

constexpr char kPredictionTable[] = "predictions.csv";

std::string EndingOf(data::Scoring scoring) {
  return scoring == data::Scoring::kParts ? ".seg" : ".label";
}

fs::path Canonical(const fs::path& path) {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(fs::absolute(path, error), error);
  return error ? path : canonical;
}

// Whether `path` is `folder` or lies in it.
bool IsWithin(const fs::path& path, const fs::path& folder) {
  const auto [in_folder, in_path] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return in_folder == folder.end() || (*in_folder == "" && std::next(in_folder) == folder.end());
}

std::string JoinEndings(const std::vector<std::string>& endings) {
  std::string text;
  for (const std::string& ending : endings) text += (text.empty() ? "" : " or ") + ending;
  return text;
}

bool HasOneOf(const std::string& path, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& ending) { return data::HasExtension(path, ending); });
}

// Every file of `given`, and in place of a folder the files of the right endings in it.
Result<std::vector<std::string>> ListFiles(const std::vector<std::string>& given,
                                           const std::vector<std::string>& endings) {
  std::vector<std::string> files;
  for (const std::string& path : given) {
    if (!data::IsFolder(path)) {
      if (!data::IsFile(path)) return InvalidArgument(path + ": no such file");
      if (!HasOneOf(path, endings)) {
        return InvalidArgument(path + ": this network reads " + JoinEndings(endings) + " files");
      }
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    std::error_code error;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (name.front() == '.' || !HasOneOf(name, endings)) continue;
      if (data::IsFile(it->path().string())) found.push_back(it->path().string());
    }
    if (error) return InvalidArgument(path + ": " + error.message());
    if (found.empty()) {
      return InvalidArgument(path + ": no " + JoinEndings(endings) + " file in this folder");
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

// The names of the files without their endings, from the deepest folder that all lie in.
std::vector<std::string> NamesOf(const std::vector<std::string>& files) {
  std::vector<fs::path> paths;
  for (const std::string& file : files) paths.push_back(Canonical(file));
  fs::path common = paths.front().parent_path();
  for (const fs::path& path : paths) {
    while (!IsWithin(path, common)) common = common.parent_path();
  }
  std::vector<std::string> names;
  for (const fs::path& path : paths) {
    names.push_back(path.lexically_relative(common).replace_extension().string());
  }
  return names;
}

// The folders whose files nobody wants to lose: those of the input and of its labels.
std::vector<fs::path> InputFolders(const std::vector<std::string>& files) {
  std::set<fs::path> folders;
  for (const std::string& file : files) {
    const fs::path folder = Canonical(file).parent_path();
    folders.insert(folder);
    if (folder.filename() == "velodyne") folders.insert(folder.parent_path() / "labels");
  }
  return {folders.begin(), folders.end()};
}

Status CheckFree(const std::string& path, bool force) {
  std::error_code error;
  if (force || !fs::exists(path, error)) return OkStatus();
  return InvalidArgument(path + ": is there already; --force overwrites it");
}

// What is to be predicted and where it goes.
struct Job {
  Bundle bundle;
  std::unique_ptr<data::Dataset> dataset;
  data::Split split = data::Split::kVal;
  std::vector<std::string> files;  // none: a split
  std::vector<std::string> names;  // of the files, without ending, below --out
  int64_t batch = 1;
  bool is_recorded = false;  // what is scored is what the study has scored
};

data::Scoring ScoringOf(const Job& job) { return job.dataset->traits().scoring; }

// The bundle's own dataset with the settings of the flag in place of its own. Settings that another
// kind of dataset does not have are left out.
Result<Json> DatasetConfig(const Json& own, const std::string& flag,
                           const data::DatasetRegistry& registry) {
  if (flag.empty()) return own;
  VOXBIT_ASSIGN_OR_RETURN(const FoundDataset found, FindDataset(flag));
  const std::string where = found.source + ": " + found.pointer;
  if (!found.config.is_object()) return ExpectedError(where, "an object", found.config);
  Json config = found.config;
  if (!config.contains("kind")) config["kind"] = own.value("kind", "");
  if (!config["kind"].is_string()) {
    return ExpectedError(where + "/kind", "text", config["kind"]);
  }
  const auto kind = registry.Find(config["kind"].get<std::string>());
  if (!kind.ok()) return FieldError(where + "/kind", kind.status().message());
  for (const FieldHelp& field : kind->help()) {
    if (own.contains(field.name) && !config.contains(field.name)) {
      config[field.name] = own[field.name];
    }
  }
  return config;
}

Status OpenSplit(const PredictFlags& flags, const data::DatasetRegistry& registry,
                 const std::stop_token& stop, Job& job) {
  const Json own = job.bundle.dataset.value("config", Json::object());
  VOXBIT_ASSIGN_OR_RETURN(const Json config, DatasetConfig(own, flags.dataset, registry));
  auto dataset = data::OpenDataset(registry, config, "/dataset", stop);
  if (dataset.status().code() == StatusCode::kNotFound) {
    return InvalidArgument(dataset.status().message() +
                           "; --dataset '{\"root\": \"FOLDER\"}' names another folder");
  }
  if (!dataset.ok()) return dataset.status();
  job.dataset = std::move(dataset).value();
  const auto split = data::UsableSplit(*job.dataset, flags.split);
  if (!split.ok()) return InvalidArgument("--split: " + split.status().message());
  job.split = *split;
  job.batch = job.bundle.batch;
  job.is_recorded =
      flags.split == job.bundle.split && job.dataset->Describe().value("digest", "") ==
                                             job.bundle.manifest.value("dataset_digest", "none");
  if (flags.out.empty()) return OkStatus();
  const std::string root = config.value("root", "");
  if (root.empty() || !IsWithin(Canonical(flags.out), Canonical(root))) return OkStatus();
  return InvalidArgument("--out " + flags.out +
                         ": lies in the folder of the data; give another folder");
}

// Only parts are told among those of a category.
Status CheckCategoryFlag(const PredictFlags& flags, const Bundle& bundle,
                         const data::DatasetKind& kind) {
  if (flags.category.empty()) return OkStatus();
  const auto traits =
      kind.traits(bundle.dataset.value("config", Json::object()), "/dataset/config");
  if (!traits.ok()) return traits.status().Annotate(bundle.folder + "/manifest.json");
  if (traits->scoring == data::Scoring::kParts) return OkStatus();
  return InvalidArgument(
      std::string(
          "--category: only for networks that tell the parts of an object; this one tells ") +
      (traits->scoring == data::Scoring::kObjects ? "the class of an object as a whole"
                                                  : "the class of each point of a scan"));
}

Status OpenListed(const PredictFlags& flags, const data::DatasetRegistry& registry, Job& job) {
  VOXBIT_ASSIGN_OR_RETURN(const data::DatasetKind kind,
                          registry.Find(job.bundle.dataset.value("kind", "")));
  VOXBIT_RETURN_IF_ERROR(CheckCategoryFlag(flags, job.bundle, kind));
  VOXBIT_ASSIGN_OR_RETURN(job.files, ListFiles(flags.files, kind.file_endings));
  auto dataset = data::OpenFiles(registry, job.bundle.dataset, {job.files, flags.category});
  if (!dataset.ok()) {
    const bool of_manifest = dataset.status().message().rfind('/', 0) == 0 &&
                             dataset.status().code() != StatusCode::kNotFound;
    return of_manifest ? dataset.status().Annotate(job.bundle.folder + "/manifest.json")
                       : dataset.status();
  }
  job.dataset = std::move(dataset).value();
  job.names = NamesOf(job.files);
  std::map<std::string, std::string> seen;  // the file of each name
  for (size_t i = 0; i < job.names.size(); ++i) {
    const auto [first, is_new] = seen.emplace(job.names[i], job.files[i]);
    if (is_new) continue;
    const bool is_same = Canonical(first->second) == Canonical(job.files[i]);
    return InvalidArgument(
        job.files[i] + (is_same ? ": is given twice"
                                : ": " + first->second + " has the same name but for its ending"));
  }
  return OkStatus();
}

// Before hours are spent: nothing would be lost.
Status CheckTargets(const PredictFlags& flags, const Job& job) {
  if (!flags.out.empty()) {
    VOXBIT_RETURN_IF_ERROR(CheckFolderWritable(flags.out).Annotate("--out"));
  }
  if (ScoringOf(job) == data::Scoring::kObjects) {
    return flags.out.empty() ? OkStatus()
                             : CheckFree(flags.out + "/" + kPredictionTable, flags.force);
  }
  if (flags.out.empty()) {
    if (job.files.empty()) return OkStatus();  // scores alone
    return InvalidArgument("--out: missing; it names the folder for the labels");
  }
  const std::vector<fs::path> inputs = InputFolders(job.files);
  for (const std::string& name : job.names) {
    const std::string target = flags.out + "/" + name + EndingOf(ScoringOf(job));
    const fs::path folder = Canonical(target).parent_path();
    if (std::find(inputs.begin(), inputs.end(), folder) != inputs.end()) {
      return InvalidArgument("--out " + flags.out + ": " + folder.string() +
                             " holds input; give another folder");
    }
    VOXBIT_RETURN_IF_ERROR(CheckFree(target, flags.force));
  }
  return OkStatus();
}

Result<Job> OpenJob(const PredictFlags& flags, const std::stop_token& stop) {
  if (flags.files.empty() == flags.split.empty()) {
    return InvalidArgument(flags.files.empty()
                               ? "expected FILE... to label, or --split of the dataset"
                               : "expected either FILE... or --split, found both");
  }
  if (!flags.dataset.empty() && flags.split.empty()) {
    return InvalidArgument("--dataset: needs --split, the part of it to run over");
  }
  if (!flags.category.empty() && flags.files.empty()) {
    return InvalidArgument("--category: needs FILE...; a split knows the category of each object");
  }
  if (const Status device = CheckDevice(flags.device); !device.ok()) {
    return InvalidArgument("--device: " + device.message());
  }
  Job job;
  auto bundle = ReadBundle(flags.bundle);
  if (bundle.status().code() == StatusCode::kNotFound) {
    return InvalidArgument("--bundle: " + bundle.status().message());
  }
  if (!bundle.ok()) return bundle.status();
  job.bundle = std::move(bundle).value();
  const data::DatasetRegistry registry = data::BuiltinDatasets();
  VOXBIT_RETURN_IF_ERROR(flags.files.empty() ? OpenSplit(flags, registry, stop, job)
                                             : OpenListed(flags, registry, job));
  VOXBIT_RETURN_IF_ERROR(CheckTargets(flags, job));
  return job;
}

// The file of a scan; "" for one that is made from settings.
std::string FileOf(const Job& job, int64_t index) {
  if (!job.files.empty()) return job.files[static_cast<size_t>(index)];
  const std::vector<std::string> files = job.dataset->files(job.split, index);
  return files.empty() ? "" : files.front();
}

struct Failure {
  std::string file;
  std::string message;
};

// What a run has told.
struct Told {
  std::vector<std::pair<std::string, Prediction>> objects;  // by the name of their file
  std::vector<int64_t> of_class;                            // points or objects of each class
  std::vector<Failure> failures;
  int64_t scans = 0;
  int64_t left_out = 0;  // points that never reached the network
  int64_t files = 0;     // written
};

std::string LabelText(const Job& job, const Prediction& prediction) {
  const std::vector<uint32_t> raw = job.dataset->raw_ids();
  std::string text;
  for (const int32_t label : prediction.classes) {
    text += std::to_string(raw[static_cast<size_t>(label)]) + "\n";
  }
  return text;
}

// uint32, little-endian as the machine is.
std::string LabelBytes(const Job& job, const Prediction& prediction) {
  const std::vector<uint32_t> raw = job.dataset->raw_ids();
  std::vector<uint32_t> values;
  values.reserve(prediction.classes.size());
  for (const int32_t label : prediction.classes) {
    values.push_back(label < 0 ? job.dataset->unlabelled_raw_id()
                               : raw[static_cast<size_t>(label)]);
  }
  const void* bytes = values.data();
  return {static_cast<const char*>(bytes), values.size() * sizeof(uint32_t)};
}

Status WriteLabels(const PredictFlags& flags, const Job& job, const Prediction& prediction) {
  const std::string name =
      job.names.empty() ? prediction.name : job.names[static_cast<size_t>(prediction.index)];
  const std::string path = flags.out + "/" + name + EndingOf(ScoringOf(job));
  VOXBIT_RETURN_IF_ERROR(CheckFree(path, flags.force));
  VOXBIT_RETURN_IF_ERROR(MakeFolders(fs::path(path).parent_path().string()));
  return WriteFileAtomically(path, ScoringOf(job) == data::Scoring::kParts
                                       ? LabelText(job, prediction)
                                       : LabelBytes(job, prediction));
}

Status Take(const PredictFlags& flags, const Job& job, const Prediction& prediction, Told& told) {
  ++told.scans;
  for (const int32_t label : prediction.classes) {
    if (label < 0) {
      ++told.left_out;
    } else {
      ++told.of_class[static_cast<size_t>(label)];
    }
  }
  if (ScoringOf(job) == data::Scoring::kObjects) {
    told.objects.emplace_back(
        job.files.empty() ? prediction.name : job.files[static_cast<size_t>(prediction.index)],
        prediction);
    return OkStatus();
  }
  if (flags.out.empty()) return OkStatus();
  ++told.files;
  return WriteLabels(flags, job, prediction);
}

client::Cell RatioCell(double value) { return {client::HumanMetric("miou", value), value}; }

client::Table ObjectsTable(const Job& job, const Told& told) {
  client::Table table({{"file", job.files.empty() ? "object" : "file", false, 0, 0},
                       {"class", "class", false, 0, 0},
                       {"probability", "probability", true, 0, 0}});
  for (const auto& [file, prediction] : told.objects) {
    const auto label = static_cast<size_t>(prediction.classes.front());
    table.AddRow({client::TextCell(file), client::TextCell(job.dataset->class_names()[label]),
                  RatioCell(static_cast<double>(prediction.probabilities[label]))});
  }
  return table;
}

client::Table ClassesTable(const Job& job, const Told& told) {
  client::Table table(
      {{"class", "class", false, 0, 0},
       {"count", ScoringOf(job) == data::Scoring::kObjects ? "objects" : "points", true, 0, 0},
       {"share", "share", true, 0, 0}});
  int64_t all = told.left_out;
  for (const int64_t count : told.of_class) all += count;
  for (size_t c = 0; c < told.of_class.size(); ++c) {
    if (told.of_class[c] == 0) continue;
    table.AddRow({client::TextCell(job.dataset->class_names()[c]),
                  client::IntCell(told.of_class[c]),
                  RatioCell(static_cast<double>(told.of_class[c]) / static_cast<double>(all))});
  }
  return table;
}

client::Table ScoresTable(const Job& job, const std::vector<search::Measurement>& scores) {
  std::vector<client::Column> columns = {{"metric", "metric", false, 0, 0},
                                         {"value", "value", true, 0, 0},
                                         {"samples", "samples", true, 0, 0}};
  if (job.is_recorded) columns.push_back({"recorded", "in the study", true, 0, 0});
  const Json recorded = RecordedScores(job.bundle);
  client::Table table(columns);
  for (const search::Measurement& score : scores) {
    std::vector<client::Cell> cells = {client::TextCell(score.metric), RatioCell(score.value),
                                       client::IntCell(score.samples)};
    if (job.is_recorded) {
      const auto found = recorded.find(score.metric);
      cells.push_back(found == recorded.end() ? client::EmptyCell()
                                              : RatioCell(found->get<double>()));
    }
    table.AddRow(std::move(cells));
  }
  return table;
}

Json ToJson(const Job& job, const Told& told, const std::vector<search::Measurement>& scores) {
  Json json = {{"bundle", job.bundle.folder},
               {"scans", told.scans},
               {"label_files", told.files},
               {"points_left_out", told.left_out},
               {"classes", client::RenderJson(ClassesTable(job, told))},
               {"scores", Json::array()},
               {"failures", Json::array()}};
  for (const Failure& failure : told.failures) {
    json["failures"].push_back({{"file", failure.file}, {"message", failure.message}});
  }
  const Json recorded = job.is_recorded ? RecordedScores(job.bundle) : Json::object();
  for (const search::Measurement& score : scores) {
    json["scores"].push_back({{"metric", score.metric},
                              {"value", score.value},
                              {"samples", score.samples},
                              {"recorded", recorded.value(score.metric, Json())},
                              {"detail", score.detail}});
  }
  if (ScoringOf(job) != data::Scoring::kObjects) return json;
  json["predictions"] = client::RenderJson(ObjectsTable(job, told));
  for (size_t i = 0; i < told.objects.size(); ++i) {
    json["predictions"][i]["probabilities"] = told.objects[i].second.probabilities;
  }
  return json;
}

void Print(const PredictFlags& flags, const Job& job, const Told& told,
           const std::vector<search::Measurement>& scores, const client::TextStyle& style) {
  const bool is_objects = ScoringOf(job) == data::Scoring::kObjects;
  if (flags.output == "json") {
    std::cout << ToJson(job, told, scores).dump(2, ' ', false, Json::error_handler_t::replace)
              << "\n";
  } else if (flags.output == "csv") {
    std::cout << client::RenderCsv(is_objects ? ObjectsTable(job, told) : ScoresTable(job, scores));
  } else {
    std::cout << client::RenderText(is_objects ? ObjectsTable(job, told) : ClassesTable(job, told),
                                    style);
    if (!scores.empty()) std::cout << "\n" << client::RenderText(ScoresTable(job, scores), style);
  }
  std::cout << std::flush;
}

// On standard error, for people.
void TellOutcome(const PredictFlags& flags, const Job& job, const Told& told, bool has_scores) {
  for (const Failure& failure : told.failures) {
    std::cerr << "search-worker: " << client::OneLine(failure.message) << "\n";
  }
  if (told.files > 0) {
    std::cerr << "labels of " << Counted(told.files, "scan") << " are in " << flags.out << "\n";
  }
  if (told.left_out > 0) {
    std::cerr << Counted(told.left_out, "point") << " that the settings leave out got the raw id "
              << job.dataset->unlabelled_raw_id() << "\n";
  }
  if (!told.failures.empty()) {
    std::cerr << Counted(told.failures.size(), "scan") << " could not be labelled"
              << (has_scores ? ", scores are those of the others" : "") << "\n";
  }
}

}  // namespace

CLI::App& AddPredict(CLI::App& app, PredictFlags& flags) {
  CLI::App& predict = *app.add_subcommand(
      "predict", "label files, or score a split, with the network of an export bundle");
  predict.add_option("--bundle", flags.bundle, "folder that search-client export has written")
      ->required()
      ->type_name("DIR");
  predict.add_option("files", flags.files, "files to label, or folders of them")
      ->option_text("FILE...");
  predict
      .add_option("--split", flags.split,
                  "instead of files: train, val or test of a dataset, which has labels")
      ->check(CLI::IsMember({"train", "val", "test"}));
  predict
      .add_option("--dataset", flags.dataset,
                  "settings of that dataset, such as its root, as JSON or in a JSON file; what is "
                  "not given is as in training [the one of the training]")
      ->type_name("FILE|JSON");
  predict
      .add_option("--category", flags.category,
                  "category of all objects whose parts are wanted [as the parts in the file or "
                  "the name of its folder tell]")
      ->type_name("NAME");
  predict
      .add_option("--out", flags.out,
                  "folder for the labels; needed for files whose points are labelled")
      ->type_name("DIR");
  predict.add_flag("--force", flags.force, "overwrite labels that are there already");
  predict.add_option("--device", flags.device, "what to compute on: cpu, or cuda:N for GPU N")
      ->capture_default_str();
  predict.add_option("--threads", flags.threads, "cores to compute with; 0: all")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  predict.add_option("-o,--output", flags.output, "table, json or csv")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str();
  predict.footer(
      "LiDAR scans (NAME.bin): DIR/NAME.label, a raw class id (uint32) for every point.\n"
      "Objects with parts (NAME.txt): DIR/NAME.seg, a raw part id on a line for every point.\n"
      "Objects to classify (NAME.txt, NAME.off): a table of class and probability, with --out also "
      "DIR/predictions.csv.\n"
      "Labels beside the files are truth and are scored.\n"
      "Exit codes: 0 done, 1 failed or files left out, 2 wrong usage, 130 interrupted.");
  return predict;
}

Result<bool> RunPredict(const PredictFlags& flags, const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const Job job, OpenJob(flags, stop));
  const client::Terminal terminal = ThisTerminal();
  ProgressBar bar(terminal);
  Told told;
  told.of_class.resize(job.dataset->class_names().size(), 0);
  const int64_t total = job.dataset->size(job.split);
  const auto show = [&] {
    bar.Show(told.scans + static_cast<int64_t>(told.failures.size()), total);
  };
  show();
  PredictCalls calls;
  calls.stop = stop;
  calls.done = [&](const Prediction& prediction) {
    VOXBIT_RETURN_IF_ERROR(Take(flags, job, prediction, told));
    show();
    return OkStatus();
  };
  calls.failed = [&](int64_t index, const Status& status) {
    told.failures.push_back({FileOf(job, index), status.message()});
    show();
  };
  const PredictSettings settings{.device = flags.device,
                                 .threads = flags.threads == 0 ? UsableCores() : flags.threads,
                                 .batch = job.batch};
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<search::Measurement> scores,
                          Predict(job.bundle, *job.dataset, job.split, settings, calls));
  bar.Clear();
  if (ScoringOf(job) == data::Scoring::kObjects && !flags.out.empty()) {
    VOXBIT_RETURN_IF_ERROR(MakeFolders(flags.out));
    VOXBIT_RETURN_IF_ERROR(WriteFileAtomically(flags.out + "/" + kPredictionTable,
                                               client::RenderCsv(ObjectsTable(job, told))));
  }
  Print(flags, job, told, scores, {.width = terminal.width, .color = terminal.color});
  TellOutcome(flags, job, told, !scores.empty());
  return told.failures.empty();
}

}  // namespace voxbit::worker
