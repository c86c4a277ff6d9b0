// A study over the toy supernet, and a worker that answers its tasks from a formula.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/study/study_plan.h"
#include "storage/store.h"
#include "tests/support/toy_space.h"

namespace voxbit::testing {

// The toy of a study's "supernet": {"kind": "toy", "weight_bits": [...]}, the latter if it is to
// have bits to choose.
inline ToySpec ToyOf(const Json& supernet) {
  return ToySpec({.weight_bits = supernet.value("weight_bits", std::vector<int64_t>())});
}

inline server::Plugins ToyPlugins() {
  server::Plugins plugins;
  plugins.supernets.Add(
      "toy",
      [](const Json& supernet,
         const std::string&) -> Result<std::unique_ptr<search::SupernetSpec>> {
        return std::unique_ptr<search::SupernetSpec>(std::make_unique<ToySpec>(ToyOf(supernet)));
      },
      "for tests");
  data::RegisterBuiltins(plugins.datasets);
  search::RegisterBuiltins(plugins.algorithms);
  cost::RegisterBuiltins(plugins.costs);
  return plugins;
}

inline Json ToyStudy(const std::string& name, int64_t trials) {
  return {{"name", name},
          {"seed", 3},
          {"supernet", {{"kind", "toy"}}},
          {"dataset", {{"kind", "synthetic_lidar"}}},
          {"search", {{"algorithm", "evolution"}, {"population", 8}, {"trials", trials}}},
          {"objectives", {{{"metric", "miou"}}, {{"metric", "macs"}}}}};
}

// A latency table of the toy without bits: a millisecond for each layer.
inline Json ToyLatencyTable() {
  const ToySpec toy;
  Json layers = Json::object();
  for (const search::LayerSpec& layer : toy.Expand(toy.space().Largest(), 4, 2)) {
    layers[layer.name] = {{32, 32, 1}};
  }
  return {{"format", "voxbit-latency-table"},
          {"format_version", 1},
          {"device", "made up"},
          {"library", "none"},
          {"samples", 1},
          {"layers", layers}};
}

inline search::WorkerInfo ToyWorker(const std::string& name = "toy-worker") {
  search::WorkerInfo worker;
  worker.name = name;
  worker.device = "cpu";
  worker.device_model = "test";
  worker.task_kinds = search::AllTaskKinds();
  worker.supernets = {"toy"};
  worker.datasets = {"synthetic_lidar"};
  worker.targets = {"local"};
  worker.version = "test";
  return worker;
}

// What a worker would have measured: the candidate's quality as mIoU.
inline search::TaskResult ToyResult(const search::TaskSpec& spec) {
  const ToySpec toy = ToyOf(spec.supernet);
  search::TaskResult result;
  switch (spec.kind) {
    case search::TaskKind::kProfile:
      result.detail = {{"workload", search::ToJson(toy.MakeWorkload())}};
      break;
    case search::TaskKind::kTrainSupernet:
      result.artifacts["checkpoint"] = std::string(64, 'a');
      break;
    case search::TaskKind::kMeasureLatency: {
      search::Measurement latency;
      latency.metric = "latency_ms";
      latency.target = spec.target;
      latency.value = 1;
      result.measurements.push_back(latency);
      break;
    }
    case search::TaskKind::kEvaluate:
    case search::TaskKind::kFinetune: {
      search::Measurement miou;
      miou.metric = "miou";
      miou.value = toy.Quality(spec.candidate);
      if (Json errors = toy.QuantizationError(spec.candidate); !errors.empty()) {
        miou.detail["quantization_error"] = std::move(errors);
      }
      result.measurements.push_back(miou);
      if (spec.kind == search::TaskKind::kFinetune) {
        result.artifacts["finetuned_weights"] = std::string(64, 'b');
      }
      break;
    }
    case search::TaskKind::kExport:
      result.artifacts["manifest.json"] = std::string(64, 'c');
      break;
  }
  return result;
}

// Claims and completes one task; false when there is none.
inline bool WorkOnce(storage::Store& store) {
  const auto task = store.ClaimTask(ToyWorker(), {});
  EXPECT_TRUE(task.ok()) << task.status();
  if (!task->has_value()) return false;
  const auto verdict =
      store.CompleteTask((*task)->id, (*task)->lease_token, ToyResult((*task)->spec));
  EXPECT_EQ(verdict.value(), search::Verdict::kRecorded);
  return true;
}

}  // namespace voxbit::testing
