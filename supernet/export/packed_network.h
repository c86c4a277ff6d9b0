// Networks as packed files (packed.h), and back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/status.h"
#include "search/domain/candidate.h"
#include "supernet/export/packed.h"
#include "supernet/models/supernet.h"
#include "supernet/quant/quantized_tensor.h"

namespace voxbit::exporter {

// Which network a packed file holds: its metadata.
struct PackedIdentity {
  Json supernet;             // configuration of the supernet, "kind" included
  std::string space_digest;  // of the supernet's space
  search::Candidate candidate;
  int64_t in_channels = 0;
  int64_t num_classes = 0;
};

// INVALID_ARGUMENT names what is missing or wrong.
Result<PackedIdentity> ParseIdentity(const Json& metadata);

// The bytes of a packed file with everything that `net` computes with in eval mode: the integer
// form of quantized weights, in float32 all else (biases, batch norms, ranges of inputs, weights
// that are not quantized). `net` is Standalone() of the candidate; the state of its quantizers is
// set where it was not.
// INFEASIBLE when a tensor holds a value that is not finite.
Result<std::string> PackNetwork(supernet::Network& net, const PackedIdentity& identity);

// The integer form of one tensor. DATA_LOSS when a code has no entry in the codebook.
Result<quant::QuantizedTensor> ToQuantized(const PackedView& view);

// Fills `net`, Standalone() of the same candidate, with the tensors of a file. Weights become the
// values of their integer form and are not quantized again: the outputs are, bit for bit, those of
// the network that was packed. FAILED_PRECONDITION when tensors are missing, left over or of
// another shape; DATA_LOSS as ToQuantized, and for values that are not finite. On an error the
// tensors of `net` are unspecified.
Status LoadPackedTensors(const PackedFile& file, supernet::Network& net);

// The network of a file, in eval mode. Errors of ParseIdentity and LoadPackedTensors;
// INVALID_ARGUMENT for a supernet that the registry does not have or cannot build;
// FAILED_PRECONDITION with reason SPACE_MISMATCH when its space is another one today.
Result<std::shared_ptr<supernet::Network>> LoadPacked(const PackedFile& file,
                                                      const supernet::SupernetRegistry& registry);

}  // namespace voxbit::exporter
