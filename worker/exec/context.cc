#include "worker/exec/context.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "common/json.h"
#include "worker/data/fault.h"
#include "worker/exec/checkpoint.h"
#include "worker/train/bn_calibration.h"

namespace voxbit::worker {
namespace {

constexpr size_t kKeptDatasets = 2;
constexpr size_t kKeptSupernets = 2;

// The value kept under `key`, moved to the end as the most recently used one; null if none is.
template <class T>
std::shared_ptr<T> Touch(std::deque<std::pair<std::string, std::shared_ptr<T>>>& kept,
                         const std::string& key) {
  const auto it =
      std::find_if(kept.begin(), kept.end(), [&](const auto& entry) { return entry.first == key; });
  if (it == kept.end()) return nullptr;
  std::rotate(it, it + 1, kept.end());
  return kept.back().second;
}

// A supernet that reads the category one-hot says of how many.
Status CheckCategories(const Json& supernet, const data::Dataset& dataset) {
  const auto read = supernet.find("categories");
  const size_t num = dataset.category_names().size();
  if (read == supernet.end() || num == 0 || *read == num) return OkStatus();
  return InvalidArgument("/supernet/categories: expected " + std::to_string(num) +
                         ", as many as the dataset has, found " + Describe(*read));
}

// Whether the folder of the data is there. A worker without it has a trouble of its own; what a
// folder lacks is a fault of the data.
bool HasRoot(const Json& dataset) {
  const auto root = dataset.find("root");
  std::error_code error;
  return root != dataset.end() && root->is_string() &&
         std::filesystem::is_directory(root->get<std::string>(), error);
}

}  // namespace

ExecPlugins BuiltinExecPlugins() {
  ExecPlugins plugins;
  data::RegisterBuiltins(plugins.datasets);
  supernet::RegisterBuiltinSupernets(plugins.supernets);
  return plugins;
}

Result<train::EvaluationSet*> OpenedDataset::Whole(const std::string& split, int64_t batch) {
  VOXBIT_ASSIGN_OR_RETURN(const data::Split which, data::UsableSplit(dataset(), split));
  auto& set = splits_[{which, batch}];
  if (set == nullptr) {
    const int64_t size = dataset().size(which);
    set = std::make_unique<train::EvaluationSet>(source_, which, train::SpreadIndices(size, size),
                                                 train::BatchLimit{.scans = batch}, device_);
  }
  return set.get();
}

Status OpenedDataset::SizeScans(const std::stop_token& stop) {
  std::vector<SizedScan> sized;
  for (const int64_t index : train::IndicesByName(dataset(), data::Split::kVal, kSizedScans)) {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    const Result<train::Batch> batch = train::EvaluationBatch(
        source_, data::Split::kVal, std::span(&index, 1), at::Device(at::kCPU));
    if (!batch.ok() && !data::IsEmptyScan(batch.status())) return batch.status();
    if (batch.ok()) sized.push_back({batch->num_inputs(), batch->samples.front().name, index});
  }
  if (sized.empty()) return source_.NothingLeft(data::Split::kVal);
  std::sort(sized.begin(), sized.end());
  by_size_ = std::move(sized);
  return OkStatus();
}

Result<std::vector<int64_t>> OpenedDataset::SpreadBySize(int64_t num, const std::stop_token& stop) {
  if (by_size_.empty()) VOXBIT_RETURN_IF_ERROR(SizeScans(stop));
  const auto sized = static_cast<int64_t>(by_size_.size());
  num = std::min(num, sized);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < num; ++i) {
    indices.push_back(by_size_[static_cast<size_t>((2 * i + 1) * sized / (2 * num))].index);
  }
  return indices;
}

train::EvaluationSet& OpenedDataset::Calibration(int64_t num) {
  auto& set = calibrations_[num];
  if (set == nullptr) set = train::CalibrationSamples(source_, num, device_);
  return *set;
}

ExecContext::ExecContext(const ExecutorSettings& settings, const ExecPlugins& plugins)
    : settings_(settings),
      plugins_(plugins),
      device_(settings.device),
      budget_(std::make_shared<train::ByteBudget>(settings.cache_bytes)) {}

void ExecContext::SetThreads(int64_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  // Of several limits the smallest holds, so the old one goes first.
  thread_limit_.reset();
  thread_limit_ = std::make_unique<oneapi::tbb::global_control>(
      oneapi::tbb::global_control::max_allowed_parallelism, static_cast<size_t>(threads));
}

Result<std::shared_ptr<OpenedDataset>> ExecContext::Dataset(const search::TaskSpec& spec) {
  const std::string key = CanonicalJson(spec.dataset);
  auto kept = Touch(datasets_, key);
  if (kept != nullptr && !kept->dataset().IsCurrent()) {
    kept.reset();
    datasets_.pop_back();
  }
  if (kept == nullptr) {
    VOXBIT_ASSIGN_OR_RETURN(auto dataset, Open(spec));
    // Makes room before the new one fills the shared budget.
    if (datasets_.size() == kKeptDatasets) datasets_.pop_front();
    kept = std::make_shared<OpenedDataset>(std::move(dataset), budget_, device_);
    datasets_.emplace_back(key, kept);
  }
  if (!spec.dataset_digest.empty() && spec.dataset_digest != kept->digest()) {
    return Unavailable("/dataset: this worker's files are not those of the study (digest " +
                           kept->digest() + ", expected " + spec.dataset_digest +
                           "); put the same files on every machine, or create the study anew if "
                           "they were changed on purpose",
                       "DATASET_MISMATCH");
  }
  return kept;
}

Result<std::unique_ptr<data::Dataset>> ExecContext::Open(const search::TaskSpec& spec) const {
  // Settings that this version does not know are no fault of the data.
  VOXBIT_RETURN_IF_ERROR(
      data::ParseDatasetConfig(plugins_.datasets, spec.dataset, "/dataset").status());
  auto dataset = data::OpenDataset(plugins_.datasets, spec.dataset, "/dataset", stop_);
  if (dataset.ok()) return dataset;
  Status status = data::AsDataFault(dataset.status());
  if (status.code() == StatusCode::kNotFound && HasRoot(spec.dataset)) {
    status = {status.code(), status.message(), data::kDatasetBroken};
  }
  // Whoever profiled the study has opened it: what is wrong here is not wrong there.
  if (status.reason() == data::kDatasetBroken && !spec.dataset_digest.empty()) {
    return Unavailable(status.message(), "DATASET_UNREADABLE");
  }
  return status;
}

Status ExecContext::CheckDatasetUnchanged(const search::TaskSpec& spec) {
  const auto kept = Touch(datasets_, CanonicalJson(spec.dataset));
  if (kept == nullptr || kept->dataset().IsCurrent()) return OkStatus();
  return Unavailable("/dataset: files were changed while the task ran", "DATASET_CHANGED");
}

Result<std::shared_ptr<supernet::Supernet>> ExecContext::FreshSupernet(
    const search::TaskSpec& spec, const OpenedDataset& dataset) {
  const auto kind = spec.supernet.find("kind");
  if (kind == spec.supernet.end() || !kind->is_string()) {
    return InvalidArgument("/supernet/kind: missing");
  }
  VOXBIT_ASSIGN_OR_RETURN(const supernet::SupernetFactory make,
                          plugins_.supernets.Find(kind->get<std::string>()));
  VOXBIT_RETURN_IF_ERROR(CheckCategories(spec.supernet, dataset.dataset()));
  VOXBIT_ASSIGN_OR_RETURN(auto net, make(spec.supernet, "/supernet", dataset.in_channels(),
                                         dataset.dataset().num_classes(), spec.seed));
  const std::string& digest = net->spec().space().digest();
  if (spec.space_digest != digest) {
    return FailedPrecondition("the task's search space has digest " + spec.space_digest +
                                  ", this worker's has " + digest +
                                  "; server and worker are of different versions",
                              "SPACE_MISMATCH");
  }
  net->to(device_);
  net->eval();
  return net;
}

Result<std::shared_ptr<supernet::Supernet>> ExecContext::Supernet(const TaskCall& call,
                                                                  const OpenedDataset& dataset) {
  const search::TaskSpec& spec = call.spec;
  const Json identity = {spec.supernet,         spec.space_digest, spec.checkpoint,
                         dataset.in_channels(), spec.seed,         dataset.dataset().num_classes()};
  const std::string key = CanonicalJson(identity);
  auto net = Touch(supernets_, key);
  if (net == nullptr) {
    VOXBIT_ASSIGN_OR_RETURN(net, FreshSupernet(spec, dataset));
    if (!spec.checkpoint.empty()) {
      VOXBIT_ASSIGN_OR_RETURN(const std::string path, call.artifacts.Fetch(spec.checkpoint));
      VOXBIT_RETURN_IF_ERROR(LoadCheckpoint(path, *net));
    }
    if (supernets_.size() == kKeptSupernets) supernets_.pop_front();
    supernets_.emplace_back(key, net);
  }
  const Status valid = net->spec().space().Validate(spec.candidate);
  if (!valid.ok()) return valid.Annotate("candidate " + search::Encode(spec.candidate));
  return net;
}

train::RunContext ExecContext::Run(const TaskCall& call, const std::string& phase) const {
  const auto report = [&call, phase](const train::Progress& progress) {
    if (!call.progress) return;
    Json json = {{"phase", phase}, {"step", progress.step}, {"steps", progress.steps}};
    if (std::isfinite(progress.eta_s)) json["eta_s"] = progress.eta_s;
    if (std::isfinite(progress.loss)) json["loss"] = progress.loss;
    call.progress(json);
  };
  return {.device = device_, .clock = clock_, .stop = call.stop, .progress = report};
}

}  // namespace voxbit::worker
