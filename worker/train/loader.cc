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

  Result<Batch> Make(int64_t step) {
    std::vector<data::PreparedScan> scans;
    for (int64_t i = 0; i < batch_; ++i) {
      const int64_t position = step * batch_ + i;
      const int64_t epoch = position / num_scans_;
      if (epoch != epoch_) {
        order_ = EpochOrder(num_scans_, seed_, epoch);
        epoch_ = epoch;
      }
      const int64_t scan = order_[static_cast<size_t>(position % num_scans_)];
      Rng augment = Rng(seed_)
                        .Fork("augment", static_cast<uint64_t>(epoch))
                        .Fork("scan", static_cast<uint64_t>(scan));
      VOXBIT_ASSIGN_OR_RETURN(data::PreparedScan prepared,
                              PrepareScan(source_, data::Split::kTrain, scan, &augment));
      scans.push_back(std::move(prepared));
    }
    return Collate(scans, BatchUse::kTraining, device_);
  }

 private:
  ScanSource& source_;
  const int64_t num_scans_;
  const int64_t batch_;
  const uint64_t seed_;
  const at::Device device_;
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
  return std::make_unique<BatchQueue>([stream](int64_t step) { return stream->Make(step); }, steps,
                                      kDepth);
}

Result<Batch> EvaluationBatch(ScanSource& source, data::Split split, std::span<const int64_t> scans,
                              const at::Device& device) {
  std::vector<data::PreparedScan> prepared;
  for (const int64_t index : scans) {
    VOXBIT_ASSIGN_OR_RETURN(data::PreparedScan scan,
                            PrepareScan(source, split, index, /*augment=*/nullptr));
    prepared.push_back(std::move(scan));
  }
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
    while (next_scan_ < scans_.size() && static_cast<int64_t>(batch.size()) < limit_.scans) {
      if (!left_over_) {
        VOXBIT_ASSIGN_OR_RETURN(
            left_over_, PrepareScan(source_, split_, scans_[next_scan_], /*augment=*/nullptr));
      }
      rows += left_over_->num_rows();
      if (!batch.empty() && rows > limit_.rows) break;
      batch.push_back(*std::exchange(left_over_, std::nullopt));
      ++next_scan_;
    }
    return Collate(batch, BatchUse::kEvaluation, device_);
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
    made_.push_back({begin + static_cast<int64_t>(batch.samples.size()), nullptr});
  }
  const int64_t bytes = batch.bytes();
  if (!source_.budget()->Take(bytes)) return;
  taken_ += bytes;
  made_[index].resident = std::make_unique<Batch>(batch);
}

Status EvaluationSet::ForEach(const std::function<Status(const Batch&)>& visit,
                              std::stop_token stop) {
  std::unique_ptr<BatchQueue> queue;
  for (size_t i = 0; i == 0 || made_[i - 1].end < num_scans(); ++i) {
    if (stop.stop_requested()) return Cancelled("asked to stop");
    if (i < made_.size() && made_[i].resident != nullptr) {
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
    VOXBIT_RETURN_IF_ERROR(visit(batch));
  }
  return OkStatus();
}

}  // namespace voxbit::train
