// Any supernet with bits: a decorator that gives its layers the quantizers of a candidate.
#pragma once

#include "supernet/models/supernet.h"

namespace voxbit::supernet {

// `make`, and a supernet with quantized layers around what it makes where the configuration has the
// key "quantization" (models/quantized_spec.h).
//
// Parameters, their names and the checkpoint are those of the supernet within: quantizers belong to
// the selected candidate, and training is in float unless "train_bits" says otherwise. A network
// from Standalone() owns its quantizers: their ranges and steps are in its state dict behind the
// name of their layer ("....weight_quantizer.range"), and they are trained with it. Ranges of
// inputs have to be calibrated (Network::BeginRangeCalibration) after Select and Standalone.
// k-means starts from a seed that depends on the name of the layer alone.
SupernetFactory Quantizable(SupernetFactory make);

}  // namespace voxbit::supernet
