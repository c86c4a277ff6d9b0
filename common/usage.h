// What a parser of command lines has to say, in words that tell what would be right.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class ParseError;
}  // namespace CLI

namespace voxbit {

// "search-client study show needs STUDY: name of the study; see: search-client study show --help":
// why the last parse of `app`, the whole program, ended with `error`. One line.
std::string UsageError(const CLI::App& app, const CLI::ParseError& error);

// The options of `app` and of its groups, each once, in the order of the help.
std::vector<const CLI::Option*> OptionsOf(const CLI::App& app);

// What the value of an option is called in its help: "FILE"; "" where it has none.
std::string ValueName(const CLI::Option& option);

}  // namespace voxbit
