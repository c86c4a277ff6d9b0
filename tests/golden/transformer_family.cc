// The family "transformer": Point Transformer and PCT, their layers and whole networks.
#include <torch/torch.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/json.h"
#include "supernet/export/tensor_io.h"
#include "supernet/models/pct/pct.h"
#include "supernet/models/point_transformer/point_transformer.h"
#include "supernet/nn/layer_list.h"
#include "supernet/nn/loss.h"
#include "supernet/nn/module_tree.h"
#include "supernet/ops/neighbours.h"
#include "tests/golden/generated.h"
#include "tests/golden/golden_case.h"

namespace voxbit::golden {
namespace {

using supernet::PointLevel;

int64_t Number(const Case& recorded, const std::string& key) {
  return std::stoll(recorded.file.metadata().at(key));
}

Json MetadataJson(const Case& recorded, const std::string& key) {
  return Json::parse(recorded.file.metadata().at(key));
}

// Gives `net` the recorded weights; false, and a failure, when they are not its.
bool Load(Comparison& comparison, torch::nn::Module& net) {
  const Status loaded = exporter::LoadState(net, RecordedState(comparison));
  if (!loaded.ok()) comparison.Fail(loaded.message());
  return loaded.ok();
}

// ---- training ----

// Inputs that gradients may flow to, by the recorded names of these.
using Inputs = exporter::TensorMap;
using ForwardPass = std::function<at::Tensor(const Inputs& inputs)>;
using Loss = std::function<at::Tensor(const at::Tensor& out)>;

struct Step {
  at::Tensor out;
  at::Tensor loss;
  exporter::TensorMap gradients;  // of inputs and parameters, by the names of the recording
};

// One step in train mode. Inputs are multiplied by up to 1 +- `disturbance` at random.
Step Train(torch::nn::Module& module, const Inputs& inputs, const ForwardPass& forward,
           const Loss& loss, double disturbance = 0.0, uint64_t seed = 0) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  Inputs leaves;
  for (const auto& [name, value] : inputs) {
    const at::Tensor factor = at::empty_like(value).uniform_(-disturbance, disturbance, generator);
    leaves[name] = (value * (1 + factor)).requires_grad_();
  }
  module.train();
  module.zero_grad();
  Step step;
  step.out = forward(leaves);
  step.loss = loss(step.out);
  step.loss.backward();
  for (const auto& [name, leaf] : leaves) step.gradients[name] = leaf.grad();
  for (const auto& item : module.named_parameters()) {
    if (item.value().grad().defined()) {
      step.gradients["grad." + item.key()] = item.value().grad().clone();
    }
  }
  return step;
}

// Tensors of the file whose names begin with `prefix`.
std::vector<std::string> NamesWith(const Case& recorded, const std::string& prefix) {
  std::vector<std::string> names;
  for (const std::string& name : recorded.file.Names()) {
    if (name.rfind(prefix, 0) == 0) names.push_back(name);
  }
  return names;
}

double LargestEntry(const at::Tensor& x) { return x.abs().max().item<double>(); }

// Compares every "grad.*" of the recording. Two kinds of gradients are not determined to the
// tolerance by arithmetic in single precision. Some cancel out, wholly or nearly: those of biases
// in front of a batch norm or a softmax, and of whatever else only shifts what such a layer takes.
// And where the input of a ReLU, or the distance of the two largest under a maximum, is within
// rounding error of zero, the gradient may take either branch. So the noise is measured: a gradient
// that disagrees may differ by a few times what it changes by when the inputs change by about a
// rounding error (`disturbed` runs such a step).
void CompareGradients(Comparison& comparison, const exporter::TensorMap& ours,
                      const std::function<exporter::TensorMap(uint64_t seed)>& disturbed) {
  constexpr double kRounding = 1e-6;  // beside the largest gradient of the case
  constexpr int kDisturbances = 6;
  constexpr double kFewTimes = 3;
  const std::vector<std::string> names = NamesWith(comparison.recorded(), "grad.");
  double largest = 0;
  for (const std::string& name : names) {
    largest = std::max(largest, LargestEntry(comparison.Input(name)));
  }
  std::map<std::string, double> noise;  // of those that disagree
  for (const std::string& name : names) {
    const auto found = ours.find(name);
    if (found == ours.end()) {
      comparison.Fail(name + " was not computed");
    } else if (comparison.GradientAgrees(name, found->second)) {
      comparison.Gradient(name, found->second);
    } else if (comparison.GradientAgrees(name, found->second, kRounding * largest)) {
      comparison.Gradient(name, found->second, kRounding * largest);
    } else {
      noise[name] = 0;
    }
  }
  if (noise.empty()) return;
  for (uint64_t seed = 1; seed <= kDisturbances; ++seed) {
    const exporter::TensorMap other = disturbed(seed);
    for (auto& [name, size] : noise) {
      size = std::max(size, LargestEntry(other.at(name) - ours.at(name)));
    }
  }
  for (const auto& [name, size] : noise) {
    comparison.Gradient(name, ours.at(name), kRounding * largest + kFewTimes * size);
  }
  comparison.Note(std::to_string(noise.size()) + " gradients within their rounding noise");
}

// One step against the recording: output, loss where it is recorded, running statistics, gradients.
void CompareTraining(Comparison& comparison, torch::nn::Module& module, const std::string& output,
                     const Inputs& inputs, const ForwardPass& forward, const Loss& loss) {
  constexpr double kDisturbance = 1e-6;
  const Step step = Train(module, inputs, forward, loss);
  comparison.Forward(output, step.out);
  if (comparison.recorded().Has("loss_train")) {
    comparison.Forward("loss_train", step.loss.reshape({1}));
  }
  const exporter::TensorMap state = exporter::StateOf(module);
  for (const std::string& name : NamesWith(comparison.recorded(), "after.")) {
    const auto buffer = state.find(name.substr(6));
    comparison.Forward(name, buffer == state.end() ? at::Tensor() : buffer->second);
  }
  CompareGradients(comparison, step.gradients, [&](uint64_t seed) {
    return Train(module, inputs, forward, loss, kDisturbance, seed).gradients;
  });
}

// ---- layers ----

// A layer in both modes; its output is `name` behind "eval." and "train.".
void CompareLayer(Comparison& comparison, torch::nn::Module& layer, const std::string& name,
                  const Inputs& inputs, const ForwardPass& forward) {
  layer.eval();
  {
    const at::NoGradGuard no_grad;
    comparison.Forward("eval." + name, forward(inputs));
  }
  const at::Tensor grad_out = comparison.Input("grad_out");
  CompareTraining(comparison, layer, "train." + name, inputs, forward,
                  [&](const at::Tensor& out) { return (out * grad_out).sum(); });
}

void RunTransformerBlock(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  // In one piece, and in several that the backward pass computes again.
  for (const int64_t piece_entries : {int64_t{1} << 24, int64_t{1} << 9}) {
    const int64_t model_dim = Number(recorded, "d_model");
    supernet::TransformerBlock block(Number(recorded, "d_points"), model_dim, piece_entries);
    if (!Load(comparison, block)) return;
    const at::Tensor features = comparison.Input("features");
    const PointLevel level = supernet::MakeLevel(comparison.Input("xyz"), Number(recorded, "k"));
    comparison.Exact("knn_idx", level.neighbours);
    {
      const at::NoGradGuard no_grad;
      at::Tensor attention;
      comparison.Forward("res", block.Forward(level, features, model_dim, &attention));
      comparison.Forward("attn", attention);
    }
    const at::Tensor grad_out = comparison.Input("grad_res");
    CompareTraining(
        comparison, block, "res", {{"grad.in.xyz", level.xyz}, {"grad.in.features", features}},
        [&](const Inputs& in) {
          return block.Forward({in.at("grad.in.xyz"), level.neighbours, {}, {}},
                               in.at("grad.in.features"), model_dim);
        },
        [&](const at::Tensor& out) { return (out * grad_out).sum(); });
  }
}

void RunTransitionDown(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const auto channels = MetadataJson(recorded, "channels").get<std::vector<int64_t>>();
  supernet::TransitionDown layer(channels.front() - 3, channels.back());
  if (!Load(comparison, layer)) return;
  const int64_t k = Number(recorded, "nneighbor");
  const PointLevel fine = supernet::MakeLevel(comparison.Input("xyz"), k);
  const PointLevel coarse = supernet::Coarsen(fine, Number(recorded, "npoint"), k);
  comparison.Exact("fps_idx", coarse.picked);
  comparison.Exact("knn_idx", supernet::NearestNeighbours(coarse.xyz, fine.xyz, k));
  comparison.Exact("eval.new_xyz", coarse.xyz);
  CompareLayer(
      comparison, layer, "new_features", {{"grad.in.features", comparison.Input("features")}},
      [&](const Inputs& in) { return layer.Forward(fine, coarse, in.at("grad.in.features")); });
}

void RunTransitionUp(Comparison& comparison) {
  const auto dims = MetadataJson(comparison.recorded(), "dims").get<std::vector<int64_t>>();
  supernet::TransitionUp layer(dims.at(0), dims.at(1), dims.at(2));
  if (!Load(comparison, layer)) return;
  const supernet::Interpolation to_finer =
      supernet::FindInterpolation(comparison.Input("xyz2"), comparison.Input("xyz1"));
  CompareLayer(comparison, layer, "out",
               {{"grad.in.points1", comparison.Input("points1")},
                {"grad.in.points2", comparison.Input("points2")}},
               [&](const Inputs& in) {
                 return layer.Forward(to_finer, in.at("grad.in.points1"), in.at("grad.in.points2"));
               });
}

// PCT has channels in front of points, our layers have them behind.
at::Tensor Swapped(const at::Tensor& x) { return x.transpose(1, 2); }

void RunOffsetAttention(Comparison& comparison) {
  const int64_t channels = Number(comparison.recorded(), "channels");
  const int64_t queries = channels / 4;
  supernet::OffsetAttention layer(channels, queries);
  if (!Load(comparison, layer)) return;
  const at::Tensor x = comparison.Input("input");
  layer.eval();
  supernet::OffsetAttention::Maps maps;
  layer.Forward(Swapped(x), queries, &maps);
  comparison.Forward("eval.energy", maps.energy);
  comparison.Forward("eval.attention", maps.attention);
  CompareLayer(comparison, layer, "out", {{"grad.in", x}}, [&](const Inputs& in) {
    return Swapped(layer.Forward(Swapped(in.at("grad.in")), queries));
  });
}

void RunLocalOp(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const at::Tensor xyz = comparison.Input("xyz");
  const supernet::PctGroups groups = supernet::MakeGroups(
      xyz, Number(recorded, "npoint"), Number(recorded, "nsample"), supernet::Sampling::kAll);
  comparison.Exact("fps_idx", groups.picked);
  comparison.Exact("new_xyz", groups.xyz);
  comparison.Forward("new_points", supernet::GroupFeatures(comparison.Input("points"), groups));
  const at::Tensor grouped = comparison.Input("new_points");
  supernet::LocalOp layer(grouped.size(3), comparison.Input("train.out").size(1));
  if (!Load(comparison, layer)) return;
  CompareLayer(comparison, layer, "out", {{"grad.in", grouped}},
               [&](const Inputs& in) { return Swapped(layer.Forward(in.at("grad.in"))); });
}

void RunSmoothedLoss(Comparison& comparison) {
  const at::Tensor logits = comparison.Input("logits").requires_grad_();
  const at::Tensor target = comparison.Input("target");
  const at::Tensor loss = supernet::CrossEntropy(logits, target, {.smoothing = 0.2});
  comparison.Forward("loss", loss.reshape({1}));
  comparison.Forward("loss_unsmoothed", supernet::CrossEntropy(logits, target).reshape({1}));
  loss.backward();
  comparison.Gradient("grad", logits.grad());
}

// ---- networks ----

at::Tensor PlainLoss(const at::Tensor& logits, const at::Tensor& target) {
  return at::cross_entropy_loss(logits.flatten(0, -2), target.flatten());
}

// Logits [B,parts,N].
at::Tensor LossOfParts(const at::Tensor& logits, const at::Tensor& target) {
  return PlainLoss(Swapped(logits), target);
}

at::Tensor SmoothedLoss(const at::Tensor& logits, const at::Tensor& target) {
  return supernet::CrossEntropy(logits, target, {.smoothing = 0.2});
}

// The whole network with the recorded weights: logits in eval mode, also in double precision where
// they are recorded, then one step of training. `forward` gives the logits of the input
// "grad.in" as they are recorded.
void CompareNet(Comparison& comparison, torch::nn::Module& net, const at::Tensor& input,
                const ForwardPass& forward,
                at::Tensor (*loss)(const at::Tensor& logits, const at::Tensor& target)) {
  const Case& recorded = comparison.recorded();
  int64_t parameters = 0;
  for (const at::Tensor& parameter : net.parameters()) parameters += parameter.numel();
  if (recorded.HasMetadata("params")) {
    comparison.Equal("number of parameters", parameters, Number(recorded, "params"));
  }
  net.eval();
  {
    const at::NoGradGuard no_grad;
    comparison.Forward("logits_eval", forward({{"grad.in", input}}));
    if (recorded.Has("logits_eval_f64")) {
      net.to(at::kDouble);
      comparison.Forward("logits_eval_f64", forward({{"grad.in", input.to(at::kDouble)}}));
      net.to(at::kFloat);
    }
  }
  const at::Tensor target = comparison.Input("target");
  if (!recorded.Has("logits_train")) return;
  CompareTraining(comparison, net, "logits_train", {{"grad.in", input}}, forward,
                  [&](const at::Tensor& logits) { return loss(logits, target); });
}

void RunPointTransformer(Comparison& comparison, supernet::CloudTask task) {
  const Case& recorded = comparison.recorded();
  const Json cfg = MetadataJson(recorded, "cfg");
  supernet::PointTransformerArch arch = supernet::UniformPointTransformer(
      task, cfg.at("nblocks"), cfg.at("transformer_dim"), cfg.at("nneighbor"));
  arch.input_dim = cfg.at("input_dim");
  arch.num_classes = cfg.at("num_class");
  supernet::PointTransformer net(arch);
  if (!Load(comparison, net)) return;
  const at::Tensor input = comparison.Input("input");
  const auto levels = net.body().Levels(input.slice(2, 0, 3).contiguous());
  for (size_t i = 1; i < levels.size(); ++i) {
    comparison.Exact("fps_idx." + std::to_string(i - 1), levels[i].picked);
  }
  if (recorded.Has("category")) {  // behind position and normal, one-hot
    comparison.Exact("category", input.select(1, 0).slice(1, 6).argmax(1));
  }
  if (recorded.HasMetadata("quantizable_module_indices")) {
    std::vector<int64_t> indices;
    for (const auto& layer : supernet::QuantizableLayers(net)) {
      const int64_t index = layer.module_index;
      if (index >= 6 && index <= 238) indices.push_back(index);  // as the seed limits them
    }
    const auto published =
        MetadataJson(recorded, "quantizable_module_indices").get<std::vector<int64_t>>();
    if (indices != published) comparison.Fail("other indices of quantizable layers");
  }
  CompareNet(
      comparison, net, input,
      [&](const Inputs& in) {
        const at::Tensor& points = in.at("grad.in");
        const bool single = points.scalar_type() == at::kFloat;
        return single ? net.body().Forward(points, levels) : net.body().Forward(points);
      },
      PlainLoss);
}

void RunPctClassification(Comparison& comparison) {
  const Case& recorded = comparison.recorded();
  const Json cfg = MetadataJson(recorded, "cfg");
  const bool menghao =
      recorded.file.metadata().at("reference").find("Menghao") != std::string::npos;
  const auto port = menghao ? supernet::PctPort::kMenghao
                    : recorded.Has("state.pt_last.pos_xyz.bias")
                        ? supernet::PctPort::kPytorchPositions
                        : supernet::PctPort::kPytorch;
  const int64_t input_dim = menghao ? cfg.at("input_dim").get<int64_t>() : 3;
  supernet::PctArch arch = supernet::PublishedPct(port, input_dim, cfg.at("num_class"));
  arch.picked = cfg.at("npoint").get<std::vector<int64_t>>();
  arch.neighbours.assign(2, cfg.at("nsample"));
  supernet::ModuleGroup layers;
  const supernet::PctClassification net(layers, arch, /*dropout=*/0.0);
  if (!Load(comparison, layers)) return;
  const at::Tensor input =
      menghao ? comparison.Input("input") : Swapped(comparison.Input("input")).contiguous();
  const auto groups = net.Groups(input.slice(2, 0, 3).contiguous());
  for (size_t i = 0; i < groups.size(); ++i) {
    comparison.Exact("fps_idx." + std::to_string(i), groups[i].picked);
  }
  CompareNet(
      comparison, layers, input,
      [&](const Inputs& in) {
        const at::Tensor& points = in.at("grad.in");
        const bool single = points.scalar_type() == at::kFloat;
        return single ? net.Forward(points, groups) : net.Forward(points);
      },
      menghao ? PlainLoss : SmoothedLoss);
}

void RunPctPartSegmentation(Comparison& comparison) {
  const Json cfg = MetadataJson(comparison.recorded(), "cfg");
  supernet::ModuleGroup layers;
  const supernet::PctPartSegmentation net(
      layers, supernet::PublishedPctSegmentation(cfg.at("part_num")), /*dropout=*/0.0);
  if (!Load(comparison, layers)) return;
  const at::Tensor xyz = Swapped(comparison.Input("input")).contiguous();
  const at::Tensor label = comparison.Input("cls_label");
  comparison.Exact("category", label.argmax(1));
  CompareNet(
      comparison, layers, xyz,
      [&](const Inputs& in) {
        const at::Tensor& points = in.at("grad.in");
        return Swapped(net.Forward(points, label.to(points.scalar_type())));
      },
      LossOfParts);
}

}  // namespace

bool RunTransformerCase(const Case& recorded, Comparison& comparison) {
  comparison.Allow(ToleranceOf(recorded));
  if (recorded.Has("attn") && recorded.Has("state.fc_gamma.0.weight")) {
    RunTransformerBlock(comparison);
  } else if (recorded.Has("state.sa.mlp_convs.0.weight") && recorded.HasMetadata("nneighbor")) {
    RunTransitionDown(comparison);
  } else if (recorded.Has("points1") && recorded.HasMetadata("dims")) {
    RunTransitionUp(comparison);
  } else if (recorded.Has("eval.attention") && recorded.Has("state.q_conv.weight")) {
    RunOffsetAttention(comparison);
  } else if (recorded.Has("new_points") && recorded.Has("state.conv1.weight") &&
             recorded.HasMetadata("nsample")) {
    RunLocalOp(comparison);
  } else if (recorded.Has("loss_unsmoothed")) {
    RunSmoothedLoss(comparison);
  } else if (recorded.Has("state.backbone.fc1.0.bias") && recorded.Has("state.fc3.0.bias")) {
    RunPointTransformer(comparison, supernet::CloudTask::kSegmentation);
  } else if (recorded.Has("state.backbone.fc1.0.bias")) {
    RunPointTransformer(comparison, supernet::CloudTask::kClassification);
  } else if (recorded.Has("state.pt_last.bn1.bias")) {
    RunPctClassification(comparison);
  } else if (recorded.Has("state.label_conv.1.bias")) {
    RunPctPartSegmentation(comparison);
  } else {
    return false;
  }
  return true;
}

}  // namespace voxbit::golden
