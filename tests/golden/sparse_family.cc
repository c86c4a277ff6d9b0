// The family "sparse": TorchSparse operators, MinkUNet, SPVCNN and the SPVNAS supernet.
#include <torch/torch.h>

#include <array>
#include <string>
#include <vector>

#include "common/json.h"
#include "supernet/export/tensor_io.h"
#include "supernet/kernels/kernel_map/kernel_map.h"
#include "supernet/kernels/voxelize/voxelize.h"
#include "supernet/models/spvnas/spvnas.h"
#include "supernet/models/unet/unet.h"
#include "supernet/ops/kernel_map.h"
#include "supernet/ops/point_ops.h"
#include "supernet/ops/sparse_conv.h"
#include "tests/golden/generated.h"
#include "tests/golden/golden_case.h"

namespace voxbit::golden {
namespace {

using supernet::ConvOptions;
using supernet::SparseTensor;
using supernet::Triple;

// ---- stacks of convolutions ----

ConvOptions OptionsOf(const Json& layer) {
  ConvOptions options;
  options.kernel = layer.at("kernel").get<Triple>();
  options.stride = layer.at("stride").get<Triple>();
  options.transposed = layer.at("transposed").get<bool>();
  // The reference does not hand its dilation to the kernel offsets, so a recording is undilated
  // whatever its metadata says.
  return options;
}

void RunConvStack(Comparison& comparison) {
  const Json layers = Json::parse(comparison.recorded().Metadata("layers"));
  const at::Tensor input = comparison.Input("input").requires_grad_();
  SparseTensor x = supernet::MakeSparseTensor(comparison.Input("coords"), input);
  struct Layer {
    std::string prefix;
    at::Tensor weight;
    at::Tensor bias;
  };
  std::vector<Layer> trained;
  for (size_t i = 0; i < layers.size(); ++i) {
    Layer layer{"layer" + std::to_string(i) + ".", {}, {}};
    layer.weight = comparison.Input(layer.prefix + "weight").requires_grad_();
    if (comparison.recorded().Has(layer.prefix + "bias")) {
      layer.bias = comparison.Input(layer.prefix + "bias").requires_grad_();
    }
    x = supernet::SparseConv3d(x, layer.weight, layer.bias, OptionsOf(layers[i]));
    comparison.Exact(layer.prefix + "out_coords", x.coords);
    comparison.Exact(layer.prefix + "out_stride",
                     at::tensor(std::vector<int32_t>(x.stride.begin(), x.stride.end())));
    comparison.Forward(layer.prefix + "output", x.feats);
    trained.push_back(layer);
  }
  if (!comparison.recorded().Has("grad_output")) return;
  x.feats.backward(comparison.Input("grad_output"));
  const auto compare = [&](const std::string& name, const at::Tensor& leaf) {
    if (comparison.recorded().Has(name)) comparison.Gradient(name, leaf.grad());
  };
  compare("grad_input", input);
  for (const Layer& layer : trained) {
    compare(layer.prefix + "grad_weight", layer.weight);
    if (layer.bias.defined()) compare(layer.prefix + "grad_bias", layer.bias);
  }
}

// ---- quantisation of points ----

void RunVoxelize(Comparison& comparison) {
  const at::Tensor points = comparison.Input("points").contiguous();
  const int64_t n = points.size(0);
  const auto voxel = std::stof(comparison.recorded().Metadata("voxel_size"));
  at::Tensor grid = at::empty({n, 3}, at::kInt);
  const int64_t bad = kernels::RoundToGrid(points.data_ptr<float>(), n, points.size(1), voxel,
                                           grid.data_ptr<int32_t>());
  if (bad >= 0) return comparison.Fail("point " + std::to_string(bad) + " has no voxel");
  Triple minimum;
  kernels::SubtractMinimum(grid.data_ptr<int32_t>(), n, minimum.data());
  comparison.Exact("grid", grid);

  // The tensors of the networks: the full cloud, then every second point shifted by 3 voxels.
  std::vector<at::Tensor> coords;
  std::vector<at::Tensor> feats;
  for (int64_t batch = 0; batch < 2; ++batch) {
    const at::Tensor cells = grid.slice(0, 0, n, batch + 1).add(3 * batch).contiguous();
    const int64_t rows = cells.size(0);
    at::Tensor unique = at::empty({rows}, at::kLong);
    at::Tensor inverse = at::empty({rows}, at::kLong);
    const int64_t count = kernels::SparseQuantize(
        cells.data_ptr<int32_t>(), rows, unique.data_ptr<int64_t>(), inverse.data_ptr<int64_t>());
    unique = unique.narrow(0, 0, count);
    if (batch == 0) {
      comparison.Exact("unique_index", unique);
      comparison.Exact("inverse", inverse);
    }
    const at::Tensor kept = cells.index_select(0, unique);
    coords.push_back(at::cat({kept, at::full({count, 1}, batch, kept.options())}, 1));
    feats.push_back(points.slice(0, 0, n, batch + 1).index_select(0, unique));
  }
  comparison.Exact("coords", at::cat(coords));
  comparison.Exact("feats", at::cat(feats));
}

// ---- points and voxels ----

// For each row of `ours` the row of `theirs` with the same coordinate; fails where there is none.
at::Tensor MatchRows(Comparison& comparison, const at::Tensor& ours, const at::Tensor& theirs) {
  const at::Tensor recorded = theirs.contiguous();
  const kernels::CoordTable table(recorded.data_ptr<int32_t>(), recorded.size(0));
  at::Tensor order = at::empty({ours.size(0)}, at::kLong);
  for (int64_t i = 0; i < ours.size(0); ++i) {
    const int32_t row = table.Find(ours.data_ptr<int32_t>() + 4 * i);
    if (row < 0) {
      comparison.Fail("voxel " + std::to_string(i) + " is not among the recorded ones");
      return {};
    }
    order.data_ptr<int64_t>()[i] = row;
  }
  return order;
}

void RunInitialVoxelize(Comparison& comparison, supernet::PointTensor* points, at::Tensor* coords) {
  const Case& recorded = comparison.recorded();
  const supernet::PointTensor raw = supernet::MakePointTensor(comparison.Input("point_coords_in"),
                                                              comparison.Input("point_features"));
  const supernet::Voxelized made = supernet::InitialVoxelize(
      raw, std::stod(recorded.Metadata("init_res")), std::stod(recorded.Metadata("after_res")));
  *points = made.points;
  *coords = comparison.Input("voxel_coords");
  if (made.voxels.coords.sizes() != coords->sizes()) {
    return comparison.Fail("the number of voxels differs");
  }
  // The recorded order of voxels comes from a hash and carries no meaning.
  const at::Tensor order = MatchRows(comparison, made.voxels.coords, *coords);
  if (!order.defined()) return;
  comparison.ExactRows("voxel_coords", made.voxels.coords, order);
  comparison.ForwardRows("voxel_features", made.voxels.feats, order);
  comparison.Forward("point_coords_after", made.points.coords);
  const auto map = made.points.cache->ToVoxels(made.voxels, made.points.coords);
  comparison.Exact("point_to_voxel_index", order.index_select(0, map->index.to(at::kLong)));
  comparison.ExactRows("voxel_counts", map->index_weights, order);
}

void RunDevoxelize(Comparison& comparison, const supernet::PointTensor& points,
                   const SparseTensor& shape) {
  const std::string stride = "stride" + std::to_string(shape.stride[0]) + ".";
  SparseTensor voxels = shape;
  voxels.feats = comparison.Input(stride + "features").requires_grad_();
  const auto map = points.cache->ToPoints(voxels, points.coords);
  comparison.Exact("devoxelize.index", map->index);
  comparison.Forward("devoxelize.weights", map->index_weights);
  const supernet::PointTensor out = supernet::VoxelToPoint(voxels, points);
  comparison.Forward("devoxelize.output", out.feats);
  if (!comparison.recorded().Has("devoxelize.grad_output")) return;
  out.feats.backward(comparison.Input("devoxelize.grad_output"));
  comparison.Gradient("devoxelize.grad_features", voxels.feats.grad());
}

void RunScatter(Comparison& comparison, const supernet::PointTensor& points,
                const SparseTensor& voxels) {
  const at::Tensor feats = comparison.Input("scatter.point_features").requires_grad_();
  const SparseTensor out = supernet::PointToVoxel(voxels, points.WithFeats(feats));
  comparison.Forward("scatter.output", out.feats);
  const auto map = points.cache->ToVoxels(voxels, points.coords);
  comparison.Exact("scatter.index", map->index);
  comparison.Exact("scatter.counts", map->index_weights);
  if (!comparison.recorded().Has("scatter.grad_output")) return;
  out.feats.backward(comparison.Input("scatter.grad_output"));
  comparison.Gradient("scatter.grad_features", feats.grad());
}

// The N of the tensor "strideN.coords".
int32_t RecordedStride(const Case& recorded) {
  for (const std::string& name : recorded.file.Names()) {
    const size_t dot = name.find(".coords");
    if (name.rfind("stride", 0) == 0 && dot != std::string::npos) {
      return static_cast<int32_t>(std::stoi(name.substr(6, dot - 6)));
    }
  }
  return 0;
}

void RunPointVoxel(Comparison& comparison) {
  supernet::PointTensor points;
  at::Tensor fine;
  RunInitialVoxelize(comparison, &points, &fine);
  if (!comparison.ok()) return;
  const int32_t s = RecordedStride(comparison.recorded());
  if (s < 1) return comparison.Fail("no tensor strideN.coords");
  kernels::ConvGeometry geometry;
  for (int axis = 0; axis < 3; ++axis) geometry.kernel[axis] = geometry.stride[axis] = s;
  at::Tensor coarse = at::empty_like(fine);
  const int64_t count = kernels::DownsampleCoords(geometry, fine.data_ptr<int32_t>(), fine.size(0),
                                                  coarse.data_ptr<int32_t>());
  coarse = coarse.narrow(0, 0, count).contiguous();
  comparison.Exact("stride" + std::to_string(s) + ".coords", coarse);
  if (!comparison.ok()) return;
  const SparseTensor voxels =
      supernet::MakeSparseTensor(coarse, at::empty({count, 0}), Triple{s, s, s});
  RunDevoxelize(comparison, points, voxels);
  RunScatter(comparison, points, voxels);
}

// ---- networks ----

supernet::NetInput InputOf(Comparison& comparison, supernet::UNetKind kind) {
  const at::Tensor coords = comparison.Input("coords");
  const at::Tensor feats = comparison.Input("feats");
  const int64_t samples = coords.size(0) == 0 ? 0 : coords.select(1, 3).max().item<int64_t>() + 1;
  if (kind != supernet::UNetKind::kSpvcnn) return supernet::MakeNetInput(coords, feats, samples);
  // SPVCNN voxelises its input again at the resolution of the recording. In float32 c * r / r is
  // not always c, so some points move by a rounding step, a few of them into another voxel.
  const double resolution = std::stod(comparison.recorded().Metadata("voxel_size"));
  return supernet::MakePointInput(coords.to(at::kFloat), feats, samples, resolution, resolution);
}

// Loss of one forward in train mode and the recorded ones of its gradients.
struct Training {
  at::Tensor loss;
  exporter::TensorMap gradients;  // by the name of the recording, "grad." included
};

Training Train(Comparison& comparison, supernet::UNet& net, const supernet::NetInput& input) {
  net.zero_grad();
  Training training;
  training.loss = at::cross_entropy_loss(net.Forward(input), comparison.Input("labels"), {},
                                         at::Reduction::Mean, /*ignore_index=*/255);
  training.loss.backward();
  const exporter::TensorMap parameters = exporter::StateOf(net);
  for (const std::string& name : comparison.recorded().file.Names()) {
    if (name.rfind("grad.", 0) != 0) continue;
    const auto parameter = parameters.find(name.substr(5));
    if (parameter == parameters.end()) {
      comparison.Fail(name + ": no such parameter");
    } else {
      training.gradients[name] = parameter->second.grad().clone();
    }
  }
  return training;
}

bool GradientsAgree(Comparison& comparison, const Training& training) {
  for (const auto& [name, gradient] : training.gradients) {
    if (!comparison.GradientAgrees(name, gradient)) return false;
  }
  return true;
}

// A ReLU whose input lies within rounding error of zero may pass its gradient or not, and one such
// voxel moves a gradient by more than the tolerance. The recordings are in single precision, whose
// batch norms lose up to 4e-5 of the largest activation over these layers (torch 1.13; ours lose
// 1e-6), so the recording may be the one that is on the other side. Where a gradient disagrees,
// both claims are therefore proved apart, at the same tolerance: the same network in torch
// operations of single precision, the arithmetic of the recording, agrees with the recording; and
// ours agrees with double precision.
void CompareTraining(Comparison& comparison, supernet::UNet& net, supernet::NetInput input) {
  const Training ours = Train(comparison, net, input);
  comparison.Forward("loss_train_nodropout", ours.loss.reshape({1}));
  if (GradientsAgree(comparison, ours)) {
    for (const auto& [name, gradient] : ours.gradients) comparison.Gradient(name, gradient);
    return;
  }
  const supernet::ComputePathGuard torch_operations(supernet::ComputePath::kTorch);
  const Training single = Train(comparison, net, input);
  net.to(at::kDouble);
  input.voxels.feats = input.voxels.feats.to(at::kDouble);
  input.points.feats = input.points.feats.to(at::kDouble);
  const Training exact = Train(comparison, net, input);
  for (const auto& [name, gradient] : ours.gradients) {
    comparison.Gradient(name, single.gradients.at(name));
    comparison.GradientOf(name, gradient, exact.gradients.at(name));
  }
  comparison.Note("ReLU tie: recording = torch operations, ours = double precision");
}

void RunFixedNet(Comparison& comparison, supernet::UNetKind kind) {
  const Case& recorded = comparison.recorded();
  const exporter::TensorMap state = RecordedState(comparison);
  const supernet::NetInput input = InputOf(comparison, kind);
  const auto classes = state.find("classifier.0.bias");
  if (classes == state.end()) return comparison.Fail("no state.classifier.0.bias");
  const supernet::UNetArch arch =
      supernet::PlainArch(supernet::FixedChannels(std::stod(recorded.Metadata("cr"))),
                          input.voxels.feats.size(1), classes->second.size(0));
  supernet::UNet net(arch, {kind, /*dropout=*/0.0});
  if (const Status loaded = exporter::LoadState(net, state); !loaded.ok()) {
    return comparison.Fail(loaded.message());
  }
  if (recorded.HasMetadata("params")) {
    const int64_t params = std::stoll(recorded.Metadata("params"));
    comparison.Equal("number of parameters", net.CountParameters(), params);
    comparison.Equal("parameters by layer", supernet::AllocatedParameters(arch, kind), params);
  }
  net.eval();
  {
    const at::NoGradGuard no_grad;
    comparison.Forward("logits_eval", net.Forward(input));
  }
  if (!recorded.Has("loss_train_nodropout")) return;
  net.train();
  CompareTraining(comparison, net, input);
}

void RunSample(Comparison& comparison, const supernet::NetInput& input, supernet::UNet& net,
               const Json& entry, size_t index) {
  const std::string logits = "logits_eval." + std::to_string(index);
  const supernet::UNetArch& largest = net.body().largest();
  const Result<supernet::UNetArch> arch =
      supernet::ParseSample(entry.at("sample"), largest.in_channels, largest.num_classes);
  if (!arch.ok()) return comparison.Fail(logits + ": " + arch.status().message());
  net.body().SetActive(*arch);
  const at::Tensor shared = net.Forward(input);
  comparison.Forward(logits, shared);
  // The same sub-network cut out: own weights, equal logits, the recorded number of parameters.
  supernet::UNet small(*arch, net.body().options());
  net.body().CopySlicesTo(small.body());
  small.eval();
  comparison.Forward(logits, small.Forward(input));
  // The official extraction leaves the classifier, which it never samples, at its full width.
  const int64_t params =
      entry.at("params").get<int64_t>() -
      (largest.output_channels[8] - arch->output_channels[8]) * largest.num_classes;
  comparison.Equal(logits + " parameters", small.CountParameters(), params);
  int64_t by_layer = 0;
  for (const auto& layer : supernet::UNetLayers(*arch, largest, supernet::UNetKind::kSpvnas)) {
    by_layer += layer.ParameterCount();
  }
  comparison.Equal(logits + " parameters by layer", by_layer, params);
}

void RunSupernet(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const at::NoGradGuard no_grad;
  const exporter::TensorMap state = RecordedState(comparison);
  const supernet::NetInput input = InputOf(comparison, supernet::UNetKind::kSpvnas);
  const auto classes = state.find("classifier.linear.bias");
  if (classes == state.end()) return comparison.Fail("no state.classifier.linear.bias");
  const auto channels =
      Json::parse(recorded.Metadata("output_channels")).get<std::array<int64_t, 9>>();
  const supernet::UNetArch largest =
      supernet::PlainArch(channels, input.voxels.feats.size(1), classes->second.size(0));
  supernet::UNet net(largest, {supernet::UNetKind::kSpvnas, /*dropout=*/0.0});
  if (const Status loaded = exporter::LoadState(net, state); !loaded.ok()) {
    return comparison.Fail(loaded.message());
  }
  net.eval();
  const Result<Json> samples =
      ReadJsonFile(recorded.folder + "/" + recorded.name + ".samples.json");
  if (!samples.ok()) return comparison.Fail(samples.status().message());
  for (size_t i = 0; i < samples->size(); ++i) RunSample(comparison, input, net, (*samples)[i], i);
}

}  // namespace

bool RunSparseCase(const Case& recorded, Comparison& comparison) {
  if (recorded.HasMetadata("layers") && recorded.Has("layer0.weight") && recorded.Has("coords")) {
    RunConvStack(comparison);
  } else if (recorded.Has("point_coords_in")) {
    RunPointVoxel(comparison);
  } else if (recorded.Has("unique_index") && recorded.Has("grid")) {
    RunVoxelize(comparison);
  } else if (recorded.Has("logits_eval.0") && recorded.HasMetadata("output_channels")) {
    RunSupernet(comparison);
  } else if (recorded.Has("logits_eval") && recorded.HasMetadata("cr") &&
             recorded.name.rfind("minkunet", 0) == 0) {
    RunFixedNet(comparison, supernet::UNetKind::kMinkUNet);
  } else if (recorded.Has("logits_eval") && recorded.HasMetadata("cr") &&
             recorded.name.rfind("spvcnn", 0) == 0) {
    RunFixedNet(comparison, supernet::UNetKind::kSpvcnn);
  } else {
    return false;
  }
  return true;
}

}  // namespace voxbit::golden
