// What a shell may put in at the cursor of an unfinished command line, read off the table of
// commands that parses finished ones.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/session.h"

namespace CLI {
class App;
}

namespace voxbit::client {

// First argument of the calls that the scripts of `search-client completion` make.
inline constexpr char kCompleteWord[] = "__complete";

struct Suggestion {
  std::string word;
  std::string help;  // "" where there is nothing to say
};

// Names of what an argument called `kind` in the help stands for ("STUDY", "WORKER"), asked of the
// server at `server` ("": as always). Empty where nothing is known or nobody answers.
using NameSource =
    std::function<std::vector<std::string>(const std::string& kind, const std::string& server)>;

// Asks within a second and says nothing of failures: somebody is typing.
NameSource NamesOfServer(const Surroundings& surroundings);

// `words` are those behind the program's name, up to the cursor; the last one may be empty. Words
// that may stand in its place, by their order in the help; none where a file may.
std::vector<Suggestion> Complete(const CLI::App& app, const std::vector<std::string>& words,
                                 const NameSource& names);

// The script for "bash", "zsh" or "fish". It calls the program that it completes, or the one at
// `program` where that is not in the shell's path.
std::string CompletionScript(const std::string& shell, const std::string& program);

}  // namespace voxbit::client
