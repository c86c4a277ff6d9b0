// Scans of an opened dataset, kept in memory as far as they fit.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "common/status.h"
#include "worker/data/dataset.h"

namespace voxbit::train {

// Bytes that several caches share. Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(int64_t bytes) : left_(bytes) {}
  // False, and nothing taken, when fewer than `bytes` are left.
  bool Take(int64_t bytes);
  void GiveBack(int64_t bytes) { left_ += bytes; }
  int64_t left() const { return left_; }

 private:
  std::atomic<int64_t> left_;
};

// Thread-safe.
class ScanSource {
 public:
  ScanSource(std::unique_ptr<data::Dataset> dataset, std::shared_ptr<ByteBudget> budget);
  ~ScanSource();
  ScanSource(const ScanSource&) = delete;
  ScanSource& operator=(const ScanSource&) = delete;

  const data::Dataset& dataset() const { return *dataset_; }
  // The dataset's digest: what must be equal for two measurements to be comparable.
  const std::string& digest() const { return digest_; }
  const std::shared_ptr<ByteBudget>& budget() const { return budget_; }

  // Notes a scan that IsEmptyScan. `why` names it. Training passes over it from now on; evaluation
  // does not ask, because a scan without a label is empty in training alone.
  void LeaveOut(data::Split split, int64_t index, const std::string& why);
  bool IsLeftOut(data::Split split, int64_t index);
  // Logs how many scans of the split are left out, and the first of them, unless that was said.
  void ReportLeftOut(data::Split split);
  // For when every scan that was wanted is left out. INVALID_ARGUMENT, reason DATASET_BROKEN,
  // naming one of them and why.
  Status NothingLeft(data::Split split);

  // Dataset::Load, or the copy in memory. Reason DATASET_BROKEN where the files are to blame.
  Result<std::shared_ptr<const data::Scan>> Load(data::Split split, int64_t index);

 private:
  const std::unique_ptr<data::Dataset> dataset_;
  const std::string digest_;
  const std::shared_ptr<ByteBudget> budget_;
  Mutex mutex_;
  std::map<std::pair<data::Split, int64_t>, std::shared_ptr<const data::Scan>> scans_
      VOXBIT_GUARDED_BY(mutex_);
  int64_t taken_ VOXBIT_GUARDED_BY(mutex_) = 0;
  struct LeftOut {
    std::map<int64_t, std::string> why;  // by index
    size_t reported = 0;                 // how many of them
  };
  std::map<data::Split, LeftOut> left_out_ VOXBIT_GUARDED_BY(mutex_);
};

// One index out of each of `num` equal parts of [0, size), always the same; all of them if
// num >= size. Drawn within its part and not at equal distances: datasets that give their
// categories in turn would show a few of them only.
std::vector<int64_t> SpreadIndices(int64_t size, int64_t num);

// Up to `num` scans of a split, chosen and ordered by a digest of their names: whatever the order
// in which the split lists its scans, they are the same, and no kind of scan is preferred.
std::vector<int64_t> IndicesByName(const data::Dataset& dataset, data::Split split, int64_t num);

}  // namespace voxbit::train
