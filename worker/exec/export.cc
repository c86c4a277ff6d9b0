// Writes a candidate's own weights and a manifest that says how to use them.
#include "common/config.h"
#include "common/digest.h"
#include "common/files.h"
#include "search/domain/study.h"
#include "worker/exec/builtin.h"
#include "worker/exec/checkpoint.h"
#include "worker/train/bn_calibration.h"

namespace voxbit::worker {
namespace {

struct ExportTask {
  Json manifest = Json::object();  // prepared by the server
  std::string weights;             // SHA-256 of fine-tuned weights; "": the supernet's
  search::EvaluateSettings evaluate;
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
              "calibration of weights that come from the supernet");
  return fields;
}

Json InputContract(const data::Dataset& dataset) {
  const data::LidarSettings& settings = dataset.settings();
  return {{"tensors", Json::array({{{"name", "coords"},
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
          {"intensity_scale", settings.intensity_scale},
          {"center", settings.center},
          {"drop_origin", settings.drop_origin}};
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
                         {"tensors", TensorTable(*net)}};
  manifest["dataset_digest"] = dataset->digest();
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
