// Neighbourhoods in dense point clouds: sampling, nearest neighbours, grouping, interpolation.
// Points are padded batches [B,N,3], as PointNet++, Point Transformer and PCT have them. float32 on
// the CPU goes to the kernels of supernet/kernels, everything else through torch operations that
// give the same indices (sparse_conv.h: ComputePath); half types are computed in float32. Distances
// are squared and added as (dx dx + dy dy) + dz dz. Results do not depend on the number of threads.
//
// Indices are int64 and carry no gradient; points get none either. Coordinates must be finite: the
// kernels check it, and then every index is in range and every distance is a number. All throw
// c10::Error when what they require does not hold.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace voxbit::supernet {

enum class Sampling {
  kAll,             // every point may be picked
  kSkipNearOrigin,  // points with x^2+y^2+z^2 <= 1e-3 are picked only as the first one: what the
                    // CUDA sampler of pointnet2_ops does
};

// [B,num] indices into xyz [B,N,3] by farthest-point sampling from index `first`; ties go to the
// lower index. Once every point that may be picked coincides with a pick, the lowest of them is
// repeated; where none may, `first`. Requires: 0 < num <= N, 0 <= first < N.
// Source: Qi et al., PointNet++ (NeurIPS 2017), sec. 3.2.
at::Tensor FarthestPointSample(const at::Tensor& xyz, int64_t num, int64_t first = 0,
                               Sampling sampling = Sampling::kAll);

struct Neighbours {
  at::Tensor index;    // [B,M,k'] int64
  at::Tensor squares;  // [B,M,k'] squared distances, type of the points (float32 for half types)
};

// The k' = min(k,N) points of points [B,N,3] nearest to each query [B,M,3], by ascending squared
// distance; a point of the cloud finds itself. Ties go to the lower index. Exact.
// Requires: k > 0, N > 0.
Neighbours FindNeighbours(const at::Tensor& query, const at::Tensor& points, int64_t k);
// The indices alone.
at::Tensor NearestNeighbours(const at::Tensor& query, const at::Tensor& points, int64_t k);

// [B,M,num] indices of points [B,N,3] within `radius` (inclusive) of query [B,M,3], lowest index
// first, the first repeated to fill; where there is none, the nearest point.
// Requires: num > 0, N > 0, radius >= 0 with a finite square in float32.
// Source: PointNet++; the original reads out of range where there is none.
at::Tensor BallQuery(const at::Tensor& query, const at::Tensor& points, double radius, int64_t num);

// Rows of feats [B,N,C] at index [B,...]: [B,...,C]. Gradient for feats, whose sums run in a fixed
// order; on the CPU in that of the index. Requires: 0 <= index < N (the kernels check).
at::Tensor GatherPoints(const at::Tensor& feats, const at::Tensor& index);

// Distance that interpolation weights are the inverse of.
enum class InterpolationDistance { kSquared, kEuclidean };

// Weights 1/(d + 1e-8) of squared distances [...,k], normalised to sum 1 over the last dimension.
at::Tensor InverseDistanceWeights(const at::Tensor& squares,
                                  InterpolationDistance distance = InterpolationDistance::kSquared);

// Points that features are interpolated from, and how they count.
struct Interpolation {
  at::Tensor index;    // [B,N,k] int64
  at::Tensor weights;  // [B,N,k], sum 1 over k; type of the points (float32 for half types)
};

// For each of the points dense [B,N,3] the min(3,S) nearest of sparse [B,S,3], with
// InverseDistanceWeights. Requires: S > 0.
// Source: PointNet++ (squared), POSTECH point-transformer (Euclidean).
Interpolation FindInterpolation(const at::Tensor& dense, const at::Tensor& sparse,
                                InterpolationDistance distance = InterpolationDistance::kSquared);

// Weighted means [B,N,C] of feats [B,S,C]. Gradient for feats. Requires: indices below S.
at::Tensor Interpolate(const at::Tensor& feats, const Interpolation& from);

// Both: feats [B,S,C] of the points `sparse` at the points `dense`.
at::Tensor InterpolateNearest(const at::Tensor& dense, const at::Tensor& sparse,
                              const at::Tensor& feats,
                              InterpolationDistance distance = InterpolationDistance::kSquared);

}  // namespace voxbit::supernet
