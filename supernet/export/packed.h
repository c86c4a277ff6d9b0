// The packed format: a network with bit-packed weights in one sealed file, described to the byte in
// docs/packed_format.md. No torch, so that an inference engine can read it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/status.h"
#include "supernet/quant/codes/coding.h"

namespace voxbit::exporter {

// Of the format that is written and read here.
inline constexpr uint32_t kPackedVersion = 2;

// One tensor: what is said of it, and its parts. Values are row-major; codes and masks are packed
// as in supernet/quant/codes/packing.h; floats are little-endian. Parts may be unaligned.
struct PackedView {
  std::string name;  // 1 to 255 printable ASCII characters
  quant::Coding coding = quant::Coding::kFloat;
  int64_t bits = 32;  // of a code, or of a value: 16 for kHalf, 32 for kFloat
  std::vector<int64_t> shape;
  double zero = 0;  // kLinear: of all groups, where `zeros` is empty

  std::string_view values;  // kHalf, kFloat
  std::string_view mask;  // kCodebook: a bit for each value, 1 where it is not pruned; may be empty
  std::string_view codes;     // kLinear; kCodebook: of the values that are not pruned
  std::string_view codebook;  // kCodebook: [K] float32, K <= 2^bits
  std::string_view scales;    // kLinear: [1] or [shape[0]] float32
  std::string_view zeros;     // kLinear: as scales, or empty

  friend bool operator==(const PackedView&, const PackedView&) = default;
};

// A parsed file; owns its bytes, which the copies of this object share. Immutable; thread-safe.
class PackedFile {
 public:
  // DATA_LOSS for anything that is not a complete, consistent and undamaged file, with the reason;
  // INVALID_ARGUMENT for a version of the format that is not known here. Trusts nothing: reads
  // 4 MiB of header text at most and copies no part of a tensor.
  // Not checked: that codes are below the size of their codebook, that floats are finite.
  static Result<PackedFile> Parse(std::string bytes);
  // The same; the error names the path. NOT_FOUND when there is no such file.
  static Result<PackedFile> Read(const std::string& path);

  // What the writer said about the network: an object.
  const Json& metadata() const { return metadata_; }
  // In the order of the file; the parts live as long as this object or a copy of it.
  const std::vector<PackedView>& tensors() const { return tensors_; }

 private:
  explicit PackedFile(std::string bytes)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}

  std::shared_ptr<const std::string> bytes_;
  Json metadata_;
  std::vector<PackedView> tensors_;
};

// The bytes of a file with these tensors, in the order of the format; equal input gives equal bytes
// (with the same zlib). INVALID_ARGUMENT, naming what is wrong, when it would not be read back as
// it was given: parts that do not fit the shape, a name twice or the name of a module that has
// tensors ("a" beside "a.b"), metadata that are no object.
Result<std::string> SerializePacked(const Json& metadata, std::vector<PackedView> tensors);

}  // namespace voxbit::exporter
