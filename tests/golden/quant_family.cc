// The family "quant": k-means codebooks, linear weights and activations, calibration of HAQ.
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/json.h"
#include "supernet/quant/codebook.h"
#include "supernet/quant/codes/threshold.h"
#include "supernet/quant/quantizer.h"
#include "tests/golden/golden_case.h"

namespace voxbit::golden {
namespace {

using quant::Quantizer;
using quant::QuantizerSettings;

constexpr double kExact = 1e-6;     // what the recordings state for single operators
constexpr double kRelative = 1e-5;  // for thresholds

// Absolute comparisons with the tolerance that the recording states, and the worst of them for the
// printed line.
class Checks {
 public:
  explicit Checks(Comparison& comparison) : comparison_(comparison) {}

  void Near(const std::string& name, const at::Tensor& ours, double tolerance) {
    Compare(name, ours, comparison_.Input(name), tolerance);
  }

  void Relative(const std::string& name, double ours, double tolerance) {
    const at::Tensor recorded = comparison_.Input(name);
    if (!recorded.defined()) return;
    Compare(name, at::full({1}, ours), recorded, tolerance * std::abs(recorded[0].item<double>()));
  }

  // As Near; entries whose place on the grid (in steps) is within `tolerance` of a rounding
  // boundary may be one step off.
  void NearOrOneStep(const std::string& name, const at::Tensor& ours, const at::Tensor& place,
                     double step, double tolerance) {
    const at::Tensor recorded = comparison_.Input(name);
    if (!recorded.defined() || !SameShape(name, ours, recorded)) return;
    const at::Tensor fraction = place - place.floor();
    const at::Tensor at_tie = (fraction - 0.5).abs() * step < tolerance;
    const at::Tensor off = (ours.detach() - recorded).abs();
    const at::Tensor allowed =
        at::where(at_tie, at::full_like(off, step + tolerance), at::full_like(off, tolerance));
    const at::Tensor wrong = off > allowed;
    if (wrong.any().item<bool>()) {
      Fail(name, (off * wrong).max().item<double>(), tolerance);
    }
    Keep(name, (off * at_tie.logical_not()).max().item<double>(), tolerance);
  }

  void Compare(const std::string& name, const at::Tensor& ours, const at::Tensor& recorded,
               double tolerance) {
    if (!recorded.defined() || !SameShape(name, ours, recorded) || recorded.numel() == 0) return;
    const double off =
        (ours.detach().to(at::kDouble) - recorded.to(at::kDouble)).abs().max().item<double>();
    if (!(off <= tolerance)) Fail(name, off, tolerance);
    Keep(name, off, tolerance);
  }

  void Require(bool condition, const std::string& what) {
    if (!condition) comparison_.Fail(what);
    ++num_;
  }

  void Finish() {
    char text[160];
    std::snprintf(text, sizeof(text), "%lld checks, largest error %.1e of %.0e (%s)",
                  static_cast<long long>(num_),  // NOLINT(google-runtime-int): the type of %lld
                  worst_off_, worst_tolerance_, worst_.c_str());
    comparison_.Note(text);
  }

 private:
  bool SameShape(const std::string& name, const at::Tensor& ours, const at::Tensor& recorded) {
    if (ours.defined() && ours.sizes() == recorded.sizes()) return true;
    comparison_.Fail(name + " has another shape");
    return false;
  }
  void Fail(const std::string& name, double off, double tolerance) {
    char text[80];
    std::snprintf(text, sizeof(text), " is off by %.2e (allowed %.0e)", off, tolerance);
    comparison_.Fail(name + text);
  }
  void Keep(const std::string& name, double off, double tolerance) {
    ++num_;
    if (!worst_.empty() && off * worst_tolerance_ <= worst_off_ * tolerance) return;
    worst_ = name;
    worst_off_ = off;
    worst_tolerance_ = tolerance;
  }

  Comparison& comparison_;
  int64_t num_ = 0;
  std::string worst_;
  double worst_off_ = 0;
  double worst_tolerance_ = 0;
};

std::shared_ptr<Quantizer> Make(const std::string& name, const QuantizerSettings& settings) {
  quant::QuantizerRegistry registry("quantizer");
  quant::RegisterBuiltinQuantizers(registry);
  return registry.Find(name).value()(settings).value();
}

// The names of the recording that begin with `prefix` and end with `suffix`, without both.
std::vector<std::string> Middles(const Case& recorded, const std::string& prefix,
                                 const std::string& suffix) {
  std::vector<std::string> middles;
  for (const std::string& name : recorded.file.Names()) {
    if (name.size() < prefix.size() + suffix.size() || name.rfind(prefix, 0) != 0) continue;
    if (name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) continue;
    middles.push_back(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
  }
  return middles;
}

std::span<const float> Span(const at::Tensor& contiguous) {
  return {contiguous.data_ptr<float>(), static_cast<size_t>(contiguous.numel())};
}

at::Tensor Scalar(const at::Tensor& value) { return value.detach().reshape({1}); }

double Largest(const at::Tensor& values) { return values.abs().max().item<double>(); }

// ---- thresholds ----

void RunThreshold(Comparison& comparison) {
  Checks checks(comparison);
  for (const std::string& set : Middles(comparison.recorded(), "", ".data")) {
    const at::Tensor data = comparison.Input(set + ".data").contiguous();
    const quant::MagnitudeHistogram histogram = quant::HistogramOfMagnitudes(Span(data));
    checks.Relative(set + ".absmax", histogram.edges.back(), kRelative);
    // With an empty first bin the reference divides 0 by 0 and keeps its first candidate.
    const bool is_defect = histogram.counts[0] == 0;
    for (const std::string& text : Middles(comparison.recorded(), set + ".bits", ".threshold")) {
      const int64_t bits = std::stoll(text);
      const std::string name = set + ".bits" + text + ".threshold";
      const double ours = quant::KlThreshold(histogram, bits);
      const int64_t levels = int64_t{1} << (bits - 1);
      if (!is_defect || levels + 1 > static_cast<int64_t>(histogram.counts.size())) {
        checks.Relative(name, ours, kRelative);
        continue;
      }
      checks.Relative(name, (static_cast<double>(levels) + 1.5) * histogram.edges[1], kRelative);
      checks.Require(std::isfinite(ours) && ours >= comparison.Input(name)[0].item<double>(),
                     name + ": our threshold is below the defective one");
    }
  }
  checks.Finish();
}

// ---- k-means ----

QuantizerSettings CodebookSettings(int64_t bits) {
  QuantizerSettings settings;
  settings.bits = bits;
  return settings;
}

// What every clustering must be: values decode exactly, centroids are means, labels are nearest.
void CheckClusters(Checks& checks, const std::string& name, const at::Tensor& weight,
                   const quant::QuantizedTensor& exported, const at::Tensor& fake) {
  const at::Tensor& book = exported.codebook;
  const at::Tensor kept = exported.codes.ge(0);
  const at::Tensor codes = exported.codes.masked_select(kept);
  const at::Tensor values = weight.masked_select(kept);
  checks.Require(fake.masked_select(kept).equal(book.index_select(0, codes)),
                 name + ": the reconstruction is not centroids[labels]");
  checks.Require(!fake.isnan().any().item<bool>(), name + ": not a number");
  for (int64_t j = 0; j < book.numel(); ++j) {
    const at::Tensor members = values.masked_select(codes.eq(j));
    checks.Require(members.numel() > 0, name + ": a cluster is empty");
    if (members.numel() == 0) continue;
    checks.Compare(name + ": mean of a cluster", members.mean(at::kDouble).reshape({1}),
                   book.narrow(0, j, 1), 1e-5);
  }
  if (values.numel() == 0) return;
  const at::Tensor distances =
      (values.to(at::kDouble).unsqueeze(1) - book.to(at::kDouble).unsqueeze(0)).abs();
  const at::Tensor own = distances.gather(1, codes.to(at::kLong).unsqueeze(1)).squeeze(1);
  checks.Require(own.equal(distances.amin(1)), name + ": a label is not the nearest centroid");
}

// The recorded codebook decoded by us.
void CheckRecordedCodebook(Comparison& comparison, const std::string& prefix,
                           const std::string& reconstructed) {
  quant::QuantizedTensor stored;
  stored.coding = quant::Coding::kCodebook;
  stored.bits = 8;
  stored.codes = comparison.Input(prefix + "labels").to(at::kInt);
  stored.codebook = comparison.Input(prefix + "centroids");
  comparison.Exact(reconstructed, quant::Dequantize(stored));
}

void RunKMeansBits(Comparison& comparison) {
  Checks checks(comparison);
  const at::Tensor weight = comparison.Input("weight");
  for (const std::string& text : Middles(comparison.recorded(), "bits", ".centroids")) {
    const std::string prefix = "bits" + text + ".";
    const auto quantizer = Make("kmeans", CodebookSettings(std::stoll(text)));
    const quant::QuantizedTensor exported = quantizer->Export(weight);
    const at::Tensor fake = quantizer->Forward(weight);
    CheckClusters(checks, prefix, weight, exported, fake);
    CheckRecordedCodebook(comparison, prefix, prefix + "reconstructed");
    const auto inertia_of = [&](const at::Tensor& values) {
      return (weight - values).to(at::kDouble).square().sum().item<double>();
    };
    const double recorded = inertia_of(comparison.Input(prefix + "reconstructed"));
    checks.Relative(prefix + "inertia", recorded, 1e-4);
    const double inertia = inertia_of(fake);
    const double best = comparison.Input(prefix + "optimal_inertia")[0].item<double>();
    const double worst = comparison.Input(prefix + "inertia_10_seeds").max().item<double>();
    // The recorded optimum is rounded to float32, and so are centroids: zero is not reached.
    checks.Require(inertia >= best * (1 - 1e-5) - 1e-12 && inertia <= 1.25 * worst + 1e-12,
                   prefix + "inertia " + std::to_string(inertia) + " is outside [" +
                       std::to_string(best) + ", 1.25 * " + std::to_string(worst) + "]");
  }
  checks.Finish();
}

void RunKMeansDegenerate(Comparison& comparison) {
  Checks checks(comparison);
  for (const std::string& set : Middles(comparison.recorded(), "", ".weight")) {
    const at::Tensor weight = comparison.Input(set + ".weight");
    const int64_t clusters = comparison.Input(set + ".centroids").numel();
    QuantizerSettings settings =
        CodebookSettings(std::max<int64_t>(1, std::llround(std::ceil(std::log2(clusters)))));
    settings.keep_zeros = set == "pruned";
    const auto quantizer = Make("kmeans", settings);
    const quant::QuantizedTensor exported = quantizer->Export(weight);
    const at::Tensor fake = quantizer->Forward(weight);
    CheckClusters(checks, set, weight, exported, fake);
    CheckRecordedCodebook(comparison, set + ".", set + ".reconstructed");
    if (settings.keep_zeros) {
      checks.Require(fake.masked_select(weight.eq(0)).eq(0).all().item<bool>(),
                     set + ": a pruned weight is not 0");
      checks.Require(exported.codes.eq(-1).equal(weight.eq(0)), set + ": labels of pruned weights");
      checks.Require(comparison.Input(set + ".labels").eq(-1).equal(weight.eq(0)),
                     set + ": recorded labels of pruned weights");
    } else {
      // Fewer distinct values than clusters: nothing is lost. (The reference may lose something: a
      // recording of "few" has two values in one cluster.)
      checks.Compare(set + ".weight", fake, weight, kExact);
    }
  }
  checks.Finish();
}

void RunKMeansUpdateEdge(Comparison& comparison) {
  Checks checks(comparison);
  const at::Tensor weight = comparison.Input("weight");
  // An empty cluster: its entry stays, the others become means, nothing is NaN.
  const at::Tensor labels = comparison.Input("empty.labels").to(at::kInt);
  const at::Tensor book = at::full({labels.max().item<int64_t>() + 1}, 7.0);
  quant::QuantizedTensor stored;
  stored.coding = quant::Coding::kCodebook;
  stored.codes = labels;
  stored.codebook = quant::ClusterMeans(weight, labels, book);
  checks.Near("empty.updated", quant::Dequantize(stored), kExact);
  for (int64_t j = 0; j < book.numel(); ++j) {
    if (labels.eq(j).any().item<bool>()) continue;
    checks.Require(stored.codebook[j].item<double>() == 7, "an empty cluster lost its entry");
  }
  checks.Require(comparison.Input("empty.original_haq_is_nan").eq(1).all().item<bool>(),
                 "the recorded NaN of the original");
  // Labels as values lead to clusters with just these members.
  const auto update = [&](const std::string& set, int64_t bits, bool free_high_bits) {
    QuantizerSettings settings = CodebookSettings(bits);
    settings.free_high_bits = free_high_bits;
    const auto quantizer = Make("kmeans", settings);
    quantizer->Calibrate(comparison.Input(set + ".labels").to(at::kFloat),
                         quant::Calibration::kPublished);
    const at::Tensor updated = weight.clone();
    quantizer->AfterStep(updated);
    return updated;
  };
  checks.Near("high.updated_free", update("high", 7, true), kExact);
  checks.Near("high.updated_not_free", update("high", 7, false), kExact);
  checks.Near("exactly64.updated_free", update("exactly64", 6, true), kExact);
  checks.Finish();
}

// conv 1x1, ReLU, mean over the pixels, fc1, ReLU, fc2: the network of the fine-tuning recordings.
at::Tensor SmallNet(const at::Tensor& input, const std::map<std::string, at::Tensor>& p) {
  const at::Tensor pixels =
      at::conv2d(input, p.at("conv.weight"), p.at("conv.bias")).relu().mean({2, 3});
  return at::linear(at::linear(pixels, p.at("fc1.weight"), p.at("fc1.bias")).relu(),
                    p.at("fc2.weight"), p.at("fc2.bias"));
}

torch::optim::AdamOptions AdamOf(const Case& recorded) {
  const Json json = Json::parse(recorded.file.metadata().at("optimizer"));
  const auto betas = json.at("betas").get<std::array<double, 2>>();
  return torch::optim::AdamOptions(json.at("lr").get<double>())
      .betas({betas[0], betas[1]})
      .eps(json.at("eps").get<double>())
      .weight_decay(json.at("weight_decay").get<double>());
}

void RunFineTune(Comparison& comparison) {
  constexpr double kTolerance = 1e-5;
  Checks checks(comparison);
  const Case& recorded = comparison.recorded();
  const auto bits = Json::parse(recorded.file.metadata().at("bits")).get<std::vector<int64_t>>();
  const std::vector<std::string> layers = {"conv", "fc1", "fc2"};
  std::map<std::string, at::Tensor> teacher;
  std::map<std::string, at::Tensor> student;
  std::vector<at::Tensor> parameters;
  std::vector<std::shared_ptr<Quantizer>> quantizers;
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const std::string kind : {".weight", ".bias"}) {
      const std::string name = layers[i] + kind;
      teacher[name] = comparison.Input("teacher." + name);
      student[name] = comparison.Input("quantized." + name).requires_grad_();
      parameters.push_back(student[name]);
    }
    comparison.Exact("before." + layers[i] + ".bias", student[layers[i] + ".bias"].detach());
    CheckRecordedCodebook(comparison, layers[i] + ".", "quantized." + layers[i] + ".weight");
    // Every weight went to the nearest of the recorded centroids.
    const at::Tensor before = comparison.Input("before." + layers[i] + ".weight");
    const at::Tensor distances =
        (before.flatten().unsqueeze(1) - comparison.Input(layers[i] + ".centroids").unsqueeze(0))
            .abs();
    checks.Compare("before." + layers[i] + ".weight", distances.amin(1),
                   (before - student[layers[i] + ".weight"].detach()).abs().flatten(), kExact);
    quantizers.push_back(Make("kmeans", CodebookSettings(bits.at(i))));
    quantizers[i]->Calibrate(student[layers[i] + ".weight"], quant::Calibration::kPublished);
  }
  const at::Tensor input = comparison.Input("input");
  const at::Tensor target = comparison.Input("target");
  const at::Tensor teacher_logits = SmallNet(input, teacher);
  torch::optim::Adam optimizer(parameters, AdamOf(recorded));
  for (size_t step = 0; recorded.Has("step" + std::to_string(step) + ".loss"); ++step) {
    const std::string prefix = "step" + std::to_string(step) + ".";
    std::map<std::string, at::Tensor> used = student;
    for (size_t i = 0; i < layers.size(); ++i) {
      at::Tensor& weight = used[layers[i] + ".weight"];
      weight = quantizers[i]->Forward(weight);
    }
    optimizer.zero_grad();
    const at::Tensor logits = SmallNet(input, used);
    const at::Tensor entropy = at::cross_entropy_loss(logits, target);
    const at::Tensor distill = at::mse_loss(logits, teacher_logits);
    const at::Tensor loss = entropy + 0.1 * distill;
    loss.backward();
    checks.Near(prefix + "loss", Scalar(loss), kTolerance);
    if (recorded.Has(prefix + "ce")) checks.Near(prefix + "ce", Scalar(entropy), kTolerance);
    if (recorded.Has(prefix + "distill_mse")) {
      checks.Near(prefix + "distill_mse", Scalar(distill), kTolerance);
    }
    for (const auto& [name, parameter] : student) {
      if (step == 0) checks.Near("grad." + name, parameter.grad(), kTolerance);
    }
    optimizer.step();
    for (const auto& [name, parameter] : student) {
      checks.Near(prefix + "after_adam." + name, parameter, kTolerance);
    }
    for (size_t i = 0; i < layers.size(); ++i) {
      quantizers[i]->AfterStep(student[layers[i] + ".weight"]);
    }
    for (const auto& [name, parameter] : student) {
      checks.Near(prefix + "after_update." + name, parameter, kTolerance);
    }
    checks.Near(prefix + "logits_after", SmallNet(input, student), kTolerance);
  }
  checks.Finish();
}

// ---- linear quantizers ----

// The buffer or parameter of that name: a range is the one or the other.
at::Tensor StateOf(const Quantizer& quantizer, const std::string& name) {
  const auto parameters = quantizer.named_parameters();
  if (const at::Tensor* found = parameters.find(name)) return *found;
  return quantizer.named_buffers()[name];
}

void SetRange(const Quantizer& quantizer, const at::Tensor& range) {
  const at::NoGradGuard no_grad;
  StateOf(quantizer, "range").copy_(range);
}

void RunLinearWeight(Comparison& comparison) {
  Checks checks(comparison);
  const Case& recorded = comparison.recorded();
  const at::Tensor weight = comparison.Input("weight");
  const at::Tensor grad_out = comparison.Input("grad_out");
  const auto run = [&](Quantizer& quantizer, const std::string& prefix, const std::string& grad,
                       const std::function<at::Tensor(const at::Tensor&)>& place, double range) {
    const at::Tensor leaf = weight.clone().requires_grad_();
    const at::Tensor quantized = quantizer.Forward(leaf);
    quantized.backward(grad_out);
    const double step =
        range / static_cast<double>((int64_t{1} << (quantizer.settings().bits - 1)) - 1);
    checks.NearOrOneStep(prefix + "quantized", quantized, place(weight) / step, step, kExact);
    checks.Near(prefix + grad, leaf.grad(), kExact);
    checks.Require(quant::Dequantize(quantizer.Export(leaf)).equal(quantized.detach()),
                   prefix + ": export and fake quantization differ");
  };
  for (const std::string& middle : Middles(recorded, "w", ".quantized")) {
    QuantizerSettings settings;
    settings.bits = std::stoll(middle);
    const std::string prefix = "w" + middle + ".";
    const auto as_is = [](const at::Tensor& w) { return w; };
    if (middle.find("tanh") != std::string::npos) {
      const auto dorefa = Make("dorefa", settings);
      run(
          *dorefa, prefix, "grad", [&](const at::Tensor& w) { return dorefa->Surrogate(w); }, 1);
      continue;
    }
    const auto linear = Make("linear", settings);
    if (const size_t at = middle.find("range"); at != std::string::npos) {
      const double range = std::stod(middle.substr(at + 5));
      SetRange(*linear, at::full({1}, range));
      run(
          *linear, prefix, "grad", [&](const at::Tensor& w) { return w.clamp(-range, range); },
          range);
      continue;
    }
    const double largest = Largest(weight);
    run(*linear, prefix, "grad", as_is, largest);
    checks.Near(prefix + "range", Scalar(StateOf(*linear, "range")), kExact);
  }
  // 32 bits are the identity. The reference has a bias quantizer, which it never calls and which
  // takes the largest bias for the largest magnitude: a bias further below zero is cut off.
  if (recorded.Has("bias")) {
    const at::Tensor bias = comparison.Input("bias");
    QuantizerSettings settings;
    settings.bits = 32;
    const at::Tensor ours = Make("linear", settings)->Forward(bias);
    checks.Require(ours.equal(bias), "32 bits are not the identity");
    const double cut = bias.max().item<double>() + 1e-5;
    checks.Near("bias.quantized_32bit", ours.clamp(-cut, cut), kExact);
  }
  checks.Finish();
}

void RunLinearActivation(Comparison& comparison) {
  Checks checks(comparison);
  const Case& recorded = comparison.recorded();
  const at::Tensor input = comparison.Input("input");
  const at::Tensor grad_out = comparison.Input("grad_out");
  const double range = std::stod(recorded.file.metadata().at("range"));
  for (const std::string& middle : Middles(recorded, "a", ".quantized")) {
    const std::string prefix = "a" + middle + ".";
    QuantizerSettings settings;
    settings.bits = std::stoll(middle);
    const bool is_half = middle.find(".half.") != std::string::npos;
    settings.role = is_half ? quant::Role::kUnsignedActivation : quant::Role::kSignedActivation;
    settings.trainable_range = middle.find(".trainable") != std::string::npos;
    settings.initial_range = range;
    const auto quantizer = Make("wave", settings);
    const at::Tensor leaf = input.clone().requires_grad_();
    const at::Tensor quantized = quantizer->Forward(leaf);
    quantized.backward(grad_out);
    const int64_t levels = (int64_t{1} << (is_half ? settings.bits : settings.bits - 1)) - 1;
    const double step = range / static_cast<double>(levels);
    checks.NearOrOneStep(prefix + "quantized", quantized,
                         input.clamp(is_half ? 0 : -range, range) / step, step, kExact);
    checks.Near(prefix + "grad_input", leaf.grad(), kExact);
    if (settings.trainable_range) {
      // A sum over the clipped entries: its rounding grows with it.
      const double sum = Largest(comparison.Input(prefix + "grad_range"));
      checks.Near(prefix + "grad_range", quantizer->parameters()[0].grad(),
                  kExact * std::max(1.0, sum));
    }
  }
  checks.Finish();
}

// A layer of the calibrated network: the recorded weights, a quantizer of each kind.
struct QuantLayer {
  Json options;
  std::string name;
  at::Tensor weight;
  at::Tensor bias;
  std::shared_ptr<Quantizer> weights;
  std::shared_ptr<Quantizer> activations;

  at::Tensor Forward(const at::Tensor& x) const {
    const at::Tensor in = activations->Forward(x);
    const at::Tensor w = weights->Forward(weight);
    if (options.at("type") == "QLinear") return at::linear(in, w, bias);
    return at::conv2d(in, w, bias, options.value("stride", 1), options.value("pad", 0),
                      options.value("dilation", 1), options.value("groups", 1));
  }
};

QuantLayer LayerOf(Comparison& comparison, const Json& options) {
  QuantLayer layer;
  layer.options = options;
  layer.name = options.at("name").get<std::string>();
  const std::string prefix = "before." + layer.name + ".";
  layer.weight = comparison.Input(prefix + "weight").requires_grad_();
  if (options.at("bias").get<bool>()) {
    layer.bias = comparison.Input(prefix + "bias").requires_grad_();
  }
  QuantizerSettings settings;
  settings.bits = options.at("w_bit").get<int64_t>();
  layer.weights = Make("linear", settings);
  SetRange(*layer.weights, comparison.Input(prefix + "weight_range"));
  settings.bits = options.at("a_bit").get<int64_t>();
  settings.role = options.at("half_wave").get<bool>() ? quant::Role::kUnsignedActivation
                                                      : quant::Role::kSignedActivation;
  settings.initial_range = comparison.Input(prefix + "activation_range").item<double>();
  layer.activations = Make("wave", settings);
  return layer;
}

// Layers in order with a ReLU between them; convolutions end in a mean over the pixels.
at::Tensor ForwardNet(const std::vector<QuantLayer>& layers, at::Tensor x) {
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].options.at("type") == "QLinear" && x.dim() == 4) x = x.mean({2, 3});
    x = layers[i].Forward(x);
    if (i + 1 < layers.size()) x = x.relu();
  }
  return x;
}

void RunLinearNet(Comparison& comparison) {
  Checks checks(comparison);
  const Case& recorded = comparison.recorded();
  std::vector<QuantLayer> layers;
  for (const Json& options : Json::parse(recorded.file.metadata().at("layers"))) {
    layers.push_back(LayerOf(comparison, options));
  }
  const at::Tensor input = comparison.Input("input");
  for (QuantLayer& layer : layers) {
    layer.weights->BeginCalibration(quant::Calibration::kPublished);
    layer.activations->BeginCalibration(quant::Calibration::kPublished);
  }
  {
    const at::NoGradGuard no_grad;
    ForwardNet(layers, input);
  }
  for (QuantLayer& layer : layers) {
    layer.weights->EndCalibration();
    layer.activations->EndCalibration();
    const std::string prefix = "calibrated." + layer.name + ".";
    const auto range = [](const std::shared_ptr<Quantizer>& quantizer) {
      return StateOf(*quantizer, "range").item<double>();
    };
    checks.Relative(prefix + "weight_range", range(layer.weights), kRelative);
    checks.Relative(prefix + "activation_range", range(layer.activations), kRelative);
  }
  const at::Tensor logits = ForwardNet(layers, input);
  const at::Tensor loss = at::cross_entropy_loss(logits, comparison.Input("target"));
  loss.backward();
  checks.Near("logits", logits, 1e-4);
  checks.Near("loss", Scalar(loss), 1e-4);
  for (const QuantLayer& layer : layers) {
    const std::string prefix = "grad." + layer.name + ".";
    comparison.Gradient(prefix + "weight", layer.weight.grad());
    if (layer.bias.defined()) comparison.Gradient(prefix + "bias", layer.bias.grad());
    comparison.Gradient(prefix + "activation_range", layer.activations->parameters()[0].grad());
  }
  checks.Finish();
}

}  // namespace

bool RunQuantCase(const Case& recorded, Comparison& comparison) {
  if (!Middles(recorded, "", ".threshold").empty() && !Middles(recorded, "", ".data").empty()) {
    RunThreshold(comparison);
  } else if (!Middles(recorded, "bits", ".optimal_inertia").empty()) {
    RunKMeansBits(comparison);
  } else if (recorded.Has("pruned.weight") && recorded.Has("few.weight")) {
    RunKMeansDegenerate(comparison);
  } else if (recorded.Has("step0.after_adam.conv.weight")) {
    RunFineTune(comparison);
  } else if (recorded.Has("empty.original_haq_is_nan")) {
    RunKMeansUpdateEdge(comparison);
  } else if (!Middles(recorded, "a", ".half.fixed.quantized").empty()) {
    RunLinearActivation(comparison);
  } else if (!Middles(recorded, "w", ".tanh.quantized").empty()) {
    RunLinearWeight(comparison);
  } else if (!Middles(recorded, "calibrated.", ".weight_range").empty()) {
    RunLinearNet(comparison);
  } else {
    return false;
  }
  return true;
}

}  // namespace voxbit::golden
