#include "worker/exec/checkpoint.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "tests/exec/exec_fixture.h"

namespace voxbit::worker {
namespace {

std::shared_ptr<supernet::Supernet> MakeNet(double width, uint64_t seed) {
  supernet::SupernetRegistry registry("supernet");
  supernet::RegisterBuiltinSupernets(registry);
  auto net =
      registry.Find("spvnas").value()(Json{{"kind", "spvnas"}, {"width", width}}, "", 4, 5, seed);
  EXPECT_TRUE(net.ok()) << net.status();
  return std::move(net).value();
}

bool SameWeights(const supernet::Network& a, const supernet::Network& b) {
  const auto tensors = b.NamedTensors();
  for (const auto& [name, tensor] : a.NamedTensors()) {
    if (!at::equal(tensor, tensors.at(name))) return false;
  }
  return true;
}

class CheckpointTest : public ::testing::Test {
 protected:
  std::string FileOf(const Result<std::string>& bytes) {
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return artifacts_.PathOf(artifacts_.Put(*bytes).value());
  }
  FolderArtifacts artifacts_;
};

TEST_F(CheckpointTest, ComesBackBitForBit) {
  const auto saved = MakeNet(0.25, 1);
  const auto loaded = MakeNet(0.25, 2);
  ASSERT_FALSE(SameWeights(*saved, *loaded));
  const Status status = LoadCheckpoint(FileOf(SaveCheckpoint(*saved, {})), *loaded);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SameWeights(*saved, *loaded));
}

TEST_F(CheckpointTest, RefusesAnotherSearchSpace) {
  const auto net = MakeNet(0.25, 1);
  const Status status = LoadCheckpoint(FileOf(SaveCheckpoint(*MakeNet(0.5, 1), {})), *net);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), "SPACE_MISMATCH");
}

TEST_F(CheckpointTest, RefusesTheWeightsOfASubNetworkAndChangesNothing) {
  const auto net = MakeNet(0.25, 1);
  const auto part = net->Standalone(net->spec().space().Smallest());
  const Status status = LoadWeights(FileOf(SaveWeights(*part, {})), *net);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(SameWeights(*net, *MakeNet(0.25, 1)));
}

TEST_F(CheckpointTest, RefusesValuesThatAreNotFinite) {
  const auto broken = MakeNet(0.25, 1);
  {
    const at::NoGradGuard no_grad;
    broken->parameters().back()[0] = std::nan("");
  }
  const auto net = MakeNet(0.25, 2);
  EXPECT_EQ(LoadCheckpoint(FileOf(SaveCheckpoint(*broken, {})), *net).code(),
            StatusCode::kInfeasible);
  EXPECT_TRUE(SameWeights(*net, *MakeNet(0.25, 2)));
}

TEST_F(CheckpointTest, RefusesAFileThatWasCutShort) {
  const auto net = MakeNet(0.25, 1);
  auto bytes = SaveCheckpoint(*net, {});
  ASSERT_TRUE(bytes.ok());
  bytes->resize(bytes->size() - 1);
  EXPECT_EQ(LoadCheckpoint(FileOf(bytes), *net).code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace voxbit::worker
