#include "client/view/trial_view.h"

#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <limits>
#include <set>

#include "client/format/text.h"
#include "common/known_names.h"
#include "search/domain/objective.h"

namespace voxbit::client {
namespace {

using search::Direction;
using search::Measurement;
using search::Measurements;
using search::Trial;

Tone ToneOf(search::TrialState state) {
  switch (state) {
    case search::TrialState::kSucceeded:
      return Tone::kGood;
    case search::TrialState::kFailed:
      return Tone::kBad;
    case search::TrialState::kRunning:
      return Tone::kBusy;
    default:
      return Tone::kDim;
  }
}

const Measurement* Find(const Measurements& measurements, const std::string& key) {
  for (const auto& [name, measurement] : measurements) {
    if (search::MetricKey(name.first, name.second) == key) return &measurement;
  }
  return nullptr;
}

std::string UnitOf(const std::string& metric) { return AxisOf(metric).unit; }

size_t TablePosition(const std::string& key) {
  const auto& metrics = search::Metrics();
  for (size_t i = 0; i < metrics.size(); ++i) {
    if (metrics[i].name == MetricName(key)) return i;
  }
  return metrics.size();
}

Json MeasurementsJson(const Measurements& measurements) {
  Json json = Json::object();
  for (const auto& [name, measurement] : measurements) {
    json[search::MetricKey(name.first, name.second)] = {{"value", measurement.value},
                                                        {"spread", measurement.spread},
                                                        {"samples", measurement.samples},
                                                        {"unit", UnitOf(measurement.metric)},
                                                        {"detail", measurement.detail}};
  }
  return json;
}

Cell ValueCell(const Measurement* measurement) {
  if (measurement == nullptr) return EmptyCell();
  return {HumanMetric(measurement->metric, measurement->value), measurement->value, Tone::kPlain};
}

// What a fine-tuning that kept its start had at its end, on the validation split; nullopt for one
// that kept its end, and where the worker does not say.
std::optional<double> EndOfKeptStart(const Measurement& measurement) {
  const Json& detail = measurement.detail;
  if (!detail.is_object() || detail.value("kept", Json()) != Json("start")) return std::nullopt;
  const auto end = detail.find("end");
  if (end == detail.end() || !end->is_number()) return std::nullopt;
  return end->get<double>();
}

// "0.4814 (start; end 0.4702)" where fine-tuning gained nothing.
Cell TunedCell(const Measurement* measurement) {
  Cell cell = ValueCell(measurement);
  if (measurement == nullptr) return cell;
  if (const std::optional<double> end = EndOfKeptStart(*measurement)) {
    cell.text += " (start; end " + HumanMetric(measurement->metric, *end) + ")";
  }
  return cell;
}

// "gained nothing, the start was kept: miou 0.4814 at the start, 0.4702 at the end"; empty where
// nothing was fine-tuned or the worker does not say.
std::string FinetuneText(const Measurements& finetuned) {
  std::string kept;
  std::vector<std::string> values;
  for (const auto& [name, measurement] : finetuned) {
    const Json& detail = measurement.detail;
    const auto number = [&](const char* key) {
      const bool has = detail.is_object() && detail.contains(key) && detail[key].is_number();
      return has ? HumanMetric(measurement.metric, detail[key].get<double>()) : std::string();
    };
    if (number("start").empty() || number("end").empty()) continue;
    kept = detail.value("kept", Json()) == Json("start") ? "gained nothing, the start was kept: "
                                                         : "kept its end: ";
    values.push_back(measurement.metric + " " + number("start") + " at the start, " +
                     number("end") + " at the end");
  }
  return kept + boost::algorithm::join(values, "; ");
}

Cell SpreadCell(const Measurement* measurement) {
  if (measurement == nullptr) return EmptyCell();
  if (measurement->spread == 0) return {"-", 0.0, Tone::kDim};
  return {"± " + HumanMetric(measurement->metric, measurement->spread), measurement->spread,
          Tone::kPlain};
}

bool AnyFinetuned(const std::vector<Trial>& trials, const std::string& key) {
  return std::any_of(trials.begin(), trials.end(),
                     [&key](const Trial& trial) { return Find(trial.finetuned, key) != nullptr; });
}

// Columns whose numbers people read with a prefix.
bool IsCount(const std::string& key) {
  return key == "params" || key == "parameters" || key == "macs" || key == "bitops";
}

Cell LayerCell(const std::string& key, const Json& layer) {
  const auto found = layer.is_object() ? layer.find(key) : layer.end();
  if (!layer.is_object() || found == layer.end() || found->is_null()) return EmptyCell();
  if (found->is_string()) return TextCell(found->get<std::string>());
  if (found->is_number() && IsCount(key)) {
    return {HumanCount(found->get<double>()), *found, Tone::kPlain};
  }
  if (found->is_boolean()) return {found->get<bool>() ? "yes" : "no", *found, Tone::kPlain};
  return {CanonicalJson(*found), *found, Tone::kPlain};
}

struct LayerColumn {
  const char* key;
  const char* title;
  int rank;
  size_t min_width;
};

// What matters most of a layer, in this order; other keys follow.
constexpr LayerColumn kLayerColumns[] = {
    {"name", "layer", 0, 40},          {"kind", "kind", 1, 8},
    {"in_channels", "in", 0, 0},       {"out_channels", "out", 0, 0},
    {"kernel_volume", "kernel", 2, 0}, {"stride", "stride", 3, 0},
    {"tensor_stride", "grid", 4, 0},   {"params", "params", 0, 0},
    {"parameters", "params", 0, 0},    {"macs", "MACs", 0, 0},
    {"weight_bits", "w bits", 2, 0},   {"activation_bits", "a bits", 2, 0}};
constexpr int kOtherLayerColumn = 5;

std::vector<Column> LayerColumns(const Json& layers) {
  std::set<std::string> keys;
  std::set<std::string> texts;
  for (const Json& layer : layers) {
    if (!layer.is_object()) continue;
    for (const auto& [key, value] : layer.items()) {
      keys.insert(key);
      if (!value.is_number()) texts.insert(key);
    }
  }
  std::vector<Column> columns;
  const auto add = [&](const std::string& key, const std::string& title, int rank,
                       size_t min_width) {
    columns.push_back({key, title, texts.count(key) == 0, rank, min_width});
  };
  for (const LayerColumn& column : kLayerColumns) {
    if (keys.erase(column.key) > 0) add(column.key, column.title, column.rank, column.min_width);
  }
  for (const std::string& key : keys) add(key, key, kOtherLayerColumn, 0);
  return columns;
}

// A score that the detail of a measurement has by name (docs/metrics.md).
struct ClassScore {
  const char* key;
  const char* what;
  const char* title;
};

constexpr ClassScore kClassScores[] = {{"class_iou", "class", "IoU"},
                                       {"category_miou", "category", "mean IoU"},
                                       {"part_recall", "part", "recall"},
                                       {"class_recall", "class", "recall"}};

// {name: value} of the first measurement that has such scores; empty where none has.
Json ScoresOf(const Measurements& measurements, const std::string& key) {
  for (const auto& [name, measurement] : measurements) {
    if (!measurement.detail.is_object()) continue;
    const auto found = measurement.detail.find(key);
    if (found != measurement.detail.end() && found->is_object()) return *found;
  }
  return Json::object();
}

Cell ScoreCell(const Json& scores, const std::string& name) {
  const auto found = scores.find(name);
  if (found == scores.end() || !found->is_number()) return EmptyCell();
  return {HumanMetric("miou", found->get<double>()), *found, Tone::kPlain};
}

double SumOf(const Json& layers, const std::string& key, bool& found) {
  double sum = 0;
  for (const Json& layer : layers) {
    if (!layer.is_object() || !layer.contains(key) || !layer[key].is_number()) continue;
    sum += layer[key].get<double>();
    found = true;
  }
  return sum;
}

std::vector<PlotPoint> PlotPoints(const std::vector<Trial>& trials, const std::string& x,
                                  const std::string& y) {
  std::vector<PlotPoint> points;
  for (const Trial& trial : trials) {
    const std::optional<double> at_x = MeasuredValue(trial, x);
    const std::optional<double> at_y = MeasuredValue(trial, y);
    if (at_x.has_value() && at_y.has_value()) points.push_back({trial.number, *at_x, *at_y});
  }
  return points;
}

}  // namespace

std::string MetricName(const std::string& key) { return key.substr(0, key.find('[')); }

std::vector<std::string> MetricKeys(const std::vector<Trial>& trials,
                                    const std::vector<std::string>& first) {
  std::set<std::string> seen;
  for (const Trial& trial : trials) {
    for (const Measurements* measurements : {&trial.measured, &trial.finetuned}) {
      for (const auto& [name, measurement] : *measurements) {
        seen.insert(search::MetricKey(name.first, name.second));
      }
    }
  }
  std::vector<std::string> keys;
  for (const std::string& key : first) {
    if (seen.erase(key) > 0) keys.push_back(key);
  }
  std::vector<std::string> rest(seen.begin(), seen.end());
  std::stable_sort(rest.begin(), rest.end(), [](const std::string& a, const std::string& b) {
    return TablePosition(a) < TablePosition(b);
  });
  keys.insert(keys.end(), rest.begin(), rest.end());
  return keys;
}

Result<std::string> ResolveMetric(const std::string& name, const std::vector<std::string>& keys) {
  std::vector<std::string> matches;
  for (const std::string& key : keys) {
    if (key == name) return key;
    if (MetricName(key) == name) matches.push_back(key);
  }
  if (matches.size() == 1) return matches.front();
  if (matches.size() > 1) {
    return InvalidArgument("metric \"" + name + "\" has several targets; name one of " +
                           boost::algorithm::join(matches, ", "));
  }
  if (keys.empty()) return InvalidArgument("metric \"" + name + "\": nothing is measured yet");
  const std::string nearest = NearestName(name, keys);
  return InvalidArgument("metric \"" + name + "\" is not in this study; it has " +
                         boost::algorithm::join(keys, ", ") +
                         (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
}

std::optional<double> MeasuredValue(const Trial& trial, const std::string& key) {
  const Measurement* measurement = Find(trial.measured, key);
  if (measurement == nullptr) return std::nullopt;
  return measurement->value;
}

std::optional<double> FinalValue(const Trial& trial, const std::string& key) {
  const Measurement* measurement = Find(trial.finetuned, key);
  if (measurement != nullptr) return measurement->value;
  return MeasuredValue(trial, key);
}

void SortByMetric(const std::string& key, std::vector<Trial>& trials) {
  const double sign = AxisOf(key).direction == Direction::kHigher ? -1 : 1;
  const auto rank = [&](const Trial& trial) {
    const std::optional<double> value = FinalValue(trial, key);
    return value.has_value() ? sign * *value : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(trials.begin(), trials.end(),
                   [&](const Trial& a, const Trial& b) { return rank(a) < rank(b); });
}

Json ToJson(const Trial& trial) {
  return {{"number", trial.number},
          {"state", std::string(search::Name(trial.state))},
          {"origin", trial.origin},
          {"digest", trial.digest},
          {"sequence", trial.sequence},
          {"choices", trial.candidate.choices},
          {"measured", MeasurementsJson(trial.measured)},
          {"finetuned", MeasurementsJson(trial.finetuned)},
          {"artifacts", trial.artifacts},
          {"message", trial.message},
          {"created_ms", trial.created_ms},
          {"finished_ms", trial.finished_ms}};
}

Table TrialTable(const std::vector<Trial>& trials, const std::vector<std::string>& keys) {
  std::vector<Column> columns = {{"number", "#", true, 0, 0}, {"state", "state", false, 0, 0}};
  int rank = 0;
  std::vector<std::string> tuned;
  for (const std::string& key : keys) {
    // The first two are what the study is about.
    const int key_rank = rank++ < 2 ? 1 : 3;
    columns.push_back({"measured." + key, key, true, key_rank, 0});
    columns.push_back({"measured." + key + ".spread", "", true, kCsvOnly, 0});
    if (!AnyFinetuned(trials, key)) continue;
    tuned.push_back(key);
    columns.push_back({"finetuned." + key, key + " tuned", true, 4, 0});
  }
  columns.push_back({"origin", "origin", false, 5, 10});
  columns.push_back({"message", "message", false, 2, 16});
  for (const char* key : {"digest", "choices"}) {
    columns.push_back({key, "", false, kCsvOnly, 0});
  }
  for (const char* key : {"sequence", "created_ms", "finished_ms"}) {
    columns.push_back({key, "", true, kCsvOnly, 0});
  }
  const bool any_message = std::any_of(trials.begin(), trials.end(),
                                       [](const Trial& trial) { return !trial.message.empty(); });
  if (!any_message) {
    for (Column& column : columns) {
      if (column.key == "message") column.rank = kCsvOnly;
    }
  }
  Table table(columns);
  for (const Trial& trial : trials) {
    std::vector<Cell> row = {IntCell(trial.number),
                             TextCell(std::string(search::Name(trial.state)), ToneOf(trial.state))};
    for (const std::string& key : keys) {
      row.push_back(ValueCell(Find(trial.measured, key)));
      row.push_back(SpreadCell(Find(trial.measured, key)));
      if (std::find(tuned.begin(), tuned.end(), key) != tuned.end()) {
        row.push_back(TunedCell(Find(trial.finetuned, key)));
      }
    }
    row.push_back(TextCell(trial.origin));
    row.push_back(TextCell(trial.message));
    row.push_back(TextCell(trial.digest));
    row.push_back(TextCell(search::Encode(trial.candidate)));
    row.push_back(IntCell(trial.sequence));
    row.push_back(IntCell(trial.created_ms));
    row.push_back(IntCell(trial.finished_ms));
    table.AddRow(std::move(row));
  }
  return table;
}

std::vector<Field> TrialFieldList(const Trial& trial, int64_t now_ms) {
  std::vector<Field> fields = {
      {"trial", IntCell(trial.number)},
      {"state", TextCell(std::string(search::Name(trial.state)), ToneOf(trial.state))},
      {"origin", TextCell(trial.origin)},
      {"digest", TextCell(trial.digest)},
      {"choices", TextCell(search::Encode(trial.candidate))},
      {"created", TextCell(UtcTime(trial.created_ms))}};
  if (trial.finished_ms != 0) {
    fields.push_back({"finished", TextCell(UtcTime(trial.finished_ms) + " (" +
                                           HumanAge(now_ms, trial.finished_ms) + ")")});
  }
  if (!trial.message.empty()) fields.push_back({"message", TextCell(trial.message)});
  if (const std::string text = FinetuneText(trial.finetuned); !text.empty()) {
    fields.push_back({"fine-tuning", TextCell(text)});
  }
  for (const auto& [role, sha256] : trial.artifacts) fields.push_back({role, TextCell(sha256)});
  return fields;
}

Table MeasurementTable(const Trial& trial) {
  Table table({{"metric", "metric", false, 0, 0},
               {"phase", "phase", false, 1, 0},
               {"value", "value", true, 0, 0},
               {"spread", "spread", true, 0, 0},
               {"samples", "samples", true, 2, 0},
               {"unit", "unit", false, 1, 0},
               {"better", "better", false, 3, 0}});
  const auto add = [&table](const Measurements& measurements, const std::string& phase) {
    for (const auto& [name, measurement] : measurements) {
      const PlotAxis axis = AxisOf(measurement.metric);
      table.AddRow({TextCell(search::MetricKey(name.first, name.second)), TextCell(phase),
                    ValueCell(&measurement), SpreadCell(&measurement), IntCell(measurement.samples),
                    TextCell(axis.unit),
                    TextCell(axis.direction == Direction::kHigher ? "higher" : "lower")});
    }
  };
  add(trial.measured, "search");
  add(trial.finetuned, "finetuned");
  return table;
}

std::vector<Table> ClassTables(const Trial& trial) {
  std::vector<Table> tables;
  for (const ClassScore& score : kClassScores) {
    const Json searched = ScoresOf(trial.measured, score.key);
    const Json tuned = ScoresOf(trial.finetuned, score.key);
    std::vector<Column> columns = {{"name", score.what, false, 0, 12},
                                   {score.key, score.title, true, 0, 0}};
    if (!tuned.empty()) columns.push_back({"finetuned", "tuned", true, 0, 0});
    Table table(std::move(columns));
    for (const auto& [name, value] : (searched.empty() ? tuned : searched).items()) {
      if (!value.is_number()) continue;  // the class does not occur
      std::vector<Cell> row = {TextCell(name), ScoreCell(searched, name)};
      if (!tuned.empty()) row.push_back(ScoreCell(tuned, name));
      table.AddRow(std::move(row));
    }
    if (!table.rows().empty()) tables.push_back(std::move(table));
  }
  return tables;
}

Table LayerTable(const Json& layers) {
  if (!layers.is_array()) return Table({{"name", "layer", false, 0, 0}});
  const std::vector<Column> columns = LayerColumns(layers);
  Table table(columns);
  for (const Json& layer : layers) {
    std::vector<Cell> row;
    for (const Column& column : columns) row.push_back(LayerCell(column.key, layer));
    table.AddRow(std::move(row));
  }
  return table;
}

std::string LayerTotals(const Json& layers) {
  if (!layers.is_array()) return "";
  bool params_known = false;
  bool macs_known = false;
  const double params =
      SumOf(layers, "params", params_known) + SumOf(layers, "parameters", params_known);
  const double macs = SumOf(layers, "macs", macs_known);
  std::string text;
  if (params_known) text = HumanCount(params) + " parameters";
  if (macs_known) text += (text.empty() ? "" : ", ") + HumanCount(macs) + " MACs";
  return text;
}

Json ToJson(const Api::Front& front) {
  Json trials = Json::array();
  for (const Trial& trial : front.trials) trials.push_back(ToJson(trial));
  return {{"metrics", front.metrics},
          {"hypervolume", NumberJson(front.hypervolume)},
          {"front", std::move(trials)},
          {"compared", front.num_compared}};
}

Table FrontTable(const Api::Front& front) {
  // All trials of a front have succeeded: the state would say nothing.
  std::vector<Column> columns = {{"number", "#", true, 0, 0}};
  const std::vector<std::string> keys = MetricKeys(front.trials, front.metrics);
  for (const std::string& key : keys) {
    const bool compared =
        std::find(front.metrics.begin(), front.metrics.end(), key) != front.metrics.end();
    // What is compared stays; its title may be cut, no value is so wide.
    columns.push_back({"measured." + key, key, true, compared ? 0 : 2, compared ? 12U : 0U});
    columns.push_back({"measured." + key + ".spread", "", true, kCsvOnly, 0});
    columns.push_back({"finetuned." + key, key + " tuned", true,
                       AnyFinetuned(front.trials, key) ? 1 : kCsvOnly, 0});
  }
  columns.push_back({"origin", "origin", false, 3, 10});
  columns.push_back({"digest", "", false, kCsvOnly, 0});
  columns.push_back({"choices", "", false, kCsvOnly, 0});
  Table table(columns);
  for (const Trial& trial : front.trials) {
    std::vector<Cell> row = {IntCell(trial.number)};
    for (const std::string& key : keys) {
      row.push_back(ValueCell(Find(trial.measured, key)));
      row.push_back(SpreadCell(Find(trial.measured, key)));
      row.push_back(TunedCell(Find(trial.finetuned, key)));
    }
    row.push_back(TextCell(trial.origin));
    row.push_back(TextCell(trial.digest));
    row.push_back(TextCell(search::Encode(trial.candidate)));
    table.AddRow(std::move(row));
  }
  return table;
}

std::string FrontSummary(const Api::Front& front) {
  return "front of " + std::to_string(front.trials.size()) + " among " +
         std::to_string(front.num_compared) + " compared trial" +
         (front.num_compared == 1 ? "" : "s") + ", hypervolume " + HumanCount(front.hypervolume);
}

ScatterPlot FrontPlot(const std::string& study, const Api::Front& front, const std::string& x,
                      const std::string& y) {
  return {study,
          FrontSummary(front),
          AxisOf(x),
          AxisOf(y),
          PlotPoints(front.trials, x, y),
          PlotPoints(front.dominated, x, y)};
}

}  // namespace voxbit::client
