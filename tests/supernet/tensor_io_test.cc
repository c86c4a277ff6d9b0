#include "supernet/export/tensor_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace voxbit::exporter {
namespace {

using ::testing::HasSubstr;

TEST(TensorIoTest, EveryDtypeReadsBackUnchanged) {
  const at::Tensor base = at::arange(6).view({2, 3});
  TensorMap tensors;
  for (const auto type : {at::kFloat, at::kHalf, at::kLong, at::kInt, at::kByte}) {
    tensors[c10::toString(type)] = base.to(type);
  }
  tensors["transposed"] = at::rand({3, 4}).t();
  tensors["scalar"] = at::scalar_tensor(2.5F);
  const std::string bytes = Serialize(tensors, {{"format", "pt"}}).value();
  const TensorMap read = ToTensors(Safetensors::Parse(bytes).value());
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read.at(name), tensor)) << name;
  }
}

TEST(TensorIoTest, UnknownDtypeIsRefused) {
  EXPECT_EQ(Serialize({{"d", at::ones({1}, at::kDouble)}}, {}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(LoadStateTest, NamesWhatDoesNotFitAndChangesNothing) {
  torch::nn::Linear module(3, 2);
  TensorMap state = StateOf(*module);
  for (auto& [name, tensor] : state) tensor = tensor.detach().clone() + 1;
  EXPECT_TRUE(LoadState(*module, state).ok());
  const at::Tensor before = module->weight.detach().clone();
  state["weight"] = at::zeros({2, 4});
  state.erase("bias");
  state["other"] = at::zeros({1});
  const Status status = LoadState(*module, state);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("missing: bias"));
  EXPECT_THAT(status.message(), HasSubstr("unexpected: other"));
  EXPECT_THAT(status.message(), HasSubstr("weight [2, 4] instead of [2, 3]"));
  EXPECT_TRUE(at::equal(module->weight, before));
}

}  // namespace
}  // namespace voxbit::exporter
