// The family "points": sampling, neighbours, balls, grouping and interpolation as the repositories
// of Point Transformer, PCT and PointNet++ compute them.
#include <torch/torch.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "supernet/kernels/unit_sphere/unit_sphere.h"
#include "supernet/ops/neighbours.h"
#include "tests/golden/golden_case.h"

namespace voxbit::golden {
namespace {

using supernet::BallQuery;
using supernet::FarthestPointSample;
using supernet::FindNeighbours;
using supernet::GatherPoints;
using supernet::Neighbours;
using supernet::Sampling;

// [B,M,N] squared distances, from a search for all neighbours.
at::Tensor AllSquares(const at::Tensor& query, const at::Tensor& points) {
  const Neighbours all = FindNeighbours(query, points, points.size(1));
  return at::zeros_like(all.squares).scatter_(2, all.index, all.squares);
}

// One start per cloud.
at::Tensor SampleFrom(const at::Tensor& xyz, int64_t num, const at::Tensor& first) {
  std::vector<at::Tensor> picks;
  for (int64_t b = 0; b < xyz.size(0); ++b) {
    picks.push_back(FarthestPointSample(xyz.narrow(0, b, 1), num, first[b].item<int64_t>()));
  }
  return at::cat(picks);
}

void RunSampling(Comparison& comparison, const at::Tensor& xyz, int64_t num) {
  comparison.Exact("fps.start0.idx", FarthestPointSample(xyz, num));
  comparison.Exact("fps.start1.idx", SampleFrom(xyz, num, comparison.Input("fps.start1.first")));
}

// The least distance of a point from the surface of a ball shows that rounding decides no member.
void CheckMargin(Comparison& comparison, const at::Tensor& squares, double rounding) {
  const double radius = std::stod(comparison.recorded().Metadata("radius"));
  const double ours = (squares.to(at::kDouble) - radius * radius).abs().min().item<double>();
  const double recorded = comparison.Input("ball.margin").item<double>();
  if (!(std::abs(ours - recorded) <= rounding)) {
    comparison.Fail("ball.margin is " + std::to_string(ours) + ", recorded " +
                    std::to_string(recorded));
  }
}

// Neighbourhoods relative to their centres, then the features.
at::Tensor Grouped(const at::Tensor& xyz, const at::Tensor& centres, const at::Tensor& feats,
                   const at::Tensor& index) {
  return at::cat({GatherPoints(xyz, index) - centres.unsqueeze(2), GatherPoints(feats, index)}, 3);
}

void RunInterpolation(Comparison& comparison, const at::Tensor& dense, const at::Tensor& sparse) {
  const at::Tensor feats = comparison.Input("interp.features").requires_grad_();
  const Neighbours found = FindNeighbours(dense, sparse, 3);
  comparison.Exact("interp.idx", found.index);
  comparison.Forward("interp.sqdist", found.squares);
  comparison.Forward("interp.weight", supernet::InverseDistanceWeights(found.squares));
  const at::Tensor out = supernet::InterpolateNearest(dense, sparse, feats);
  comparison.Forward("interp.out", out);
  out.backward(comparison.Input("interp.grad_out"));
  comparison.Gradient("interp.grad_features", feats.grad());
  comparison.Forward("interp_one.out",
                     supernet::InterpolateNearest(dense, sparse.narrow(1, 0, 1),
                                                  comparison.Input("interp_one.features")));
}

// Primitive operators of the Point Transformer repositories.
void RunPointTransformerOps(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const int64_t num = std::stoll(recorded.Metadata("npoint"));
  const int64_t samples = std::stoll(recorded.Metadata("nsample"));
  const double radius = std::stod(recorded.Metadata("radius"));
  const at::Tensor xyz = comparison.Input("xyz");
  comparison.Forward("square_distance.out", AllSquares(comparison.Input("square_distance.src"),
                                                       comparison.Input("square_distance.dst")));
  const Neighbours nearest = FindNeighbours(xyz, xyz, comparison.Input("knn.idx").size(2));
  comparison.Exact("knn.idx", nearest.index);
  comparison.Forward("knn.sqdist", nearest.squares);

  RunSampling(comparison, xyz, num);
  const at::Tensor picks = FarthestPointSample(xyz, num);
  const at::Tensor centres = GatherPoints(xyz, picks);
  comparison.Exact("fps.start0.xyz", centres);

  const at::Tensor ball = BallQuery(centres, xyz, radius, samples);
  comparison.Exact("ball.idx", ball);
  // With room for every point a ball is its members, ascending, then the first again.
  const at::Tensor whole = BallQuery(centres, xyz, radius, xyz.size(1));
  comparison.Exact("ball.count_within",
                   1 + (whole.narrow(2, 1, xyz.size(1) - 1) > whole.narrow(2, 0, 1)).sum(2));
  CheckMargin(comparison, AllSquares(centres, xyz), 1e-7);

  comparison.Exact("group.fps_idx", picks);
  comparison.Exact("group.new_xyz", centres);
  // Grouped by nearness, not by the ball.
  const at::Tensor group = supernet::NearestNeighbours(centres, xyz, samples);
  comparison.Exact("group.grouped_xyz", GatherPoints(xyz, group));
  comparison.Forward("group.new_points",
                     Grouped(xyz, centres, comparison.Input("group.features"), group));

  RunInterpolation(comparison, xyz, centres);

  at::Tensor cloud = comparison.Input("pc_normalize.in").clone();
  kernels::ScaleToUnitSphere(cloud.data_ptr<float>(), cloud.size(0), 3);
  comparison.Forward("pc_normalize.out", cloud);
}

// The same of PointNet++, whose distances have the rounding error of their expanded form.
void RunPointNetOps(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const int64_t num = std::stoll(recorded.Metadata("npoint"));
  const int64_t samples = std::stoll(recorded.Metadata("nsample"));
  const double radius = std::stod(recorded.Metadata("radius"));
  const at::Tensor xyz = comparison.Input("xyz");
  const at::Tensor feats = comparison.Input("group.features");
  RunSampling(comparison, xyz, num);
  const at::Tensor picks = FarthestPointSample(xyz, num);
  const at::Tensor centres = GatherPoints(xyz, picks);
  const at::Tensor squares = AllSquares(centres, xyz);
  comparison.Forward("square_distance", squares);
  CheckMargin(comparison, squares, 1e-5);
  const at::Tensor ball = BallQuery(centres, xyz, radius, samples);
  comparison.Exact("ball.idx", ball);
  comparison.Exact("group.fps_idx", picks);
  comparison.Exact("group.new_xyz", centres);
  comparison.Forward("group.new_points", Grouped(xyz, centres, feats, ball));
  comparison.Exact("group_all.new_xyz", at::zeros({xyz.size(0), 1, 3}));
  comparison.Exact("group_all.new_points", at::cat({xyz, feats}, 2).unsqueeze(1));
}

// A cloud with repeated points: every distinct one is picked once before any repeat. The order
// among equal points is the implementation's, so coordinates are compared.
void RunDuplicates(Comparison& comparison) {
  const at::Tensor xyz = comparison.Input("xyz");
  const at::Tensor recorded = comparison.Input("idx");
  const int64_t distinct = comparison.Input("distinct").item<int64_t>();
  const at::Tensor picks = FarthestPointSample(xyz, recorded.size(1));
  const at::Tensor ours = GatherPoints(xyz, picks).narrow(1, 0, distinct);
  const at::Tensor theirs = GatherPoints(xyz, recorded).narrow(1, 0, distinct);
  if (!at::equal(ours, theirs)) comparison.Fail("the distinct points differ from the recorded");
  for (int64_t b = 0; b < xyz.size(0); ++b) {
    const auto count = [](const at::Tensor& rows) {
      return std::get<0>(at::unique_dim(rows, 0)).size(0);
    };
    comparison.Equal("the number of distinct points", count(xyz[b]), distinct);
    comparison.Equal("the number of distinct picks", count(ours[b]), distinct);
  }
}

// The CUDA sampler of pointnet2_ops never picks points near the origin.
void RunCudaSampling(Comparison& comparison) {
  const at::Tensor xyz = comparison.Input("xyz");
  const at::Tensor near = comparison.Input("near_origin");
  const int64_t num = comparison.Input("idx").size(1);
  const at::Tensor picks = FarthestPointSample(xyz, num, 0, Sampling::kSkipNearOrigin);
  comparison.Exact("idx", picks);
  const at::Tensor from_origin = AllSquares(at::zeros({xyz.size(0), 1, 3}), xyz).select(1, 0);
  comparison.Exact("near_origin", (from_origin <= 1e-3).to(at::kLong));
  comparison.Equal("the number of later picks near the origin",
                   near.gather(1, picks.narrow(1, 1, num - 1)).sum().item<int64_t>(), 0);
}

}  // namespace

bool RunPointsCase(const Case& recorded, Comparison& comparison) {
  if (recorded.Has("knn.idx") && recorded.Has("square_distance.out")) {
    RunPointTransformerOps(comparison);
  } else if (recorded.Has("group_all.new_points") && recorded.Has("square_distance")) {
    RunPointNetOps(comparison);
  } else if (recorded.Has("distinct") && recorded.Has("idx")) {
    RunDuplicates(comparison);
  } else if (recorded.Has("near_origin") && recorded.Has("idx")) {
    RunCudaSampling(comparison);
  } else {
    return false;
  }
  return true;
}

}  // namespace voxbit::golden
