// The latency table as a cost: reading, laws of every cost model, what it knows of a network, and
// the searches for bits under a budget on it.
#include "search/cost/latency_lut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "search/algorithm/bit_problem.h"
#include "search/algorithm/feasibility.h"
#include "search/algorithm/latency_coverage.h"
#include "search/domain/metric.h"

namespace voxbit::search {
namespace {

using cost::LatencyLut;

Json TableOf(const Json& layers) {
  return {{"format", "voxbit-latency-table"},
          {"format_version", 1},
          {"device", "made up"},
          {"library", "none"},
          {"samples", 5},
          {"layers", layers}};
}

LatencyLut Parsed(const Json& layers) { return LatencyLut::Parse(TableOf(layers), "").value(); }

LayerSpec Layer(const std::string& name, int64_t weight_bits, int64_t activation_bits,
                int64_t in = 4, int64_t out = 8) {
  LayerSpec layer;
  layer.name = name;
  layer.in_channels = in;
  layer.out_channels = out;
  layer.weight_bits = weight_bits;
  layer.activation_bits = activation_bits;
  layer.workload = PointsKey();
  return layer;
}

// Four layers in a row, "layer.0" to "layer.3", of one width of 8 or 16 channels; each chooses the
// bits of its weight.
class BitNet final : public SupernetSpec {
 public:
  const SearchSpace& space() const override { return space_; }
  Json config() const override { return {{"kind", "bit_net"}}; }
  Json Describe(const Candidate& candidate) const override { return Encode(candidate); }
  LayerTable Expand(const Candidate& candidate, int64_t in_channels,
                    int64_t num_classes) const override {
    const int64_t width = space_.Value(candidate, 0);
    LayerTable layers;
    for (size_t i = 0; i < 4; ++i) {
      layers.push_back(Layer(NameOf(i), space_.Value(candidate, i + 1), 32,
                             i == 0 ? in_channels : width, i == 3 ? num_classes : width));
    }
    return layers;
  }

  static std::string NameOf(size_t layer) { return "layer." + std::to_string(layer); }
  static std::vector<int64_t> Levels() { return {2, 4, 8}; }

 private:
  static SearchSpace MakeSpace() {
    std::vector<Dimension> dimensions = {{"width", {8, 16}, -1, 0}};
    for (size_t i = 0; i < 4; ++i) {
      dimensions.push_back({NameOf(i) + ".weight_bits", Levels(), -1, 0});
    }
    return SearchSpace(std::move(dimensions));
  }

  SearchSpace space_ = MakeSpace();
};

Workload MakeWorkload() {
  Workload workload;
  workload.counts[PointsKey()] = 100;
  workload.in_channels = 4;
  workload.num_classes = 3;
  return workload;
}

// A millisecond for each bit of a weight, ten in the first layer.
Json SlowFirstLayer() {
  Json layers;
  for (size_t i = 0; i < 4; ++i) {
    for (const int64_t bits : BitNet::Levels()) {
      layers[BitNet::NameOf(i)].push_back({bits, 32, bits * (i == 0 ? 10 : 1)});
    }
  }
  return layers;
}

// Entries of every shape that the layers of BitNet have, with random times.
Json RandomTimesByShape(Rng& rng) {
  const BitNet net;
  Json layers;
  for (const Candidate& architecture : {net.space().Smallest(), net.space().Largest()}) {
    for (const LayerSpec& layer : net.Expand(architecture, 4, 3)) {
      std::string key = layer.name;
      key.append("@").append(std::to_string(layer.in_channels));
      key.append("x").append(std::to_string(layer.out_channels));
      for (const int64_t bits : BitNet::Levels()) layers[key].push_back({bits, 32, rng.Uniform()});
    }
  }
  return layers;
}

TEST(LatencyLutTest, SumsLayersAndTheRest) {
  Json json = TableOf({{"a", {{4, 8, 1.5}, {32, 32, 9}}}, {"b", {{32, 32, 2}}}});
  const auto plain = LatencyLut::Parse(json, "").value();
  const LayerTable layers = {Layer("a", 4, 8), Layer("b", 32, 32), Layer("b", 32, 32)};
  EXPECT_EQ(plain.Cost(layers, {}).value(), 5.5);
  EXPECT_FALSE(plain.NeedsWorkload());
  EXPECT_EQ(plain.config()["rest_ms"], 0.0);
  json["rest_ms"] = 0.25;
  EXPECT_EQ(LatencyLut::Parse(json, "").value().Cost(layers, {}).value(), 5.75);
}

TEST(LatencyLutTest, MissingEntryNamesLayerBitsAndKey) {
  const LatencyLut table = Parsed({{"a", {{4, 8, 1}}}, {"b@8x8", {{4, 8, 1}}}});
  const Status bits = table.Cost({Layer("a", 2, 8)}, {}).status();
  EXPECT_EQ(bits.code(), StatusCode::kNotFound);
  EXPECT_EQ(bits.message(),
            "the latency table has no entry of layer a for 2-bit weights and 8-bit inputs; it "
            "belongs under \"a\"");
  const auto belongs = [&](const LayerSpec& layer) {
    const std::string message = table.LayerMs(layer).status().message();
    return message.substr(message.find("under ") + 6);
  };
  EXPECT_EQ(belongs(Layer("c", 4, 8)), "\"c\" or \"c@4x8\"");
  EXPECT_EQ(belongs(Layer("b", 4, 8, 4, 8)), "\"b@4x8\"");
  EXPECT_EQ(belongs(Layer("b", 4, 8, 8, 16)), "\"b\"");
}

TEST(LatencyLutTest, MoreBitsNeverCostLessThanFewer) {
  const LatencyLut table =
      Parsed({{"a", {{2, 4, 1}, {2, 8, 5}, {4, 4, 3}, {4, 8, 2}, {8, 4, 2.5}, {8, 8, 9}}}});
  const auto ms = [&](int64_t w, int64_t a) { return table.LayerMs(Layer("a", w, a)).value(); };
  EXPECT_EQ(ms(2, 4), 1);
  EXPECT_EQ(ms(4, 4), 3);
  EXPECT_EQ(ms(8, 4), 3);
  EXPECT_EQ(ms(4, 8), 5);
  EXPECT_EQ(ms(8, 8), 9);
}

TEST(LatencyLutTest, AnEntryOfTheShapeComesFirst) {
  const LatencyLut table = Parsed({{"a", {{4, 8, 5}}},
                                   {"a@4x8", {{4, 8, 1}}},
                                   {"a@4x16", {{4, 8, 0.5}}},
                                   {"a@8x8", {{4, 8, 7}}}});
  const auto ms = [&](int64_t in, int64_t out) {
    return table.LayerMs(Layer("a", 4, 8, in, out)).value();
  };
  EXPECT_TRUE(table.NeedsWorkload());
  EXPECT_EQ(ms(4, 8), 1);
  EXPECT_EQ(ms(4, 16), 1) << "no less than a narrower one";
  EXPECT_EQ(ms(8, 8), 7);
  EXPECT_EQ(ms(8, 16), 7) << "of any shape, but no less than what it holds";
  EXPECT_EQ(ms(4, 32), 5);
  EXPECT_FALSE(table.LayerMs(Layer("a", 4, 8, 2, 8)).ok()) << "4x8 may cost less than any shape";
}

TEST(LatencyLutTest, RandomTimesNeverMakeALargerCandidateCheaper) {
  const BitNet net;
  Rng rng(5);
  for (int round = 0; round < 20; ++round) {
    const LatencyLut table = Parsed(RandomTimesByShape(rng));
    const auto ms = [&](const Candidate& candidate) {
      return table.Cost(net.Expand(candidate, 4, 3), {}).value();
    };
    for (const Candidate& genes : net.space().Enumerate(1000)) {
      for (size_t d = 0; d < genes.choices.size(); ++d) {
        Candidate larger = genes;
        const auto& choices = net.space().dimensions()[d].choices;
        if (++larger.choices[d] == static_cast<int32_t>(choices.size())) continue;
        EXPECT_GE(ms(larger), ms(genes)) << "round " << round;
      }
    }
  }
}

TEST(LatencyLutTest, RefusesWhatIsNoTableWithThePointer) {
  const std::vector<std::pair<std::string, Json>> patches = {
      {"/format", "latency"},
      {"/format_version", 2},
      {"/device", 3},
      {"/samples", 0},
      {"/rest_ms", -1},
      {"/rest_ms", std::nan("")},
      {"/unit", "s"},
      {"/layers", Json::array()},
      {"/layers/a", 3},
      {"/layers/a/0", {4, 8, -1}},
      {"/layers/a/0", {4, 8, INFINITY}},
      {"/layers/a/0", {0, 8, 1}},
      {"/layers/a/0", {4, 33, 1}},
      {"/layers/a/0", {4, 8}},
      {"/layers/a/1", {4, 8, 2}},
      {"/layers/a@4", Json::array()},
      {"/layers/a@4x", Json::array()},
      {"/layers/a@0x8", Json::array()},
      {"/layers/a@4x8x", Json::array()},
  };
  for (const auto& [pointer, value] : patches) {
    Json json = TableOf({{"a", {{4, 8, 1}}}});
    json[Json::json_pointer(pointer)] = value;
    const Status status = LatencyLut::Parse(json, "/latency_table").status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << pointer << " " << value;
    EXPECT_EQ(status.message().rfind("/latency_table" + pointer + ": ", 0), 0U) << status;
  }
}

TEST(LatencyCoverageTest, NamesTheLevelThatOneLayerLacks) {
  const BitNet net;
  EXPECT_TRUE(CheckLatencyTable(net, Parsed(SlowFirstLayer()), nullptr).ok());
  Json layers = SlowFirstLayer();
  layers["layer.2"].erase(1);
  const Status status = CheckLatencyTable(net, Parsed(layers), nullptr);
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("layer layer.2 for 4-bit weights and 32-bit inputs"),
            std::string::npos)
      << status;
}

TEST(LatencyCoverageTest, EveryShapeOfTheSpaceNeedsItsEntries) {
  const BitNet net;
  const Workload workload = MakeWorkload();
  Rng rng(1);
  const Json layers = RandomTimesByShape(rng);
  EXPECT_TRUE(CheckLatencyTable(net, Parsed(layers), nullptr).ok());
  EXPECT_TRUE(CheckLatencyTable(net, Parsed(layers), &workload).ok());
  Json lacking = layers;
  lacking.erase("layer.1@8x8");
  EXPECT_NE(CheckLatencyTable(net, Parsed(lacking), nullptr).message().find("\"layer.1@8x8\""),
            std::string::npos);
}

TEST(LatencyCoverageTest, ShapesOfTheDatasetWaitForTheProfile) {
  const BitNet net;
  Workload workload = MakeWorkload();
  workload.num_classes = 7;
  Rng rng(1);
  Json layers = RandomTimesByShape(rng);
  EXPECT_TRUE(CheckLatencyTable(net, Parsed(layers), nullptr).ok());
  EXPECT_NE(CheckLatencyTable(net, Parsed(layers), &workload).message().find("layer.3"),
            std::string::npos);
  layers.erase("layer.3@8x3");
  layers.erase("layer.3@16x3");
  EXPECT_NE(CheckLatencyTable(net, Parsed(layers), nullptr).message().find("layer.3"),
            std::string::npos);
}

// Searches for bits under a budget on the table, in the largest architecture.
class LatencyBudgetTest : public ::testing::Test {
 protected:
  static cost::CostModelRegistry Models() {
    cost::CostModelRegistry models("cost model");
    cost::RegisterBuiltins(models);
    models.Add(
        std::string(kLatencyLut),
        [] { return std::make_unique<LatencyLut>(Parsed(SlowFirstLayer())); }, "for tests");
    return models;
  }

  AlgorithmContext Context() const {
    return {net_.space(), *filter_, objectives_, constraints_, settings_, Rng(1), filter_.get()};
  }
  Bits BitsOf(const Candidate& candidate) const {
    Bits bits;
    for (size_t d = 1; d < net_.space().size(); ++d) {
      bits.push_back(net_.space().Value(candidate, d));
    }
    return bits;
  }
  double Ms(const Bits& bits) const {
    return static_cast<double>(10 * bits[0] + bits[1] + bits[2] + bits[3]);
  }

  // All proposals, each told as a trial: every layer loses 4^-bits, however many weights it has.
  std::vector<Bits> Run(const std::string& name) const {
    AlgorithmRegistry algorithms("algorithm");
    RegisterBuiltins(algorithms);
    const auto algorithm = algorithms.Find(name)->make(Context());
    std::vector<Bits> all;
    for (AskResult asked = algorithm->Ask(100); !asked.proposals.empty();
         asked = algorithm->Ask(100)) {
      std::vector<Trial> trials;
      for (const Proposal& proposal : asked.proposals) {
        all.push_back(BitsOf(proposal.candidate));
        trials.push_back(TrialOf(proposal, static_cast<int64_t>(all.size())));
      }
      algorithm->Tell(trials);
    }
    return all;
  }

  Trial TrialOf(const Proposal& proposal, int64_t number) const {
    Trial trial;
    trial.number = number;
    trial.candidate = proposal.candidate;
    trial.state = TrialState::kSucceeded;
    Measurement accuracy;
    accuracy.metric = "accuracy";
    const Bits bits = BitsOf(proposal.candidate);
    const LayerTable layers = net_.Expand(proposal.candidate, 4, 3);
    for (size_t i = 0; i < bits.size(); ++i) {
      const double error = std::exp2(-2.0 * static_cast<double>(bits[i]));
      accuracy.value -= error;
      accuracy.detail["quantization_error"][BitNet::NameOf(i)][std::to_string(bits[i])] =
          error / static_cast<double>(layers[i].WeightCount());
    }
    trial.measured[{"accuracy", ""}] = std::move(accuracy);
    return trial;
  }

  const BitNet net_{};
  const Workload workload_ = MakeWorkload();
  const std::vector<Objective> objectives_ = {{"accuracy", ""}};
  const std::vector<Constraint> constraints_ = {{std::string(kLatencyLut), "", std::nullopt, 50.0}};
  const SearchSettings settings_{};
  const std::unique_ptr<CostFilter> filter_ =
      CostFilter::Create(net_, Models(), &workload_, constraints_).value();
};

TEST_F(LatencyBudgetTest, TheWallCountsTheSlowLayerTenTimes) {
  const BitProblem problem(Context());
  Bits bits = problem.Highest();
  EXPECT_TRUE(problem.Lower({}, bits));
  EXPECT_EQ(bits, (Bits{4, 4, 4, 2}));
}

TEST_F(LatencyBudgetTest, BaselinesKeepTheBudget) {
  EXPECT_EQ(Run("uniform_bits"), (std::vector<Bits>{{2, 2, 2, 2}}));
  EXPECT_EQ(Run("tail_cut_bits"), (std::vector<Bits>{{2, 2, 2, 2}}));
  EXPECT_EQ(Run("greedy_bits").back(), (Bits{2, 4, 4, 4}));
}

TEST_F(LatencyBudgetTest, TheKnapsackSpendsLittleOnTheSlowLayer) {
  const std::vector<Bits> all = Run("knapsack_bits");
  ASSERT_FALSE(all.empty());
  for (const Bits& bits : all) EXPECT_LE(Ms(bits), 50);
  EXPECT_NE(std::find(all.begin(), all.end(), Bits{2, 8, 8, 8}), all.end());
}

TEST_F(LatencyBudgetTest, ImpossibleBudgetIsRefusedWithTheSmallestTime) {
  const auto filter = CostFilter::Create(net_, Models(), nullptr,
                                         {{std::string(kLatencyLut), "", std::nullopt, 25.0}});
  EXPECT_EQ(filter.status().reason(), "CONSTRAINTS_INFEASIBLE");
  EXPECT_NE(filter.status().message().find("latency_lut_ms <= 25.0: the smallest has 26"),
            std::string::npos)
      << filter.status();
}

TEST_F(LatencyBudgetTest, TrialsCarryTheTime) {
  const Measurements costs = filter_->Costs(net_.space().Largest());
  EXPECT_EQ(costs.at({std::string(kLatencyLut), ""}).value, 104);
}

}  // namespace
}  // namespace voxbit::search
