#include "tests/golden/golden_case.h"

#include <torch/torch.h>

#include <cstdio>
#include <sstream>

#include "supernet/export/tensor_io.h"

namespace voxbit::golden {
namespace {

constexpr double kForwardTolerance = 1e-4;
constexpr double kGradientTolerance = 1e-3;

std::string ShapeText(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

struct Difference {
  double absolute = 0;
  double relative = 0;  // to the largest entry of the recording
};

Difference DifferenceOf(const at::Tensor& ours, const at::Tensor& recorded) {
  if (recorded.numel() == 0) return {};
  const at::Tensor a = ours.detach().to(at::kDouble);
  const at::Tensor b = recorded.to(at::kDouble);
  const double absolute = (a - b).abs().max().item<double>();
  const double scale = b.abs().max().item<double>();
  return {absolute, scale > 0 ? absolute / scale : absolute};
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1e", value);
  return text;
}

}  // namespace

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
                       double tolerance, bool absolute_too, Worst* worst) {
  worst->any = true;
  const Difference off = DifferenceOf(ours, recorded);
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
  Close(name, ours, expected, kGradientTolerance, false, &gradient_);
}

bool Comparison::GradientAgrees(const std::string& name, const at::Tensor& ours) {
  const at::Tensor recorded = Matching(name, ours);
  return recorded.defined() && DifferenceOf(ours, recorded).relative <= kGradientTolerance;
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
  if (recorded.defined()) Close(name, ours, recorded, kForwardTolerance, true, &forward_);
}

void Comparison::ForwardRows(const std::string& name, const at::Tensor& ours,
                             const at::Tensor& order) {
  const at::Tensor recorded = Matching(name, ours);
  if (!recorded.defined()) return;
  Close(name, ours, recorded.index_select(0, order), kForwardTolerance, true, &forward_);
}

void Comparison::Gradient(const std::string& name, const at::Tensor& ours) {
  const at::Tensor recorded = Matching(name, ours);
  if (recorded.defined()) Close(name, ours, recorded, kGradientTolerance, false, &gradient_);
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
  append("forward", forward_, kForwardTolerance);
  append("gradient", gradient_, kGradientTolerance);
  return note_.empty() ? text : text + ", " + note_;
}

}  // namespace voxbit::golden
