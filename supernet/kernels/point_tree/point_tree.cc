#include "supernet/kernels/point_tree/point_tree.h"

#include <algorithm>
#include <array>
#include <limits>

namespace voxbit::kernels {
namespace {

struct Item {
  std::array<float, 3> at;
  int32_t index;
};

size_t WidestAxis(const Item* begin, const Item* end) {
  std::array<float, 3> low = begin->at;
  std::array<float, 3> high = begin->at;
  for (const Item* item = begin + 1; item < end; ++item) {
    for (size_t axis = 0; axis < 3; ++axis) {
      low[axis] = std::min(low[axis], item->at[axis]);
      high[axis] = std::max(high[axis], item->at[axis]);
    }
  }
  size_t widest = 0;
  for (size_t axis = 1; axis < 3; ++axis) {
    if (high[axis] - low[axis] > high[widest] - low[widest]) widest = axis;
  }
  return widest;
}

// The first part of a split has 2^m full leaves, so that parts of 8, 64, ... leaves are subtrees.
void Split(Item* begin, Item* end) {
  const int64_t count = end - begin;
  if (count <= kLeafPoints) return;
  int64_t first = kLeafPoints;
  while (2 * first < count) first *= 2;
  const size_t axis = WidestAxis(begin, end);
  std::nth_element(begin, begin + first, end,
                   [axis](const Item& a, const Item& b) { return a.at[axis] < b.at[axis]; });
  Split(begin, begin + first);
  Split(begin + first, end);
}

BoxGroup EmptyGroup() {
  BoxGroup group;
  for (size_t axis = 0; axis < 3; ++axis) {
    std::fill_n(group.low[axis], 8, std::numeric_limits<float>::infinity());
    std::fill_n(group.high[axis], 8, -std::numeric_limits<float>::infinity());
  }
  std::fill_n(group.lowest, 8, kNoPoint);
  return group;
}

// Adds a box or point to lane `lane`.
void Extend(BoxGroup& group, int64_t lane, const float* low, const float* high, int64_t stride,
            int32_t lowest) {
  for (size_t axis = 0; axis < 3; ++axis) {
    float& to_low = group.low[axis][lane];
    float& to_high = group.high[axis][lane];
    to_low = std::min(to_low, low[static_cast<int64_t>(axis) * stride]);
    to_high = std::max(to_high, high[static_cast<int64_t>(axis) * stride]);
  }
  group.lowest[lane] = std::min(group.lowest[lane], lowest);
}

}  // namespace

PointTree::PointTree(const float* xyz, int64_t n) {
  std::vector<Item> items(static_cast<size_t>(n));
  for (size_t i = 0; i < items.size(); ++i) {
    items[i] = {{xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]}, static_cast<int32_t>(i)};
  }
  Split(items.data(), items.data() + n);

  const int64_t num_leaves = (n + kLeafPoints - 1) / kLeafPoints;
  const auto padded = static_cast<size_t>(num_leaves * kLeafPoints);
  planes_.assign(3 * padded, std::numeric_limits<float>::infinity());
  index_.assign(padded, kNoPoint);
  for (size_t i = 0; i < items.size(); ++i) {
    for (size_t axis = 0; axis < 3; ++axis) planes_[axis * padded + i] = items[i].at[axis];
    index_[i] = items[i].index;
  }
  view_.xyz = xyz;
  view_.num_points = n;
  view_.x = planes_.data();
  view_.y = planes_.data() + padded;
  view_.z = planes_.data() + 2 * padded;
  view_.index = index_.data();
  view_.num_nodes[0] = num_leaves;
  MakeBoxes();
}

void PointTree::MakeBoxes() {
  const auto padded = static_cast<int64_t>(index_.size());
  groups_[0].assign(static_cast<size_t>((view_.num_nodes[0] + 7) / 8), EmptyGroup());
  for (int64_t i = 0; i < view_.num_points; ++i) {
    const int64_t leaf = i / kLeafPoints;
    const float* at = planes_.data() + i;
    Extend(groups_[0][static_cast<size_t>(leaf / 8)], leaf % 8, at, at, padded, view_.index[i]);
  }
  int level = 0;
  for (; view_.num_nodes[level] > 8; ++level) {
    const std::vector<BoxGroup>& from = groups_[level];
    const auto count = static_cast<int64_t>(from.size());
    view_.num_nodes[level + 1] = count;
    groups_[level + 1].assign(static_cast<size_t>((count + 7) / 8), EmptyGroup());
    for (int64_t node = 0; node < count; ++node) {
      const BoxGroup& children = from[static_cast<size_t>(node)];
      for (int64_t child = 0; child < 8; ++child) {
        Extend(groups_[level + 1][static_cast<size_t>(node / 8)], node % 8, &children.low[0][child],
               &children.high[0][child], 8, children.lowest[child]);
      }
    }
  }
  view_.num_levels = level + 1;
  for (int l = 0; l <= level; ++l) view_.groups[l] = groups_[l].data();
}

}  // namespace voxbit::kernels
