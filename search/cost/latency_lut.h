// Latencies of layers by their bits, from a table that a study brings along: what somebody measured
// or simulated on hardware that the server does not have.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "search/cost/cost_model.h"

namespace voxbit::cost {

// Milliseconds of a candidate: the sum over its layers of what the table has for their bits, and
// "rest_ms" for everything that is no layer of the table. Its metric is search::kLatencyLut.
//
// An entry belongs to a layer of any shape ("stem.0") or of one shape ("stem.0@4x32", input x
// output channels). The one without a shape serves the shapes that no listed one covers, which is
// one of at least as many input and output channels: a covered shape needs entries of its own.
//
// A measured table is noisy, and costs must not fall when bits rise or a layer is widened: a layer
// costs the most of its own entry and all those of as many or fewer bits of weights, bits of
// inputs, input and output channels. What else varies of a layer, such as its neighbours, makes no
// difference.
// Source: HAQ (Wang et al., CVPR 2019), whose tables are layer x weight bits x activation bits.
class LatencyLut final : public CostModel {
 public:
  // Reads the object found at `pointer` (docs/quantization.md); INVALID_ARGUMENT names what is
  // wrong in it.
  static Result<LatencyLut> Parse(const Json& json, const std::string& pointer);

  // NOT_FOUND names the layer and the bits that have no entry.
  Result<double> Cost(const search::LayerTable& layers,
                      const search::Workload& workload) const override;
  // Only the profile tells input channels and classes of the network, hence the first and the last
  // shape.
  bool NeedsWorkload() const override { return has_shapes_; }

  // One layer; NOT_FOUND as above.
  Result<double> LayerMs(const search::LayerSpec& layer) const;
  // The same for a layer whose shape is not known yet: OK when any shape has an entry for its bits.
  Status FindAnyShape(const search::LayerSpec& layer) const;

  // The table with every default filled in.
  const Json& config() const { return config_; }

 private:
  using Shape = std::pair<int64_t, int64_t>;  // input, output channels; zeros: any
  using Bits = std::pair<int64_t, int64_t>;   // of weights, of inputs
  using Times = std::map<Bits, double>;       // ms

  LatencyLut(Json config, double rest_ms) : rest_ms_(rest_ms), config_(std::move(config)) {}
  Status AddLayer(const std::string& key, const Json& entries, const std::string& pointer);

  std::map<std::string, std::map<Shape, Times>> layers_;
  double rest_ms_ = 0;
  bool has_shapes_ = false;
  Json config_;
};

}  // namespace voxbit::cost
