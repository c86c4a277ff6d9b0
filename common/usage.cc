#include "common/usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/algorithm/string/join.hpp>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "common/known_names.h"

namespace voxbit {
namespace {

using boost::algorithm::join;

// The app of the last command word that was understood.
const CLI::App& Deepest(const CLI::App& app) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().back();
  return *deepest;
}

// "search-client study show".
std::string PathOf(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : PathOf(*parent) + " " + app.get_name();
}

// Its commands, or with `groups` its groups of options, which are commands without a name.
std::vector<const CLI::App*> Children(const CLI::App& app, bool groups = false) {
  return app.get_subcommands(
      [groups](const CLI::App* child) { return child->get_name().empty() == groups; });
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : Children(app)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> FlagNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// "STUDY", "--out DIR", "--pareto".
std::string Label(const CLI::Option& option) {
  const std::string value = ValueName(option);
  if (option.get_positional()) return value.empty() ? option.get_name(true) : value;
  return "--" + option.get_single_name() + (value.empty() ? "" : " " + value);
}

std::string MissingOptions(const CLI::App& app) {
  std::vector<const CLI::Option*> missing;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_required() && option->count() == 0) missing.push_back(option);
  }
  if (missing.empty()) return "";
  const std::string needs = PathOf(app) + " needs " + Label(*missing.front());
  if (missing.size() == 1) return needs + ": " + missing.front()->get_description();
  std::vector<std::string> labels;
  labels.reserve(missing.size());
  for (const CLI::Option* option : missing) labels.push_back(Label(*option));
  return PathOf(app) + " needs " + join(labels, ", ");
}

// A group of options of which one must be there.
std::string MissingChoice(const CLI::App& app) {
  for (const CLI::App* group : Children(app, /*groups=*/true)) {
    std::vector<std::string> labels;
    std::vector<std::string> given;
    for (const CLI::Option* option : group->get_options()) {
      if (option == group->get_help_ptr()) continue;
      labels.push_back(Label(*option));
      if (option->count() > 0) given.push_back("--" + option->get_single_name());
    }
    const bool too_many =
        group->get_require_option_max() > 0 && given.size() > group->get_require_option_max();
    if (given.size() >= group->get_require_option_min() && !too_many) continue;
    return PathOf(app) + " needs one of " + join(labels, ", ") +
           (given.empty() ? "" : "; given are " + join(given, " and "));
  }
  return "";
}

// A word that is no command, argument or flag.
std::string UnknownWord(const CLI::App& app, const std::string& word) {
  if (word.size() > 1 && word.front() == '-') {
    const std::string flag = word.substr(0, word.find('='));
    const std::string nearest = NearestName(flag, FlagNames(app));
    return PathOf(app) + " has no flag " + flag +
           (nearest.empty() ? "" : "; did you mean " + nearest + "?");
  }
  const std::vector<std::string> commands = CommandNames(app);
  if (commands.empty()) return PathOf(app) + " takes no further argument: \"" + word + "\"";
  return "\"" + word + "\" is no command of " + PathOf(app) + "; " + KnownNames(word, commands);
}

std::string WhatIsMissing(const CLI::App& app) {
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    if (std::string missing = MissingOptions(*at); !missing.empty()) return missing;
    if (std::string missing = MissingChoice(*at); !missing.empty()) return missing;
  }
  const std::vector<std::string> commands = CommandNames(app);
  if (commands.empty()) return "";
  return PathOf(app) + " needs a command, one of " + join(commands, ", ");
}

// The option that a message of the parser begins with, of `app` or of what it stands in.
const CLI::Option* OptionOf(const CLI::App& app, const std::string& message) {
  const std::string name = message.substr(0, message.find(':'));
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    if (const CLI::Option* option = at->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

// "a number from 1 to 64", of "[1 - 64]" or "1 to 64", as versions of the parser write it.
std::string RangeOf(const CLI::Option& option, const std::string& range) {
  const std::string type = option.get_type_name();
  if (type.find(":NONNEGATIVE") != std::string::npos) return "a number of at least 0";
  if (type.find(":POSITIVE") != std::string::npos) return "a number above 0";
  const char* at = range.c_str() + (range.front() == '[' ? 1 : 0);
  char* end = nullptr;
  const double low = std::strtod(at, &end);
  const size_t high_at =
      range.find_first_of("0123456789", static_cast<size_t>(end - range.c_str()));
  const double high = high_at == std::string::npos ? low : std::strtod(&range[high_at], nullptr);
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "a number from %g to %g", low, high);
  return text.data();
}

// "--limit: Value x not in range 0.000000 to 1797..." in words that fit on a line.
std::string OutOfRange(const CLI::App& app, const std::string& message) {
  const std::string before = ": Value ";
  const std::string between = " not in range ";
  const size_t value_at = message.find(before);
  const size_t range_at = message.find(between);
  const CLI::Option* option = OptionOf(app, message);
  if (option == nullptr || value_at == std::string::npos || range_at == std::string::npos) {
    return message;
  }
  const size_t start = value_at + before.size();
  const std::string name =
      option->get_positional() ? ValueName(*option) : message.substr(0, value_at);
  return name + ": expected " + RangeOf(*option, message.substr(range_at + between.size())) +
         ", found \"" + message.substr(start, range_at - start) + "\"";
}

// An option that stands last, or before another flag, where its value should be.
std::string MissingValue(const CLI::App& app, const std::string& message) {
  const CLI::Option* option = OptionOf(app, message);
  if (option == nullptr) return message;
  const std::string name = message.substr(0, message.find(':'));
  if (message.find("missing") == std::string::npos) return name + " may be given once";
  return name + " needs a value: " + ValueName(*option);
}

std::string WhatIsWrong(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = error.what();
  const auto is = [&error](CLI::ExitCodes code) {
    return error.get_exit_code() == static_cast<int>(code);
  };
  if (is(CLI::ExitCodes::ArgumentMismatch)) return MissingValue(app, message);
  if (is(CLI::ExitCodes::ValidationError)) return OutOfRange(app, message);
  if (!is(CLI::ExitCodes::RequiredError) && !is(CLI::ExitCodes::ExtrasError)) return message;
  const std::vector<std::string> words = app.remaining();
  if (!words.empty()) return UnknownWord(app, words.front());
  const std::string missing = WhatIsMissing(app);
  return missing.empty() ? message : missing;
}

}  // namespace

std::vector<const CLI::Option*> OptionsOf(const CLI::App& app) {
  std::vector<const CLI::Option*> options = app.get_options();
  for (const CLI::App* group : Children(app, /*groups=*/true)) {
    for (const CLI::Option* option : group->get_options()) {
      const bool is_new = std::find(options.begin(), options.end(), option) == options.end();
      if (is_new && option != group->get_help_ptr()) options.push_back(option);
    }
  }
  return options;
}

std::string ValueName(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string& text = option.get_option_text();
  if (!text.empty()) return text.substr(0, text.find(' '));
  const std::string type = option.get_type_name();  // "N:POSITIVE": with what is checked
  return type.substr(0, type.find(':'));
}

std::string UsageError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& deepest = Deepest(app);
  std::string line = WhatIsWrong(deepest, error) + "; see: " + PathOf(deepest) + " --help";
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line;
}

}  // namespace voxbit
