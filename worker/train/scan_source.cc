#include "worker/train/scan_source.h"

#include <algorithm>

#include "common/digest.h"
#include "common/log.h"
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

void ScanSource::LeaveOut(data::Split split, int64_t index, const std::string& why) {
  const MutexLock lock(mutex_);
  left_out_[split].why.emplace(index, why);
}

bool ScanSource::IsLeftOut(data::Split split, int64_t index) {
  const MutexLock lock(mutex_);
  const auto found = left_out_.find(split);
  return found != left_out_.end() && found->second.why.contains(index);
}

void ScanSource::ReportLeftOut(data::Split split) {
  std::string first;
  size_t count = 0;
  {
    const MutexLock lock(mutex_);
    LeftOut& left_out = left_out_[split];
    if (left_out.why.size() == left_out.reported) return;
    left_out.reported = left_out.why.size();
    count = left_out.reported;
    first = left_out.why.begin()->second;
  }
  log::Warning("scans without points or without a label that counts are left out",
               {{"split", data::SplitName(split)},
                {"scans", count},
                {"of", dataset_->size(split)},
                {"first", first}});
}

Status ScanSource::NothingLeft(data::Split split) {
  const MutexLock lock(mutex_);
  const auto& why = left_out_[split].why;
  return InvalidArgument("none of the scans of the split " + std::string(data::SplitName(split)) +
                             " can be used" + (why.empty() ? "" : "; " + why.begin()->second),
                         data::kDatasetBroken);
}

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

std::vector<int64_t> IndicesByName(const data::Dataset& dataset, data::Split split, int64_t num) {
  std::vector<std::pair<std::string, int64_t>> by_digest;
  by_digest.reserve(static_cast<size_t>(dataset.size(split)));
  for (int64_t i = 0; i < dataset.size(split); ++i) {
    by_digest.emplace_back(Sha256Hex(dataset.ScanName(split, i)), i);
  }
  std::sort(by_digest.begin(), by_digest.end());
  by_digest.resize(static_cast<size_t>(std::min(num, dataset.size(split))));
  std::vector<int64_t> indices;
  indices.reserve(by_digest.size());
  for (const auto& [digest, index] : by_digest) indices.push_back(index);
  return indices;
}

}  // namespace voxbit::train
