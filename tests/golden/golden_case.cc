#include "tests/golden/golden_case.h"

#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "supernet/export/tensor_io.h"

namespace voxbit::golden {
namespace {

std::string ShapeText(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

struct Difference {
  double absolute = 0;
  double relative = 0;  // to the largest entry of the recording
};

Difference DifferenceOf(const at::Tensor& ours, const at::Tensor& recorded, double noise = 0) {
  if (recorded.numel() == 0) return {};
  const at::Tensor a = ours.detach().to(at::kDouble);
  const at::Tensor b = recorded.to(at::kDouble);
  const double absolute = ((a - b).abs().max() - noise).clamp_min(0).item<double>();
  const double scale = b.abs().max().item<double>();
  return {absolute, scale > 0 ? absolute / scale : absolute};
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1e", value);
  return text;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The numbers with a negative exponent in a text, e.g. 1e-4 and 2.5e-05. (std::regex makes gcc 12
// warn of uninitialised values under the sanitizers.)
std::vector<double> SmallNumbers(const std::string& text) {
  std::vector<double> found;
  for (size_t e = text.find("e-"); e != std::string::npos; e = text.find("e-", e + 2)) {
    if (e == 0 || !IsDigit(text[e - 1]) || e + 2 >= text.size() || !IsDigit(text[e + 2])) continue;
    size_t begin = e - 1;
    while (begin > 0 && (IsDigit(text[begin - 1]) || text[begin - 1] == '.')) --begin;
    found.push_back(std::stod(text.substr(begin)));
  }
  return found;
}

}  // namespace

Tolerance ToleranceOf(const Case& recorded) {
  Tolerance tolerance;
  if (!recorded.HasMetadata("tolerance")) return tolerance;
  const std::vector<double> stated = SmallNumbers(recorded.file.metadata().at("tolerance"));
  if (!stated.empty()) tolerance.forward = std::max(tolerance.forward, stated[0]);
  if (stated.size() > 1) tolerance.gradient = std::max(tolerance.gradient, stated[1]);
  return tolerance;
}

at::Tensor Comparison::Input(const std::string& name) {
  seen_.insert(name);
  Result<at::Tensor> tensor = exporter::ToTensor(case_.file, name);
  if (!tensor.ok()) {
    Fail(tensor.status().message());
    return {};
  }
  return *tensor;
}

at::Tensor Comparison::Matching(const std::string& name, const at::Tensor& ours) {
  at::Tensor recorded = Input(name);
  if (!recorded.defined()) return {};
  if (!ours.defined()) {
    Fail(name + " was not computed");
    return {};
  }
  if (recorded.sizes() != ours.sizes()) {
    Fail(name + " has the shape " + ShapeText(ours) + ", recorded " + ShapeText(recorded));
    return {};
  }
  return recorded;
}

void Comparison::Same(const std::string& name, const at::Tensor& ours, const at::Tensor& recorded) {
  ++exact_;
  const int64_t different =
      at::ne(ours.to(at::kDouble), recorded.to(at::kDouble)).sum().item<int64_t>();
  if (different > 0) {
    Fail(name + " differs in " + std::to_string(different) + " of " +
         std::to_string(recorded.numel()) + " entries");
  }
}

void Comparison::Close(const std::string& name, const at::Tensor& ours, const at::Tensor& recorded,
                       double tolerance, bool absolute_too, double noise, Worst* worst) {
  worst->any = true;
  const Difference off = DifferenceOf(ours, recorded, noise);
  if (!(off.relative <= worst->error)) {  // also when it is not a number
    worst->error = off.relative;
    worst->tensor = name;
  }
  if (!(off.relative <= tolerance)) {
    Fail(name + " is off by " + Number(off.relative) + " of its largest entry");
  } else if (absolute_too && !(off.absolute <= tolerance)) {
    Fail(name + " is off by " + Number(off.absolute));
  }
}

void Comparison::GradientOf(const std::string& name, const at::Tensor& ours,
                            const at::Tensor& expected) {
  Close(name, ours, expected, tolerance_.gradient, false, 0, &gradient_);
}

bool Comparison::GradientAgrees(const std::string& name, const at::Tensor& ours, double noise) {
  const at::Tensor recorded = Matching(name, ours);
  return recorded.defined() && DifferenceOf(ours, recorded, noise).relative <= tolerance_.gradient;
}

void Comparison::Exact(const std::string& name, const at::Tensor& ours) {
  const at::Tensor recorded = Matching(name, ours);
  if (recorded.defined()) Same(name, ours, recorded);
}

void Comparison::ExactRows(const std::string& name, const at::Tensor& ours,
                           const at::Tensor& order) {
  const at::Tensor recorded = Matching(name, ours);
  if (recorded.defined()) Same(name, ours, recorded.index_select(0, order));
}

void Comparison::Forward(const std::string& name, const at::Tensor& ours) {
  const at::Tensor recorded = Matching(name, ours);
  if (recorded.defined()) Close(name, ours, recorded, tolerance_.forward, true, 0, &forward_);
}

void Comparison::Absolute(const std::string& name, const at::Tensor& ours) {
  const at::Tensor recorded = Matching(name, ours);
  if (!recorded.defined()) return;
  const double off = DifferenceOf(ours, recorded).absolute;
  forward_.any = true;
  if (!(off <= forward_.error)) {  // also when it is not a number
    forward_.error = off;
    forward_.tensor = name;
  }
  if (!(off <= tolerance_.forward)) Fail(name + " is off by " + Number(off));
}

void Comparison::ForwardRows(const std::string& name, const at::Tensor& ours,
                             const at::Tensor& order) {
  const at::Tensor recorded = Matching(name, ours);
  if (!recorded.defined()) return;
  Close(name, ours, recorded.index_select(0, order), tolerance_.forward, true, 0, &forward_);
}

void Comparison::Gradient(const std::string& name, const at::Tensor& ours, double noise) {
  const at::Tensor recorded = Matching(name, ours);
  if (!recorded.defined()) return;
  Close(name, ours, recorded, tolerance_.gradient, false, noise, &gradient_);
}

void Comparison::Equal(const std::string& what, int64_t ours, int64_t recorded) {
  ++exact_;
  if (ours == recorded) return;
  Fail(what + " is " + std::to_string(ours) + ", recorded " + std::to_string(recorded));
}

void Comparison::Fail(const std::string& why) { failure_ += failure_.empty() ? why : "; " + why; }

void Comparison::CheckComplete() {
  std::string left;
  for (const std::string& name : case_.file.Names()) {
    if (seen_.count(name) == 0) left += left.empty() ? name : ", " + name;
  }
  if (!left.empty()) Fail("not compared: " + left);
}

std::string Comparison::Summary() const {
  std::string text = std::to_string(exact_) + " exact";
  const auto append = [&](const char* kind, const Worst& worst, double tolerance) {
    if (!worst.any) return;
    text += std::string(", ") + kind + " error " + Number(worst.error) + " (tolerance " +
            Number(tolerance) + (worst.tensor.empty() ? "" : ", " + worst.tensor) + ")";
  };
  append("forward", forward_, tolerance_.forward);
  append("gradient", gradient_, tolerance_.gradient);
  return note_.empty() ? text : text + ", " + note_;
}

}  // namespace voxbit::golden
