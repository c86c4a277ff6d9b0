// The SPVNAS search space: configuration, spec, and the official sample format. No torch.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/json.h"
#include "common/status.h"
#include "search/space/supernet_spec.h"
#include "supernet/models/unet/arch.h"

namespace voxbit::supernet {

// A study's "supernet" object of kind "spvnas".
struct SpvnasConfig {
  std::string kind = "spvnas";
  double width = 1.0;           // multiplies the published channel tables
  int64_t channel_divisor = 4;  // every channel count is a multiple of it
  int64_t channel_floor = 0;    // and at least this
  int64_t min_depth = 1;        // residual blocks of a stage; 2 makes depth fixed
  double dropout = 0.3;
};

Result<SpvnasConfig> ParseSpvnasConfig(const Json& config, const std::string& pointer);

// Largest multiple of the divisor that is not above `channels`, at least the floor and never 0.
// Source: spvnas core/models (make_divisible).
int64_t MakeDivisible(double channels, const SpvnasConfig& config);

class SpvnasSpec final : public search::SupernetSpec {
 public:
  explicit SpvnasSpec(const SpvnasConfig& config);

  const search::SearchSpace& space() const override { return space_; }
  Json config() const override;
  search::LayerTable Expand(const search::Candidate& candidate, int64_t in_channels,
                            int64_t num_classes) const override;
  Json Describe(const search::Candidate& candidate) const override;

  const SpvnasConfig& settings() const { return config_; }
  // The architecture that weights are allocated for.
  UNetArch Largest(int64_t in_channels, int64_t num_classes) const;
  UNetArch Arch(const search::Candidate& candidate, int64_t in_channels, int64_t num_classes) const;

 private:
  SpvnasConfig config_;
  std::array<int64_t, 9> upper_{};
  std::array<int64_t, 9> lower_{};
  search::SearchSpace space_;
};

// The dictionary that the official code samples and saves: module path to choice.
Json SampleOf(const UNetArch& arch);
// Reads such a dictionary; entries of inactive blocks may be null or stale. INVALID_ARGUMENT
// names a missing or mistyped key.
Result<UNetArch> ParseSample(const Json& sample, int64_t in_channels, int64_t num_classes);

}  // namespace voxbit::supernet
