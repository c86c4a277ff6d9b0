// The bit-widths of a study's space as its searches for them see it: decisions on the layers of
// one architecture, and what the constraints leave of them.
#pragma once

#include <optional>
#include <vector>

#include "search/algorithm/algorithm.h"
#include "search/bits/bit_budget.h"
#include "search/bits/bit_dimensions.h"

namespace voxbit::search {

// Immutable. Refers to the space, filter and layers of its context.
class BitProblem {
 public:
  // The architecture that the study keeps, or the largest that the lowest bits make feasible: its
  // choices are lowered, from the last dimension to the first and one at a time, as far as it
  // takes. Requires: a feasible candidate exists.
  explicit BitProblem(const AlgorithmContext& context);

  // What is decided, in the order of layers; empty where the space has no bit-widths.
  const BitDimensions& found() const { return found_; }
  const std::vector<BitDecision>& decisions() const { return found_.decisions; }
  // Facts of found().layers.
  std::vector<BitLayer> Layers() const;

  Candidate CandidateOf(const Bits& bits) const;
  // Nothing for nothing.
  std::optional<Candidate> CandidateOf(const std::optional<Bits>& bits) const;
  Bits Lowest() const;
  Bits Highest() const;
  // Sum of violations of the computable constraints, as a cost whose budget is 0. Refers to this.
  BitCost Violation() const;
  bool Fits(const Bits& bits) const { return Violation()(bits) <= 0; }
  std::vector<BoundedCost> BoundedCosts(const Bits& bits) const;
  // The largest share that is used of any computable upper bound, as a cost whose budget is
  // kFullShare; 0 without such bounds. Costs add up over the layers, so that one evaluation for
  // each combination of levels of a layer, made once, serves all calls. Sums round: Fits has the
  // last word.
  const BitCost& Share() const { return share_; }
  static constexpr double kFullShare = 1 + 1e-9;
  // Lowers bits until they fit; false when the lowest ones do not. See LowerToBudget.
  bool Lower(const BitWall& wall, Bits& bits) const;

 private:
  BitCost MakeShare() const;

  const SearchSpace& space_;
  const CandidateFilter& filter_;
  const LayerSource* layers_;
  Candidate architecture_;
  BitDimensions found_;
  BitCost share_;
};

// For AlgorithmKind::check of the searches for bit-widths: nothing to set, and INVALID_ARGUMENT for
// a space without bit-widths.
Result<Json> CheckBits(const SearchSettings& settings, const SearchSpace& space,
                       const std::string& pointer);
// The second half of it.
Status CheckHasBits(const SearchSettings& settings, const SearchSpace& space,
                    const std::string& pointer);

}  // namespace voxbit::search
