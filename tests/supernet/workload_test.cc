// Kernel-map sizes and MACs on the SemanticKITTI scan (figures: spvnas.md 9.2).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "common/files.h"
#include "supernet/kernels/voxelize/voxelize.h"
#include "supernet/models/spvnas/spvnas.h"
#include "supernet/models/unet/unet.h"
#include "tests/support/shared_data.h"

namespace voxbit::supernet {
namespace {

// The scan under the official quantisation: float32 division by 0.05 m, first point per voxel.
NetInput OfficialScan(const std::string& path) {
  const std::string bytes = ReadFile(path).value();
  const auto n = static_cast<int64_t>(bytes.size() / 16);
  std::vector<float> points(static_cast<size_t>(4 * n));
  std::memcpy(points.data(), bytes.data(), points.size() * sizeof(float));
  std::vector<int32_t> grid(static_cast<size_t>(3 * n));
  EXPECT_EQ(kernels::RoundToGrid(points.data(), n, 4, 0.05F, grid.data()), -1);
  Triple minimum;
  kernels::SubtractMinimum(grid.data(), n, minimum.data());
  EXPECT_EQ(minimum, (Triple{-1592, -1598, -553}));
  std::vector<int64_t> kept(static_cast<size_t>(n));
  const int64_t count = kernels::SparseQuantize(grid.data(), n, kept.data(), nullptr);
  at::Tensor coords = at::zeros({count, 4}, at::kInt);
  at::Tensor feats = at::empty({count, 4});
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(coords.data_ptr<int32_t>() + 4 * i, grid.data() + 3 * kept[i], 3 * sizeof(int32_t));
    std::memcpy(feats.data_ptr<float>() + 4 * i, points.data() + 4 * kept[i], 4 * sizeof(float));
  }
  return MakeNetInput(coords, feats, 1);
}

double GigaMacs(const search::LayerTable& table, const std::map<std::string, double>& counts) {
  double macs = 0;
  for (const auto& layer : table) {
    macs += counts.at(layer.workload) * static_cast<double>(layer.in_channels * layer.out_channels);
  }
  return macs / 1e9;
}

class SemanticKittiWorkloadTest : public ::testing::Test {
 protected:
  // Once for all tests: the maps of a full scan.
  static const std::map<std::string, double>* Counts() {
    static const auto* counts = []() -> const std::map<std::string, double>* {
      const auto path = testing::SharedPath("data/semantickitti/velodyne/000000.bin");
      if (!path.has_value()) return nullptr;
      return new std::map<std::string, double>(CountUNetWorkload(OfficialScan(*path)));
    }();
    return counts;
  }
};

TEST_F(SemanticKittiWorkloadTest, KernelMapsHaveThePublishedSizes) {
  const auto* counts = Counts();
  if (counts == nullptr) return;
  const std::vector<double> voxels = {94625, 68931, 42166, 21525, 9522};
  const std::vector<double> pairs = {286263, 309177, 267754, 166517, 82740};
  for (size_t level = 0; level < 5; ++level) {
    const int64_t stride = int64_t{1} << level;
    EXPECT_EQ(counts->at(search::VoxelsKey(stride)), voxels[level]);
    EXPECT_EQ(counts->at(search::Pairs3Key(stride)), pairs[level]);
    if (level < 4) {
      EXPECT_EQ(counts->at(search::Pairs2Key(stride)), voxels[level]);
    }
  }
}

// The sheet rounds to four digits (and took 94,626 voxels, a difference of 2e-5).
TEST_F(SemanticKittiWorkloadTest, NetworksHaveThePublishedMacs) {
  const auto* counts = Counts();
  if (counts == nullptr) return;
  struct Row {
    double cr;
    double minkunet;
    double spvcnn;
  };
  for (const Row& row :
       {Row{0.5, 34.48, 35.74}, Row{0.64, 55.53, 57.55}, Row{1.0, 137.70, 142.74}}) {
    const UNetArch arch = PlainArch(FixedChannels(row.cr), 4, 19);
    const double mink = GigaMacs(UNetLayers(arch, arch, UNetKind::kMinkUNet), *counts);
    const double spv = GigaMacs(UNetLayers(arch, arch, UNetKind::kSpvcnn), *counts);
    // 1e-4 of the value plus half a unit of the last digit that the sheet prints.
    EXPECT_NEAR(mink, row.minkunet, 1e-4 * row.minkunet + 0.005);
    EXPECT_NEAR(spv, row.spvcnn, 1e-4 * row.spvcnn + 0.005);
    std::printf("cr %.2f: MinkUNet %.4f, SPVCNN %.4f GMACs\n", row.cr, mink, spv);
  }
  const SpvnasSpec spec(SpvnasConfig{});
  const double largest = GigaMacs(spec.Expand(spec.space().Largest(), 4, 19), *counts);
  EXPECT_NEAR(largest, 306.4, 1e-4 * 306.4 + 0.05);
  UNetArch released;
  released.output_channels = {32, 24, 52, 188, 232, 140, 152, 96, 76};
  released.stages = {{{16, 2, {44, 36}},
                      {44, 2, {80, 68}},
                      {84, 2, {64, 68}},
                      {152, 2, {116, 96}},
                      {188, 2, {140, 248}},
                      {104, 1, {64, 0}},
                      {48, 2, {104, 56}},
                      {64, 1, {112, 0}}}};
  const double found = GigaMacs(UNetLayers(released, released, UNetKind::kSpvnas), *counts);
  EXPECT_NEAR(found, 75.92, 1e-4 * 75.92 + 0.005);
  std::printf("largest %.4f, SPVNAS@65G %.4f GMACs\n", largest, found);
}

}  // namespace
}  // namespace voxbit::supernet
