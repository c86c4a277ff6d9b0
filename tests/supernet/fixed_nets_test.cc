#include <gtest/gtest.h>
#include <torch/torch.h>

#include "supernet/models/unet/unet.h"
#include "tests/supernet/test_tensors.h"

namespace voxbit::supernet {
namespace {

TEST(FixedNetsTest, AllocateThePublishedNumberOfParameters) {
  EXPECT_EQ(MakeMinkUNet(0.5, 4, 19, 1)->CountParameters(), 5449267);
  EXPECT_EQ(MakeSpvcnn(0.5, 4, 19, 0.3, 1)->CountParameters(), 5449267);
}

TEST(FixedNetsTest, RunOnRealValuedPoints) {
  at::Tensor coords = RandomTensor({150, 4}, 1).mul_(9);
  coords.select(1, 3).zero_();
  const NetInput input =
      MakePointInput(coords.contiguous(), RandomTensor({150, 4}, 2), 1, 0.05, 0.1);
  EXPECT_LT(input.voxels.num_voxels(), 150);
  const auto net = MakeSpvcnn(0.125, 4, 6, 0.3, 1);
  net->train();
  const at::Tensor logits = net->Forward(input);
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{150, 6}));
  logits.sum().backward();
  const auto tensors = net->NamedTensors();
  EXPECT_TRUE(tensors.at("point_transforms.0.0.weight").grad().isfinite().all().item<bool>());
}

TEST(FixedNetsTest, DropoutActsOnlyInTraining) {
  const at::Tensor coords = RandomVoxels(100, 1, 8, 3);
  const NetInput input = MakeNetInput(coords, RandomTensor({100, 4}, 4), 1);
  const auto net = MakeSpvcnn(0.125, 4, 6, 0.5, 1);
  const at::NoGradGuard no_grad;
  net->eval();
  EXPECT_TRUE(at::equal(net->Forward(input), net->Forward(input)));
  net->train();
  EXPECT_FALSE(at::equal(net->Forward(input), net->Forward(input)));
}

}  // namespace
}  // namespace voxbit::supernet
