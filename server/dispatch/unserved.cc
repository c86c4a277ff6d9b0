#include "server/dispatch/unserved.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <functional>
#include <set>
#include <utility>

namespace voxbit::server {
namespace {

using search::WorkerInfo;
using storage::WaitingWork;

using Offers = std::function<std::vector<std::string>(const WorkerInfo&)>;

std::vector<std::string> KindNames(const WorkerInfo& worker) {
  std::vector<std::string> names;
  for (const search::TaskKind kind : worker.task_kinds) names.emplace_back(Name(kind));
  return names;
}

std::string Offered(const std::vector<WorkerInfo>& workers, const Offers& offers) {
  std::set<std::string> all;
  for (const WorkerInfo& worker : workers) {
    for (std::string& name : offers(worker)) all.insert(std::move(name));
  }
  return all.empty() ? "none" : boost::algorithm::join(all, ", ");
}

// Why none of `workers` can do the work; "" when one can.
std::string WhyUnserved(const WaitingWork& work, std::vector<WorkerInfo> workers) {
  const std::string what = "no worker serves " + std::string(Name(work.kind));
  if (workers.empty()) return what + ": none is connected, or all are draining";
  struct Demand {
    std::string name;  // "" where any will do
    std::string text;
    Offers offers;
  };
  // The first demand that leaves nobody is the one to tell of.
  const std::vector<Demand> demands = {
      {std::string(Name(work.kind)), "", KindNames},
      {work.supernet_kind, " of supernet \"" + work.supernet_kind + "\"",
       [](const WorkerInfo& worker) { return worker.supernets; }},
      {work.dataset_kind, " on dataset \"" + work.dataset_kind + "\"",
       [](const WorkerInfo& worker) { return worker.datasets; }},
      {work.target, " on target \"" + work.target + "\"",
       [](const WorkerInfo& worker) { return worker.targets; }},
  };
  for (const Demand& demand : demands) {
    if (demand.name.empty()) continue;
    std::vector<WorkerInfo> able;
    for (const WorkerInfo& worker : workers) {
      const std::vector<std::string> names = demand.offers(worker);
      if (std::find(names.begin(), names.end(), demand.name) != names.end()) able.push_back(worker);
    }
    if (able.empty()) {
      return what + demand.text + "; workers here offer: " + Offered(workers, demand.offers);
    }
    workers = std::move(able);
  }
  return "";
}

}  // namespace

std::vector<UnservedWork> FindUnserved(const std::vector<WaitingWork>& waiting,
                                       const std::vector<storage::Store::Worker>& registered,
                                       const std::set<std::string>& quarantined, int64_t now_ms,
                                       const DispatchSettings& settings) {
  // A worker is noted to about a second: a shorter limit would call living ones lost.
  const int64_t silence_ms = std::max(settings.lost_after, kUnservedAfter).count();
  std::vector<WorkerInfo> workers;
  std::vector<std::string> failing;
  for (const auto& worker : registered) {
    if (worker.draining || now_ms - worker.last_seen_ms > silence_ms) continue;
    if (quarantined.contains(worker.info.name)) {
      failing.push_back(worker.info.name);
    } else {
      workers.push_back(worker.info);
    }
  }
  std::vector<UnservedWork> unserved;
  for (const WaitingWork& work : waiting) {
    if (now_ms - work.since_ms < kUnservedAfter.count()) continue;
    const bool is_known = !unserved.empty() && unserved.back().study_id == work.study_id &&
                          unserved.back().kind == work.kind &&
                          unserved.back().target == work.target;
    if (is_known) continue;
    std::string why = WhyUnserved(work, workers);
    if (why.empty()) continue;
    if (!failing.empty()) {
      why += "; quarantined, because others did what they failed at: " +
             boost::algorithm::join(failing, ", ");
    }
    unserved.push_back({work.study_id, work.study, work.kind, work.target, std::move(why)});
  }
  return unserved;
}

}  // namespace voxbit::server
