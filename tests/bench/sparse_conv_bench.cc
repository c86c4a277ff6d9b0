// Sparse-convolution speed beside what the machine can do: a full-size matrix product and a memory
// copy, measured in the same run.
//   sparse_conv_bench [SCAN.bin]   float32 x, y, z, intensity; without one, a random surface
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "common/files.h"
#include "common/rng.h"
#include "supernet/kernels/isa.h"
#include "supernet/kernels/voxelize/voxelize.h"
#include "supernet/models/supernet.h"
#include "supernet/models/unet/unet.h"
#include "supernet/ops/kernel_map.h"
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

std::vector<float> Points(const std::string& path) {
  std::vector<float> points;
  if (!path.empty()) {
    const std::string bytes = ReadFile(path).value();
    points.resize(bytes.size() / sizeof(float));
    std::memcpy(points.data(), bytes.data(), points.size() * sizeof(float));
    return points;
  }
  Rng rng(1);
  for (int i = 0; i < 120000; ++i) {  // a rolling ground, denser near the middle
    const double radius = 60.0 * rng.Uniform() * rng.Uniform();
    const double angle = rng.Uniform(0, 6.2832);
    const double x = radius * std::cos(angle);
    const double y = radius * std::sin(angle);
    for (const double value : {x, y, std::sin(x / 5) + std::cos(y / 7), 0.5}) {
      points.push_back(static_cast<float>(value));
    }
  }
  return points;
}

at::Tensor Coords(const std::vector<float>& points, float voxel) {
  const auto n = static_cast<int64_t>(points.size() / 4);
  std::vector<int32_t> grid(static_cast<size_t>(3 * n));
  TORCH_CHECK(kernels::RoundToGrid(points.data(), n, 4, voxel, grid.data()) == -1, "bad points");
  Triple minimum;
  kernels::SubtractMinimum(grid.data(), n, minimum.data());
  std::vector<int64_t> kept(static_cast<size_t>(n));
  const int64_t count = kernels::SparseQuantize(grid.data(), n, kept.data(), nullptr);
  at::Tensor coords = at::zeros({count, 4}, at::kInt);
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(coords.data_ptr<int32_t>() + 4 * i, grid.data() + 3 * kept[i], 3 * sizeof(int32_t));
  }
  return coords;
}

void PrintMachine() {
  const int64_t n = 1536;
  const at::Tensor a = at::rand({n, n});
  const at::Tensor b = at::rand({n, n});
  at::Tensor c = at::empty({n, n});
  const double gemm = Fastest(4, [&] { at::mm_out(c, a, b); });
  const at::Tensor from = at::rand({1 << 25});
  at::Tensor to = at::empty_like(from);
  const double copy = Fastest(4, [&] { to.copy_(from); });
  std::printf("isa %s, torch threads %d\n", kernels::IsaName(kernels::ActiveIsa()),
              at::get_num_threads());
  std::printf("gemm %lld^3: %.1f GMAC/s   copy: %.1f GB/s\n", static_cast<long long>(n),
              static_cast<double>(n * n * n) / gemm / 1e9,
              2.0 * static_cast<double>(from.nbytes()) / copy / 1e9);
}

void PrintLayer(const SparseTensor& shape, int64_t in, int64_t out) {
  const at::Tensor feats = at::rand({shape.num_voxels(), in}).requires_grad_();
  const at::Tensor weight = at::rand({27, in, out}).requires_grad_();
  const SparseTensor x = shape.WithFeats(feats);
  const auto pairs = static_cast<double>(MapOf(x, {})->num_pairs());
  at::Tensor y;
  const double forward = Fastest(4, [&] { y = SparseConv3d(x, weight, {}, {}).feats; });
  const at::Tensor dy = at::rand(y.sizes());
  const double backward = Fastest(4, [&] {
    torch::autograd::grad({y}, {feats, weight}, {dy}, /*retain_graph=*/true);
  });
  const double macs = pairs * static_cast<double>(in * out) / 1e9;
  std::printf("  %3lld -> %3lld   forward %8.2f ms %6.1f GMAC/s   backward %8.2f ms %6.1f GMAC/s\n",
              static_cast<long long>(in), static_cast<long long>(out), 1e3 * forward,
              macs / forward, 1e3 * backward, 2 * macs / backward);
}

void PrintNet(const at::Tensor& coords) {
  const auto net = MakeSpvcnn(0.25, 4, 19, 0.3, 1);
  const at::Tensor feats = at::rand({coords.size(0), 4});
  const double cold = Fastest(2, [&] {
    const at::NoGradGuard no_grad;
    net->Forward(MakeNetInput(coords, feats, 1));
  });
  const NetInput input = MakeNetInput(coords, feats, 1);
  net->eval();
  const double warm = Fastest(3, [&] {
    const at::NoGradGuard no_grad;
    net->Forward(input);
  });
  net->train();
  const double step = Fastest(3, [&] { net->Forward(input).square().mean().backward(); });
  std::printf("SPVCNN 0.25x, %lld voxels: first %.0f ms, maps cached %.0f ms, train step %.0f ms\n",
              static_cast<long long>(coords.size(0)), 1e3 * cold, 1e3 * warm, 1e3 * step);
}

int Main(const std::string& path) {
  PrintMachine();
  const at::Tensor coords = Coords(Points(path), 0.05F);
  const SparseTensor fine = MakeSparseTensor(coords, at::empty({coords.size(0), 0}));
  SparseTensor level = fine;
  for (int i = 0; i < 3; ++i) {
    const double build = Fastest(2, [&] {
      const SparseTensor fresh =
          MakeSparseTensor(level.coords, at::empty({level.num_voxels(), 0}), level.stride);
      MapOf(fresh, {});
    });
    std::printf("stride %d: %lld voxels, %lld pairs, map %.1f ms\n", level.stride[0],
                static_cast<long long>(level.num_voxels()),
                static_cast<long long>(MapOf(level, {})->num_pairs()), 1e3 * build);
    for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
             {4, 8}, {8, 8}, {16, 16}, {12, 20}, {32, 32}, {64, 64}, {128, 128}}) {
      PrintLayer(level, in, out);
    }
    const ConvOptions halving = {{2, 2, 2}, {2, 2, 2}, 1, false};
    level.coords = MapOf(level, halving)->out_coords;
    for (int32_t& s : level.stride) s *= 2;
  }
  PrintNet(coords);
  return 0;
}

}  // namespace
}  // namespace voxbit::supernet

int main(int argc, char** argv) { return voxbit::supernet::Main(argc > 1 ? argv[1] : ""); }
