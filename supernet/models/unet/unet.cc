#include "supernet/models/unet/unet.h"

#include <torch/torch.h>

#include <algorithm>

#include "common/check.h"
#include "supernet/nn/module_tree.h"
#include "supernet/ops/kernel_map.h"
#include "supernet/ops/point_ops.h"

namespace voxbit::supernet {
namespace {

size_t At(int i) { return static_cast<size_t>(i); }

ConvOptions Cube() { return {}; }
ConvOptions Pointwise() { return {{1, 1, 1}, {1, 1, 1}, 1, false}; }
ConvOptions Halving(bool transposed) { return {{2, 2, 2}, {2, 2, 2}, 1, transposed}; }

WeightSlice Prefix(int64_t in, int64_t out) { return {in, out, -1, 0}; }

bool Fits(const UNetArch& arch, const UNetArch& largest) {
  bool fits = arch.in_channels == largest.in_channels && arch.num_classes == largest.num_classes;
  for (size_t i = 0; i < arch.output_channels.size(); ++i) {
    fits = fits && arch.output_channels[i] > 0 &&
           arch.output_channels[i] <= largest.output_channels[i];
  }
  for (size_t i = 0; i < arch.stages.size(); ++i) {
    const UNetStage& a = arch.stages[i];
    const UNetStage& b = largest.stages[i];
    fits = fits && a.transition > 0 && a.transition <= b.transition && a.depth >= 1 &&
           a.depth <= b.depth;
    for (size_t block = 0; fits && block < static_cast<size_t>(a.depth); ++block) {
      fits = a.mid[block] > 0 && a.mid[block] <= b.mid[block];
    }
  }
  return fits;
}

}  // namespace

UNetBody::UNetBody(torch::nn::Module& root, const UNetArch& largest, const UNetOptions& options)
    : root_(root), largest_(largest), active_(largest), options_(options) {
  const int64_t stem = largest.output_channels[0];
  stem_[0] = AddConvNorm(StemPath(0), largest.in_channels, stem, Cube());
  stem_[1] = AddConvNorm(StemPath(1), stem, stem, Cube());
  for (int stage = 0; stage < 8; ++stage) AddStage(stage);
  for (int i = 0; i < 3; ++i) {
    const LayerPath path = PointPath(options.kind, i);
    const int64_t in = largest.output_channels[At(kPointOutputs[At(i)])];
    const int64_t out = largest.output_channels[At(kPointOutputs[At(i + 1)])];
    points_[At(i)] = {AddModule<ElasticLinear>(root_, path.weight, in, out),
                      AddModule<ElasticBatchNorm>(root_, path.norm, out)};
  }
  classifier_ = AddModule<ElasticLinear>(root_, ClassifierPath(options.kind).weight,
                                         largest.output_channels[8], largest.num_classes);
}

UNetBody::ConvNorm UNetBody::AddConvNorm(const LayerPath& path, int64_t in, int64_t out,
                                         const ConvOptions& options) {
  return {AddModule<ElasticConv>(root_, path.weight, in, out, options),
          AddModule<ElasticBatchNorm>(root_, path.norm, out)};
}

void UNetBody::AddStage(int stage) {
  const UNetKind kind = options_.kind;
  const UNetStage& s = largest_.stages[At(stage)];
  const bool up = stage >= 4;
  const int64_t out = largest_.output_channels[At(stage + 1)];
  Stage& built = stages_[At(stage)];
  built.transition = AddConvNorm(TransitionPath(kind, stage), StageInput(largest_, stage),
                                 s.transition, Halving(up));
  const int64_t joined = s.transition + (up ? SkipChannels(largest_, stage) : 0);
  for (int block = 0; block < static_cast<int>(s.depth); ++block) {
    const int64_t mid = s.mid[At(block)];
    built.blocks[At(block)] = {
        AddConvNorm(BlockPath(kind, stage, block, 0), block == 0 ? joined : out, mid, Cube()),
        AddConvNorm(BlockPath(kind, stage, block, 1), mid, out, Cube())};
  }
  if (HasProjection(largest_, kind, stage)) {
    built.projection = AddConvNorm(ProjectionPath(kind, stage), joined, out, Pointwise());
  }
}

void UNetBody::Initialize(uint64_t seed) { InitializeLayers(root_, seed); }

void UNetBody::SetActive(const UNetArch& arch) {
  VOXBIT_CHECK(Fits(arch, largest_), "the architecture does not fit into this network");
  active_ = arch;
}

SparseTensor UNetBody::Run(const ConvNorm& layer, const SparseTensor& x, const WeightSlice& slice,
                           const at::Tensor& residual, bool relu) {
  const SparseTensor y = layer.conv->Forward(x, slice);
  return y.WithFeats(layer.norm->Forward(y.feats, residual, relu));
}

SparseTensor UNetBody::RunStem(const SparseTensor& x) const {
  const int64_t stem = active_.output_channels[0];
  const SparseTensor y = Run(stem_[0], x, Prefix(active_.in_channels, stem), {}, true);
  return Run(stem_[1], y, Prefix(stem, stem), {}, true);
}

WeightSlice UNetBody::JoinedSlice(int stage, int64_t out) const {
  const int64_t up = active_.stages[At(stage)].transition;
  // The weights were trained with the largest up-sampled width in front of the skip.
  return {up + SkipChannels(active_, stage), out, up, largest_.stages[At(stage)].transition};
}

SparseTensor UNetBody::RunBlock(int stage, int block, const SparseTensor& x) const {
  const Stage& s = stages_[At(stage)];
  const int64_t mid = active_.stages[At(stage)].mid[At(block)];
  const int64_t out = active_.output_channels[At(stage + 1)];
  const bool joined = block == 0 && stage >= 4;
  const int64_t in = x.feats.size(1);
  const auto& convs = s.blocks[At(block)];
  at::Tensor shortcut = x.feats;
  if (block == 0 && s.projection.conv != nullptr) {
    const WeightSlice slice = joined ? JoinedSlice(stage, out) : Prefix(in, out);
    shortcut = Run(s.projection, x, slice, {}, false).feats;
  }
  const SparseTensor y =
      Run(convs[0], x, joined ? JoinedSlice(stage, mid) : Prefix(in, mid), {}, true);
  return Run(convs[1], y, Prefix(mid, out), shortcut, true);
}

SparseTensor UNetBody::RunDown(int stage, const SparseTensor& x) const {
  const UNetStage& s = active_.stages[At(stage)];
  SparseTensor y = Run(stages_[At(stage)].transition, x,
                       Prefix(StageInput(active_, stage), s.transition), {}, true);
  for (int block = 0; block < static_cast<int>(s.depth); ++block) y = RunBlock(stage, block, y);
  return y;
}

SparseTensor UNetBody::RunUp(int stage, const SparseTensor& x, const SparseTensor& skip) const {
  const UNetStage& s = active_.stages[At(stage)];
  SparseTensor y = Run(stages_[At(stage)].transition, x,
                       Prefix(StageInput(active_, stage), s.transition), {}, true);
  TORCH_CHECK(y.coords.data_ptr() == skip.coords.data_ptr(), "skip of another grid");
  y.feats = at::cat({y.feats, skip.feats}, 1);
  for (int block = 0; block < static_cast<int>(s.depth); ++block) y = RunBlock(stage, block, y);
  return y;
}

PointTensor UNetBody::RunPoint(int index, const SparseTensor& voxels,
                               const PointTensor& points) const {
  const PointLayer& layer = points_[At(index)];
  const int64_t out = active_.output_channels[At(kPointOutputs[At(index + 1)])];
  const PointTensor down = VoxelToPoint(voxels, points);
  const at::Tensor linear = layer.linear->Forward(points.feats, out);
  return down.WithFeats(down.feats + layer.norm->Forward(linear, {}, true));
}

at::Tensor UNetBody::Dropout(const at::Tensor& x) const {
  return at::dropout(x, options_.dropout, root_.is_training() && options_.dropout > 0);
}

at::Tensor UNetBody::ForwardVoxels(const SparseTensor& voxels) const {
  std::array<SparseTensor, 5> x;
  x[0] = RunStem(voxels);
  for (int i = 0; i < 4; ++i) x[At(i + 1)] = RunDown(i, x[At(i)]);
  SparseTensor y = x[4];
  for (int i = 0; i < 4; ++i) y = RunUp(4 + i, y, x[At(3 - i)]);
  return classifier_->Forward(y.feats, active_.num_classes);
}

at::Tensor UNetBody::ForwardPoints(const NetInput& input) const {
  std::array<SparseTensor, 5> x;
  x[0] = RunStem(PointToVoxel(input.voxels, input.points));
  const PointTensor z0 = VoxelToPoint(x[0], input.points);
  SparseTensor y = PointToVoxel(x[0], z0);
  for (int i = 0; i < 4; ++i) {
    y = RunDown(i, y);
    x[At(i + 1)] = y;
  }
  const PointTensor z1 = RunPoint(0, x[4], z0);
  y = PointToVoxel(x[4], z1);
  y.feats = Dropout(y.feats);
  y = RunUp(4, y, x[3]);
  y = RunUp(5, y, x[2]);
  const PointTensor z2 = RunPoint(1, y, z1);
  y = PointToVoxel(y, z2);
  y.feats = Dropout(y.feats);
  y = RunUp(6, y, x[1]);
  y = RunUp(7, y, x[0]);
  const PointTensor z3 = RunPoint(2, y, z2);
  return classifier_->Forward(z3.feats, active_.num_classes);
}

at::Tensor UNetBody::Forward(const NetInput& input) const {
  return options_.kind == UNetKind::kMinkUNet ? ForwardVoxels(input.voxels) : ForwardPoints(input);
}

void UNetBody::CopyNorm(const ElasticBatchNorm& from, ElasticBatchNorm& to) {
  const int64_t channels = to.weight.size(0);
  to.weight.copy_(from.weight.narrow(0, 0, channels));
  to.bias.copy_(from.bias.narrow(0, 0, channels));
  to.running_mean.copy_(from.running_mean.narrow(0, 0, channels));
  to.running_var.copy_(from.running_var.narrow(0, 0, channels));
}

void UNetBody::CopyConvNorm(const ConvNorm& from, const WeightSlice& slice, ConvNorm& to) {
  to.conv->kernel.copy_(ActiveWeight(from.conv->kernel, slice));
  CopyNorm(*from.norm, *to.norm);
}

void UNetBody::CopyLinear(const ElasticLinear& from, ElasticLinear& to) {
  to.weight.copy_(from.weight.narrow(0, 0, to.weight.size(0)).narrow(1, 0, to.weight.size(1)));
  to.bias.copy_(from.bias.narrow(0, 0, to.bias.size(0)));
}

void UNetBody::CopySlicesTo(UNetBody& small) const {
  const at::NoGradGuard no_grad;
  const UNetArch& arch = small.largest_;
  VOXBIT_CHECK(Fits(arch, largest_), "the architecture does not fit into this network");
  for (size_t i = 0; i < 2; ++i) {
    const auto& kernel = small.stem_[i].conv->kernel;
    CopyConvNorm(stem_[i], Prefix(kernel.size(-2), kernel.size(-1)), small.stem_[i]);
  }
  for (int stage = 0; stage < 8; ++stage) {
    const Stage& from = stages_[At(stage)];
    Stage& to = small.stages_[At(stage)];
    const UNetStage& s = arch.stages[At(stage)];
    // In the small network a prefix everywhere; here the skip of an up stage stands further back.
    const auto slice_of = [&](const ConvNorm& layer, bool joined) {
      WeightSlice slice = Prefix(layer.conv->kernel.size(-2), layer.conv->kernel.size(-1));
      if (joined) {
        slice.in_split = s.transition;
        slice.in_second = largest_.stages[At(stage)].transition;
      }
      return slice;
    };
    CopyConvNorm(from.transition, slice_of(to.transition, false), to.transition);
    for (size_t block = 0; block < static_cast<size_t>(s.depth); ++block) {
      for (size_t conv = 0; conv < 2; ++conv) {
        ConvNorm& layer = to.blocks[block][conv];
        const bool joined = stage >= 4 && block == 0 && conv == 0;
        CopyConvNorm(from.blocks[block][conv], slice_of(layer, joined), layer);
      }
    }
    if (to.projection.conv != nullptr) {
      CopyConvNorm(from.projection, slice_of(to.projection, stage >= 4), to.projection);
    }
  }
  for (size_t i = 0; i < points_.size(); ++i) {
    CopyLinear(*points_[i].linear, *small.points_[i].linear);
    CopyNorm(*points_[i].norm, *small.points_[i].norm);
  }
  CopyLinear(*classifier_, *small.classifier_);
}

std::shared_ptr<UNet> MakeMinkUNet(double cr, int64_t in_channels, int64_t num_classes,
                                   uint64_t seed) {
  auto net = std::make_shared<UNet>(PlainArch(FixedChannels(cr), in_channels, num_classes),
                                    UNetOptions{UNetKind::kMinkUNet, 0.0});
  net->body().Initialize(seed);
  return net;
}

std::shared_ptr<UNet> MakeSpvcnn(double cr, int64_t in_channels, int64_t num_classes,
                                 double dropout, uint64_t seed) {
  auto net = std::make_shared<UNet>(PlainArch(FixedChannels(cr), in_channels, num_classes),
                                    UNetOptions{UNetKind::kSpvcnn, dropout});
  net->body().Initialize(seed);
  return net;
}

std::map<std::string, double> CountUNetWorkload(const NetInput& input) {
  std::map<std::string, double> counts;
  counts[search::PointsKey()] = static_cast<double>(input.points.coords.size(0));
  SparseTensor x = input.voxels;
  for (int level = 0; level < 5; ++level) {
    const int64_t stride = int64_t{1} << level;
    counts[search::VoxelsKey(stride)] = static_cast<double>(x.num_voxels());
    counts[search::Pairs3Key(stride)] = static_cast<double>(MapOf(x, Cube())->num_pairs());
    if (level == 4) break;
    const auto down = MapOf(x, Halving(false));
    counts[search::Pairs2Key(stride)] = static_cast<double>(down->num_pairs());
    x.coords = down->out_coords;
    for (int32_t& s : x.stride) s *= 2;
  }
  return counts;
}

}  // namespace voxbit::supernet
