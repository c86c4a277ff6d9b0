#include "supernet/models/supernet.h"

#include <torch/torch.h>

#include <utility>

#include "supernet/nn/elastic.h"
#include "supernet/ops/cloud_cache.h"
#include "supernet/ops/point_ops.h"

namespace voxbit::supernet {
namespace {

// body(module) of every module of a class, in registration order.
template <class Module, class Body>
void ForEach(const Network& network, const Body& body) {
  for (const auto& module : network.modules(/*include_self=*/false)) {
    if (auto* found = module->as<Module>()) body(*found);
  }
}

}  // namespace

NetInput MakeNetInput(const at::Tensor& coords, const at::Tensor& feats, int64_t num_samples) {
  NetInput input;
  input.voxels = MakeSparseTensor(coords, feats);
  input.points = MakePointTensor(input.voxels.coords.to(at::kFloat), feats);
  input.num_samples = num_samples;
  return input;
}

NetInput MakePointInput(const at::Tensor& coords, const at::Tensor& feats, int64_t num_samples,
                        double point_resolution, double voxel_resolution) {
  Voxelized made =
      InitialVoxelize(MakePointTensor(coords, feats), point_resolution, voxel_resolution);
  return {std::move(made.voxels), std::move(made.points), num_samples, {}, {}};
}

NetInput MakeCloudInput(const at::Tensor& clouds) {
  TORCH_CHECK(clouds.dim() == 3 && clouds.size(2) >= 3 && clouds.scalar_type() == at::kFloat,
              "clouds must be float32 [B,N,C] with C >= 3, found ", clouds.sizes());
  NetInput input;
  input.clouds = clouds;
  input.cloud_cache = std::make_shared<CloudCache>();
  input.num_samples = clouds.size(0);
  return input;
}

void CheckClouds(const NetInput& input, int64_t columns, int64_t min_points) {
  TORCH_CHECK(input.clouds.defined() && input.cloud_cache != nullptr,
              "the network reads point clouds, which this batch has not");
  TORCH_CHECK(input.clouds.size(2) == columns, "the network expects ", columns,
              " numbers per point, found ", input.clouds.size(2));
  TORCH_CHECK(input.clouds.size(1) >= min_points, "the network needs at least ", min_points,
              " points per cloud, found ", input.clouds.size(1));
}

std::map<std::string, double> CountClouds(const search::SupernetSpec& spec, const NetInput& input,
                                          int64_t columns) {
  CheckClouds(input, columns, spec.min_points());
  std::map<std::string, double> counts;
  for (const auto& [key, count] : spec.CloudWorkload(input.clouds.size(1))) {
    counts[key] = static_cast<double>(input.clouds.size(0)) * static_cast<double>(count);
  }
  return counts;
}

at::Tensor CloudPositions(const at::Tensor& clouds) {
  const at::Tensor xyz = clouds.slice(2, 0, 3).contiguous();
  TORCH_CHECK(xyz.isfinite().all().item<bool>(), "a position of a point is not finite");
  return xyz;
}

NetInput ToDevice(const NetInput& input, const at::Device& device) {
  NetInput moved = input;
  if (input.clouds.defined()) {
    moved.clouds = input.clouds.to(device);
    return moved;
  }
  moved.voxels.feats = input.voxels.feats.to(device);
  // One copy when voxels and points share their features.
  moved.points.feats = input.points.feats.is_same(input.voxels.feats)
                           ? moved.voxels.feats
                           : input.points.feats.to(device);
  return moved;
}

BatchNormState Network::SaveBatchNorm() const {
  BatchNormState state;
  ForEach<ElasticBatchNorm>(*this, [&](ElasticBatchNorm& norm) {
    state.buffers.push_back(norm.running_mean.clone());
    state.buffers.push_back(norm.running_var.clone());
  });
  return state;
}

void Network::RestoreBatchNorm(const BatchNormState& state) {
  const at::NoGradGuard no_grad;
  size_t at = 0;
  ForEach<ElasticBatchNorm>(*this, [&](ElasticBatchNorm& norm) {
    VOXBIT_CHECK(at + 1 < state.buffers.size(), "batch-norm state of another network");
    norm.running_mean.copy_(state.buffers[at]);
    norm.running_var.copy_(state.buffers[at + 1]);
    at += 2;
  });
  VOXBIT_CHECK(at == state.buffers.size(), "batch-norm state of another network");
}

void Network::BeginCalibration() {
  ForEach<ElasticBatchNorm>(*this, [](ElasticBatchNorm& norm) { norm.BeginCalibration(); });
}

int64_t Network::EndCalibration() {
  int64_t fewest = 0;
  ForEach<ElasticBatchNorm>(*this, [&](ElasticBatchNorm& norm) {
    const int64_t rows = norm.EndCalibration();
    if (rows > 0 && (fewest == 0 || rows < fewest)) fewest = rows;
  });
  return fewest;
}

bool Network::HasInputRanges() const {
  bool found = false;
  ForEach<ElasticLayer>(*this, [&](const ElasticLayer& layer) {
    const auto& input = layer.quantizers().input;
    found = found || (input != nullptr && input->settings().bits < 32);
  });
  return found;
}

void Network::BeginRangeCalibration() {
  ForEach<ElasticLayer>(*this, [](ElasticLayer& layer) { layer.BeginRangeCalibration(); });
}

void Network::EndRangeCalibration() {
  ForEach<ElasticLayer>(*this, [](ElasticLayer& layer) { layer.EndRangeCalibration(); });
}

void Network::AfterStep() {
  ForEach<ElasticLayer>(*this, [](ElasticLayer& layer) { layer.AfterStep(); });
}

TensorMap Network::NamedTensors() const {
  TensorMap tensors;
  for (const auto& item : named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

int64_t Network::CountParameters() const {
  int64_t count = 0;
  for (const at::Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

at::Tensor Supernet::Forward(const NetInput& input, const search::Candidate& candidate) {
  Select(candidate);
  return Forward(input);
}

TensorMap Supernet::Extract(const search::Candidate& candidate) const {
  return Standalone(candidate)->NamedTensors();
}

}  // namespace voxbit::supernet
