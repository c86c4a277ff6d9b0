#include "worker/exec/predict.h"

#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "supernet/export/packed_network.h"
#include "supernet/kernels/knn/knn.h"
#include "supernet/kernels/point_tree/point_tree.h"
#include "worker/exec/checkpoint.h"
#include "worker/exec/context.h"
#include "worker/train/meters.h"

namespace voxbit::worker {
namespace {

// Texts say the same in many ways; what is computed from is a number, a switch or a list.
bool IsComparable(const std::string& key, const Json& value) {
  return key != "tensors" && !value.is_string() && !value.is_object();
}

Status CheckContract(const Bundle& bundle, const data::Dataset& dataset) {
  const Json contract = dataset.InputContract();
  for (const auto& [key, value] : contract.items()) {
    const auto expected = bundle.input.find(key);
    if (expected == bundle.input.end() || !IsComparable(key, value) || *expected == value) continue;
    return InvalidArgument("the network of " + bundle.folder + " was trained with " + key + " " +
                           CanonicalJson(*expected) + ", the data has " + CanonicalJson(value));
  }
  if (dataset.class_names() == bundle.class_names) return OkStatus();
  return InvalidArgument("the network of " + bundle.folder + " tells the classes " +
                         CanonicalJson(bundle.class_names) + ", the data has " +
                         CanonicalJson(dataset.class_names()));
}

Result<std::shared_ptr<supernet::Network>> LoadFloat(const Bundle& bundle, int64_t in_channels,
                                                     const supernet::SupernetRegistry& supernets) {
  const auto kind = bundle.supernet.find("kind");
  if (kind == bundle.supernet.end() || !kind->is_string()) {
    return InvalidArgument(bundle.folder + ": /supernet/kind: missing");
  }
  VOXBIT_ASSIGN_OR_RETURN(const auto make, supernets.Find(kind->get<std::string>()));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet,
                          make(bundle.supernet, bundle.folder + ": /supernet", in_channels,
                               static_cast<int64_t>(bundle.class_names.size()), /*seed=*/0));
  const search::SearchSpace& space = supernet->spec().space();
  if (space.digest() != bundle.space_digest) {
    return FailedPrecondition(bundle.folder + ": exported for the search space " +
                                  bundle.space_digest + ", which is " + space.digest() +
                                  " in this version",
                              "SPACE_MISMATCH");
  }
  VOXBIT_RETURN_IF_ERROR(
      space.Validate(bundle.candidate).Annotate(bundle.folder + ": /candidate/choices"));
  auto net = supernet->Standalone(bundle.candidate);
  VOXBIT_RETURN_IF_ERROR(LoadWeights(bundle.weights_path(), *net));
  return net;
}

Result<std::shared_ptr<supernet::Network>> LoadNetwork(
    const Bundle& bundle, int64_t in_channels, const supernet::SupernetRegistry& supernets) {
  if (!bundle.is_packed()) return LoadFloat(bundle, in_channels, supernets);
  VOXBIT_ASSIGN_OR_RETURN(const auto file, exporter::PackedFile::Read(bundle.weights_path()));
  auto net = exporter::LoadPacked(file, supernets);
  if (!net.ok()) return net.status().Annotate(bundle.weights_path());
  return net;
}

// A batch with what it was made of.
struct Group {
  std::vector<int64_t> index;
  std::vector<data::Scan> scans;
  std::vector<data::PreparedScan> prepared;
};

// Gives the points that have no class, -1, that of the nearest point that has one.
void FillFromNearest(const data::Scan& scan, std::vector<int32_t>& classes) {
  std::vector<float> known;
  std::vector<int32_t> known_class;
  std::vector<float> queries;
  std::vector<size_t> open;
  for (size_t i = 0; i < classes.size(); ++i) {
    std::vector<float>& xyz = classes[i] < 0 ? queries : known;
    xyz.insert(xyz.end(), &scan.points[4 * i], &scan.points[4 * i] + 3);
    if (classes[i] < 0) {
      open.push_back(i);
    } else {
      known_class.push_back(classes[i]);
    }
  }
  if (open.empty()) return;
  const kernels::PointTree tree(known.data(), static_cast<int64_t>(known_class.size()));
  std::vector<int64_t> nearest(open.size());
  kernels::KnnKernelsFor(kernels::ActiveIsa())
      .nearest(tree.view(), queries.data(), /*k=*/1, 0, static_cast<int64_t>(open.size()),
               nearest.data(), nullptr);
  for (size_t i = 0; i < open.size(); ++i) {
    classes[open[i]] = known_class[static_cast<size_t>(nearest[i])];
  }
}

class Run {
 public:
  Run(supernet::Network& net, const data::Dataset& dataset, data::Split split,
      const at::Device& device, const PredictCalls& calls)
      : net_(net),
        dataset_(dataset),
        split_(split),
        device_(device),
        calls_(calls),
        meter_(train::MakeMeter(dataset)) {}

  Status All(int64_t batch) {
    const int64_t size = dataset_.size(split_);
    for (int64_t begin = 0; begin < size; begin += batch) {
      if (calls_.stop.stop_requested()) return Cancelled("asked to stop");
      Group group;
      for (int64_t i = begin; i < std::min(size, begin + batch); ++i) {
        const Status added = Add(i, group);
        if (!added.ok()) VOXBIT_RETURN_IF_ERROR(Fail(i, added));
      }
      if (!group.index.empty()) VOXBIT_RETURN_IF_ERROR(Tell(group));
    }
    return OkStatus();
  }

  Result<std::vector<search::Measurement>> Scores() const {
    if (!has_truth_) return std::vector<search::Measurement>();
    return meter_->Finish();
  }

 private:
  Status Fail(int64_t index, const Status& status) {
    if (!calls_.failed) return status;
    calls_.failed(index, status);
    return OkStatus();
  }

  // Where a group cannot be told, each of its scans is tried alone: one that the network cannot
  // take does not take the others along.
  Status Tell(const Group& group) {
    const Result<std::vector<Prediction>> predictions = Forward(group);
    if (predictions.ok()) {
      for (const Prediction& prediction : *predictions) {
        VOXBIT_RETURN_IF_ERROR(calls_.done(prediction));
      }
      return OkStatus();
    }
    if (group.index.size() == 1) return Fail(group.index.front(), predictions.status());
    for (size_t i = 0; i < group.index.size(); ++i) {
      VOXBIT_RETURN_IF_ERROR(Tell({{group.index[i]}, {group.scans[i]}, {group.prepared[i]}}));
    }
    return OkStatus();
  }

  Status Add(int64_t index, Group& group) const {
    VOXBIT_ASSIGN_OR_RETURN(data::Scan scan, dataset_.Load(split_, index));
    VOXBIT_ASSIGN_OR_RETURN(data::PreparedScan prepared,
                            dataset_.Prepare(scan, /*augment=*/nullptr));
    group.index.push_back(index);
    group.scans.push_back(std::move(scan));
    group.prepared.push_back(std::move(prepared));
    return OkStatus();
  }

  Result<std::vector<Prediction>> Forward(const Group& group) {
    VOXBIT_ASSIGN_OR_RETURN(const train::Batch batch,
                            train::Collate(group.prepared, train::BatchUse::kEvaluation, device_));
    const at::Tensor logits = net_.Forward(batch.input);
    VOXBIT_RETURN_IF_ERROR(train::CheckRows(logits, batch));
    if (!at::isfinite(logits).all().item<bool>()) {
      return Infeasible(group.scans.front().origin() + ": a logit is no finite number");
    }
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<int64_t> classes,
                            train::PredictPoints(dataset_, logits, batch));
    VOXBIT_RETURN_IF_ERROR(meter_->AddPredictions(classes, batch));
    has_truth_ = has_truth_ || std::any_of(batch.point_labels.begin(), batch.point_labels.end(),
                                           [](int32_t l) { return l != data::kIgnoredLabel; });
    if (dataset_.traits().scoring == data::Scoring::kObjects)
      return Objects(group, logits, classes);
    std::vector<Prediction> predictions;
    size_t first = 0;
    for (size_t s = 0; s < group.index.size(); ++s) {
      predictions.push_back(Points(group, s, &classes[first]));
      first += group.prepared[s].inverse.size();
    }
    return predictions;
  }

  // `classes` are those of the points that the network was given.
  Prediction Points(const Group& group, size_t s, const int64_t* classes) const {
    const data::Scan& scan = group.scans[s];
    const data::PreparedScan& prepared = group.prepared[s];
    Prediction prediction{group.index[s], scan.name, {}, {}};
    prediction.classes.assign(static_cast<size_t>(scan.num_points()), -1);
    for (size_t i = 0; i < prepared.inverse.size(); ++i) {
      const size_t place =
          prepared.point_index.empty() ? i : static_cast<size_t>(prepared.point_index[i]);
      prediction.classes[place] = static_cast<int32_t>(classes[i]);
    }
    if (dataset_.traits().scoring == data::Scoring::kParts) {
      FillFromNearest(scan, prediction.classes);
    }
    return prediction;
  }

  static std::vector<Prediction> Objects(const Group& group, const at::Tensor& logits,
                                         const std::vector<int64_t>& classes) {
    const at::Tensor shares = logits.softmax(1).to(at::kCPU).contiguous();
    const auto num_classes = shares.size(1);
    std::vector<Prediction> predictions;
    for (size_t s = 0; s < group.index.size(); ++s) {
      const float* row = shares.data_ptr<float>() + static_cast<int64_t>(s) * num_classes;
      predictions.push_back({group.index[s],
                             group.scans[s].name,
                             {static_cast<int32_t>(classes[s])},
                             std::vector<float>(row, row + num_classes)});
    }
    return predictions;
  }

  supernet::Network& net_;
  const data::Dataset& dataset_;
  const data::Split split_;
  const at::Device device_;
  const PredictCalls& calls_;
  const std::unique_ptr<train::Meter> meter_;
  bool has_truth_ = false;
};

Result<std::vector<search::Measurement>> PredictWithTorch(const Bundle& bundle,
                                                          const data::Dataset& dataset,
                                                          data::Split split,
                                                          const PredictSettings& settings,
                                                          const PredictCalls& calls) {
  VOXBIT_RETURN_IF_ERROR(CheckDevice(settings.device));
  VOXBIT_RETURN_IF_ERROR(CheckContract(bundle, dataset));
  const ExecPlugins plugins = BuiltinExecPlugins();
  ExecContext context({.device = settings.device, .threads = settings.threads}, plugins);
  context.SetThreads(settings.threads);
  const at::NoGradGuard no_grad;
  VOXBIT_ASSIGN_OR_RETURN(const auto net,
                          LoadNetwork(bundle, dataset.num_features(), plugins.supernets));
  net->to(context.device());
  net->eval();
  Run run(*net, dataset, split, context.device(), calls);
  VOXBIT_RETURN_IF_ERROR(run.All(settings.batch));
  return run.Scores();
}

}  // namespace

Result<std::vector<search::Measurement>> Predict(const Bundle& bundle, const data::Dataset& dataset,
                                                 data::Split split, const PredictSettings& settings,
                                                 const PredictCalls& calls) {
  try {
    return PredictWithTorch(bundle, dataset, split, settings, calls);
  } catch (const c10::Error& error) {
    return Internal(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return Internal(error.what());
  }
}

}  // namespace voxbit::worker
