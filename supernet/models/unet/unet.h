// The sparse U-Net of MinkUNet, SPVCNN and SPVNAS as a torch module.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "supernet/models/supernet.h"
#include "supernet/models/unet/arch.h"
#include "supernet/nn/elastic.h"

namespace voxbit::supernet {

struct UNetOptions {
  UNetKind kind = UNetKind::kSpvnas;
  double dropout = 0.3;  // before up stages 1 and 3; not in MinkUNet
};

// The layers of a U-Net, registered below a module. Allocated for `largest`, run with any
// architecture inside it. State-dict names are the official ones of its kind.
class UNetBody {
 public:
  // `root` owns the layers and outlives this object.
  UNetBody(torch::nn::Module& root, const UNetArch& largest, const UNetOptions& options);

  // Fresh weights; batch norms to weight 1, bias 0 and neutral statistics.
  void Initialize(uint64_t seed);

  const UNetArch& largest() const { return largest_; }
  const UNetArch& active() const { return active_; }
  const UNetOptions& options() const { return options_; }
  // Requires: every number of `arch` is positive and at most that of largest().
  void SetActive(const UNetArch& arch);

  // See Network::Forward.
  at::Tensor Forward(const NetInput& input) const;

  // Fills `small`, allocated for an architecture inside this one, with copies of the slices.
  void CopySlicesTo(UNetBody& small) const;

 private:
  struct ConvNorm {
    std::shared_ptr<ElasticConv> conv;
    std::shared_ptr<ElasticBatchNorm> norm;
  };
  struct Stage {
    ConvNorm transition;
    std::array<std::array<ConvNorm, 2>, 2> blocks;
    ConvNorm projection;  // null where the shortcut is the identity
  };
  struct PointLayer {
    std::shared_ptr<ElasticLinear> linear;
    std::shared_ptr<ElasticBatchNorm> norm;
  };

  static void CopyNorm(const ElasticBatchNorm& from, ElasticBatchNorm& to);
  static void CopyConvNorm(const ConvNorm& from, const WeightSlice& slice, ConvNorm& to);
  static void CopyLinear(const ElasticLinear& from, ElasticLinear& to);

  ConvNorm AddConvNorm(const LayerPath& path, int64_t in, int64_t out, const ConvOptions& options);
  void AddStage(int stage);

  static SparseTensor Run(const ConvNorm& layer, const SparseTensor& x, const WeightSlice& slice,
                          const at::Tensor& residual, bool relu);
  SparseTensor RunStem(const SparseTensor& x) const;
  SparseTensor RunBlock(int stage, int block, const SparseTensor& x) const;
  SparseTensor RunDown(int stage, const SparseTensor& x) const;
  SparseTensor RunUp(int stage, const SparseTensor& x, const SparseTensor& skip) const;
  PointTensor RunPoint(int index, const SparseTensor& voxels, const PointTensor& points) const;
  at::Tensor Dropout(const at::Tensor& x) const;
  // Slice for an input that is the concatenation of an up stage.
  WeightSlice JoinedSlice(int stage, int64_t out) const;
  at::Tensor ForwardVoxels(const SparseTensor& voxels) const;
  at::Tensor ForwardPoints(const NetInput& input) const;

  torch::nn::Module& root_;
  UNetArch largest_;
  UNetArch active_;
  UNetOptions options_;
  std::array<ConvNorm, 2> stem_;
  std::array<Stage, 8> stages_;
  std::array<PointLayer, 3> points_;
  std::shared_ptr<ElasticLinear> classifier_;
};

// A network of one architecture.
class UNet final : public Network {
 public:
  UNet(const UNetArch& arch, const UNetOptions& options) : body_(*this, arch, options) {}
  at::Tensor Forward(const NetInput& input) override { return body_.Forward(input); }
  UNetBody& body() { return body_; }

 private:
  UNetBody body_;
};

// The fixed networks, freshly initialised. Source: spvnas core/models/semantic_kitti.
std::shared_ptr<UNet> MakeMinkUNet(double cr, int64_t in_channels, int64_t num_classes,
                                   uint64_t seed);
std::shared_ptr<UNet> MakeSpvcnn(double cr, int64_t in_channels, int64_t num_classes,
                                 double dropout, uint64_t seed);

// Voxels and kernel-map pairs at every stride of the U-Net, and points: the workload keys of
// search/space/layer_table.h, summed over the samples of the batch.
std::map<std::string, double> CountUNetWorkload(const NetInput& input);

}  // namespace voxbit::supernet
