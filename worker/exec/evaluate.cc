// Scores a candidate on a whole split: with the supernet's weights, or after a short training.
#include <torch/torch.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/rng.h"
#include "supernet/nn/elastic_layer.h"
#include "worker/exec/builtin.h"
#include "worker/exec/standalone.h"

namespace voxbit::worker {
namespace {

// {layer: {bits: mean squared error of its weight}} of the quantized layers of a candidate.
Json WeightErrors(const supernet::Supernet& net, const search::Candidate& candidate,
                  const OpenedDataset& dataset) {
  Json errors = Json::object();
  const auto table =
      net.spec().Expand(candidate, dataset.in_channels(), dataset.dataset().num_classes());
  const bool is_quantized = std::any_of(table.begin(), table.end(), [](const auto& layer) {
    return layer.weight_bits < search::LayerSpec().weight_bits;
  });
  if (!is_quantized) return errors;
  const auto alone = net.Standalone(candidate);
  const auto modules = alone->named_modules("", /*include_self=*/false);
  for (const search::LayerSpec& layer : table) {
    if (layer.weight_bits == search::LayerSpec().weight_bits) continue;
    const std::string& weight = layer.tensors.front();
    auto* module = modules[weight.substr(0, weight.rfind('.'))]->as<supernet::ElasticLayer>();
    VOXBIT_CHECK(module != nullptr, "a quantized layer that is no elastic one");
    errors[layer.name][std::to_string(layer.weight_bits)] = module->WeightError();
  }
  return errors;
}

// The candidate with the supernet's weights, as they are.
Result<train::Evaluation> ScoreInherited(ExecContext& context, const TaskCall& call,
                                         OpenedDataset& dataset, supernet::Supernet& net,
                                         const search::EvaluateSettings& settings) {
  VOXBIT_ASSIGN_OR_RETURN(train::EvaluationSet * scored,
                          dataset.Whole(settings.split, settings.batch));
  return train::EvaluateCandidate(net, call.spec.candidate,
                                  dataset.Calibration(settings.calibration_scans), *scored,
                                  context.Run(call, "evaluate"));
}

// The candidate after a short training of its own: an episode of HAQ.
Result<train::Evaluation> ScoreFinetuned(ExecContext& context, const TaskCall& call,
                                         OpenedDataset& dataset, const supernet::Supernet& supernet,
                                         const CandidateTask& task) {
  VOXBIT_ASSIGN_OR_RETURN(const auto net, BeginStandalone(call, dataset, task.evaluate, supernet));
  VOXBIT_ASSIGN_OR_RETURN(
      [[maybe_unused]] const train::TrainReport report,
      train::TrainNetwork(*net, "candidate " + search::Encode(call.spec.candidate),
                          dataset.source(), FinetuneRecipe(task, task.evaluate.finetune_steps),
                          Rng(call.spec.seed).Fork("episode").seed(),
                          context.Run(call, "finetune")));
  return ScoreStandalone(context, call, dataset, task.evaluate, *net);
}

}  // namespace

Result<search::TaskResult> RunEvaluate(ExecContext& context, const TaskCall& call) {
  VOXBIT_ASSIGN_OR_RETURN(const CandidateTask task,
                          CandidateTaskFields().Parse(call.spec.settings, "/settings"));
  VOXBIT_ASSIGN_OR_RETURN(const auto dataset, context.Dataset(call.spec));
  VOXBIT_ASSIGN_OR_RETURN(const auto net, context.Supernet(call, *dataset));
  VOXBIT_ASSIGN_OR_RETURN(const train::Evaluation evaluation,
                          task.evaluate.finetune_steps > 0
                              ? ScoreFinetuned(context, call, *dataset, *net, task)
                              : ScoreInherited(context, call, *dataset, *net, task.evaluate));
  search::TaskResult result;
  result.measurements = evaluation.measurements;
  if (task.quantization_error) {
    Json errors = WeightErrors(*net, call.spec.candidate, *dataset);
    if (!errors.empty()) {
      result.measurements.front().detail["quantization_error"] = std::move(errors);
    }
  }
  result.detail = {{"seconds", evaluation.seconds}, {"dataset_digest", dataset->digest()}};
  return result;
}

}  // namespace voxbit::worker
