// Writes a candidate's own weights and a manifest that says how to use them.
#include <array>
#include <cstddef>
#include <ctime>
#include <vector>

#include "common/config.h"
#include "common/digest.h"
#include "common/files.h"
#include "search/domain/study.h"
#include "supernet/export/packed_network.h"
#include "supernet/export/tensor_io.h"
#include "supernet/kernels/kernel_map/kernel_map.h"
#include "supernet/nn/elastic.h"
#include "worker/exec/builtin.h"
#include "worker/exec/checkpoint.h"
#include "worker/train/bn_calibration.h"

namespace voxbit::worker {
namespace {

constexpr char kPackedFile[] = "weights.vxb";

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
Json WeightLayout(data::InputForm input) {
  Json layout = {
      {"linear",
       "weight [out, in], with dimensions of 1 behind them where it is a convolution over single "
       "points; bias [out]"},
      {"batch_norm",
       {{"eps", supernet::kBatchNormEps},
        {"text", "(x - running_mean) / sqrt(running_var + eps) * weight + bias, by channel"}}}};
  if (input == data::InputForm::kClouds) return layout;
  layout["kernel"] =
      "[offset, in, out], or [in, out] for a kernel of one offset; odd kernel volume: x is the "
      "fastest part of the offset, even: z is";
  layout["kernel_offsets"] = {{"8", OffsetRows(2)}, {"27", OffsetRows(3)}};
  layout["kernel_offsets_text"] =
      "by kernel volume: (x, y, z) for each offset index, times the tensor stride of the finer "
      "grid. Output voxel q of a convolution takes input voxel q + offset; a transposed one takes "
      "the same pairs the other way round";
  return layout;
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
  train::EvaluationSet& scans = dataset.Calibration(task.evaluate.calibration_scans);
  VOXBIT_RETURN_IF_ERROR(train::CalibrateRanges(net, scans, call.stop));
  VOXBIT_RETURN_IF_ERROR(train::CalibrateBatchNorm(net, scans, call.stop));
  return SaveWeights(net, {{"candidate", search::Encode(call.spec.candidate)},
                           {"space_digest", call.spec.space_digest},
                           {"supernet_checkpoint", call.spec.checkpoint},
                           {"dataset_digest", dataset.digest()}});
}

// A quantized candidate in its packed form.
struct Packed {
  std::string bytes;
  Json manifest;  // the file's own entry
};

// Packs `net` and gives it the values of its packed form, so that every file of the bundle holds
// the same network.
Result<Packed> Pack(const TaskCall& call, const OpenedDataset& dataset,
                    const search::SupernetSpec& spec, supernet::Network& net) {
  const exporter::PackedIdentity identity{spec.config(), spec.space().digest(), call.spec.candidate,
                                          dataset.in_channels(), dataset.dataset().num_classes()};
  Packed packed;
  VOXBIT_ASSIGN_OR_RETURN(packed.bytes, exporter::PackNetwork(net, identity));
  VOXBIT_ASSIGN_OR_RETURN(const auto file, exporter::PackedFile::Parse(packed.bytes));
  VOXBIT_RETURN_IF_ERROR(exporter::LoadPackedTensors(file, net));
  int64_t promised = 0;
  for (const auto& row :
       spec.Expand(identity.candidate, identity.in_channels, identity.num_classes)) {
    promised += row.StoredBytes();
  }
  packed.manifest = {{"file", kPackedFile},
                     {"format", "docs/packed_format.md"},
                     {"version", exporter::kPackedVersion},
                     {"sha256", Sha256Hex(packed.bytes)},
                     {"bytes", packed.bytes.size()},
                     {"size_bytes", promised},
                     {"size_bytes_text", "bytes as the cost model has them: tensors alone"}};
  return packed;
}

// The same weights file with the values that `net` has now.
Result<std::string> WithValuesOf(const supernet::Network& net, std::string weights) {
  VOXBIT_ASSIGN_OR_RETURN(const auto file, exporter::Safetensors::Parse(std::move(weights)));
  return exporter::Serialize(net.NamedTensors(), file.metadata());
}

}  // namespace

Result<search::TaskResult> RunExport(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(ExportTask task, TaskFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto supernet, context.Supernet(call, *dataset));
  const auto net = supernet->Standalone(call.spec.candidate);
  VOXBIT_ASSIGN_OR_RETURN(std::string weights, Weights(call, task, *dataset, *net));
  const bool is_quantized = supernet->spec().config().contains("quantization");
  Packed packed;
  if (is_quantized) {
    VOXBIT_ASSIGN_OR_RETURN(packed, Pack(call, *dataset, supernet->spec(), *net));
    VOXBIT_ASSIGN_OR_RETURN(weights, WithValuesOf(*net, std::move(weights)));
  }

  Json manifest = std::move(task.manifest);
  manifest["input"] = dataset->dataset().InputContract();
  manifest["output"] = dataset->dataset().OutputContract();
  manifest["weights"] = {{"file", "weights.safetensors"},
                         {"sha256", Sha256Hex(weights)},
                         {"bytes", weights.size()},
                         {"parameters", net->CountParameters()},
                         {"source", task.weights.empty() ? "supernet" : "finetune"},
                         {"layout", WeightLayout(dataset->dataset().traits().input)},
                         {"tensors", TensorTable(*net)}};
  manifest["dataset"] = dataset->dataset().Describe();
  manifest["dataset_digest"] = dataset->digest();
  const int64_t now_ms = context.Run(call, "export").clock.NowMs();
  manifest["provenance"]["version"] = context.settings().version;
  manifest["provenance"]["exported_unix_ms"] = now_ms;
  manifest["provenance"]["exported_utc"] = UtcText(now_ms);
  if (task.weights.empty()) {
    manifest["weights"]["batch_norm_calibration_scans"] =
        dataset->Calibration(task.evaluate.calibration_scans).num_scans();
  }
  search::TaskResult result;
  if (is_quantized) {
    manifest["weights"]["values"] = "quantized: those of the packed file, in float32";
    manifest["packed"] = std::move(packed.manifest);
    VOXBIT_ASSIGN_OR_RETURN(result.artifacts[kPackedFile], call.artifacts.Put(packed.bytes));
  }
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["weights.safetensors"], call.artifacts.Put(weights));
  VOXBIT_ASSIGN_OR_RETURN(result.artifacts["manifest.json"],
                          call.artifacts.Put(manifest.dump(2) + "\n"));
  return result;
}

}  // namespace voxbit::worker
