// What the server knows of a supernet: its space and the layers of each candidate. No torch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/json.h"
#include "common/registry.h"
#include "search/space/layer_table.h"
#include "search/space/search_space.h"

namespace voxbit::search {

// Immutable; thread-safe.
class SupernetSpec {
 public:
  virtual ~SupernetSpec() = default;
  virtual const SearchSpace& space() const = 0;
  virtual InputForm input_form() const { return InputForm::kVoxels; }
  // One answer for a whole cloud, instead of one for each point.
  virtual bool classifies_clouds() const { return false; }
  // What is trained for it, and what its checkpoints are of: a part of it where some dimensions
  // play no role in training. Supernets that differ in these alone share one training.
  virtual const SupernetSpec& trained() const { return *this; }
  // The configuration with every default filled in, "kind" included.
  virtual Json config() const = 0;
  // Layers of `candidate` for a network of these input channels and classes.
  // Requires: space().Validate(candidate).
  virtual LayerTable Expand(const Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const = 0;
  // The candidate in the words of its paper, for people and for the export manifest.
  virtual Json Describe(const Candidate& candidate) const = 0;

  // Networks over clouds: the fewest points of a cloud that every candidate can read.
  virtual int64_t min_points() const { return 1; }
  // Networks over clouds: the workload (layer_table.h) of one cloud of `points` points, for the
  // layers of all candidates. Of voxels nothing is known without data: empty.
  // Requires: points >= min_points().
  virtual std::map<std::string, int64_t> CloudWorkload(int64_t points) const {
    static_cast<void>(points);
    return {};
  }
  // The fewest rows that one cloud of `points` points gives to a batch norm of a candidate: a batch
  // norm that sees a single row in all of a batch cannot learn. 0 where that depends on the data,
  // and without batch norms. Requires: points >= min_points().
  int64_t FewestNormRows(int64_t points) const;
};

// Reads the study's "supernet" object found at `pointer`; INVALID_ARGUMENT names what is wrong.
using SupernetSpecFactory = std::function<Result<std::unique_ptr<SupernetSpec>>(
    const Json& config, const std::string& pointer)>;
using SupernetSpecRegistry = Registry<SupernetSpecFactory>;

}  // namespace voxbit::search
