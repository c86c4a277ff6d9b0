#include "worker/train/evaluator.h"

#include <torch/torch.h>

#include <cmath>
#include <memory>

#include "worker/train/bn_calibration.h"
#include "worker/train/meters.h"

namespace voxbit::train {

Result<Evaluation> Evaluate(supernet::Network& net, EvaluationSet& scans, const RunContext& run) {
  const at::NoGradGuard no_grad;
  net.eval();
  const int64_t start_ms = run.clock.MonotonicMs();
  const auto elapsed_s = [&] {
    return static_cast<double>(run.clock.MonotonicMs() - start_ms) / 1000;
  };
  const std::unique_ptr<Meter> meter = MakeMeter(scans.dataset());
  Progress progress{.step = 0, .steps = scans.num_scans(), .loss = std::nan(""), .eta_s = 0};
  const auto score = [&](const Batch& batch) -> Status {
    const at::Tensor logits = net.Forward(batch.input);
    VOXBIT_RETURN_IF_ERROR(CheckRows(logits, batch));
    if (!at::isfinite(logits).all().item<bool>()) {
      return Infeasible("a logit is no finite number for scan " + batch.samples.front().name);
    }
    VOXBIT_RETURN_IF_ERROR(meter->Add(logits, batch));
    progress.step += static_cast<int64_t>(batch.samples.size());
    progress.eta_s = elapsed_s() / static_cast<double>(progress.step) *
                     static_cast<double>(progress.steps - progress.step);
    if (run.progress) run.progress(progress);
    return OkStatus();
  };
  VOXBIT_RETURN_IF_ERROR(scans.ForEach(score, run.stop));
  Evaluation evaluation;
  VOXBIT_ASSIGN_OR_RETURN(evaluation.measurements, meter->Finish());
  evaluation.seconds = elapsed_s();
  return evaluation;
}

Result<Evaluation> EvaluateCandidate(supernet::Supernet& net, const search::Candidate& candidate,
                                     EvaluationSet& calibration, EvaluationSet& scans,
                                     const RunContext& run) {
  const BatchNormGuard guard(net);
  net.Select(candidate);
  VOXBIT_RETURN_IF_ERROR(CalibrateRanges(net, calibration, run.stop));
  VOXBIT_RETURN_IF_ERROR(CalibrateBatchNorm(net, calibration, run.stop));
  return Evaluate(net, scans, run);
}

}  // namespace voxbit::train
