// Small streets, clouds and networks for the tests of training.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/clock.h"
#include "supernet/models/supernet.h"
#include "tests/support/toy_cloud_net.h"
#include "tests/support/toy_clouds.h"
#include "worker/data/dataset.h"
#include "worker/train/loader.h"
#include "worker/train/scan_source.h"
#include "worker/train/trainer.h"

namespace voxbit::train {

// Four training and two validation scans of a coarse scanner: about 800 voxels each.
inline Json TinyStreets(Json more = Json::object()) {
  Json config = {{"kind", "synthetic_lidar"},
                 {"train_scans", 4},
                 {"val_scans", 2},
                 {"beams", 16},
                 {"azimuth_steps", 128},
                 {"voxel_m", 0.5},
                 {"center", true},
                 {"features", {"x", "y", "z", "intensity", "height"}}};
  config.update(more);
  return config;
}

inline std::unique_ptr<ScanSource> OpenTiny(Json more = Json::object(),
                                            int64_t cache_bytes = int64_t{1} << 28) {
  auto dataset =
      data::OpenDataset(data::BuiltinDatasets(), TinyStreets(std::move(more)), "/dataset");
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return std::make_unique<ScanSource>(std::move(dataset).value(),
                                      std::make_shared<ByteBudget>(cache_bytes));
}

inline std::unique_ptr<ScanSource> OpenClouds(data::Scoring scoring) {
  return std::make_unique<ScanSource>(std::make_unique<testing::ToyClouds>(scoring),
                                      std::make_shared<ByteBudget>(int64_t{1} << 28));
}

inline std::shared_ptr<testing::ToyCloudNet> MakeCloudNet(const ScanSource& source) {
  torch::manual_seed(1);
  return std::make_shared<testing::ToyCloudNet>(
      source.dataset().traits().scoring == data::Scoring::kParts, source.dataset().num_features(),
      source.dataset().num_classes());
}

inline std::shared_ptr<supernet::Supernet> MakeTinyNet(const ScanSource& source,
                                                       uint64_t seed = 1) {
  supernet::SupernetRegistry registry("supernet");
  supernet::RegisterBuiltinSupernets(registry);
  const Json config = {{"kind", "spvnas"}, {"width", 0.25}};
  auto net = registry.Find("spvnas").value()(config, "/supernet", source.dataset().num_features(),
                                             source.dataset().num_classes(), seed);
  EXPECT_TRUE(net.ok()) << net.status();
  return std::move(net).value();
}

inline std::unique_ptr<EvaluationSet> WholeSplit(ScanSource& source, data::Split split,
                                                 int64_t batch = 2) {
  const int64_t size = source.dataset().size(split);
  return std::make_unique<EvaluationSet>(source, split, SpreadIndices(size, size),
                                         BatchLimit{.scans = batch}, at::Device(at::kCPU));
}

inline const Clock& TestClock() {
  static const SystemClock clock;
  return clock;
}

inline RunContext OnCpu(std::stop_token stop = {},
                        std::function<void(const Progress&)> progress = nullptr) {
  return {.device = at::Device(at::kCPU),
          .clock = TestClock(),
          .stop = std::move(stop),
          .progress = std::move(progress)};
}

inline bool SameBits(const supernet::TensorMap& a, const supernet::TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto it = b.find(name);
    if (it == b.end() || !at::equal(tensor, it->second)) return false;
  }
  return true;
}

inline supernet::TensorMap CopyOf(const supernet::TensorMap& tensors) {
  supernet::TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy[name] = tensor.detach().clone();
  return copy;
}

}  // namespace voxbit::train
