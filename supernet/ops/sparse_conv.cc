#include "supernet/ops/sparse_conv.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "supernet/ops/kernel_map.h"
#include "supernet/ops/parallel.h"

namespace voxbit::supernet {
namespace {

thread_local ComputePath compute_path = ComputePath::kAuto;

constexpr int64_t kRowBlock = 256;         // output rows of one task
constexpr int64_t kSmallWork = 64 * 1024;  // multiply-accumulates not worth a second thread

// One call, kept for the backward pass.
struct ConvPlan : torch::CustomClassHolder {
  std::shared_ptr<const KernelMap> map;  // null: row i to row i
  bool transposed = false;
  bool linear_layout = false;  // weight is [out, in]
  kernels::AxisSlice in;
  kernels::AxisSlice out;
  bool needs_input_grad = true;

  int64_t num_offsets() const { return map == nullptr ? 1 : map->num_offsets(); }
  // Pairs towards the rows of the output (or of the input when `backward`).
  kernels::ConvPairs Pairs(bool backward) const {
    if (map == nullptr) return {};
    return transposed == backward ? map->ToOutput() : map->ToInput();
  }
  int64_t NumOut(int64_t num_in) const {
    if (map == nullptr) return num_in;
    return transposed ? map->num_in() : map->num_out();
  }
};

kernels::WeightView ViewOf(const at::Tensor& weight, const ConvPlan& plan) {
  kernels::WeightView view;
  view.data = weight.data_ptr<float>();
  view.num_offsets = plan.num_offsets();
  view.in = plan.in;
  view.out = plan.out;
  const int64_t rows = weight.size(-2);
  const int64_t columns = weight.size(-1);
  view.stride_k = rows * columns;
  view.stride_in = plan.linear_layout ? 1 : columns;
  view.stride_out = plan.linear_layout ? columns : 1;
  return view;
}

kernels::WeightView Swapped(kernels::WeightView view) {
  std::swap(view.in, view.out);
  std::swap(view.stride_in, view.stride_out);
  return view;
}

// y = bias + conv(x); see kernels::ConvKernels::rows.
at::Tensor RunRows(const at::Tensor& x, const kernels::WeightView& view,
                   const kernels::ConvPairs& pairs, int64_t num_out, const float* bias) {
  const int64_t in = view.in.count;
  const int64_t out = view.out.count;
  at::Tensor y = at::empty({num_out, out}, x.options());
  if (y.numel() == 0) return y;
  at::Tensor packed = at::empty({kernels::PackedSize(view.num_offsets, in, out)}, x.options());
  auto* panels = packed.data_ptr<float>();
  const int64_t pack_grain = std::max<int64_t>(1, kSmallWork / std::max<int64_t>(1, in * out));
  ParallelFor(view.num_offsets, pack_grain,
              [&](int64_t begin, int64_t end) { kernels::PackWeights(view, begin, end, panels); });
  const kernels::ConvKernels& conv = kernels::ConvKernelsFor(kernels::ActiveIsa());
  const int64_t num_pairs = pairs.starts == nullptr ? num_out : pairs.starts[pairs.num_offsets];
  const int64_t work = num_pairs * in * out;
  const int64_t grain = work < 4 * kSmallWork ? num_out : kRowBlock;
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  ParallelFor(num_out, grain, [&](int64_t begin, int64_t end) {
    conv.rows(pairs, from, in, panels, in, out, bias, to, out, begin, end);
  });
  return y;
}

// Adds the weight gradient of the slice into grad_weight (full size). Tasks are (offset, range of
// input channels): each writes a part of its own, so there is nothing to merge.
void RunWeightGrad(const at::Tensor& x, const at::Tensor& dy, const ConvPlan& plan,
                   at::Tensor& grad_weight) {
  const int64_t in = plan.in.count;
  const int64_t out = plan.out.count;
  const kernels::ConvPairs pairs = plan.Pairs(false);
  const kernels::WeightView view = ViewOf(grad_weight, plan);
  auto* data = grad_weight.data_ptr<float>();
  const auto* x_data = x.data_ptr<float>();
  const auto* dy_data = dy.data_ptr<float>();
  const kernels::ConvKernels& conv = kernels::ConvKernelsFor(kernels::ActiveIsa());
  // Input ranges that do not straddle the two segments of a concatenated input.
  constexpr int64_t kChannels = 48;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (int64_t i = 0; i < in;) {
    const int64_t limit = i < plan.in.split ? plan.in.split : in;
    const int64_t end = std::min(limit, i + kChannels);
    ranges.emplace_back(i, end);
    i = end;
  }
  const auto num_ranges = static_cast<int64_t>(ranges.size());
  const int64_t tasks = plan.num_offsets() * num_ranges;
  const int64_t num_pairs = pairs.starts == nullptr ? x.size(0) : pairs.starts[pairs.num_offsets];
  const int64_t grain = num_pairs * in * out < 4 * kSmallWork ? tasks : 1;
  ParallelFor(tasks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t k = task / num_ranges;
      const auto [first, last] = ranges[static_cast<size_t>(task % num_ranges)];
      const int64_t at = pairs.starts == nullptr ? 0 : pairs.starts[k];
      const int64_t n = pairs.starts == nullptr ? x.size(0) : pairs.starts[k + 1] - at;
      const int32_t* gather = pairs.gather == nullptr ? nullptr : pairs.gather + at;
      const int32_t* scatter = pairs.scatter == nullptr ? nullptr : pairs.scatter + at;
      float* to = data + k * view.stride_k + plan.in.At(first) * view.stride_in;
      if (plan.linear_layout) {  // dW is [out, in]: exchange the two factors
        conv.weight_grad(scatter, gather, n, dy_data, out, x_data + first, in, out, last - first,
                         to, view.stride_out);
      } else {
        conv.weight_grad(gather, scatter, n, x_data + first, in, dy_data, out, last - first, out,
                         to, view.stride_in);
      }
    }
  });
}

class ConvFunction : public torch::autograd::Function<ConvFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& feats,
                            const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                            const c10::intrusive_ptr<ConvPlan>& plan) {
    const at::Tensor x = feats.contiguous();
    plan->needs_input_grad = feats.requires_grad();
    ctx->save_for_backward({x, weight});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    ctx->saved_data["bias_size"] = bias.has_value() ? bias->size(0) : int64_t{0};
    return RunRows(x, ViewOf(weight, *plan), plan->Pairs(false), plan->NumOut(x.size(0)),
                   bias.has_value() ? bias->data_ptr<float>() : nullptr);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const auto& plan = static_cast<const ConvPlan&>(*capsule);
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor dy = grads[0].contiguous();
    at::Tensor dx;
    if (plan.needs_input_grad) {
      dx = RunRows(dy, Swapped(ViewOf(weight, plan)), plan.Pairs(true), x.size(0), nullptr);
    }
    at::Tensor dw = at::zeros(weight.sizes(), weight.options());
    RunWeightGrad(x, dy, plan, dw);
    at::Tensor dbias;
    const int64_t bias_size = ctx->saved_data["bias_size"].toInt();
    if (bias_size > 0) {
      dbias = at::zeros({bias_size}, dy.options());
      dbias.narrow(0, 0, dy.size(1)).copy_(dy.sum(0));
    }
    return {dx, dw, dbias, at::Tensor()};
  }
};

// A custom function takes an absent tensor only in this form.
c10::optional<at::Tensor> Optional(const at::Tensor& tensor) {
  return tensor.defined() ? c10::optional<at::Tensor>(tensor) : c10::nullopt;
}

// The active rows of a weight [..., Imax, Omax].
at::Tensor SliceRows(const at::Tensor& weight, const kernels::AxisSlice& axis) {
  const at::Tensor front = weight.narrow(-2, 0, std::min(axis.split, axis.count));
  if (axis.split >= axis.count) return front;
  return at::cat({front, weight.narrow(-2, axis.second, axis.count - axis.split)}, -2);
}

// The same arithmetic as torch operations: any device and type, gradients by torch.
at::Tensor TorchConv(const at::Tensor& feats, const at::Tensor& weight, const at::Tensor& bias,
                     const ConvPlan& plan) {
  const at::Tensor cube = weight.dim() == 2 ? weight.unsqueeze(0) : weight;
  const at::Tensor active = SliceRows(cube, plan.in).narrow(2, 0, plan.out.count);
  at::Tensor y;
  if (plan.map == nullptr) {
    y = feats.mm(active.select(0, 0));
  } else {
    y = at::zeros({plan.NumOut(feats.size(0)), plan.out.count}, feats.options());
    const auto slices = active.unbind(0);
    const auto rows = plan.map->OnDevice(feats.device());
    for (size_t k = 0; k < rows.size(); ++k) {
      if (rows[k].in.numel() == 0) continue;
      const at::Tensor& gather = plan.transposed ? rows[k].out : rows[k].in;
      const at::Tensor& scatter = plan.transposed ? rows[k].in : rows[k].out;
      y = y.index_add(0, scatter, feats.index_select(0, gather).mm(slices[k]));
    }
  }
  return bias.defined() ? y + bias.narrow(0, 0, plan.out.count) : y;
}

at::Tensor RunConv(const at::Tensor& feats, const at::Tensor& weight, const at::Tensor& bias,
                   const c10::intrusive_ptr<ConvPlan>& plan) {
  if (UsesKernels(feats)) {
    TORCH_CHECK(weight.is_contiguous() && weight.scalar_type() == at::kFloat,
                "a convolution weight must be contiguous float32");
    return ConvFunction::apply(feats, weight, Optional(bias), plan);
  }
  return TorchConv(feats, weight, bias, *plan);
}

}  // namespace

ComputePathGuard::ComputePathGuard(ComputePath path) : previous_(compute_path) {
  compute_path = path;
}

ComputePathGuard::~ComputePathGuard() { compute_path = previous_; }

bool UsesKernels(const at::Tensor& feats) {
  return compute_path == ComputePath::kAuto && feats.device().is_cpu() &&
         feats.scalar_type() == at::kFloat;
}

kernels::ConvGeometry GeometryOf(const SparseTensor& x, const ConvOptions& options) {
  kernels::ConvGeometry geometry;
  for (size_t axis = 0; axis < 3; ++axis) {
    geometry.kernel[axis] = options.kernel[axis];
    geometry.stride[axis] = options.stride[axis];
    geometry.tensor_stride[axis] =
        options.transposed ? x.stride[axis] / options.stride[axis] : x.stride[axis];
  }
  geometry.dilation = options.dilation;
  return geometry;
}

std::shared_ptr<const KernelMap> MapOf(const SparseTensor& x, const ConvOptions& options) {
  const kernels::ConvGeometry geometry = GeometryOf(x, options);
  if (!options.transposed) return x.cache->Find(x.coords, geometry);
  auto map = x.cache->FindByOutput(x.coords, geometry);
  TORCH_CHECK(map != nullptr,
              "a transposed sparse convolution needs the strided convolution of the same kernel "
              "and stride before it");
  return map;
}

at::Tensor ActiveWeight(const at::Tensor& weight, const WeightSlice& slice) {
  return SliceRows(weight.narrow(-1, 0, slice.out), slice.InAxis());
}

SparseTensor SparseConv3d(const SparseTensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const ConvOptions& options, const WeightSlice& slice) {
  TORCH_CHECK(x.feats.size(1) == slice.in, "the convolution expects ", slice.in,
              " input channels, found ", x.feats.size(1));
  auto plan = c10::make_intrusive<ConvPlan>();
  plan->in = slice.InAxis();
  plan->out = slice.OutAxis();
  plan->transposed = options.transposed;
  const Triple ones = {1, 1, 1};
  if (options.kernel == ones && options.stride == ones) {
    return x.WithFeats(RunConv(x.feats, weight, bias, plan));
  }
  plan->map = MapOf(x, options);
  SparseTensor y = x;
  y.feats = RunConv(x.feats, weight, bias, plan);
  y.coords = options.transposed ? plan->map->in_coords : plan->map->out_coords;
  for (size_t axis = 0; axis < 3; ++axis) {
    y.stride[axis] = options.transposed ? x.stride[axis] / options.stride[axis]
                                        : x.stride[axis] * options.stride[axis];
  }
  return y;
}

SparseTensor SparseConv3d(const SparseTensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const ConvOptions& options) {
  WeightSlice slice;
  slice.in = weight.size(-2);
  slice.out = weight.size(-1);
  return SparseConv3d(x, weight, bias, options, slice);
}

at::Tensor ElasticLinearRows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             int64_t out) {
  const int64_t in = x.size(1);
  if (!UsesKernels(x)) {
    const at::Tensor active = weight.narrow(0, 0, out).narrow(1, 0, in);
    return at::linear(x, active, bias.defined() ? bias.narrow(0, 0, out) : bias);
  }
  auto plan = c10::make_intrusive<ConvPlan>();
  plan->linear_layout = true;
  plan->in = {in, in, 0};
  plan->out = {out, out, 0};
  return RunConv(x, weight, bias, plan);
}

}  // namespace voxbit::supernet
