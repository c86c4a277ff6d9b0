#include "worker/train/scan_source.h"

#include <algorithm>

#include "common/rng.h"
#include "worker/data/fault.h"

namespace voxbit::train {
namespace {

int64_t BytesOf(const data::Scan& scan) {
  size_t values = scan.points.size() + scan.labels.size();
  for (const data::ExtraChannel& channel : scan.extra) values += channel.values.size();
  return static_cast<int64_t>(values * 4 + sizeof(data::Scan));
}

}  // namespace

bool ByteBudget::Take(int64_t bytes) {
  int64_t left = left_;
  while (left >= bytes) {
    if (left_.compare_exchange_weak(left, left - bytes)) return true;
  }
  return false;
}

ScanSource::ScanSource(std::unique_ptr<data::Dataset> dataset, std::shared_ptr<ByteBudget> budget)
    : dataset_(std::move(dataset)),
      digest_(dataset_->Describe().at("digest").get<std::string>()),
      budget_(std::move(budget)) {}

ScanSource::~ScanSource() { budget_->GiveBack(taken_); }

Result<std::shared_ptr<const data::Scan>> ScanSource::Load(data::Split split, int64_t index) {
  const std::pair<data::Split, int64_t> key(split, index);
  {
    const MutexLock lock(mutex_);
    if (const auto it = scans_.find(key); it != scans_.end()) return it->second;
  }
  Result<data::Scan> loaded = dataset_->Load(split, index);
  if (!loaded.ok()) return data::AsDataFault(loaded.status());
  auto scan = std::make_shared<const data::Scan>(std::move(loaded).value());
  const int64_t bytes = BytesOf(*scan);
  const MutexLock lock(mutex_);
  if (scans_.count(key) == 0 && budget_->Take(bytes)) {
    taken_ += bytes;
    scans_.emplace(key, scan);
  }
  return scan;
}

std::vector<int64_t> SpreadIndices(int64_t size, int64_t num) {
  num = std::min(num, size);
  std::vector<int64_t> indices;
  indices.reserve(static_cast<size_t>(num));
  for (int64_t i = 0; i < num; ++i) {
    const int64_t first = size * i / num;
    const int64_t last = size * (i + 1) / num;  // behind this part
    Rng rng = Rng(0).Fork("spread", static_cast<uint64_t>(i));
    indices.push_back(first + rng.Below(last - first));
  }
  return indices;
}

}  // namespace voxbit::train
