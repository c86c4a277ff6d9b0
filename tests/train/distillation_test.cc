// Learning from a teacher beside the labels.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "tests/train/train_fixture.h"
#include "worker/train/trainer.h"

namespace voxbit::train {
namespace {

class DistillationTest : public ::testing::Test {
 protected:
  Distillation From(const std::string& loss, double weight, double temperature) {
    return {*teacher_, loss, weight, temperature};
  }

  std::unique_ptr<ScanSource> source_ = OpenTiny();
  std::shared_ptr<supernet::Supernet> teacher_ = MakeTinyNet(*source_);
};

TEST_F(DistillationTest, MeanSquaredDifferenceIsThePublishedOne) {
  const at::Tensor student = torch::tensor({{1.0F, 2.0F}, {3.0F, 4.0F}});
  const at::Tensor teacher = torch::tensor({{1.0F, 0.0F}, {1.0F, 4.0F}});
  const auto loss = DistillationLoss(student, teacher, From("mse", 0.1, 1)).item<double>();
  EXPECT_NEAR(loss, 0.1 * (4 + 4) / 4, 1e-7);
  EXPECT_NEAR(DistillationLoss(student, teacher, From("mse", 0.1, 2)).item<double>(), loss / 4,
              1e-7);
}

TEST_F(DistillationTest, DivergenceIsThatOfTheSoftenedClasses) {
  const at::Tensor student = torch::tensor({{0.0F, 0.0F}});
  const at::Tensor teacher = torch::tensor({{0.0F, 2.0F}});
  const double p = 1 / (1 + std::exp(1.0));  // of class 0 at temperature 2
  const double divergence = p * std::log(p / 0.5) + (1 - p) * std::log((1 - p) / 0.5);
  EXPECT_NEAR(DistillationLoss(student, teacher, From("kl", 1, 2)).item<double>(), 4 * divergence,
              1e-6);
  EXPECT_NEAR(DistillationLoss(teacher, teacher, From("kl", 1, 2)).item<double>(), 0, 1e-7);
}

TEST_F(DistillationTest, TheTeacherGetsNoGradient) {
  for (const char* loss : {"mse", "kl"}) {
    const at::Tensor student = torch::zeros({3, 4}, torch::requires_grad());
    const at::Tensor teacher = torch::ones({3, 4}, torch::requires_grad());
    const at::Tensor uneven = teacher * torch::arange(4);
    DistillationLoss(student, uneven, From(loss, 1, 1)).backward();
    EXPECT_GT(student.grad().abs().max().item<double>(), 0) << loss;
    EXPECT_FALSE(teacher.grad().defined()) << loss;
  }
}

TEST_F(DistillationTest, PullsTheStudentTowardsTheTeacher) {
  const auto distance_after = [&](double weight) {
    const auto student = MakeTinyNet(*source_);
    search::TrainSettings settings;
    settings.steps = 6;
    settings.lr = 0.02;
    const Distillation distillation = From("mse", weight, 1);
    const auto report =
        TrainNetwork(*student, "the student", *source_, settings, 1, OnCpu(), &distillation);
    EXPECT_TRUE(report.ok()) << report.status();
    const auto set = WholeSplit(*source_, data::Split::kVal);
    const at::NoGradGuard no_grad;
    double distance = 0;
    EXPECT_TRUE(set->ForEach(
                       [&](const Batch& batch) {
                         distance +=
                             (student->Forward(batch.input) - teacher_->Forward(batch.input))
                                 .square()
                                 .mean()
                                 .item<double>();
                         return OkStatus();
                       },
                       {})
                    .ok());
    return distance;
  };
  EXPECT_LT(distance_after(10), distance_after(0));
}

}  // namespace
}  // namespace voxbit::train
