// Laws that every registered quantizer keeps, at every role and width that it has. A new line in
// builtin.def is tested here at once.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "supernet/quant/codes/methods.h"
#include "supernet/quant/quantizer.h"

namespace voxbit::quant {
namespace {

constexpr int64_t kWidths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16, 32};
constexpr Role kRoles[] = {Role::kWeight, Role::kSignedActivation, Role::kUnsignedActivation};

QuantizerRegistry Builtins() {
  QuantizerRegistry registry("quantizer");
  RegisterBuiltinQuantizers(registry);
  return registry;
}

std::string Describe(const QuantizerSettings& settings) {
  static const std::string roles[] = {"weight", "signed activation", "unsigned activation"};
  return roles[static_cast<size_t>(settings.role)] + ", " + std::to_string(settings.bits) +
         " bits, " + std::to_string(settings.channels) + " channels" +
         (settings.trainable_range ? "" : ", fixed range");
}

// Normal values; nothing below zero for unsigned activations.
at::Tensor Values(at::IntArrayRef shape, Role role, uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const at::Tensor values = at::randn(shape, generator);
  return role == Role::kUnsignedActivation ? values.relu() : values;
}

class QuantizerTest : public ::testing::TestWithParam<std::string> {
 protected:
  Result<std::shared_ptr<Quantizer>> Make(const QuantizerSettings& settings) const {
    return registry_.Find(GetParam()).value()(settings);
  }

  // body(fresh quantizer, a tensor for it) for every combination of settings that the quantizer
  // accepts. `widths` empty: all.
  void ForEach(const std::function<void(Quantizer&, const at::Tensor&)>& body,
               const std::set<int64_t>& widths = {}) const {
    int64_t num = 0;
    for (const Role role : kRoles) {
      for (const int64_t bits : kWidths) {
        if (!widths.empty() && widths.count(bits) == 0) continue;
        for (const int64_t channels : {int64_t{0}, int64_t{6}}) {
          for (const bool trainable : {true, false}) {
            QuantizerSettings settings;
            settings.role = role;
            settings.bits = bits;
            settings.channels = channels;
            settings.trainable_range = trainable;
            settings.initial_range = 1.5;  // clips some values
            auto quantizer = Make(settings);
            if (!quantizer.ok()) {
              EXPECT_EQ(quantizer.status().code(), StatusCode::kInvalidArgument);
              continue;
            }
            SCOPED_TRACE(Describe(settings));
            ++num;
            body(**quantizer, Values({6, 5, 3}, role, static_cast<uint64_t>(bits)));
          }
        }
      }
    }
    EXPECT_GT(num, 0) << "the quantizer accepts nothing";
  }

 private:
  QuantizerRegistry registry_ = Builtins();
};

TEST_P(QuantizerTest, ExportEqualsFakeQuantizationBitForBit) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::Tensor fake = quantizer.Forward(x);
    EXPECT_EQ(fake.sizes(), x.sizes());
    EXPECT_EQ(fake.scalar_type(), at::kFloat);
    EXPECT_TRUE(Dequantize(quantizer.Export(x)).equal(fake));
    // Another tensor with the state of the first.
    const at::Tensor other = Values(x.sizes(), quantizer.settings().role, 99);
    EXPECT_TRUE(Dequantize(quantizer.Export(other)).equal(quantizer.Forward(other)));
  });
}

TEST_P(QuantizerTest, TrainedWeightsStillExportAsTheyTrain) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::Tensor leaf = x.clone().requires_grad_();
    std::vector<at::Tensor> trained = quantizer.parameters();
    trained.push_back(leaf);
    torch::optim::SGD optimizer(trained, torch::optim::SGDOptions(0.05));
    for (int step = 0; step < 3; ++step) {
      optimizer.zero_grad();
      quantizer.Forward(leaf).square().sum().backward();
      optimizer.step();
      if (quantizer.settings().role == Role::kWeight) quantizer.AfterStep(leaf);
      const at::NoGradGuard no_grad;
      EXPECT_TRUE(Dequantize(quantizer.Export(leaf)).equal(quantizer.Forward(leaf)));
    }
  });
}

TEST_P(QuantizerTest, CodesFitTheirWidth) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const QuantizedTensor exported = quantizer.Export(x);
    const int64_t bits = quantizer.settings().bits;
    EXPECT_EQ(exported.bits, bits);
    if (bits == 32) {
      EXPECT_EQ(exported.coding, Coding::kFloat);
      return;
    }
    if (exported.coding == Coding::kHalf) return;
    EXPECT_EQ(exported.codes.scalar_type(), at::kInt);
    EXPECT_EQ(exported.codes.sizes(), x.sizes());
    EXPECT_GE(exported.codes.min().item<int64_t>(), 0);
    EXPECT_LT(exported.codes.max().item<int64_t>(), int64_t{1} << bits);
    // No more levels than codes, and one bit is used in full.
    const int64_t levels = std::get<0>(at::_unique(Dequantize(exported))).numel();
    EXPECT_LE(levels, (int64_t{1} << bits) * std::max<int64_t>(1, quantizer.settings().channels));
    EXPECT_GE(levels, 2);
  });
}

TEST_P(QuantizerTest, QuantizingTwiceChangesNothing) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    if (!quantizer.IsProjection()) return;
    const at::Tensor once = quantizer.Forward(x);
    EXPECT_TRUE(quantizer.Forward(once).equal(once));
  });
}

TEST_P(QuantizerTest, GradientIsThatOfTheSurrogate) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::Tensor direction = Values(x.sizes(), Role::kWeight, 5);
    quantizer.Forward(x);  // sets ranges
    const auto gradients = [&](const std::function<at::Tensor(const at::Tensor&)>& function) {
      const at::Tensor leaf = x.clone().requires_grad_();
      quantizer.zero_grad();
      function(leaf).backward(direction);
      std::vector<at::Tensor> grads = {leaf.grad()};
      for (const at::Tensor& parameter : quantizer.parameters()) {
        if (parameter.grad().defined()) grads.push_back(parameter.grad().clone());
      }
      return grads;
    };
    const auto ours = gradients([&](const at::Tensor& in) { return quantizer.Forward(in); });
    if (quantizer.settings().bits == 32) {
      EXPECT_TRUE(ours[0].equal(direction));
      return;
    }
    const auto declared = gradients([&](const at::Tensor& in) { return quantizer.Surrogate(in); });
    ASSERT_EQ(ours.size(), declared.size());
    EXPECT_EQ(ours.size(), 1 + quantizer.parameters().size());
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_TRUE(ours[i].equal(declared[i])) << i;
      EXPECT_FALSE(ours[i].isnan().any().item<bool>());
    }
  });
}

TEST_P(QuantizerTest, NoGradientIsRecordedWithoutGradMode) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::NoGradGuard no_grad;
    const at::Tensor leaf = x.clone().requires_grad_();
    EXPECT_FALSE(quantizer.Forward(leaf).requires_grad() && quantizer.settings().bits != 32);
  });
}

TEST_P(QuantizerTest, FullWidthIsTheIdentity) {
  ForEach(
      [](Quantizer& quantizer, const at::Tensor& x) {
        EXPECT_TRUE(quantizer.Forward(x).equal(x));
        EXPECT_TRUE(quantizer.Export(x).values.equal(x));
        const at::Tensor weight = x.clone();
        quantizer.AfterStep(weight);
        EXPECT_TRUE(weight.equal(x));
      },
      {32});
}

TEST_P(QuantizerTest, DisabledIsTheIdentity) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    quantizer.set_enabled(false);
    EXPECT_TRUE(quantizer.Forward(x).equal(x));
    EXPECT_TRUE(Dequantize(quantizer.Export(x)).equal(x));
    quantizer.set_enabled(true);
    if (quantizer.settings().bits <= 4) {
      EXPECT_FALSE(quantizer.Forward(x).equal(x));
    }
  });
}

TEST_P(QuantizerTest, MoreBitsAreCloserToTheTensor) {
  for (const Role role : kRoles) {
    double previous = std::numeric_limits<double>::infinity();
    const at::Tensor x = Values({40, 50}, role, 3).clamp(-1.4, 1.4);
    for (const int64_t bits : {2, 4, 6, 8, 16}) {
      QuantizerSettings settings;
      settings.role = role;
      settings.bits = bits;
      settings.initial_range = 1.5;
      const auto quantizer = Make(settings);
      if (!quantizer.ok()) continue;
      // Against what the quantizer approximates; for LSQ the first step is part of the method.
      const at::Tensor goal =
          (*quantizer)->IsProjection() ? x : (*quantizer)->Surrogate(x).detach();
      const double error = ((*quantizer)->Forward(x) - goal).square().mean().item<double>();
      EXPECT_LT(error, previous) << Describe(settings);
      previous = error;
    }
  }
}

TEST_P(QuantizerTest, CalibrationReturnsTheInputAndSetsTheState) {
  for (const Calibration how : {Calibration::kRange, Calibration::kKl, Calibration::kPublished}) {
    ForEach([how](Quantizer& quantizer, const at::Tensor& x) {
      quantizer.BeginCalibration(how);
      EXPECT_TRUE(quantizer.Forward(x).equal(x));
      quantizer.EndCalibration();
      const at::Tensor fake = quantizer.Forward(x);
      EXPECT_FALSE(fake.isnan().any().item<bool>());
      EXPECT_TRUE(Dequantize(quantizer.Export(x)).equal(fake));
    });
  }
}

TEST_P(QuantizerTest, ZerosConstantsAndEmptyTensorsAreNoTrouble) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const auto check = [&](const at::Tensor& in, const std::string& what) {
      const at::Tensor leaf = in.clone().requires_grad_();
      const at::Tensor fake = quantizer.Forward(leaf);
      EXPECT_FALSE(fake.isnan().any().item<bool>()) << what;
      fake.sum().backward();
      EXPECT_FALSE(leaf.grad().isnan().any().item<bool>()) << what;
      EXPECT_TRUE(Dequantize(quantizer.Export(in)).equal(fake.detach())) << what;
      for (const at::Tensor& parameter : quantizer.parameters()) {
        EXPECT_FALSE(parameter.isnan().any().item<bool>()) << what;
        const at::Tensor grad = parameter.grad();
        EXPECT_FALSE(grad.defined() && grad.isnan().any().item<bool>()) << what;
      }
      return fake.detach();
    };
    const at::Tensor zeros = check(at::zeros_like(x), "zeros");
    // Only the range of an activation can be known before its values, and only one signed bit has
    // no level at zero.
    if (quantizer.settings().bits > 1 || quantizer.settings().role == Role::kWeight) {
      EXPECT_TRUE(zeros.eq(0).all().item<bool>());
    }
    // What was learned from zeros must not last.
    EXPECT_TRUE(check(x, "values after zeros").ne(0).any().item<bool>());
  });
  ForEach([](Quantizer& quantizer, const at::Tensor& /*x*/) {
    const int64_t rows = quantizer.settings().channels;
    const at::Tensor empty = at::zeros({rows, 0});
    EXPECT_EQ(quantizer.Forward(empty).sizes(), empty.sizes());
    EXPECT_EQ(quantizer.Export(empty).bits, quantizer.settings().bits);
  });
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::Tensor constant = at::full_like(x, 0.75);
    EXPECT_FALSE(quantizer.Forward(constant).isnan().any().item<bool>());
  });
}

TEST_P(QuantizerTest, ValuesThatAreNotFiniteAreRefusedAtExport) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::Tensor bad = x.clone();
    bad.view(-1)[3] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(quantizer.Export(bad), c10::Error);
  });
}

TEST_P(QuantizerTest, PackedFormComesBackAndHasTheDeclaredSize) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    for (const int64_t columns : {1, 7, 64}) {
      QuantizerSettings settings = quantizer.settings();
      const auto fresh = Builtins().Find(GetParam()).value()(settings).value();
      const at::Tensor in = Values({x.size(0), columns}, settings.role, 12);
      const QuantizedTensor exported = fresh->Export(in);
      const PackedTensor packed = Pack(exported, fresh->StoresZeros());
      if (exported.coding == Coding::kCodebook &&
          exported.codebook.numel() < int64_t{1} << settings.bits) {
        EXPECT_LE(packed.Bytes(), fresh->StoredBytes(in.numel()));
      } else {
        EXPECT_EQ(packed.Bytes(), fresh->StoredBytes(in.numel())) << columns;
      }
      const auto back = Unpack(packed);
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_TRUE(Dequantize(*back).equal(Dequantize(exported)));
    }
  });
}

TEST_P(QuantizerTest, StoredBytesGrowWithBits) {
  for (const Role role : kRoles) {
    int64_t previous = 0;
    for (const int64_t bits : kWidths) {
      QuantizerSettings settings;
      settings.role = role;
      settings.bits = bits;
      const auto quantizer = Make(settings);
      if (!quantizer.ok()) continue;
      const int64_t bytes = (*quantizer)->StoredBytes(10000);
      EXPECT_GT(bytes, previous) << Describe(settings);
      EXPECT_GE(bytes, 10000 * bits / 8);
      previous = bytes;
    }
  }
}

TEST_P(QuantizerTest, IsWhatIsKnownOfItWithoutTorch) {
  const Method* method = FindMethod(GetParam());
  ASSERT_NE(method, nullptr);
  QuantizerSettings settings;
  for (const Role role : kRoles) {
    settings.role = role;
    const bool is_known =
        role == Role::kWeight ? method->IsForWeights() : method->IsForActivations();
    for (const int64_t bits : kWidths) {
      settings.bits = bits;
      EXPECT_EQ(Make(settings).ok(), is_known) << Describe(settings);
    }
  }
  const bool has_codebook = method->coding == MethodCoding::kCodebook;
  settings.role = Role::kWeight;
  settings.channels = 6;
  EXPECT_EQ(Make(settings).ok(), method->IsForWeights() && !has_codebook);
  ForEach(
      [&](Quantizer& quantizer, const at::Tensor& x) {
        const auto coding = quantizer.Export(x).coding;
        EXPECT_EQ(coding, has_codebook ? Coding::kCodebook : Coding::kLinear);
        EXPECT_EQ(quantizer.StoresZeros(), method->coding == MethodCoding::kScalesAndZeros);
        std::set<std::string> state;
        for (const auto& item : quantizer.named_parameters()) state.insert(item.key());
        for (const auto& item : quantizer.named_buffers()) state.insert(item.key());
        EXPECT_EQ(state, std::set<std::string>(method->state.begin(), method->state.end()));
      },
      {1, 4});
}

TEST_P(QuantizerTest, StateMakesAnotherObjectTheSame) {
  ForEach([](Quantizer& quantizer, const at::Tensor& x) {
    const at::Tensor weight = x.clone();
    quantizer.Calibrate(weight, Calibration::kPublished);
    quantizer.AfterStep(weight);
    const auto copy = Builtins().Find(GetParam()).value()(quantizer.settings()).value();
    const at::NoGradGuard no_grad;
    const auto from = quantizer.named_parameters();
    for (auto& item : copy->named_parameters()) item.value().copy_(from[item.key()]);
    const auto buffers = quantizer.named_buffers();
    for (auto& item : copy->named_buffers()) item.value().copy_(buffers[item.key()]);
    EXPECT_TRUE(copy->Forward(weight).equal(quantizer.Forward(weight)));
  });
}

TEST_P(QuantizerTest, WrongWidthsAreRefused) {
  for (const int64_t bits : {-1, 0, 9, 12, 17, 31, 33, 64}) {
    for (const Role role : kRoles) {
      QuantizerSettings settings;
      settings.bits = bits;
      settings.role = role;
      EXPECT_EQ(Make(settings).status().code(), StatusCode::kInvalidArgument) << bits;
    }
  }
  QuantizerSettings settings;
  settings.channels = -2;
  EXPECT_EQ(Make(settings).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(QuantizerTest, AnotherShapeThanTheChannelsIsRefused) {
  QuantizerSettings settings;
  settings.bits = 4;
  settings.channels = 5;
  const auto quantizer = Make(settings);
  if (!quantizer.ok()) return;
  EXPECT_THROW((*quantizer)->Forward(at::ones({6, 5})), c10::Error);
}

INSTANTIATE_TEST_SUITE_P(Builtin, QuantizerTest, ::testing::ValuesIn(Builtins().Names()),
                         [](const auto& named) { return named.param; });

TEST(QuantizerRegistryTest, UnknownNameListsTheKnownOnes) {
  const Status status = Builtins().Find("pact").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("known: affine, dorefa, kmeans"), std::string::npos) << status;
}

}  // namespace
}  // namespace voxbit::quant
