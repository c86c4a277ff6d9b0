// Weights from a codebook: the labels of k-means stay, and after every step of the optimizer each
// weight becomes the mean of its cluster. 16 bits are float16 values without a codebook, which
// would be larger than most layers. Source: Han et al., Deep Compression (ICLR 2016), sec. 3;
// mit-han-lab/haq, lib/utils/quantize_utils.py (k_means_cpu, kmeans_update_model). Deviations:
// distinct values and not weights bound the number of clusters, an empty cluster is impossible, 1
// cluster works.
#include <torch/torch.h>

#include <vector>

#include "supernet/quant/codebook.h"
#include "supernet/quant/codes/kmeans.h"
#include "supernet/quant/codes/sizes.h"
#include "supernet/quant/quantizer.h"

namespace voxbit::quant {
namespace {

constexpr int64_t kHighBits = 6;  // free_high_bits leaves wider layers alone
constexpr double kLargestHalf = 65504;

class KMeansWeight final : public Quantizer {
 public:
  explicit KMeansWeight(const QuantizerSettings& settings) : Quantizer(settings) {
    set_enabled(!(settings.free_high_bits && settings.bits > kHighBits));
  }

  at::Tensor Surrogate(const at::Tensor& x) const override { return x; }

  // Clusters x anew; there is no range to choose.
  void Calibrate(const at::Tensor& x, Calibration /*how*/) override {
    const at::NoGradGuard no_grad;
    if (settings().bits < 16) Cluster(x);
  }

 protected:
  void Prepare(const at::Tensor& x) override {
    if (settings().bits < 16 && !labels_.defined()) Cluster(x);
  }

  QuantizedTensor Encode(const at::Tensor& x) const override {
    QuantizedTensor out;
    out.bits = settings().bits;
    if (out.bits == 16) {
      out.coding = Coding::kHalf;
      out.values = x.clamp(-kLargestHalf, kLargestHalf).to(at::kHalf);
      return out;
    }
    TORCH_CHECK(labels_.sizes() == x.sizes(), "clusters of the shape ", labels_.sizes(),
                " were given the shape ", x.sizes());
    out.coding = Coding::kCodebook;
    out.codes = labels_;
    out.codebook = ClusterMeans(x, labels_, codebook_);
    return out;
  }

  void ProjectAfterStep(at::Tensor& weight) const override {
    if (settings().bits < 16) weight.copy_(Dequantize(Encode(weight)));
  }

  int64_t BytesOf(int64_t num_values) const override {
    return CodebookBytes(num_values, settings().bits);
  }

 private:
  void Cluster(const at::Tensor& x) {
    const at::Tensor flat = x.detach().to(at::kCPU, at::kFloat).flatten().contiguous();
    TORCH_CHECK(flat.isfinite().all().item<bool>(), "a weight to be clustered is not finite");
    const at::Tensor kept =
        settings().keep_zeros ? flat.masked_select(flat.ne(0)).contiguous() : flat;
    const Clusters clusters = ClusterValues(
        {kept.data_ptr<float>(), static_cast<size_t>(kept.numel())}, int64_t{1} << settings().bits,
        settings().kmeans, Rng(settings().seed).Fork("k-means"));
    at::Tensor labels = at::tensor(clusters.labels, at::kInt);
    if (settings().keep_zeros) {
      labels = at::full(flat.sizes(), -1, at::kInt).masked_scatter(flat.ne(0), labels);
    }
    labels_ = labels.view(x.sizes()).to(x.device());
    codebook_ = at::tensor(clusters.centroids, at::kFloat).to(x.device());
  }

  // Not part of the state: weights that lie on their centroids lead to the same clusters again.
  at::Tensor labels_;    // shape of the weight, int32
  at::Tensor codebook_;  // [K] float32, as of the clustering
};

}  // namespace

at::Tensor ClusterMeans(const at::Tensor& x, const at::Tensor& labels, const at::Tensor& codebook) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(x.sizes() == labels.sizes(), "labels of the shape ", labels.sizes(),
              " for the shape ", x.sizes());
  const int64_t num = codebook.numel();
  if (num == 0 || x.numel() == 0) return codebook;
  // Bucket 0 is for the values of no cluster.
  const at::Tensor bucket = labels.flatten().to(at::kLong) + 1;
  const at::Tensor sums = at::zeros({num + 1}, x.options().dtype(at::kDouble))
                              .index_add_(0, bucket, x.detach().flatten().to(at::kDouble))
                              .narrow(0, 1, num);
  const at::Tensor counts = at::bincount(bucket, {}, num + 1).narrow(0, 1, num);
  const at::Tensor means = (sums / counts.clamp_min(1)).to(at::kFloat);
  return at::where(counts > 0, means, codebook);
}

Result<std::shared_ptr<Quantizer>> MakeKMeans(const QuantizerSettings& settings) {
  VOXBIT_RETURN_IF_ERROR(CheckWeightSettings("kmeans", settings));
  if (settings.channels > 0) {
    return InvalidArgument("the quantizer \"kmeans\" has one codebook for the tensor");
  }
  return std::shared_ptr<Quantizer>(std::make_shared<KMeansWeight>(settings));
}

}  // namespace voxbit::quant
