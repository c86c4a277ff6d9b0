#include "supernet/nn/row_sample.h"

#include <torch/torch.h>

#include <algorithm>

namespace voxbit::supernet {

void RowSample::Add(const at::Tensor& x) {
  if (x.numel() == 0) return;
  const at::NoGradGuard no_grad;
  const at::Tensor rows = x.detach().reshape({-1, x.size(-1)});
  const auto [low, high] = at::aminmax(rows);
  low_ = empty() ? low.view(1) : at::minimum(low_, low);
  high_ = empty() ? high.view(1) : at::maximum(high_, high);

  const int64_t before = num_rows_;
  num_rows_ += rows.size(0);
  const int64_t most = std::max<int64_t>(1, kMostValues / rows.size(1));
  while ((num_rows_ - 1) / stride_ + 1 > most) {
    stride_ *= 2;
    if (kept_.defined()) kept_ = kept_.slice(0, 0, kept_.size(0), 2).clone();
  }
  const int64_t first = (stride_ - before % stride_) % stride_;
  if (first >= rows.size(0)) return;
  const at::Tensor chosen = rows.slice(0, first, rows.size(0), stride_);
  kept_ = kept_.defined() ? at::cat({kept_, chosen}) : chosen.clone();
}

at::Tensor RowSample::Values() const {
  if (stride_ == 1) return kept_.flatten();
  return at::cat({kept_.flatten(), low_, high_});
}

}  // namespace voxbit::supernet
