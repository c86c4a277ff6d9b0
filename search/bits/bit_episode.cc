#include "search/bits/bit_episode.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace voxbit::search {
namespace {

constexpr size_t kPrevious = 8;
constexpr size_t kFlag = 9;
constexpr double kCompatFirstBits = 4;  // without activations

}  // namespace

std::vector<BitState> RawLayerStates(const std::vector<BitLayer>& layers) {
  std::vector<BitState> rows;
  for (const BitLayer& layer : layers) {
    const auto index = static_cast<double>(rows.size());
    rows.push_back({layer.is_depthwise ? 1.0 : 0.0, static_cast<double>(layer.in_channels),
                    static_cast<double>(layer.out_channels), static_cast<double>(layer.stride),
                    static_cast<double>(layer.kernel), static_cast<double>(layer.num_weights),
                    layer.feature_size, index});
  }
  return rows;
}

void NormalizeColumns(std::vector<BitState>& rows, bool haq_bug_compat) {
  if (rows.empty()) return;
  for (size_t column = 0; column < rows[0].size(); ++column) {
    double low = rows[0][column];
    double high = low;
    for (const BitState& row : rows) {
      low = std::min(low, row[column]);
      high = std::max(high, row[column]);
    }
    if (high <= low && haq_bug_compat) continue;
    const double width = high > low ? high - low : 1;
    for (BitState& row : rows) row[column] = (row[column] - low) / width;
  }
}

BitEpisode::BitEpisode(const std::vector<BitLayer>& layers, std::vector<BitDecision> decisions,
                       BitEpisodeOptions options)
    : decisions_(std::move(decisions)), options_(options) {
  VOXBIT_CHECK(!decisions_.empty(), "an episode without decisions");
  for (size_t i = 0; i < decisions_.size(); ++i) {
    VOXBIT_CHECK(decisions_[i].layer < layers.size(), "a decision about a layer that is not there");
    VOXBIT_CHECK(i == 0 || decisions_[i - 1].layer <= decisions_[i].layer,
                 "decisions out of order");
  }
  initial_rows_ = RawLayerStates(layers);
  NormalizeColumns(initial_rows_, options_.haq_bug_compat);
  const bool has_plain_bits = options_.haq_bug_compat && !options_.with_activations;
  for (BitState& row : initial_rows_) {
    row.push_back(has_plain_bits ? kCompatFirstBits : 1.0);
    if (options_.with_activations) row.push_back(1.0);
  }
  rows_ = initial_rows_;
  Reset();
}

void BitEpisode::Reset() {
  bits_.clear();
  row_ = decisions_.front().layer;
  if (options_.haq_bug_compat) return;
  rows_ = initial_rows_;
  WriteFlag(0);
}

// Our rule: what the decision ahead is about.
void BitEpisode::WriteFlag(size_t decision) {
  if (!options_.with_activations) return;
  const BitDecision& ahead = decisions_[decision];
  rows_[ahead.layer][kFlag] = ahead.kind == BitKind::kWeight ? 1.0 : 0.0;
}

int64_t BitEpisode::Step(double action) {
  VOXBIT_CHECK(!IsDone(), "a step beyond the end of an episode");
  const int64_t bits = LevelOf(decisions_[bits_.size()].levels, action, options_.haq_bug_compat);
  Follow(bits);
  return bits;
}

void BitEpisode::Follow(int64_t bits) {
  VOXBIT_CHECK(!IsDone(), "a step beyond the end of an episode");
  const BitDecision& taken = decisions_[bits_.size()];
  bits_.push_back(bits);
  if (IsDone()) return;
  row_ = decisions_[bits_.size()].layer;
  BitState& next = rows_[row_];
  const auto value = static_cast<double>(bits);
  if (options_.haq_bug_compat && !options_.with_activations) {
    next[kPrevious] = value;
    return;
  }
  next[kPrevious] = value / static_cast<double>(taken.levels.back());
  if (!options_.haq_bug_compat) {
    WriteFlag(bits_.size());
  } else {
    next[kFlag] = taken.kind == BitKind::kWeight ? 1.0 : 0.0;
  }
}

Bits BitEpisode::AllowedBits() const {
  Bits bits = bits_;
  for (size_t i = 0; i < bits.size(); ++i) {
    const std::vector<int64_t>& levels = decisions_[i].levels;
    bits[i] = std::clamp(bits[i], levels.front(), levels.back());
  }
  return bits;
}

double BitReward::Of(double accuracy, double reference, double cost_ratio) const {
  double gain = (accuracy - reference) * (of_fractions ? 1.0 : 100.0);
  if (add_inverse_ratio) gain += 1.0 / cost_ratio;
  return scale * gain;
}

}  // namespace voxbit::search
