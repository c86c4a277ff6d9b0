// What is known of the quantizers of this build without torch: their names, what they are for and
// what they store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace voxbit::quant {

enum class MethodRoles { kWeights, kActivations, kBoth };
enum class MethodCoding {
  kScales,          // codes and scales
  kScalesAndZeros,  // codes, scales and a zero point for each
  kCodebook,        // codes and their values, for the whole tensor; 16 bits: float16 values
};

// Names below a layer of the quantizers of its weight and of its input.
inline constexpr char kWeightQuantizer[] = "weight_quantizer";
inline constexpr char kInputQuantizer[] = "input_quantizer";

struct Method {
  std::string name;
  MethodRoles roles = MethodRoles::kWeights;
  MethodCoding coding = MethodCoding::kScales;
  std::vector<std::string> state;  // names of its parameters and buffers: a number for each scale

  bool IsForWeights() const { return roles != MethodRoles::kActivations; }
  bool IsForActivations() const { return roles != MethodRoles::kWeights; }
};

// Every quantizer of quant/builtin.def, in its order.
const std::vector<Method>& Methods();
// Null for an unknown name.
const Method* FindMethod(std::string_view name);

}  // namespace voxbit::quant
