// What is peculiar to one quantizer.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <string>

#include "supernet/quant/codebook.h"
#include "supernet/quant/quantizer.h"

namespace voxbit::quant {
namespace {

std::shared_ptr<Quantizer> Make(const std::string& name, const QuantizerSettings& settings) {
  QuantizerRegistry registry("quantizer");
  RegisterBuiltinQuantizers(registry);
  return registry.Find(name).value()(settings).value();
}

QuantizerSettings Weights(int64_t bits, int64_t channels = 0) {
  QuantizerSettings settings;
  settings.bits = bits;
  settings.channels = channels;
  return settings;
}

QuantizerSettings Activations(Role role, int64_t bits, bool trainable, double range) {
  QuantizerSettings settings;
  settings.role = role;
  settings.bits = bits;
  settings.trainable_range = trainable;
  settings.initial_range = range;
  return settings;
}

at::Tensor Normal(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

// ---- linear ----

TEST(LinearTest, LevelsAreMultiplesOfTheScaleWithTiesToEven) {
  const auto quantizer = Make("linear", Weights(3));
  // Range 3, scale 1.
  const at::Tensor x = at::tensor({3.0F, 0.5F, 1.5F, -0.5F, -1.5F, -2.6F, 0.2F});
  const at::Tensor expected = at::tensor({3.0F, 0.0F, 2.0F, 0.0F, -2.0F, -3.0F, 0.0F});
  EXPECT_TRUE(quantizer->Forward(x).equal(expected));
  const QuantizedTensor exported = quantizer->Export(x);
  EXPECT_TRUE(exported.codes.equal(at::tensor({6, 3, 5, 3, 1, 0, 3}, at::kInt)));
}

TEST(LinearTest, RangeStaysWhereTheFirstTensorPutIt) {
  const auto quantizer = Make("linear", Weights(4));
  quantizer->Forward(at::tensor({-1.0F, 0.5F}));
  const at::Tensor fake = quantizer->Forward(at::tensor({-4.0F, 4.0F}));
  EXPECT_TRUE(fake.equal(at::tensor({-1.0F, 1.0F})));
}

TEST(LinearTest, ChannelsHaveRangesOfTheirOwn) {
  const at::Tensor x = torch::tensor({{1.0F, -0.5F}, {100.0F, 30.0F}, {0.0F, 0.0F}});
  const at::Tensor fake = Make("linear", Weights(8, 3))->Forward(x);
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_TRUE(fake[row].equal(Make("linear", Weights(8))->Forward(x[row]))) << row;
  }
}

TEST(LinearTest, OneBitIsTheSignTimesTheMeanMagnitude) {
  const at::Tensor x = at::tensor({0.5F, -1.5F, 0.0F, 2.0F});
  const at::Tensor fake = Make("linear", Weights(1))->Forward(x);
  EXPECT_TRUE(fake.equal(at::tensor({1.0F, -1.0F, 1.0F, 1.0F})));
}

TEST(LinearTest, ClippedWeightsKeepTheirGradient) {
  const auto quantizer = Make("linear", Weights(4));
  quantizer->Forward(at::ones({3}));
  const at::Tensor x = at::tensor({-5.0F, 0.2F, 5.0F}).requires_grad_();
  quantizer->Forward(x).sum().backward();
  EXPECT_TRUE(x.grad().equal(at::ones({3})));
}

TEST(LinearTest, PublishedCalibrationClipsBelowFiveBits) {
  const at::Tensor x = Normal({4000}, 3);
  for (const int64_t bits : {2, 3, 4, 5, 8}) {
    const auto quantizer = Make("linear", Weights(bits));
    quantizer->Calibrate(x, Calibration::kPublished);
    const double largest = quantizer->Forward(x).abs().max().item<double>();
    if (bits < 5) {
      EXPECT_LT(largest, 0.95 * x.abs().max().item<double>()) << bits;
    } else {
      EXPECT_FLOAT_EQ(largest, x.abs().max().item<float>()) << bits;
    }
  }
}

TEST(AffineTest, ZeroIsExactAndTheExtremesAreReached) {
  const at::Tensor x = at::tensor({-0.3F, 0.0F, 0.9F, 0.31F});
  for (const int64_t bits : {2, 4, 8, 16}) {
    const at::Tensor fake = Make("affine", Weights(bits))->Forward(x);
    EXPECT_EQ(fake[1].item<float>(), 0);
    const double step = 1.2 / std::pow(2.0, static_cast<double>(bits));
    EXPECT_LE((fake - x).abs().max().item<double>(), step * 1.01) << bits;
  }
}

TEST(AffineTest, OneSidedWeightsUseEveryLevel) {
  const at::Tensor x = Normal({2000}, 4).abs();
  const double affine = (Make("affine", Weights(4))->Forward(x) - x).square().sum().item<double>();
  const double linear = (Make("linear", Weights(4))->Forward(x) - x).square().sum().item<double>();
  EXPECT_LT(affine, 0.5 * linear);
}

// ---- activations ----

TEST(WaveTest, HalfWaveHasTwoToTheBitsLevels) {
  const auto quantizer = Make("wave", Activations(Role::kUnsignedActivation, 2, false, 3));
  const at::Tensor x = at::tensor({-1.0F, 0.4F, 0.6F, 1.5F, 2.5F, 2.9F, 9.0F});
  EXPECT_TRUE(quantizer->Forward(x).equal(at::tensor({0.0F, 0.0F, 1.0F, 2.0F, 2.0F, 3.0F, 3.0F})));
}

TEST(WaveTest, FullWaveSpendsOneBitOnTheSign) {
  const auto quantizer = Make("wave", Activations(Role::kSignedActivation, 3, false, 3));
  const at::Tensor x = at::tensor({-9.0F, -1.2F, 0.4F, 2.6F});
  EXPECT_TRUE(quantizer->Forward(x).equal(at::tensor({-3.0F, -1.0F, 0.0F, 3.0F})));
}

TEST(WaveTest, TrainableRangeCollectsTheGradientOfClippedValues) {
  for (const Role role : {Role::kUnsignedActivation, Role::kSignedActivation}) {
    const auto quantizer = Make("wave", Activations(role, 4, true, 1));
    const at::Tensor x = at::tensor({-3.0F, -0.5F, 0.5F, 2.0F, 4.0F}).requires_grad_();
    const at::Tensor direction = at::tensor({10.0F, 20.0F, 30.0F, 40.0F, 50.0F});
    quantizer->Forward(x).backward(direction);
    const bool is_half = role == Role::kUnsignedActivation;
    EXPECT_EQ(quantizer->parameters()[0].grad().item<float>(), is_half ? 90 : 80);
    EXPECT_TRUE(x.grad().equal(at::tensor({0.0F, is_half ? 0.0F : 20.0F, 30.0F, 0.0F, 0.0F})));
  }
}

TEST(WaveTest, CalibrationStaysBelowTheInitialRange) {
  const auto range_after = [](double initial, double largest) {
    const auto quantizer = Make("wave", Activations(Role::kUnsignedActivation, 8, true, initial));
    quantizer->Calibrate(at::tensor({0.1, largest}).to(at::kFloat), Calibration::kPublished);
    return quantizer->parameters()[0].item<double>();
  };
  EXPECT_EQ(range_after(6, 2), 2);
  EXPECT_EQ(range_after(6, 20), 6);
  EXPECT_EQ(range_after(6, 0), 0.1F);
}

TEST(WaveTest, BatchOfZerosLeavesTheRange) {
  const auto quantizer = Make("wave", Activations(Role::kSignedActivation, 8, true, 6));
  quantizer->Calibrate(at::zeros({20}), Calibration::kPublished);
  EXPECT_EQ(quantizer->parameters()[0].item<double>(), 6);
}

// ---- LSQ ----

TEST(LsqTest, FirstStepIsThatOfThePaper) {
  const at::Tensor x = Normal({500}, 6);
  for (const int64_t bits : {2, 3, 4, 8}) {
    const auto quantizer = Make("lsq", Weights(bits));
    quantizer->Forward(x);
    const double top = std::pow(2.0, static_cast<double>(bits - 1)) - 1;
    EXPECT_NEAR(quantizer->parameters()[0].item<double>(),
                2 * x.abs().mean().item<double>() / std::sqrt(top), 1e-6);
  }
}

// Equations 3 and 5 written out, and the gradient scale of section 2.2.
TEST(LsqTest, GradientsAreThoseOfThePaper) {
  const at::Tensor x = Normal({50, 40}, 7);
  const at::Tensor direction = Normal({50, 40}, 8);
  for (const Role role : {Role::kWeight, Role::kSignedActivation, Role::kUnsignedActivation}) {
    for (const int64_t bits : {2, 3, 8}) {
      QuantizerSettings settings;
      settings.role = role;
      settings.bits = bits;
      const auto quantizer = Make("lsq", settings);
      const at::Tensor step = quantizer->parameters()[0];
      {
        const at::NoGradGuard no_grad;
        step.fill_(0.37);
      }
      const at::Tensor leaf = x.clone().requires_grad_();
      quantizer->Forward(leaf).backward(direction);
      const bool is_unsigned = role == Role::kUnsignedActivation;
      const double levels = std::pow(2.0, static_cast<double>(bits));
      const double bottom = is_unsigned ? 0 : levels / 2;
      const double top = is_unsigned ? levels - 1 : levels / 2 - 1;
      const at::Tensor ratio = x / step.item<float>();
      const at::Tensor inside = (ratio > -bottom).logical_and(ratio < top);
      const at::Tensor slope = at::where(inside, ratio.round() - ratio, ratio.clamp(-bottom, top));
      const double scale = 1 / std::sqrt(2000 * top);
      const double expected = (slope * direction).sum(at::kDouble).item<double>() * scale;
      EXPECT_TRUE(at::allclose(leaf.grad(), direction * inside, 1e-5, 1e-6));
      // A float32 sum of 2000 terms.
      EXPECT_NEAR(step.grad().item<double>(), expected, 1e-4 * std::max(1.0, std::abs(expected)));
    }
  }
}

TEST(LsqTest, StepThatTrainingDroveBelowZeroStartsAgain) {
  const auto quantizer = Make("lsq", Weights(4));
  const at::Tensor x = Normal({100}, 9);
  const at::Tensor before = quantizer->Forward(x);
  {
    const at::NoGradGuard no_grad;
    quantizer->parameters()[0].fill_(-0.1);
  }
  EXPECT_TRUE(quantizer->Forward(x).equal(before));
}

TEST(LsqTest, LearningTheStepLowersTheError) {
  const at::Tensor x = Normal({1000}, 10);
  const auto quantizer = Make("lsq", Weights(3));
  torch::optim::Adam optimizer(quantizer->parameters(), torch::optim::AdamOptions(0.01));
  const auto loss = [&] { return (quantizer->Forward(x) - x).square().mean(); };
  const double first = loss().item<double>();
  for (int i = 0; i < 100; ++i) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  EXPECT_LT(loss().item<double>(), 0.8 * first);
}

// ---- DoReFa ----

TEST(DorefaTest, OutputFillsMinusOneToOne) {
  const at::Tensor x = 0.01 * Normal({100}, 11);
  const at::Tensor fake = Make("dorefa", Weights(4))->Forward(x);
  EXPECT_EQ(fake.abs().max().item<float>(), 1);
}

// ---- k-means ----

TEST(KMeansQuantizerTest, WeightsBecomeTheMeansOfTheirMembersAfterEveryStep) {
  const auto quantizer = Make("kmeans", Weights(3));
  const at::Tensor weight = Normal({20, 10}, 12);
  quantizer->AfterStep(weight);
  const at::Tensor codes = quantizer->Export(weight).codes;
  EXPECT_EQ(std::get<0>(at::_unique(weight)).numel(), 8);
  for (int step = 0; step < 3; ++step) {
    weight.add_(0.3 * Normal({20, 10}, static_cast<uint64_t>(20 + step)));
    const at::Tensor moved = weight.clone();
    quantizer->AfterStep(weight);
    EXPECT_TRUE(quantizer->Export(weight).codes.equal(codes)) << "labels stay";
    for (int64_t j = 0; j < 8; ++j) {
      const at::Tensor members = codes.eq(j);
      const double mean = moved.masked_select(members).mean(at::kDouble).item<double>();
      EXPECT_TRUE(weight.masked_select(members).eq(static_cast<float>(mean)).all().item<bool>());
    }
  }
}

TEST(KMeansQuantizerTest, PrunedWeightsStayZeroAndCostOneBit) {
  QuantizerSettings settings = Weights(2);
  settings.keep_zeros = true;
  const auto quantizer = Make("kmeans", settings);
  const at::Tensor weight =
      at::where(Normal({30, 10}, 13) > 0.5, Normal({30, 10}, 14), at::zeros({30, 10}));
  const at::Tensor pruned = weight.eq(0);
  quantizer->AfterStep(weight);
  weight.add_(Normal({30, 10}, 15));
  quantizer->AfterStep(weight);
  EXPECT_TRUE(weight.masked_select(pruned).eq(0).all().item<bool>());
  EXPECT_EQ(std::get<0>(at::_unique(weight)).numel(), 5);
  const QuantizedTensor exported = quantizer->Export(weight);
  const PackedTensor packed = Pack(exported);
  const int64_t kept = pruned.logical_not().sum().item<int64_t>();
  EXPECT_EQ(packed.Bytes(), (300 + 7) / 8 + (kept * 2 + 7) / 8 + 16);
  EXPECT_TRUE(Dequantize(Unpack(packed).value()).equal(weight));
}

TEST(KMeansQuantizerTest, EverythingPrunedIsAllZeros) {
  QuantizerSettings settings = Weights(4);
  settings.keep_zeros = true;
  const auto quantizer = Make("kmeans", settings);
  const at::Tensor zeros = at::zeros({4, 5});
  EXPECT_TRUE(quantizer->Forward(zeros).equal(zeros));
  EXPECT_TRUE(Dequantize(Unpack(Pack(quantizer->Export(zeros))).value()).equal(zeros));
}

TEST(KMeansQuantizerTest, FreeHighBitsLeaveWideLayersAloneUntilTheEnd) {
  for (const int64_t bits : {6, 7}) {
    QuantizerSettings settings = Weights(bits);
    settings.free_high_bits = true;
    const auto quantizer = Make("kmeans", settings);
    const at::Tensor weight = Normal({30, 20}, 16);
    const at::Tensor before = weight.clone();
    quantizer->AfterStep(weight);
    EXPECT_EQ(weight.equal(before), bits == 7);
    EXPECT_EQ(quantizer->enabled(), bits == 6);
    quantizer->set_enabled(true);
    quantizer->AfterStep(weight);
    EXPECT_EQ(std::get<0>(at::_unique(weight)).numel(), int64_t{1} << bits);
  }
}

TEST(KMeansQuantizerTest, AnotherShapeThanTheClusteredOneIsRefused) {
  const auto quantizer = Make("kmeans", Weights(2));
  quantizer->Forward(Normal({5, 6}, 17));
  EXPECT_THROW(quantizer->Forward(Normal({6, 5}, 17)), c10::Error);
}

TEST(KMeansQuantizerTest, SixteenBitsSurviveTheRangeOfFloat16) {
  const at::Tensor x = at::tensor({1e6F, -1e6F, 0.1F});
  const at::Tensor fake = Make("kmeans", Weights(16))->Forward(x);
  EXPECT_TRUE(fake.isfinite().all().item<bool>());
}

TEST(CodebookTest, ClusterWithoutMembersKeepsItsEntry) {
  const at::Tensor means =
      ClusterMeans(at::tensor({1.0F, 3.0F, 9.0F, 5.0F}), at::tensor({2, 2, -1, 0}, at::kInt),
                   at::tensor({7.0F, 8.0F, 9.0F, 10.0F}));
  EXPECT_TRUE(means.equal(at::tensor({5.0F, 8.0F, 2.0F, 10.0F})));
}

// ---- stored form ----

TEST(PackedTensorTest, DamageIsRefused) {
  const auto code_of = [](const PackedTensor& packed) { return Unpack(packed).status().code(); };
  const PackedTensor linear = Pack(Make("linear", Weights(3, 4))->Export(Normal({4, 5}, 18)));
  const PackedTensor book = Pack(Make("kmeans", Weights(3))->Export(Normal({4, 5}, 18)));
  EXPECT_TRUE(Unpack(linear).ok());
  EXPECT_TRUE(Unpack(book).ok());
  PackedTensor damaged = linear;
  damaged.shape = {4, 50};
  EXPECT_EQ(code_of(damaged), StatusCode::kDataLoss);
  damaged = linear;
  damaged.scales = at::ones({3});
  EXPECT_EQ(code_of(damaged), StatusCode::kDataLoss);
  damaged = linear;
  damaged.bits = 12;
  EXPECT_EQ(code_of(damaged), StatusCode::kDataLoss);
  damaged = linear;
  damaged.codes = at::Tensor();
  EXPECT_EQ(code_of(damaged), StatusCode::kDataLoss);
  damaged = book;
  damaged.codebook = book.codebook.narrow(0, 0, 2);
  EXPECT_EQ(code_of(damaged), StatusCode::kDataLoss);
  damaged = book;
  damaged.kept = at::zeros({1}, at::kByte);
  EXPECT_EQ(code_of(damaged), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace voxbit::quant
