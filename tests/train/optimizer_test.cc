// The trainer's steps against the same recipe written out: one gradient a step, from that step's
// batch alone. Gradients that add up over steps would show at the second step.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/train/train_fixture.h"
#include "worker/train/schedule.h"

namespace voxbit::train {
namespace {

constexpr int64_t kSteps = 5;
constexpr uint64_t kSeed = 3;

search::TrainSettings Recipe(const std::string& optimizer) {
  search::TrainSettings settings;
  settings.optimizer = optimizer;
  settings.steps = kSteps;
  settings.batch = 4;
  settings.lr = 0.05;
  settings.momentum = 0;
  settings.weight_decay = 0.01;
  return settings;
}

// What one optimiser does to one parameter, `step` counted from 1.
using Update = std::function<void(size_t parameter, at::Tensor& value, const at::Tensor& gradient,
                                  double lr, int64_t step)>;

std::vector<at::Tensor> ByHand(const search::TrainSettings& settings, const Update& update) {
  const auto source = OpenClouds(data::Scoring::kParts);
  const auto net = MakeCloudNet(*source);
  std::vector<at::Tensor> parameters = net->parameters();
  const auto batches =
      TrainingBatches(*source, kSteps, settings.batch, kSeed, at::Device(at::kCPU));
  for (int64_t step = 0; step < kSteps; ++step) {
    const Batch batch = batches->Next({}).value();
    const at::Tensor loss =
        torch::nn::functional::cross_entropy(net->Forward(batch.input), batch.labels);
    const auto gradients = torch::autograd::grad({loss}, parameters);
    const at::NoGradGuard no_grad;
    const double lr = LearningRate(settings.lr, 0, kSteps, step);
    for (size_t p = 0; p < parameters.size(); ++p) {
      update(p, parameters[p], gradients[p] + settings.weight_decay * parameters[p], lr, step + 1);
    }
  }
  return parameters;
}

std::vector<at::Tensor> ByTrainer(const search::TrainSettings& settings) {
  const auto source = OpenClouds(data::Scoring::kParts);
  const auto net = MakeCloudNet(*source);
  const auto report = TrainNetwork(*net, "a network", *source, settings, kSeed, OnCpu());
  EXPECT_TRUE(report.ok()) << report.status();
  return net->parameters();
}

void ExpectClose(const std::vector<at::Tensor>& ours, const std::vector<at::Tensor>& expected) {
  ASSERT_EQ(ours.size(), expected.size());
  for (size_t p = 0; p < ours.size(); ++p) {
    // Rounding of float32, in another order of operations.
    EXPECT_TRUE(at::allclose(ours[p], expected[p], 1e-4, 1e-6))
        << "parameter " << p << " is off by " << (ours[p] - expected[p]).abs().max().item<double>();
  }
}

TEST(OptimizerTest, SgdDescendsOnTheGradientOfTheStepAlone) {
  const search::TrainSettings settings = Recipe("sgd");
  ExpectClose(ByTrainer(settings),
              ByHand(settings, [](size_t, at::Tensor& value, const at::Tensor& gradient, double lr,
                                  int64_t) { value -= lr * gradient; }));
}

TEST(OptimizerTest, AdamHasThePublishedMomentsAndAddsTheDecayToTheGradient) {
  const search::TrainSettings settings = Recipe("adam");
  std::vector<at::Tensor> first(4);
  std::vector<at::Tensor> second(4);
  const auto update = [&](size_t p, at::Tensor& value, const at::Tensor& gradient, double lr,
                          int64_t step) {
    if (!first[p].defined()) {
      first[p] = at::zeros_like(value);
      second[p] = at::zeros_like(value);
    }
    first[p] = 0.9 * first[p] + 0.1 * gradient;
    second[p] = 0.999 * second[p] + 0.001 * gradient * gradient;
    const auto t = static_cast<double>(step);
    const at::Tensor mean = first[p] / (1 - std::pow(0.9, t));
    const at::Tensor scale = (second[p] / (1 - std::pow(0.999, t))).sqrt() + 1e-8;
    value -= lr * mean / scale;
  };
  ExpectClose(ByTrainer(settings), ByHand(settings, update));
}

}  // namespace
}  // namespace voxbit::train
