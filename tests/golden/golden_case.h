// One recorded case and how its tensors are compared.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "common/status.h"
#include "supernet/export/safetensors.h"

namespace voxbit::golden {

// A recording: its tensors, metadata and the files beside it.
struct Case {
  std::string path;    // of the .safetensors file
  std::string folder;  // that holds it
  std::string name;    // file name without its ending
  exporter::Safetensors file;

  bool Has(const std::string& tensor) const { return file.Contains(tensor); }
  const std::string& Metadata(const std::string& key) const { return file.metadata().at(key); }
  bool HasMetadata(const std::string& key) const { return file.metadata().count(key) > 0; }
};

// Largest allowed difference, relative to the largest entry of the recording.
struct Tolerance {
  double forward = 1e-4;  // also absolute
  double gradient = 1e-3;
};

// The standard tolerance, or that of the metadata entry "tolerance" where it is looser: the first
// number of the text is for values, the second, where there is one, for gradients.
Tolerance ToleranceOf(const Case& recorded);

// Compares tensors of a case with ours and keeps the largest errors. Every tensor of the file must
// be read as an input or compared: a tensor that nobody looked at is a failure.
class Comparison {
 public:
  explicit Comparison(const Case& recorded) : case_(recorded) {}

  const Case& recorded() const { return case_; }
  const Tolerance& tolerance() const { return tolerance_; }
  // The standard tolerance unless this was called.
  void Allow(const Tolerance& tolerance) { tolerance_ = tolerance; }
  // A tensor of the file as an input. Missing: a failure, and an undefined tensor.
  at::Tensor Input(const std::string& name);

  // Equal shape and values.
  void Exact(const std::string& name, const at::Tensor& ours);
  // Difference within the tolerance.
  void Forward(const std::string& name, const at::Tensor& ours);
  // As Forward, but the tolerance is absolute only.
  void Absolute(const std::string& name, const at::Tensor& ours);
  // As Forward; a difference of up to `noise` in single entries is allowed besides.
  void Gradient(const std::string& name, const at::Tensor& ours, double noise = 0);
  // As Gradient, against `expected` in the place of the recording.
  void GradientOf(const std::string& name, const at::Tensor& ours, const at::Tensor& expected);
  // Whether Gradient would accept `ours`, without recording anything.
  bool GradientAgrees(const std::string& name, const at::Tensor& ours, double noise = 0);
  // Forward and Exact with rows of the recording re-ordered: row i of ours is row order[i] of the
  // recording.
  void ForwardRows(const std::string& name, const at::Tensor& ours, const at::Tensor& order);
  void ExactRows(const std::string& name, const at::Tensor& ours, const at::Tensor& order);

  void Equal(const std::string& what, int64_t ours, int64_t recorded);
  void Fail(const std::string& why);
  // A remark for the printed line.
  void Note(const std::string& remark) { note_ = remark; }

  // Call last: fails for tensors that were not looked at.
  void CheckComplete();

  bool ok() const { return failure_.empty(); }
  const std::string& failure() const { return failure_; }
  // "forward 2.1e-07 of 1e-04 (logits_eval)  gradient ..."
  std::string Summary() const;

 private:
  struct Worst {
    bool any = false;
    double error = 0;
    std::string tensor;
  };
  // The recording, or undefined after a failure when it is missing or of another shape.
  at::Tensor Matching(const std::string& name, const at::Tensor& ours);
  void Close(const std::string& name, const at::Tensor& ours, const at::Tensor& recorded,
             double tolerance, bool absolute_too, double noise, Worst* worst);
  void Same(const std::string& name, const at::Tensor& ours, const at::Tensor& recorded);

  const Case& case_;
  Tolerance tolerance_;
  std::set<std::string> seen_;
  int64_t exact_ = 0;
  Worst forward_;
  Worst gradient_;
  std::string failure_;
  std::string note_;
};

// Runs a case of its family into `comparison`; false when it is not of this family. May throw.
using FamilyRunner = std::function<bool(const Case& recorded, Comparison& comparison)>;

}  // namespace voxbit::golden
