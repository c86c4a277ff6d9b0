#include "supernet/ops/neighbours.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "supernet/kernels/ball_query/ball_query.h"
#include "supernet/kernels/fps/fps.h"
#include "supernet/kernels/interpolate/interpolate.h"
#include "supernet/kernels/knn/knn.h"
#include "supernet/kernels/point_tree/point_tree.h"
#include "supernet/ops/parallel.h"
#include "supernet/ops/sparse_conv.h"

namespace voxbit::supernet {
namespace {

constexpr int64_t kQueryGrain = 256;               // queries of one task
constexpr int64_t kValueGrain = 64 * 1024;         // values to move not worth a second thread
constexpr int64_t kSpreadTasks = 32;               // enough to keep many threads busy
constexpr int64_t kSpreadChannels = 32;            // channels of one task, at least
constexpr int64_t kLine = 16;                      // float32 of a cache line
constexpr int64_t kTileValues = 16 * 1024 * 1024;  // distances of one tile of the torch path

// ---- what the paths share ----

void CheckCloud(const at::Tensor& xyz, const char* name) {
  TORCH_CHECK(xyz.dim() == 3 && xyz.size(2) == 3 && xyz.is_floating_point(), name,
              " must be floating [B,N,3], found ", xyz.sizes());
}

void CheckPair(const at::Tensor& query, const at::Tensor& points) {
  CheckCloud(query, "query");
  CheckCloud(points, "points");
  TORCH_CHECK(query.size(0) == points.size(0), "query has ", query.size(0),
              " clouds but points has ", points.size(0));
  TORCH_CHECK(query.device() == points.device() && query.scalar_type() == points.scalar_type(),
              "query and points differ in device or type");
  TORCH_CHECK(points.size(1) > 0, "a search among no points");
}

// Coordinates as they are computed with: no gradient, at least float32, contiguous.
at::Tensor Coordinates(const at::Tensor& xyz) {
  const bool half = xyz.scalar_type() == at::kHalf || xyz.scalar_type() == at::kBFloat16;
  return (half ? xyz.detach().to(at::kFloat) : xyz.detach()).contiguous();
}

// ---- kernels ----

// Points of a batch for the kernels.
class Clouds {
 public:
  // xyz from Coordinates, float32 on the CPU.
  explicit Clouds(const at::Tensor& xyz) : xyz_(xyz), num_points_(xyz.size(1)) {
    TORCH_CHECK(num_points_ <= std::numeric_limits<int32_t>::max(),
                "too many points: ", num_points_);
    CheckFinite(xyz);
    trees_.resize(static_cast<size_t>(xyz.size(0)));
    const auto* data = xyz.data_ptr<float>();
    ParallelFor(xyz.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        trees_[static_cast<size_t>(b)].emplace(data + 3 * num_points_ * b, num_points_);
      }
    });
  }

  const kernels::PointTreeView& operator[](int64_t b) const {
    return trees_[static_cast<size_t>(b)]->view();
  }

  static void CheckFinite(const at::Tensor& xyz) {
    const auto* data = xyz.data_ptr<float>();
    bool finite = true;
    for (int64_t i = 0; i < xyz.numel(); ++i) finite &= std::isfinite(data[i]);
    TORCH_CHECK(finite, "a coordinate is not finite");
  }

 private:
  at::Tensor xyz_;
  int64_t num_points_;
  std::vector<std::optional<kernels::PointTree>> trees_;
};

// body(b, begin, end) for rows [begin, end) of batch item b, over [0, batches) x [0, rows).
template <class Body>
void ParallelRows(int64_t batches, int64_t rows, int64_t grain, const Body& body) {
  ParallelFor(batches * rows, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t b = begin / rows;
      const int64_t stop = std::min(end, (b + 1) * rows);
      body(b, begin - b * rows, stop - b * rows);
      begin = stop;
    }
  });
}

Neighbours KernelNeighbours(const at::Tensor& query, const at::Tensor& points, int64_t k) {
  Neighbours found;
  found.index = at::empty({query.size(0), query.size(1), k}, query.options().dtype(at::kLong));
  found.squares = at::empty(found.index.sizes(), query.options());
  if (found.index.numel() == 0) return found;
  Clouds::CheckFinite(query);
  const Clouds clouds(points);
  const kernels::KnnKernels& knn = kernels::KnnKernelsFor(kernels::ActiveIsa());
  const int64_t m = query.size(1);
  const auto* from = query.data_ptr<float>();
  auto* index = found.index.data_ptr<int64_t>();
  auto* squares = found.squares.data_ptr<float>();
  ParallelRows(query.size(0), m, kQueryGrain, [&](int64_t b, int64_t begin, int64_t end) {
    knn.nearest(clouds[b], from + 3 * m * b, k, begin, end, index + k * m * b, squares + k * m * b);
  });
  return found;
}

at::Tensor KernelBallQuery(const at::Tensor& query, const at::Tensor& points, float square,
                           int64_t num) {
  at::Tensor index =
      at::empty({query.size(0), query.size(1), num}, query.options().dtype(at::kLong));
  if (index.numel() == 0) return index;
  Clouds::CheckFinite(query);
  const Clouds clouds(points);
  const kernels::BallQueryKernels& ball = kernels::BallQueryKernelsFor(kernels::ActiveIsa());
  const kernels::KnnKernels& knn = kernels::KnnKernelsFor(kernels::ActiveIsa());
  const int64_t m = query.size(1);
  const auto* all = query.data_ptr<float>();
  auto* out = index.data_ptr<int64_t>();
  ParallelRows(query.size(0), m, kQueryGrain, [&](int64_t b, int64_t begin, int64_t end) {
    const float* from = all + 3 * m * b;
    int64_t* to = out + num * m * b;
    ball.within(clouds[b], from, square, num, begin, end, to);
    for (int64_t q = begin; q < end; ++q) {
      int64_t* row = to + num * q;
      if (row[0] >= 0) continue;
      knn.nearest(clouds[b], from + 3 * q, 1, 0, 1, row, nullptr);
      std::fill(row + 1, row + num, row[0]);
    }
  });
  return index;
}

at::Tensor KernelFps(const at::Tensor& xyz, int64_t num, const kernels::FpsOptions& options) {
  at::Tensor index = at::empty({xyz.size(0), num}, xyz.options().dtype(at::kLong));
  if (index.numel() == 0) return index;
  const Clouds clouds(xyz);
  auto* out = index.data_ptr<int64_t>();
  ParallelFor(xyz.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      kernels::FarthestPointSample(kernels::ActiveIsa(), clouds[b], num, options, out + num * b);
    }
  });
  return index;
}

int64_t RowGrain(int64_t values_per_row) {
  return std::max<int64_t>(1, kValueGrain / std::max<int64_t>(1, values_per_row));
}

// [B,num_source,C] gradient of the rows that were taken at index [B,...,k], from grad [B,...,C].
// Tasks are (cloud, range of channels): every sum runs over the index in its order, so nothing
// depends on the division.
at::Tensor Spread(const at::Tensor& grad, const at::Tensor& index, const float* weights, int64_t k,
                  int64_t num_source) {
  const int64_t batches = index.size(0);
  const int64_t channels = grad.size(-1);
  at::Tensor out = at::zeros({batches, num_source, channels}, grad.options());
  if (grad.numel() == 0) return out;
  const int64_t entries = index.numel() / batches;
  const int64_t rows = entries / k;
  const int64_t most = std::max<int64_t>(1, kSpreadTasks / batches);
  const int64_t width = std::max(kSpreadChannels, (channels + most - 1) / most / kLine * kLine);
  const int64_t ranges = (channels + width - 1) / width;
  const kernels::InterpolateKernels& kernel = kernels::InterpolateKernelsFor(kernels::ActiveIsa());
  const auto* from = grad.data_ptr<float>();
  const auto* at = index.data_ptr<int64_t>();
  auto* to = out.data_ptr<float>();
  ParallelFor(batches * ranges, RowGrain(rows * width), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / ranges;
      const int64_t first = task % ranges * width;
      kernel.spread(from + b * rows * channels, at + b * entries,
                    weights == nullptr ? nullptr : weights + b * entries, k, channels, rows, first,
                    std::min(channels, first + width), to + b * num_source * channels);
    }
  });
  return out;
}

class GatherFunction : public torch::autograd::Function<GatherFunction> {
 public:
  // feats [B,N,C], index [B,E] contiguous.
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& feats,
                            const at::Tensor& index) {
    ctx->save_for_backward({index});
    const at::Tensor from = feats.contiguous();
    const int64_t n = from.size(1);
    const int64_t channels = from.size(2);
    const int64_t entries = index.size(1);
    ctx->saved_data["num_source"] = n;
    at::Tensor out = at::empty({from.size(0), entries, channels}, from.options());
    const auto* source = from.data_ptr<float>();
    const auto* rows = index.data_ptr<int64_t>();
    auto* to = out.data_ptr<float>();
    ParallelRows(from.size(0), entries, RowGrain(channels),
                 [&](int64_t b, int64_t begin, int64_t end) {
                   for (int64_t e = b * entries + begin; e < b * entries + end; ++e) {
                     std::memcpy(to + e * channels, source + (b * n + rows[e]) * channels,
                                 static_cast<size_t>(channels) * sizeof(float));
                   }
                 });
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const at::Tensor index = ctx->get_saved_variables()[0];
    const int64_t n = ctx->saved_data["num_source"].toInt();
    return {Spread(grads[0].contiguous(), index, nullptr, 1, n), at::Tensor()};
  }
};

class InterpolateFunction : public torch::autograd::Function<InterpolateFunction> {
 public:
  // feats [B,S,C]; index and weights [B,N,k] contiguous.
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& feats,
                            const at::Tensor& index, const at::Tensor& weights) {
    ctx->save_for_backward({index, weights});
    const at::Tensor from = feats.contiguous();
    ctx->saved_data["num_source"] = from.size(1);
    const int64_t n = index.size(1);
    const int64_t k = index.size(2);
    const int64_t channels = from.size(2);
    at::Tensor out = at::empty({from.size(0), n, channels}, from.options());
    const kernels::InterpolateKernels& kernel =
        kernels::InterpolateKernelsFor(kernels::ActiveIsa());
    const auto* source = from.data_ptr<float>();
    const auto* rows = index.data_ptr<int64_t>();
    const auto* weight = weights.data_ptr<float>();
    auto* to = out.data_ptr<float>();
    ParallelRows(from.size(0), n, RowGrain(k * channels),
                 [&](int64_t b, int64_t begin, int64_t end) {
                   kernel.mix(source + b * from.size(1) * channels, rows + b * n * k,
                              weight + b * n * k, k, channels, begin, end, to + b * n * channels);
                 });
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const int64_t n = ctx->saved_data["num_source"].toInt();
    return {
        Spread(grads[0].contiguous(), saved[0], saved[1].data_ptr<float>(), saved[0].size(2), n),
        at::Tensor(), at::Tensor()};
  }
};

// ---- torch operations ----

// a [...,3] and b [...,3] broadcast; the order of additions is that of the kernels.
at::Tensor SquaredDistance(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor sum;
  for (int64_t axis = 0; axis < 3; ++axis) {
    const at::Tensor off = a.select(-1, axis) - b.select(-1, axis);
    const at::Tensor square = off * off;
    sum = axis == 0 ? square : sum + square;
  }
  return sum;
}

// body(squares [B,m,N], begin, m) for tiles of the queries.
template <class Body>
void ForDistanceTiles(const at::Tensor& query, const at::Tensor& points, const Body& body) {
  const int64_t per_query = std::max<int64_t>(1, points.size(0) * points.size(1));
  const int64_t step = std::max<int64_t>(1, kTileValues / per_query);
  for (int64_t begin = 0; begin < query.size(1); begin += step) {
    const int64_t m = std::min(step, query.size(1) - begin);
    body(SquaredDistance(query.narrow(1, begin, m).unsqueeze(2), points.unsqueeze(1)), begin, m);
  }
}

Neighbours TorchNeighbours(const at::Tensor& query, const at::Tensor& points, int64_t k) {
  Neighbours found;
  found.index = at::empty({query.size(0), query.size(1), k}, query.options().dtype(at::kLong));
  found.squares = at::empty(found.index.sizes(), query.options());
  ForDistanceTiles(query, points, [&](const at::Tensor& squares, int64_t begin, int64_t m) {
    // A stable sort: topk may order ties as it likes.
    const auto [sorted, order] = at::sort(squares, /*stable=*/true, /*dim=*/-1, false);
    found.squares.narrow(1, begin, m).copy_(sorted.narrow(-1, 0, k));
    found.index.narrow(1, begin, m).copy_(order.narrow(-1, 0, k));
  });
  return found;
}

at::Tensor TorchBallQuery(const at::Tensor& query, const at::Tensor& points, float square,
                          int64_t num) {
  const int64_t n = points.size(1);
  const int64_t kept = std::min(num, n);
  at::Tensor index =
      at::empty({query.size(0), query.size(1), num}, query.options().dtype(at::kLong));
  const at::Tensor ascending = at::arange(n, index.options());
  ForDistanceTiles(query, points, [&](const at::Tensor& squares, int64_t begin, int64_t m) {
    const at::Tensor inside = at::where(squares <= square, ascending, at::full_like(ascending, n));
    at::Tensor lowest = std::get<0>(at::sort(inside, /*dim=*/-1)).narrow(-1, 0, kept);
    const at::Tensor nearest = squares.argmin(-1, /*keepdim=*/true);
    at::Tensor first = lowest.narrow(-1, 0, 1);
    first = at::where(first < n, first, nearest);
    lowest = at::where(lowest < n, lowest, first);
    at::Tensor tile = index.narrow(1, begin, m);
    tile.narrow(-1, 0, kept).copy_(lowest);
    if (kept < num) tile.narrow(-1, kept, num - kept).copy_(first.expand({-1, -1, num - kept}));
  });
  return index;
}

at::Tensor TorchFps(const at::Tensor& xyz, int64_t num, const kernels::FpsOptions& options) {
  const at::TensorOptions whole = xyz.options().dtype(at::kLong);
  at::Tensor index = at::empty({xyz.size(0), num}, whole);
  if (index.numel() == 0) return index;
  const at::Tensor first = at::full({xyz.size(0), 1}, options.first, whole);
  at::Tensor distance =
      at::full({xyz.size(0), xyz.size(1)}, std::numeric_limits<double>::infinity(), xyz.options());
  if (options.skip_near_origin) {
    const at::Tensor square = SquaredDistance(xyz, at::zeros({3}, xyz.options()));
    distance.masked_fill_(square <= kernels::kNearOrigin, -1);
  }
  at::Tensor pick = first;
  for (int64_t s = 0;; ++s) {
    index.narrow(1, s, 1).copy_(pick);
    if (s + 1 == num) return index;
    const at::Tensor at_pick = xyz.gather(1, pick.unsqueeze(2).expand({-1, 1, 3}));
    distance = at::minimum(distance, SquaredDistance(xyz, at_pick));
    pick = distance.argmax(-1, /*keepdim=*/true);  // the first of equals
    if (options.skip_near_origin) {
      pick = at::where(distance.gather(1, pick) < 0, first, pick);
    }
  }
}

at::Tensor TorchWeights(const at::Tensor& squares, InterpolationDistance distance) {
  const bool euclidean = distance == InterpolationDistance::kEuclidean;
  const at::Tensor inverse = ((euclidean ? squares.sqrt() : squares) + 1e-8).reciprocal();
  const at::Tensor sum = inverse.sum(-1, /*keepdim=*/true);
  const double equal = 1.0 / static_cast<double>(std::max<int64_t>(1, squares.size(-1)));
  return at::where(sum > 0, inverse / sum, at::full_like(inverse, equal));
}

// By index() and not index_select(): on a GPU the gradient of the former sums in sorted order, that
// of the latter in any.
at::Tensor TorchGather(const at::Tensor& feats, const at::Tensor& index) {
  const int64_t n = feats.size(1);
  const at::Tensor offset = at::arange(feats.size(0), index.options()).unsqueeze(1) * n;
  const at::Tensor rows = (index + offset).reshape({-1});
  return feats.reshape({-1, feats.size(2)})
      .index({rows})
      .view({index.size(0), index.size(1), feats.size(2)});
}

}  // namespace

at::Tensor FarthestPointSample(const at::Tensor& xyz, int64_t num, int64_t first,
                               Sampling sampling) {
  CheckCloud(xyz, "xyz");
  TORCH_CHECK(0 < num && num <= xyz.size(1), "cannot pick ", num, " of ", xyz.size(1), " points");
  TORCH_CHECK(0 <= first && first < xyz.size(1), "no point ", first, " among ", xyz.size(1));
  const at::Tensor points = Coordinates(xyz);
  const kernels::FpsOptions options = {first, sampling == Sampling::kSkipNearOrigin};
  return UsesKernels(points) ? KernelFps(points, num, options) : TorchFps(points, num, options);
}

Neighbours FindNeighbours(const at::Tensor& query, const at::Tensor& points, int64_t k) {
  CheckPair(query, points);
  TORCH_CHECK(k > 0, "cannot find ", k, " neighbours");
  const int64_t kept = std::min(k, points.size(1));
  const at::Tensor from = Coordinates(query);
  const at::Tensor among = Coordinates(points);
  return UsesKernels(from) ? KernelNeighbours(from, among, kept)
                           : TorchNeighbours(from, among, kept);
}

at::Tensor NearestNeighbours(const at::Tensor& query, const at::Tensor& points, int64_t k) {
  return FindNeighbours(query, points, k).index;
}

at::Tensor BallQuery(const at::Tensor& query, const at::Tensor& points, double radius,
                     int64_t num) {
  CheckPair(query, points);
  TORCH_CHECK(num > 0, "cannot find ", num, " points");
  const auto square = static_cast<float>(radius * radius);
  TORCH_CHECK(radius >= 0 && std::isfinite(square), "radius ", radius, " is not usable");
  const at::Tensor from = Coordinates(query);
  const at::Tensor among = Coordinates(points);
  return UsesKernels(from) ? KernelBallQuery(from, among, square, num)
                           : TorchBallQuery(from, among, square, num);
}

at::Tensor GatherPoints(const at::Tensor& feats, const at::Tensor& index) {
  TORCH_CHECK(feats.dim() == 3, "feats must be [B,N,C], found ", feats.sizes());
  TORCH_CHECK(index.dim() >= 1 && index.size(0) == feats.size(0) &&
                  index.scalar_type() == at::kLong && index.device() == feats.device(),
              "index must be int64 [B,...] on the device of feats, found ", index.sizes());
  std::vector<int64_t> shape = index.sizes().vec();
  shape.push_back(feats.size(2));
  if (index.numel() == 0) return feats.new_empty(shape);
  const at::Tensor flat = index.reshape({index.size(0), -1}).contiguous();
  if (!UsesKernels(feats)) return TorchGather(feats, flat).view(shape);
  const auto* rows = flat.data_ptr<int64_t>();
  bool in_range = true;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    in_range &= static_cast<uint64_t>(rows[i]) < static_cast<uint64_t>(feats.size(1));
  }
  TORCH_CHECK(in_range, "an index is outside the ", feats.size(1), " points");
  return GatherFunction::apply(feats, flat).view(shape);
}

at::Tensor InverseDistanceWeights(const at::Tensor& squares, InterpolationDistance distance) {
  if (!UsesKernels(squares)) return TorchWeights(squares, distance);
  const at::Tensor from = squares.detach().contiguous();
  at::Tensor weights = at::empty(from.sizes(), from.options());
  if (from.numel() == 0) return weights;
  const int64_t k = from.size(-1);
  const kernels::InterpolateKernels& kernel = kernels::InterpolateKernelsFor(kernels::ActiveIsa());
  const bool euclidean = distance == InterpolationDistance::kEuclidean;
  const auto* data = from.data_ptr<float>();
  auto* out = weights.data_ptr<float>();
  ParallelFor(from.numel() / k, RowGrain(k), [&](int64_t begin, int64_t end) {
    kernel.weights(data, k, euclidean, begin, end, out);
  });
  return weights;
}

Interpolation FindInterpolation(const at::Tensor& dense, const at::Tensor& sparse,
                                InterpolationDistance distance) {
  const Neighbours found = FindNeighbours(dense, sparse, 3);
  return {found.index, InverseDistanceWeights(found.squares, distance)};
}

at::Tensor Interpolate(const at::Tensor& feats, const Interpolation& from) {
  const at::Tensor weights = from.weights.to(feats.scalar_type());
  if (UsesKernels(feats)) return InterpolateFunction::apply(feats, from.index, weights);
  return (GatherPoints(feats, from.index) * weights.unsqueeze(-1)).sum(2);
}

at::Tensor InterpolateNearest(const at::Tensor& dense, const at::Tensor& sparse,
                              const at::Tensor& feats, InterpolationDistance distance) {
  TORCH_CHECK(
      feats.dim() == 3 && feats.size(0) == sparse.size(0) && feats.size(1) == sparse.size(1),
      "feats must have a row for each of the points ", sparse.sizes(), ", found ", feats.sizes());
  return Interpolate(feats, FindInterpolation(dense, sparse, distance));
}

}  // namespace voxbit::supernet
