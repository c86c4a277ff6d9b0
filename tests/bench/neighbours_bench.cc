// Neighbour searches beside the torch operations that they replace and what the machine can do: a
// full-size matrix product and a memory copy, measured in the same run. One thread unless told.
//   neighbours_bench [THREADS]
#include <tbb/global_control.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/rng.h"
#include "supernet/kernels/isa.h"
#include "supernet/kernels/point_tree/point_tree.h"
#include "supernet/ops/neighbours.h"
#include "supernet/ops/sparse_conv.h"

namespace voxbit::supernet {
namespace {

// Seconds of the fastest of several runs.
template <class Body>
double Fastest(int runs, const Body& body) {
  double best = 1e30;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Points on a sphere (the surface of an object) or in a cube.
at::Tensor Points(int64_t n, bool sphere) {
  Rng rng(7);
  at::Tensor xyz = at::empty({1, n, 3});
  auto* to = xyz.data_ptr<float>();
  for (int64_t i = 0; i < 3 * n; ++i) to[i] = static_cast<float>(rng.Normal());
  if (sphere) return xyz / xyz.norm(2, 2, true);
  return xyz.clamp(-1, 1);
}

// ---- what one writes in torch ----

at::Tensor TorchKnn(const at::Tensor& xyz, int64_t k) {
  return std::get<1>(at::topk(at::cdist(xyz, xyz), k, -1, /*largest=*/false, /*sorted=*/true));
}

at::Tensor TorchFps(const at::Tensor& xyz, int64_t num) {
  at::Tensor index = at::empty({xyz.size(0), num}, at::kLong);
  at::Tensor distance = at::full({xyz.size(0), xyz.size(1)}, 1e10);
  at::Tensor pick = at::zeros({xyz.size(0)}, at::kLong);
  for (int64_t s = 0; s < num; ++s) {
    index.select(1, s).copy_(pick);
    const at::Tensor centre = xyz.gather(1, pick.view({-1, 1, 1}).expand({-1, 1, 3}));
    distance = at::minimum(distance, (xyz - centre).square().sum(-1));
    pick = std::get<1>(distance.max(-1));
  }
  return index;
}

at::Tensor TorchBall(const at::Tensor& query, const at::Tensor& xyz, double radius, int64_t num) {
  const at::Tensor squares = (query.unsqueeze(2) - xyz.unsqueeze(1)).square().sum(-1);
  at::Tensor index = at::arange(xyz.size(1)).view({1, 1, -1}).expand(squares.sizes()).clone();
  index.masked_fill_(squares > radius * radius, xyz.size(1));
  index = std::get<0>(index.sort(-1)).narrow(-1, 0, num);
  return at::where(index == xyz.size(1), index.narrow(-1, 0, 1), index);
}

at::Tensor TorchInterpolate(const at::Tensor& dense, const at::Tensor& sparse,
                            const at::Tensor& feats) {
  const auto [distance, index] = at::cdist(dense, sparse).topk(3, -1, false, true);
  const at::Tensor inverse = 1.0 / (distance.square() + 1e-8);
  const at::Tensor weight = inverse / inverse.sum(-1, true);
  const at::Tensor rows =
      feats[0].index_select(0, index.view({-1})).view({1, dense.size(1), 3, feats.size(2)});
  return (rows * weight.unsqueeze(-1)).sum(2);
}

// ---- the table ----

struct Machine {
  double gmacs;   // of a matrix product
  double gbytes;  // of a copy, read and written
};

Machine MeasureMachine() {
  const int64_t n = 1536;
  const at::Tensor a = at::rand({n, n});
  const at::Tensor b = at::rand({n, n});
  at::Tensor c = at::empty({n, n});
  const double gemm = Fastest(4, [&] { at::mm_out(c, a, b); });
  const at::Tensor from = at::rand({1 << 25});
  at::Tensor to = at::empty_like(from);
  const double copy = Fastest(4, [&] { to.copy_(from); });
  return {static_cast<double>(n * n * n) / gemm / 1e9,
          2.0 * static_cast<double>(from.nbytes()) / copy / 1e9};
}

void Print(const char* what, double ours, double torch, const std::string& note) {
  std::printf("  %-34s %9.2f ms   torch %9.2f ms   %6.1fx   %s\n", what, 1e3 * ours, 1e3 * torch,
              torch / ours, note.c_str());
  std::fflush(stdout);
}

// Time that all `pairs` distances would take at the machine's best rate: 3 multiply-adds each.
std::string AllPairs(double pairs, const Machine& machine) {
  char text[64];
  std::snprintf(text, sizeof(text), "all pairs at gemm rate %.2f ms",
                1e3 * 3 * pairs / (machine.gmacs * 1e9));
  return text;
}

std::string Traffic(double bytes, const Machine& machine) {
  char text[64];
  std::snprintf(text, sizeof(text), "its memory traffic as a copy %.2f ms",
                1e3 * bytes / (machine.gbytes * 1e9));
  return text;
}

void PrintCloud(int64_t n, bool sphere, int64_t channels, const Machine& machine) {
  const at::NoGradGuard no_grad;
  const at::Tensor xyz = Points(n, sphere);
  const auto points = static_cast<double>(n);
  const int runs = n > 4096 ? 5 : 20;
  const int torch_runs = n > 4096 ? 2 : 5;
  std::printf("%lld points %s\n", static_cast<long long>(n), sphere ? "on a sphere" : "in a cube");
  const double tree =
      Fastest(runs, [&] { kernels::PointTree(xyz.data_ptr<float>(), xyz.size(1)); });
  std::printf("  %-34s %9.2f ms   (part of each search below)\n", "tree", 1e3 * tree);
  const double per_query = 12.0 + 16 * (8 + 4);
  Print("kNN, k 16", Fastest(runs, [&] { NearestNeighbours(xyz, xyz, 16); }),
        Fastest(torch_runs, [&] { TorchKnn(xyz, 16); }),
        AllPairs(points * points, machine) + ", " + Traffic(points * per_query, machine));
  Print("FPS to a quarter", Fastest(runs, [&] { FarthestPointSample(xyz, n / 4); }),
        Fastest(torch_runs, [&] { TorchFps(xyz, n / 4); }), AllPairs(points * points / 4, machine));
  const at::Tensor sparse = GatherPoints(xyz, FarthestPointSample(xyz, n / 4));
  // A ball of about 32 points on the sphere.
  const double radius = std::sqrt(4.0 * 32 / points);
  Print("ball query, 32 of a quarter", Fastest(runs, [&] { BallQuery(sparse, xyz, radius, 32); }),
        Fastest(torch_runs, [&] { TorchBall(sparse, xyz, radius, 32); }),
        AllPairs(points * points / 4, machine));
  const at::Tensor feats = at::rand({1, n / 4, channels});
  Print("interpolation from a quarter",
        Fastest(runs, [&] { InterpolateNearest(xyz, sparse, feats); }),
        Fastest(torch_runs, [&] { TorchInterpolate(xyz, sparse, feats); }),
        Traffic(points * (static_cast<double>(channels) * 16 + 12), machine));
}

void PrintGather(int64_t batches, int64_t n, int64_t k, int64_t channels, const Machine& machine) {
  at::Tensor xyz = Points(n, true).expand({batches, n, 3}).contiguous();
  const at::Tensor index = NearestNeighbours(xyz, xyz, k);
  const at::Tensor feats = at::rand({batches, n, channels}).requires_grad_();
  const auto values = static_cast<double>(batches * n * k * channels);
  std::printf("%lld clouds of %lld points, %lld neighbours, %lld channels\n",
              static_cast<long long>(batches), static_cast<long long>(n), static_cast<long long>(k),
              static_cast<long long>(channels));
  const auto measure = [&](ComputePath path, double* backward) {
    const ComputePathGuard guard(path);
    at::Tensor rows;
    const double forward = Fastest(5, [&] { rows = GatherPoints(feats, index); });
    const at::Tensor direction = at::rand(rows.sizes());
    *backward = Fastest(
        5, [&] { torch::autograd::grad({rows}, {feats}, {direction}, /*retain_graph=*/true); });
    return forward;
  };
  double ours_backward = 0;
  double torch_backward = 0;
  const double ours = measure(ComputePath::kAuto, &ours_backward);
  const double torch = measure(ComputePath::kTorch, &torch_backward);
  Print("gather", ours, torch, Traffic(8 * values, machine));
  Print("gather, gradient", ours_backward, torch_backward, Traffic(4 * values, machine));
}

int Main(int threads) {
  at::set_num_threads(threads);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<size_t>(threads));
  const Machine machine = MeasureMachine();
  std::printf("isa %s, %d thread(s), gemm %.1f GMAC/s, copy %.1f GB/s\n",
              kernels::IsaName(kernels::ActiveIsa()), threads, machine.gmacs, machine.gbytes);
  PrintCloud(1024, true, 256, machine);
  PrintCloud(4096, true, 128, machine);
  PrintCloud(16384, true, 64, machine);
  PrintCloud(16384, false, 64, machine);
  PrintGather(4, 1024, 16, 64, machine);
  return 0;
}

}  // namespace
}  // namespace voxbit::supernet

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  return voxbit::supernet::Main(std::max(1, threads));
}
