#include "supernet/quant/quantized_tensor.h"

#include <torch/torch.h>

#include <string>

#include "supernet/quant/codes/packing.h"
#include "supernet/quant/uniform.h"

namespace voxbit::quant {
namespace {

int64_t BytesOf(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<int64_t>(tensor.nbytes()) : 0;
}

// codes [n] int32 as bytes.
at::Tensor PackFlat(const at::Tensor& codes, int64_t bits) {
  const at::Tensor flat = codes.to(at::kCPU, at::kInt).contiguous();
  const auto* data = flat.data_ptr<int32_t>();
  std::vector<uint16_t> narrow(static_cast<size_t>(flat.numel()));
  for (size_t i = 0; i < narrow.size(); ++i) {
    TORCH_CHECK(data[i] >= 0 && data[i] < (int64_t{1} << bits), "code ", data[i],
                " does not fit into ", bits, " bits");
    narrow[i] = static_cast<uint16_t>(data[i]);
  }
  at::Tensor bytes = at::empty({PackedBytes(flat.numel(), bits)}, at::kByte);
  PackCodes(narrow.data(), flat.numel(), bits, bytes.data_ptr<uint8_t>());
  return bytes;
}

at::Tensor UnpackFlat(const at::Tensor& bytes, int64_t num, int64_t bits) {
  std::vector<uint16_t> narrow(static_cast<size_t>(num));
  UnpackCodes(bytes.data_ptr<uint8_t>(), num, bits, narrow.data());
  at::Tensor codes = at::empty({num}, at::kInt);
  auto* out = codes.data_ptr<int32_t>();
  for (size_t i = 0; i < narrow.size(); ++i) out[i] = narrow[i];
  return codes;
}

Status Damaged(const std::string& what) { return DataLoss("packed tensor: " + what); }

bool Holds(const at::Tensor& bytes, int64_t num, int64_t bits) {
  return bytes.defined() && bytes.scalar_type() == at::kByte && bytes.dim() == 1 &&
         bytes.is_contiguous() && bytes.numel() == PackedBytes(num, bits);
}

int64_t Product(const std::vector<int64_t>& shape) {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

Status UnpackCodebook(const PackedTensor& packed, int64_t num, QuantizedTensor& out) {
  at::Tensor kept;
  if (packed.kept.defined()) {
    if (!Holds(packed.kept, num, 1)) return Damaged("the mask does not fit the shape");
    kept = UnpackFlat(packed.kept, num, 1).to(at::kBool);
  }
  const int64_t num_kept = kept.defined() ? kept.sum().item<int64_t>() : num;
  if (!Holds(packed.codes, num_kept, packed.bits)) {
    return Damaged("the codes do not fit the shape");
  }
  at::Tensor codes = UnpackFlat(packed.codes, num_kept, packed.bits);
  if (num_kept > 0 && codes.max().item<int64_t>() >= packed.codebook.numel()) {
    return Damaged("a code has no entry in the codebook");
  }
  if (kept.defined()) {
    codes = at::full({num}, -1, codes.options()).masked_scatter(kept, codes);
  }
  out.codes = codes.view(packed.shape);
  return OkStatus();
}

}  // namespace

at::Tensor Dequantize(const QuantizedTensor& tensor) {
  const at::NoGradGuard no_grad;
  switch (tensor.coding) {
    case Coding::kFloat:
      return tensor.values;
    case Coding::kHalf:
      return tensor.values.to(at::kFloat);
    case Coding::kLinear:
      return (tensor.codes.to(at::kFloat) - AlongRows(tensor.zeros, tensor.codes))
          .mul_(AlongRows(tensor.scales, tensor.codes));
    case Coding::kCodebook:
      break;
  }
  if (tensor.codes.numel() == 0) return at::empty(tensor.codes.sizes(), tensor.codebook.options());
  // Entry 0 of the extended book is the value of pruned weights.
  const at::Tensor book =
      at::cat({at::zeros({1}, tensor.codebook.options()), tensor.codebook.flatten()});
  return book.index_select(0, tensor.codes.flatten() + 1).view(tensor.codes.sizes());
}

int64_t PackedTensor::Bytes() const {
  int64_t bytes = 0;
  for (const at::Tensor& part : {codes, kept, scales, zeros, codebook, values}) {
    bytes += BytesOf(part);
  }
  return bytes;
}

PackedTensor Pack(const QuantizedTensor& tensor, bool store_zeros) {
  const at::NoGradGuard no_grad;
  PackedTensor packed;
  packed.coding = tensor.coding;
  packed.bits = tensor.bits;
  if (tensor.coding == Coding::kFloat || tensor.coding == Coding::kHalf) {
    packed.shape = tensor.values.sizes().vec();
    packed.values = tensor.values.to(at::kCPU).contiguous();
    return packed;
  }
  packed.shape = tensor.codes.sizes().vec();
  at::Tensor codes = tensor.codes.to(at::kCPU).flatten();
  if (tensor.coding == Coding::kLinear) {
    packed.scales = tensor.scales.to(at::kCPU).contiguous();
    const at::Tensor zeros = tensor.zeros.to(at::kCPU).contiguous();
    if (store_zeros) {
      packed.zeros = zeros;
    } else {
      packed.zero = zeros.numel() > 0 ? zeros[0].item<double>() : 0;
      TORCH_CHECK(zeros.eq(packed.zero).all().item<bool>(), "zero points differ between channels");
    }
  } else {
    packed.codebook = tensor.codebook.to(at::kCPU).contiguous();
    const at::Tensor kept = codes.ge(0);
    if (!kept.all().item<bool>()) {
      packed.kept = PackFlat(kept.to(at::kInt), 1);
      codes = codes.masked_select(kept);
    }
  }
  packed.codes = PackFlat(codes, packed.bits);
  return packed;
}

Result<QuantizedTensor> Unpack(const PackedTensor& packed) {
  QuantizedTensor out;
  out.coding = packed.coding;
  out.bits = packed.bits;
  const int64_t num = Product(packed.shape);
  if (packed.coding == Coding::kFloat || packed.coding == Coding::kHalf) {
    if (!packed.values.defined() || packed.values.sizes() != at::IntArrayRef(packed.shape)) {
      return Damaged("the values do not fit the shape");
    }
    out.values = packed.values;
    return out;
  }
  if (!((packed.bits >= 1 && packed.bits <= 8) || packed.bits == 16)) {
    return Damaged("codes of " + std::to_string(packed.bits) + " bits");
  }
  if (packed.coding == Coding::kCodebook) {
    if (!packed.codebook.defined()) return Damaged("no codebook");
    out.codebook = packed.codebook;
    VOXBIT_RETURN_IF_ERROR(UnpackCodebook(packed, num, out));
    return out;
  }
  if (!Holds(packed.codes, num, packed.bits)) return Damaged("the codes do not fit the shape");
  if (!packed.scales.defined() || packed.scales.dim() != 1 ||
      (packed.scales.numel() != 1 &&
       (packed.shape.empty() || packed.scales.numel() != packed.shape[0]))) {
    return Damaged("the scales do not fit the shape");
  }
  out.codes = UnpackFlat(packed.codes, num, packed.bits).view(packed.shape);
  out.scales = packed.scales;
  out.zeros = packed.zeros.defined() ? packed.zeros : at::full_like(packed.scales, packed.zero);
  if (out.zeros.sizes() != out.scales.sizes()) return Damaged("the zeros do not fit the scales");
  return out;
}

}  // namespace voxbit::quant
