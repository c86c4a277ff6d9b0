#include "worker/train/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "common/rng.h"
#include "supernet/nn/elastic.h"
#include "supernet/nn/loss.h"
#include "worker/train/candidate_sampler.h"
#include "worker/train/class_weights.h"
#include "worker/train/loader.h"
#include "worker/train/schedule.h"

namespace voxbit::train {
namespace {

// A weight or a running statistic that is not finite need not show in the loss (a maximum with 0 or
// a scale of 0 may hide it), so they are looked at as well, now and then and at the end.
constexpr int64_t kStepsBetweenChecks = 50;

// Chooses what the next forward pass runs; returns its name for error messages.
using SelectStep = std::function<std::string(int64_t step)>;

// Leaves parameters without a gradient, not with a zero one: the optimiser then skips those that
// the step's candidate does not use.
void DropGradients(supernet::Network& net) {
  for (const at::Tensor& parameter : net.parameters()) parameter.mutable_grad().reset();
}

std::unique_ptr<torch::optim::Optimizer> MakeOptimizer(std::vector<at::Tensor> parameters,
                                                       const search::TrainSettings& settings) {
  if (settings.optimizer == "adam") {
    return std::make_unique<torch::optim::Adam>(
        std::move(parameters),
        torch::optim::AdamOptions(settings.lr).weight_decay(settings.weight_decay));
  }
  VOXBIT_CHECK(settings.optimizer == "sgd", "the settings were checked when they were read");
  return std::make_unique<torch::optim::SGD>(std::move(parameters),
                                             torch::optim::SGDOptions(settings.lr)
                                                 .momentum(settings.momentum)
                                                 .nesterov(settings.momentum > 0)
                                                 .weight_decay(settings.weight_decay));
}

class Training {
 public:
  Training(supernet::Network& net, const search::TrainSettings& settings, uint64_t seed,
           const std::vector<float>& class_weights, const RunContext& run,
           const Distillation* distillation)
      : net_(net),
        settings_(settings),
        seed_(seed),
        run_(run),
        distillation_(distillation),
        optimizer_(MakeOptimizer(net.parameters(), settings)) {
    if (!class_weights.empty()) {
      class_weights_ = torch::tensor(class_weights, at::kFloat).to(run.device);
    }
  }

  Result<TrainReport> Run(BatchQueue& batches, const SelectStep& select) {
    const int64_t start_ms = run_.clock.MonotonicMs();
    const auto elapsed_s = [&] {
      return static_cast<double>(run_.clock.MonotonicMs() - start_ms) / 1000;
    };
    TrainReport report;
    double tail_sum = 0;
    int64_t tail_steps = 0;
    for (int64_t step = 0; step < settings_.steps; ++step) {
      VOXBIT_ASSIGN_OR_RETURN(const Batch batch, batches.Next(run_.stop));
      const std::string name = select(step);
      double loss = std::nan("");
      if (batch.num_labelled > 0) {
        VOXBIT_ASSIGN_OR_RETURN(const std::optional<double> value, StepUnlessSingle(batch, step));
        if (value && !std::isfinite(*value)) return NotFinite("the loss", step, name);
        if (value) loss = *value;
        if (!value) ++report.single_row_steps;
      } else {
        ++report.skipped_steps;
      }
      ++report.steps;
      if (std::isfinite(loss) && 10 * (step + 1) > 9 * settings_.steps) {
        tail_sum += loss;
        ++tail_steps;
      }
      if (run_.progress) {
        const auto done = static_cast<double>(report.steps);
        const auto left = static_cast<double>(settings_.steps - report.steps);
        run_.progress({report.steps, settings_.steps, loss, elapsed_s() / done * left});
      }
      const bool look = report.steps % kStepsBetweenChecks == 0 || report.steps == settings_.steps;
      if (look && !StateFinite()) {
        return NotFinite("a weight or a running statistic", step, name);
      }
    }
    WarnOfLeftOut(report);
    if (tail_steps > 0) report.final_loss = tail_sum / static_cast<double>(tail_steps);
    report.seconds = elapsed_s();
    return report;
  }

 private:
  // Step, or nothing at all where a batch norm sees a single row. Every sample of a batch keeps a
  // row of its own at each level (Collate wants one, and no level mixes samples), so that only the
  // statistics of a sample alone may have to be put back.
  Result<std::optional<double>> StepUnlessSingle(const Batch& batch, int64_t step) {
    std::optional<supernet::BatchNormState> before;
    if (batch.input.num_samples == 1) before = net_.SaveBatchNorm();
    try {
      VOXBIT_ASSIGN_OR_RETURN(const double loss, Step(batch, step));
      return std::optional<double>(loss);
    } catch (const supernet::SingleRowError&) {
      if (!before.has_value()) throw;
      net_.RestoreBatchNorm(*before);
      return std::optional<double>();
    }
  }

  // One descent step; returns the loss before it.
  Result<double> Step(const Batch& batch, int64_t step) {
    // Dropout draws from torch's default generator.
    torch::manual_seed(Rng(seed_).Fork("torch", static_cast<uint64_t>(step)).seed());
    DropGradients(net_);
    const at::Tensor logits = net_.Forward(batch.input);
    VOXBIT_RETURN_IF_ERROR(CheckRows(logits, batch));
    at::Tensor loss = supernet::CrossEntropy(logits, batch.labels,
                                             {.smoothing = settings_.label_smoothing,
                                              .class_weights = class_weights_,
                                              .ignored = data::kIgnoredLabel});
    if (distillation_ != nullptr) loss = loss + Distilled(logits, batch);
    const auto value = loss.item<double>();
    if (!std::isfinite(value)) return value;
    loss.backward();
    const double lr = LearningRate(settings_.lr, settings_.warmup_steps, settings_.steps, step);
    for (auto& group : optimizer_->param_groups()) group.options().set_lr(lr);
    optimizer_->step();
    net_.AfterStep();
    return value;
  }

  at::Tensor Distilled(const at::Tensor& logits, const Batch& batch) const {
    at::Tensor wanted;
    {
      const at::NoGradGuard no_grad;
      wanted = distillation_->teacher.Forward(batch.input);
    }
    return DistillationLoss(logits, wanted, *distillation_);
  }

  // Says it when batches were left out because of a single row.
  static void WarnOfLeftOut(const TrainReport& report) {
    if (report.single_row_steps == 0) return;
    const std::string what =
        "in " + std::to_string(report.single_row_steps) + " of " + std::to_string(report.steps) +
        " training batches a batch norm sees a single row (a scan so small that one voxel is left "
        "at the deepest level, or an object alone in its batch), which cannot be learned from";
    log::Warning("training batches were left out",
                 {{"why", what + "; a larger train.batch is needed, or smaller voxels"}});
  }

  bool StateFinite() const {
    const at::NoGradGuard no_grad;
    const auto finite = [](const at::Tensor& tensor) {
      return at::isfinite(tensor).all().item<bool>();
    };
    const auto parameters = net_.parameters();
    const auto buffers = net_.buffers();
    return std::all_of(parameters.begin(), parameters.end(), finite) &&
           std::all_of(buffers.begin(), buffers.end(), finite);
  }

  static Status NotFinite(const std::string& what, int64_t step, const std::string& name) {
    return Infeasible(what + " is no finite number at training step " + std::to_string(step) +
                      " with " + name + "; a smaller learning rate may help");
  }

  supernet::Network& net_;
  const search::TrainSettings& settings_;
  const uint64_t seed_;
  const RunContext& run_;
  const Distillation* const distillation_;  // may be null
  at::Tensor class_weights_;
  const std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

Result<TrainReport> Train(supernet::Network& net, ScanSource& source,
                          const search::TrainSettings& settings, uint64_t seed,
                          const RunContext& run, const SelectStep& select,
                          const Distillation* distillation = nullptr) {
  VOXBIT_ASSIGN_OR_RETURN(const std::vector<float> weights,
                          ClassWeights(settings.class_weights, source, run.stop));
  const auto batches = TrainingBatches(source, settings.steps, settings.batch, seed, run.device);
  const at::AutoGradMode with_gradients(true);
  net.train();
  Training training(net, settings, seed, weights, run, distillation);
  Result<TrainReport> report = training.Run(*batches, select);
  DropGradients(net);
  net.eval();
  return report;
}

}  // namespace

at::Tensor DistillationLoss(const at::Tensor& student, const at::Tensor& teacher,
                            const Distillation& distillation) {
  const double temperature = distillation.temperature;
  const at::Tensor soft = student / temperature;
  const at::Tensor wanted = teacher.detach() / temperature;
  if (distillation.loss == "mse") return distillation.weight * at::mse_loss(soft, wanted);
  VOXBIT_CHECK(distillation.loss == "kl", "the settings were checked when they were read");
  const at::Tensor log_student = at::log_softmax(soft, 1);
  const at::Tensor log_wanted = at::log_softmax(wanted, 1);
  const at::Tensor divergence = (log_wanted.exp() * (log_wanted - log_student)).sum(1).mean();
  return distillation.weight * temperature * temperature * divergence;
}

Result<TrainReport> TrainSupernet(supernet::Supernet& net, ScanSource& source,
                                  const search::TrainSettings& settings, uint64_t seed,
                                  const RunContext& run) {
  const CandidateSampler sampler(net.spec().space(), settings.sampling, settings.progressive_depth,
                                 settings.steps, seed);
  return Train(net, source, settings, seed, run, [&](int64_t step) {
    const search::Candidate candidate = sampler.At(step);
    net.Select(candidate);
    return "candidate " + search::Encode(candidate);
  });
}

Result<TrainReport> TrainNetwork(supernet::Network& net, const std::string& name,
                                 ScanSource& source, const search::TrainSettings& settings,
                                 uint64_t seed, const RunContext& run,
                                 const Distillation* distillation) {
  if (distillation != nullptr) distillation->teacher.eval();
  return Train(
      net, source, settings, seed, run, [&](int64_t) { return name; }, distillation);
}

}  // namespace voxbit::train
