#include "worker/train/loader.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/rng.h"

namespace voxbit::train {
namespace {

// Batches made ahead: one is being used, one is ready, one is in the making.
constexpr int64_t kDepth = 2;

Result<data::PreparedScan> PrepareScan(ScanSource& source, data::Split split, int64_t index,
                                       Rng* augment) {
  VOXBIT_ASSIGN_OR_RETURN(const auto scan, source.Load(split, index));
  return source.dataset().Prepare(*scan, augment);
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
                             int64_t batch, at::Device device)
    : source_(source),
      split_(split),
      scans_(std::move(scans)),
      batch_(batch),
      device_(device),
      resident_(static_cast<size_t>((num_scans() + batch - 1) / batch)) {
  VOXBIT_CHECK(!scans_.empty() && batch > 0, "an evaluation set has scans");
}

EvaluationSet::~EvaluationSet() { source_.budget()->GiveBack(taken_); }

int64_t EvaluationSet::num_resident() const {
  return std::count_if(resident_.begin(), resident_.end(),
                       [](const auto& batch) { return batch != nullptr; });
}

Result<Batch> EvaluationSet::Make(int64_t index) const {
  const int64_t begin = index * batch_;
  const int64_t count = std::min(num_scans() - begin, batch_);
  Result<Batch> batch = EvaluationBatch(
      source_, split_,
      std::span(scans_).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)), device_);
  // A batch without samples, so that the pass goes on.
  if (!batch.ok() && data::IsEmptyScan(batch.status())) return Batch();
  return batch;
}

void EvaluationSet::Keep(int64_t index, const Batch& batch) {
  const int64_t bytes = batch.bytes();
  if (!source_.budget()->Take(bytes)) return;
  taken_ += bytes;
  resident_[static_cast<size_t>(index)] = std::make_unique<Batch>(batch);
}

Status EvaluationSet::ForEach(const std::function<Status(const Batch&)>& visit,
                              std::stop_token stop) {
  std::vector<int64_t> missing;
  for (int64_t i = 0; i < num_batches(); ++i) {
    if (resident_[static_cast<size_t>(i)] == nullptr) missing.push_back(i);
  }
  std::unique_ptr<BatchQueue> queue;
  if (!missing.empty()) {
    queue = std::make_unique<BatchQueue>(
        [this, &missing](int64_t position) { return Make(missing[static_cast<size_t>(position)]); },
        static_cast<int64_t>(missing.size()), kDepth);
  }
  bool any = false;
  for (int64_t i = 0; i < num_batches(); ++i) {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    if (const Batch* batch = resident_[static_cast<size_t>(i)].get()) {
      any = true;
      VOXBIT_RETURN_IF_ERROR(visit(*batch));
      continue;
    }
    VOXBIT_ASSIGN_OR_RETURN(const Batch batch, queue->Next(stop));
    if (batch.samples.empty()) continue;
    any = true;
    Keep(i, batch);
    VOXBIT_RETURN_IF_ERROR(visit(batch));
  }
  source_.ReportLeftOut(split_);
  return any ? OkStatus() : source_.NothingLeft(split_);
}

}  // namespace voxbit::train
