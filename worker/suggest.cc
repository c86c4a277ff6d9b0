#include "worker/suggest.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/json.h"
#include "worker/data/suggest/suggest.h"

namespace voxbit::worker {
namespace {

std::string PrettyJson(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

void PrintText(const data::Suggestion& suggestion, std::ostream& out) {
  out << "These are " << suggestion.what << ".\nChosen:\n";
  for (const data::Choice& choice : suggestion.choices) {
    out << "  " << choice.setting << " " << choice.value.dump() << "\n      " << choice.why << "\n";
  }
  for (const std::string& hint : suggestion.hints) out << "Note: " << hint << ".\n";
  out << "The dataset of a study then is\n" << PrettyJson(suggestion.dataset) << "\n";
}

Json SuggestionJson(const data::Suggestion& suggestion) {
  Json choices = Json::array();
  for (const data::Choice& choice : suggestion.choices) {
    choices.push_back({{"setting", choice.setting}, {"value", choice.value}, {"why", choice.why}});
  }
  return {{"what", suggestion.what},          {"example", suggestion.example},
          {"metric", suggestion.metric},      {"task", suggestion.task},
          {"dataset", suggestion.dataset},    {"choices", std::move(choices)},
          {"hints", suggestion.hints},        {"found", suggestion.found},
          {"usable", suggestion.usable.ok()}, {"fault", suggestion.usable.message()}};
}

// For scripts; what people read goes to standard error.
void PrintLines(const data::Suggestion& suggestion) {
  PrintText(suggestion, std::cerr);
  std::cout << "example=" << suggestion.example << "\nmetric=" << suggestion.metric
            << "\ntask=" << suggestion.task << "\ndataset=" << CanonicalJson(suggestion.dataset)
            << "\n";
}

}  // namespace

CLI::App& AddSuggest(CLI::App& app, SuggestFlags& flags) {
  CLI::App& suggest = *app.add_subcommand(
      "suggest", "look at a folder of data and choose the settings of a study's dataset");
  suggest.add_option("--data", flags.data, "folder in one of the layouts of docs/data.md")
      ->required()
      ->type_name("FOLDER");
  suggest
      .add_option("-o,--output", flags.output,
                  "text, json, or lines KEY=VALUE for scripts, with the text on standard error")
      ->check(CLI::IsMember({"text", "json", "lines"}))
      ->capture_default_str();
  suggest.footer(
      "Exit codes: 0 done, 1 the folder lacks something that a study needs, 2 wrong usage or a "
      "folder in none of the layouts.");
  return suggest;
}

Result<bool> RunSuggest(const SuggestFlags& flags, const std::stop_token& stop) {
  VOXBIT_ASSIGN_OR_RETURN(const data::Suggestion suggestion, data::SuggestFor(flags.data, stop));
  if (flags.output == "json") {
    std::cout << PrettyJson(SuggestionJson(suggestion)) << "\n";
  } else if (flags.output == "lines") {
    PrintLines(suggestion);
  } else {
    PrintText(suggestion, std::cout);
  }
  std::cout << std::flush;
  if (suggestion.usable.ok()) return true;
  std::cerr << "search-worker: " << suggestion.usable.message() << "\n";
  return false;
}

}  // namespace voxbit::worker
