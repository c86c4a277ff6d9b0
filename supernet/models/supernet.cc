#include "supernet/models/supernet.h"

#include <torch/torch.h>

#include <utility>

#include "supernet/nn/elastic.h"
#include "supernet/ops/point_ops.h"

namespace voxbit::supernet {
namespace {

// body(batch norm) in registration order.
template <class Body>
void ForBatchNorms(const Network& network, const Body& body) {
  for (const auto& module : network.modules(/*include_self=*/false)) {
    if (auto* norm = module->as<ElasticBatchNorm>()) body(*norm);
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
  return {std::move(made.voxels), std::move(made.points), num_samples};
}

NetInput ToDevice(const NetInput& input, const at::Device& device) {
  NetInput moved = input;
  moved.voxels.feats = input.voxels.feats.to(device);
  // One copy when voxels and points share their features.
  moved.points.feats = input.points.feats.is_same(input.voxels.feats)
                           ? moved.voxels.feats
                           : input.points.feats.to(device);
  return moved;
}

BatchNormState Network::SaveBatchNorm() const {
  BatchNormState state;
  ForBatchNorms(*this, [&](ElasticBatchNorm& norm) {
    state.buffers.push_back(norm.running_mean.clone());
    state.buffers.push_back(norm.running_var.clone());
  });
  return state;
}

void Network::RestoreBatchNorm(const BatchNormState& state) {
  const at::NoGradGuard no_grad;
  size_t at = 0;
  ForBatchNorms(*this, [&](ElasticBatchNorm& norm) {
    VOXBIT_CHECK(at + 1 < state.buffers.size(), "batch-norm state of another network");
    norm.running_mean.copy_(state.buffers[at]);
    norm.running_var.copy_(state.buffers[at + 1]);
    at += 2;
  });
  VOXBIT_CHECK(at == state.buffers.size(), "batch-norm state of another network");
}

void Network::BeginCalibration() {
  ForBatchNorms(*this, [](ElasticBatchNorm& norm) { norm.BeginCalibration(); });
}

void Network::EndCalibration() {
  ForBatchNorms(*this, [](ElasticBatchNorm& norm) { norm.EndCalibration(); });
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
