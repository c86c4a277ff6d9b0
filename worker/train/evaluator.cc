#include "worker/train/evaluator.h"

#include <torch/torch.h>

#include <cmath>
#include <span>

#include "worker/train/bn_calibration.h"

namespace voxbit::train {
namespace {

Json ClassDetail(const Evaluation& evaluation, const std::vector<std::string>& class_names) {
  Json per_class = Json::object();
  for (size_t c = 0; c < class_names.size(); ++c) {
    const auto& iou = evaluation.scores.class_iou[c];
    per_class[class_names[c]] = iou.has_value() ? Json(*iou) : Json(nullptr);
  }
  return per_class;
}

// Classes of all points of a batch, [N].
std::vector<int64_t> PointPredictions(const at::Tensor& logits, const Batch& batch) {
  const at::Tensor classes = logits.argmax(1).to(at::kCPU).contiguous();
  const int64_t* of_voxel = classes.data_ptr<int64_t>();
  std::vector<int64_t> of_point;
  of_point.reserve(batch.inverse.size());
  for (const int64_t row : batch.inverse) of_point.push_back(of_voxel[row]);
  return of_point;
}

}  // namespace

Result<Evaluation> Evaluate(supernet::Network& net, EvaluationSet& scans, const RunContext& run) {
  const at::NoGradGuard no_grad;
  net.eval();
  const int64_t start_ms = run.clock.MonotonicMs();
  const auto elapsed_s = [&] {
    return static_cast<double>(run.clock.MonotonicMs() - start_ms) / 1000;
  };
  std::optional<ConfusionMatrix> confusion;
  Progress progress{.step = 0, .steps = scans.num_batches(), .loss = std::nan(""), .eta_s = 0};
  const auto score = [&](const Batch& batch) -> Status {
    const at::Tensor logits = net.Forward(batch.input);
    if (!at::isfinite(logits).all().item<bool>()) {
      return Infeasible("a logit is no finite number for scan " + batch.names.front());
    }
    if (!confusion) confusion.emplace(logits.size(1));
    VOXBIT_RETURN_IF_ERROR(confusion->Add(PointPredictions(logits, batch), batch.point_labels));
    ++progress.step;
    progress.eta_s = elapsed_s() / static_cast<double>(progress.step) *
                     static_cast<double>(progress.steps - progress.step);
    if (run.progress) run.progress(progress);
    return OkStatus();
  };
  VOXBIT_RETURN_IF_ERROR(scans.ForEach(score, run.stop));
  Evaluation evaluation;
  VOXBIT_ASSIGN_OR_RETURN(evaluation.scores, confusion->Scores());
  evaluation.num_scans = scans.num_scans();
  evaluation.seconds = elapsed_s();
  return evaluation;
}

Result<Evaluation> EvaluateCandidate(supernet::Supernet& net, const search::Candidate& candidate,
                                     EvaluationSet& calibration, EvaluationSet& scans,
                                     const RunContext& run) {
  const BatchNormGuard guard(net);
  net.Select(candidate);
  VOXBIT_RETURN_IF_ERROR(CalibrateBatchNorm(net, calibration, run.stop));
  return Evaluate(net, scans, run);
}

std::vector<search::Measurement> ToMeasurements(const Evaluation& evaluation,
                                                const std::vector<std::string>& class_names) {
  const SegmentationScores& scores = evaluation.scores;
  search::Measurement miou;
  miou.metric = "miou";
  miou.value = scores.miou;
  miou.samples = evaluation.num_scans;
  miou.detail = {{"class_iou", ClassDetail(evaluation, class_names)},
                 {"points", scores.num_points},
                 {"points_predicted_absent", scores.num_predicted_absent},
                 {"scans", evaluation.num_scans}};
  search::Measurement accuracy;
  accuracy.metric = "accuracy";
  accuracy.value = scores.accuracy;
  accuracy.samples = evaluation.num_scans;
  accuracy.detail = {{"points", scores.num_points}, {"scans", evaluation.num_scans}};
  return {std::move(miou), std::move(accuracy)};
}

}  // namespace voxbit::train
