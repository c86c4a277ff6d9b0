// Writes a candidate's own weights and a manifest that says how to use them.
#include <array>
#include <cstddef>
#include <ctime>
#include <map>
#include <vector>

#include "common/config.h"
#include "common/digest.h"
#include "common/files.h"
#include "search/domain/study.h"
#include "supernet/kernels/kernel_map/kernel_map.h"
#include "supernet/nn/elastic.h"
#include "worker/exec/builtin.h"
#include "worker/exec/checkpoint.h"
#include "worker/train/bn_calibration.h"

namespace voxbit::worker {
namespace {

struct ExportTask {
  Json manifest = Json::object();  // prepared by the server
  std::string weights;             // SHA-256 of fine-tuned weights; "": the supernet's
  search::EvaluateSettings evaluate;
  int64_t earlier_failures = 0;
};

Fields<ExportTask> TaskFields() {
  Fields<ExportTask> fields;
  fields.Custom(
      "manifest", "object", "what the server knows of the candidate",
      [](const Json& found, const std::string& pointer, ExportTask& out) {
        if (!found.is_object()) return ExpectedError(pointer, "an object", found);
        out.manifest = found;
        return OkStatus();
      },
      [](const ExportTask& in) { return in.manifest; });
  fields.Required();
  fields
      .Text("weights", &ExportTask::weights, {},
            "SHA-256 of fine-tuned weights; empty: the supernet's")
      .Object("evaluate", &ExportTask::evaluate, search::EvaluateFields(),
              "calibration of weights that come from the supernet")
      .Int("earlier_failures", &ExportTask::earlier_failures, {.min = 0}, "exports",
           "how many equal exports failed before: what makes this one another task");
  return fields;
}

// How to compute each input channel of a voxel from the point that stands for it.
Json FeatureTexts(const data::LidarSettings& settings) {
  const std::map<std::string, std::string> texts = {
      {"x", "x of the point in metres, after centring if that is on"},
      {"y", "y of the point in metres, after centring if that is on"},
      {"z", "z of the point in metres, after centring if that is on"},
      {"intensity", "recorded intensity times intensity_scale"},
      {"height",
       "z minus the ground below the point, in metres. Ground: a horizontal grid of 2 m cells (a "
       "500th of the extent where that is more) from the smallest x and y; in each cell the lowest "
       "z after leaving out the lowest 2 % of its points; cells more than 0.3 m above the lower "
       "envelope of these heights, the highest surface below them that is nowhere steeper than "
       "15 %, are filled from those around them; bilinear between the centres of the cells. To the "
       "last digit: worker/data/ground.cc of the version named in provenance"},
      {"returns", "number of returns of the point's pulse, minus 1"},
      {"return_ratio",
       "number of the point's return, from 1, divided by the number of returns of its pulse"}};
  Json chosen = Json::object();
  for (const std::string& feature : settings.features) chosen[feature] = texts.at(feature);
  return chosen;
}

// Offsets of a cubic kernel in the order of its weights' first index, in units of the finer grid.
Json OffsetRows(int32_t edge) {
  const kernels::ConvGeometry geometry{.kernel = {edge, edge, edge}};
  std::vector<int32_t> offsets(static_cast<size_t>(3 * kernels::KernelVolume(geometry)));
  kernels::KernelOffsets(geometry, offsets.data());
  Json rows = Json::array();
  for (size_t k = 0; k < offsets.size(); k += 3) {
    rows.push_back({offsets[k], offsets[k + 1], offsets[k + 2]});
  }
  return rows;
}

// What the numbers in the weights file mean.
Json WeightLayout() {
  return {
      {"kernel",
       "[offset, in, out], or [in, out] for a kernel of one offset; odd kernel volume: x is "
       "the fastest part of the offset, even: z is"},
      {"kernel_offsets", {{"8", OffsetRows(2)}, {"27", OffsetRows(3)}}},
      {"kernel_offsets_text",
       "by kernel volume: (x, y, z) for each offset index, times the tensor stride of the finer "
       "grid. Output voxel q of a convolution takes input voxel q + offset; a transposed one "
       "takes the same pairs the other way round"},
      {"linear", "weight [out, in], bias [out]"},
      {"batch_norm",
       {{"eps", supernet::kBatchNormEps},
        {"text", "(x - running_mean) / sqrt(running_var + eps) * weight + bias, by channel"}}}};
}

// 2026-01-31T23:59:59Z
std::string UtcText(int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

Json InputContract(const data::Dataset& dataset) {
  const data::LidarSettings& settings = dataset.settings();
  return {
      {"tensors", Json::array({{{"name", "coords"},
                                {"dtype", "int32"},
                                {"shape", Json::array({"voxels", 4})},
                                {"layout", "x, y, z, batch; unique rows"}},
                               {{"name", "feats"},
                                {"dtype", "float32"},
                                {"shape", Json::array({"voxels", settings.num_features()})},
                                {"layout", "the features below, in their order"}}})},
      {"voxel_m", settings.voxel_m},
      {"coordinates",
       "round half to even of xyz / voxel_m in float32, minus the minimum of the scan; the "
       "first point of a voxel stands for it"},
      {"features", settings.features},
      {"feature_texts", FeatureTexts(settings)},
      {"intensity_scale", settings.intensity_scale},
      {"center", settings.center},
      {"center_text",
       "if true: from x and y their mean over the points of the scan is subtracted, from z the "
       "value at place floor(points / 100), counted from 0, of all z in ascending order; before "
       "anything else but drop_origin"},
      {"drop_origin", settings.drop_origin},
      {"drop_origin_text", "if true: points at exactly (0, 0, 0) are left out first"}};
}

Json OutputContract(const data::Dataset& dataset) {
  Json logits = {{"name", "logits"},
                 {"dtype", "float32"},
                 {"shape", Json::array({"voxels", dataset.num_classes()})}};
  return {{"tensors", Json::array({std::move(logits)})},
          {"class_names", dataset.class_names()},
          {"prediction", "the largest logit of a voxel is the class of all its points"}};
}

Json TensorTable(const supernet::Network& net) {
  Json rows = Json::array();
  for (const auto& [name, tensor] : net.NamedTensors()) {
    rows.push_back({{"name", name}, {"dtype", "float32"}, {"shape", tensor.sizes().vec()}});
  }
  return rows;
}

// Weights file of the candidate; `net` receives the same weights.
Result<std::string> Weights(const TaskCall& call, const ExportTask& task, OpenedDataset& dataset,
                            supernet::Network& net) {
  if (!task.weights.empty()) {
    VOXBIT_ASSIGN_OR_RETURN(const std::string path, call.artifacts.Fetch(task.weights));
    VOXBIT_RETURN_IF_ERROR(LoadWeights(path, net));
    return ReadFile(path);
  }
  VOXBIT_RETURN_IF_ERROR(train::CalibrateBatchNorm(
      net, dataset.Calibration(task.evaluate.calibration_scans, task.evaluate.batch), call.stop));
  return SaveWeights(net, {{"candidate", search::Encode(call.spec.candidate)},
                           {"space_digest", call.spec.space_digest},
                           {"supernet_checkpoint", call.spec.checkpoint},
                           {"dataset_digest", dataset.digest()}});
}

}  // namespace

Result<search::TaskResult> RunExport(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(ExportTask task, TaskFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  const auto net = supernet->Standalone(call.spec.candidate);
  VOXBIT_ASSIGN_OR_RETURN(const std::string weights, Weights(call, task, *dataset, *net));

  Json manifest = std::move(task.manifest);
  manifest["input"] = InputContract(dataset->dataset());
  manifest["output"] = OutputContract(dataset->dataset());
  manifest["weights"] = {{"file", "weights.safetensors"},
                         {"sha256", Sha256Hex(weights)},
                         {"bytes", weights.size()},
                         {"parameters", net->CountParameters()},
                         {"source", task.weights.empty() ? "supernet" : "finetune"},
                         {"layout", WeightLayout()},
                         {"tensors", TensorTable(*net)}};
  manifest["dataset"] = dataset->dataset().Describe();
  manifest["dataset_digest"] = dataset->digest();
  const int64_t now_ms = context.Run(call, "export").clock.NowMs();
  manifest["provenance"]["version"] = context.settings().version;
  manifest["provenance"]["exported_unix_ms"] = now_ms;
  manifest["provenance"]["exported_utc"] = UtcText(now_ms);
  if (task.weights.empty()) {
    manifest["weights"]["batch_norm_calibration_scans"] =
        dataset->Calibration(task.evaluate.calibration_scans, task.evaluate.batch).num_scans();
  }
  search::TaskResult result;
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["weights.safetensors"], call.artifacts.Put(weights));
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["manifest.json"],
                          call.artifacts.Put(manifest.dump(2) + "\n"));
  return result;
}

}  // namespace voxbit::worker
