#include "worker/train/loader.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/rng.h"
#include "worker/data/fault.h"

namespace voxbit::train {
namespace {

// Batches made ahead: one is being used, one is ready, one is in the making.
constexpr int64_t kDepth = 2;

Result<data::PreparedScan> PrepareScan(ScanSource& source, data::Split split, int64_t index,
                                       Rng* augment) {
  VOXBIT_ASSIGN_OR_RETURN(const auto scan, source.Load(split, index));
  Result<data::PreparedScan> prepared = source.dataset().Prepare(*scan, augment);
  if (!prepared.ok()) return data::AsDataFault(prepared.status());
  return prepared;
}

// The endless stream of training scans.
class TrainingStream {
 public:
  TrainingStream(ScanSource& source, int64_t batch, uint64_t seed, const at::Device& device)
      : source_(source),
        num_scans_(source.dataset().size(data::Split::kTrain)),
        batch_(batch),
        seed_(seed),
        device_(device) {}
  ~TrainingStream() { source_.ReportLeftOut(data::Split::kTrain); }
  TrainingStream(const TrainingStream&) = delete;
  TrainingStream& operator=(const TrainingStream&) = delete;

  // The batch after that of the call before.
  Result<Batch> Next() {
    std::vector<data::PreparedScan> scans;
    for (int64_t i = 0; i < batch_; ++i) {
      VOXBIT_ASSIGN_OR_RETURN(data::PreparedScan scan, NextScan());
      scans.push_back(std::move(scan));
    }
    return Collate(scans, BatchUse::kTraining, device_);
  }

 private:
  // The next scan with a label that counts; those without are passed over.
  Result<data::PreparedScan> NextScan() {
    for (int64_t tried = 0; tried < 2 * num_scans_; ++tried) {
      const int64_t position = position_++;
      const int64_t epoch = position / num_scans_;
      if (epoch != epoch_) {
        order_ = EpochOrder(num_scans_, seed_, epoch);
        epoch_ = epoch;
      }
      const int64_t scan = order_[static_cast<size_t>(position % num_scans_)];
      if (source_.IsLeftOut(data::Split::kTrain, scan)) continue;
      Rng augment = Rng(seed_)
                        .Fork("augment", static_cast<uint64_t>(epoch))
                        .Fork("scan", static_cast<uint64_t>(scan));
      Result<data::PreparedScan> prepared =
          PrepareScan(source_, data::Split::kTrain, scan, &augment);
      if (prepared.ok() || !data::IsEmptyScan(prepared.status())) return prepared;
      source_.LeaveOut(data::Split::kTrain, scan, prepared.status().message());
    }
    return source_.NothingLeft(data::Split::kTrain);
  }

  ScanSource& source_;
  const int64_t num_scans_;
  const int64_t batch_;
  const uint64_t seed_;
  const at::Device device_;
  int64_t position_ = 0;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace

std::vector<int64_t> EpochOrder(int64_t num_scans, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(num_scans));
  std::iota(order.begin(), order.end(), 0);
  Rng rng = Rng(seed).Fork("shuffle", static_cast<uint64_t>(epoch));
  for (int64_t i = num_scans - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.Below(i + 1))]);
  }
  return order;
}

std::unique_ptr<BatchQueue> TrainingBatches(ScanSource& source, int64_t steps, int64_t batch,
                                            uint64_t seed, const at::Device& device) {
  auto stream = std::make_shared<TrainingStream>(source, batch, seed, device);
  return std::make_unique<BatchQueue>([stream](int64_t /*step*/) { return stream->Next(); }, steps,
                                      kDepth);
}

Result<Batch> EvaluationBatch(ScanSource& source, data::Split split, std::span<const int64_t> scans,
                              const at::Device& device) {
  std::vector<data::PreparedScan> prepared;
  Status empty;
  for (const int64_t index : scans) {
    Result<data::PreparedScan> scan = PrepareScan(source, split, index, /*augment=*/nullptr);
    if (scan.ok()) {
      prepared.push_back(std::move(scan).value());
      continue;
    }
    if (!data::IsEmptyScan(scan.status())) return scan.status();
    source.LeaveOut(split, index, scan.status().message());
    empty = scan.status();
  }
  if (prepared.empty() && !empty.ok()) return empty;
  return Collate(prepared, BatchUse::kEvaluation, device);
}

EvaluationSet::EvaluationSet(ScanSource& source, data::Split split, std::vector<int64_t> scans,
                             const BatchLimit& limit, at::Device device)
    : source_(source), split_(split), scans_(std::move(scans)), limit_(limit), device_(device) {
  VOXBIT_CHECK(!scans_.empty() && limit.scans > 0 && limit.rows > 0,
               "an evaluation set has scans, and so have its batches");
}

EvaluationSet::~EvaluationSet() { source_.budget()->GiveBack(taken_); }

int64_t EvaluationSet::num_resident() const {
  return std::count_if(made_.begin(), made_.end(),
                       [](const Made& made) { return made.resident != nullptr; });
}

// One pass. Runs on the thread of a BatchQueue, so that it looks at nothing that the pass changes.
class EvaluationSet::Maker {
 public:
  explicit Maker(const EvaluationSet& set)
      : source_(set.source_),
        split_(set.split_),
        scans_(set.scans_),
        limit_(set.limit_),
        device_(set.device_) {
    for (const Made& made : set.made_) {
      resident_ends_.push_back(made.resident == nullptr ? 0 : made.end);
    }
  }

  // nullopt: there are no more.
  std::optional<Result<Batch>> Next() {
    while (index_ < resident_ends_.size() && resident_ends_[index_] > 0) {
      next_scan_ = static_cast<size_t>(resident_ends_[index_++]);
      left_over_.reset();
    }
    ++index_;
    if (next_scan_ == scans_.size()) return std::nullopt;
    return Fill();
  }

 private:
  Result<Batch> Fill() {
    std::vector<data::PreparedScan> batch;
    int64_t rows = 0;
    int64_t num_left_out = 0;
    while (next_scan_ < scans_.size() && static_cast<int64_t>(batch.size()) < limit_.scans) {
      if (!left_over_) {
        VOXBIT_ASSIGN_OR_RETURN(left_over_, Prepare(scans_[next_scan_]));
      }
      if (!left_over_) {
        ++num_left_out;
        ++next_scan_;
        continue;
      }
      rows += left_over_->num_rows();
      if (!batch.empty() && rows > limit_.rows) break;
      batch.push_back(*std::exchange(left_over_, std::nullopt));
      ++next_scan_;
    }
    Batch made;
    if (!batch.empty()) {
      VOXBIT_ASSIGN_OR_RETURN(made, Collate(batch, BatchUse::kEvaluation, device_));
    }
    made.num_left_out = num_left_out;
    return made;
  }

  // nullopt: it is left out, whatever training leaves out: a batch is the same before and after.
  Result<std::optional<data::PreparedScan>> Prepare(int64_t index) {
    Result<data::PreparedScan> scan = PrepareScan(source_, split_, index, /*augment=*/nullptr);
    if (scan.ok()) return std::optional<data::PreparedScan>(std::move(scan).value());
    if (!data::IsEmptyScan(scan.status())) return scan.status();
    source_.LeaveOut(split_, index, scan.status().message());
    return std::optional<data::PreparedScan>();
  }

  ScanSource& source_;
  const data::Split split_;
  const std::vector<int64_t>& scans_;
  const BatchLimit limit_;
  const at::Device device_;
  std::vector<int64_t> resident_ends_;  // of each batch; 0: it is to be made
  size_t index_ = 0;                    // of the next batch
  size_t next_scan_ = 0;
  std::optional<data::PreparedScan> left_over_;  // the next scan, which did not fit
};

void EvaluationSet::Keep(size_t index, const Batch& batch) {
  if (index == made_.size()) {
    const int64_t begin = made_.empty() ? 0 : made_.back().end;
    const int64_t num = static_cast<int64_t>(batch.samples.size()) + batch.num_left_out;
    made_.push_back({begin + num, nullptr});
  }
  if (batch.samples.empty()) return;
  const int64_t bytes = batch.bytes();
  if (!source_.budget()->Take(bytes)) return;
  taken_ += bytes;
  made_[index].resident = std::make_unique<Batch>(batch);
}

Status EvaluationSet::ForEach(const std::function<Status(const Batch&)>& visit,
                              std::stop_token stop) {
  std::unique_ptr<BatchQueue> queue;
  bool any = false;
  for (size_t i = 0; i == 0 || made_[i - 1].end < num_scans(); ++i) {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    if (i < made_.size() && made_[i].resident != nullptr) {
      any = true;
      VOXBIT_RETURN_IF_ERROR(visit(*made_[i].resident));
      continue;
    }
    if (queue == nullptr) {
      queue = std::make_unique<BatchQueue>(
          [maker = std::make_shared<Maker>(*this)](int64_t) { return maker->Next(); }, num_scans(),
          kDepth);
    }
    VOXBIT_ASSIGN_OR_RETURN(const Batch batch, queue->Next(stop));
    Keep(i, batch);
    if (batch.samples.empty()) continue;
    any = true;
    VOXBIT_RETURN_IF_ERROR(visit(batch));
  }
  source_.ReportLeftOut(split_);
  return any ? OkStatus() : source_.NothingLeft(split_);
}

}  // namespace voxbit::train
