#include "client/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <boost/algorithm/string/split.hpp>
#include <utility>

#include "client/rpc/api.h"
#include "common/check.h"
#include "common/usage.h"
#include "search/domain/metric.h"

namespace voxbit::client {
namespace {

constexpr Milliseconds kConnect{300};
constexpr Milliseconds kAnswer{700};

// In each of them @PROGRAM@ is the quoted path of this program.
constexpr char kBash[] =
    R"script(# bash completion of search-client: source <(search-client completion bash)
_search_client() {
  COMPREPLY=()
  (( COMP_CWORD > 0 )) || return 0
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} word i glued=''
  local -a words=()
  type -P "$program" >/dev/null || program=@PROGRAM@
  # bash takes HOST:PORT and --flag=value apart; here they are put together again.
  for ((i = 1; i <= COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if (( ${#words[@]} > 0 )) && [[ -n $glued || $word == [:=]* ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    if [[ $word == *[:=] ]]; then glued=1; else glued=''; fi
  done
  if [[ $current == [:=]* ]]; then current=''; fi
  local before=${words[-1]%"$current"}
  while IFS=$'\t' read -r word _; do
    if [[ -n $word ]]; then COMPREPLY+=("${word#"$before"}"); fi
  done < <("$program" __complete "${words[@]}" 2>/dev/null)
}
complete -o bashdefault -o default -F _search_client search-client
)script";

constexpr char kZsh[] = R"script(#compdef search-client
# zsh completion of search-client: source <(search-client completion zsh), or put it into $fpath as
# _search-client
_search_client() {
  local program=${words[1]} line word
  local -a found
  whence -p -- "$program" >/dev/null || program=@PROGRAM@
  for line in "${(@f)$("$program" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] || continue
    word=${line%%$'\t'*}
    found+=("${word//:/\\:}:${line#*$'\t'}")
  done
  if (( $#found )); then _describe -V search-client found; else _files; fi
}
if [[ ${funcstack[1]} == _search-client ]]; then
  _search_client "$@"
else
  compdef _search_client search-client
fi
)script";

constexpr char kFish[] =
    R"script(# fish completion of search-client: search-client completion fish | source
function __search_client_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    test (count $current) -gt 0; or set current ''
    set -l program $words[1]
    command -q -- $program; or set program @PROGRAM@
    set -l found ($program __complete $words[2..-1] $current 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path $current
    end
end
complete -c search-client -f -k -a '(__search_client_complete)'
)script";

bool IsFlag(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

// Where the words before the cursor lead to.
struct Place {
  const CLI::App* app = nullptr;
  const CLI::Option* waiting = nullptr;  // for the value that stands at the cursor
  size_t num_arguments = 0;              // of the command, without flags
  std::string server;
};

const CLI::App* ChildOf(const CLI::App& app, const std::string& name) {
  const auto found =
      app.get_subcommands([&name](const CLI::App* child) { return child->get_name() == name; });
  return name.empty() || found.empty() ? nullptr : found.front();
}

bool IsServer(const CLI::Option& option) { return option.check_lname("server"); }

void Enter(const std::string& word, Place& place) {
  if (place.waiting != nullptr) {
    if (IsServer(*place.waiting)) place.server = word;
    place.waiting = nullptr;
    return;
  }
  if (IsFlag(word)) {
    const size_t equals = word.find('=');
    const CLI::Option* option = place.app->get_option_no_throw(word.substr(0, equals));
    if (option == nullptr) return;
    if (equals != std::string::npos) {
      if (IsServer(*option)) place.server = word.substr(equals + 1);
    } else if (option->get_items_expected_max() > 0) {
      place.waiting = option;
    }
    return;
  }
  const CLI::App* child = ChildOf(*place.app, word);
  if (child != nullptr) {
    place.app = child;
  } else {
    ++place.num_arguments;
  }
}

// "table", "json", "csv" of an option that takes one of these: its type says so in braces.
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.find('}', open);
  std::vector<std::string> choices;
  if (close == std::string::npos) return choices;
  const std::string list = type.substr(open + 1, close - open - 1);
  boost::algorithm::split(choices, list, boost::algorithm::is_any_of(","));
  return choices;
}

std::vector<Suggestion> ValuesOf(const CLI::Option& option, const std::string& server,
                                 const NameSource& names) {
  std::vector<Suggestion> values;
  for (std::string& choice : ChoicesOf(option)) values.push_back({std::move(choice), ""});
  if (!values.empty()) return values;
  const std::string kind = ValueName(option);
  if (kind == "METRIC") {
    for (const search::Metric& metric : search::Metrics()) {
      values.push_back({std::string(metric.name), std::string(metric.help)});
    }
    return values;
  }
  for (std::string& name : names(kind, server)) values.push_back({std::move(name), ""});
  return values;
}

std::vector<Suggestion> FlagsOf(const CLI::App& app) {
  std::vector<Suggestion> flags;
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& name : option->get_lnames()) {
      flags.push_back({"--" + name, option->get_description()});
    }
  }
  return flags;
}

std::vector<Suggestion> WordsOf(const Place& place, const NameSource& names) {
  std::vector<Suggestion> words;
  for (const CLI::App* child :
       place.app->get_subcommands([](const CLI::App* a) { return !a->get_name().empty(); })) {
    words.push_back({child->get_name(), child->get_description()});
  }
  if (!words.empty()) return words;
  const auto arguments =
      place.app->get_options([](const CLI::Option* option) { return option->get_positional(); });
  if (place.num_arguments >= arguments.size()) return words;
  return ValuesOf(*arguments[place.num_arguments], place.server, names);
}

// 'it'\''s', which every one of the shells reads as one word.
std::string Quoted(const std::string& text) {
  return "'" + boost::algorithm::replace_all_copy(text, "'", "'\\''") + "'";
}

}  // namespace

std::vector<Suggestion> Complete(const CLI::App& app, const std::vector<std::string>& words,
                                 const NameSource& names) {
  Place place;
  place.app = &app;
  for (size_t i = 0; i + 1 < words.size(); ++i) Enter(words[i], place);
  const std::string last = words.empty() ? "" : words.back();
  std::vector<Suggestion> all;
  std::string before;
  const size_t equals = last.find('=');
  if (place.waiting != nullptr) {
    all = ValuesOf(*place.waiting, place.server, names);
  } else if (IsFlag(last) && equals != std::string::npos) {
    const CLI::Option* option = place.app->get_option_no_throw(last.substr(0, equals));
    before = last.substr(0, equals + 1);
    if (option != nullptr) all = ValuesOf(*option, place.server, names);
  } else if (!last.empty() && last.front() == '-') {
    all = FlagsOf(*place.app);
  } else {
    all = WordsOf(place, names);
  }
  std::vector<Suggestion> fitting;
  for (Suggestion& suggestion : all) {
    suggestion.word.insert(0, before);
    if (suggestion.word.rfind(last, 0) == 0) fitting.push_back(std::move(suggestion));
  }
  return fitting;
}

NameSource NamesOfServer(const Surroundings& surroundings) {
  return [&surroundings](const std::string& kind, const std::string& server) {
    std::vector<std::string> names;
    if (kind != "STUDY" && kind != "WORKER") return names;
    GlobalOptions options;
    options.server = server;
    const Session session(options, surroundings);
    if (!session.CheckServer().ok()) return names;
    Api api({.server = session.options().server,
             .stop = surroundings.stop,
             .connect = kConnect,
             .deadline = kAnswer});
    if (kind == "STUDY") {
      const auto studies = api.ListStudies();
      if (!studies.ok()) return names;
      for (const v1::Study& study : *studies) names.push_back(study.name());
    } else {
      const auto workers = api.ListWorkers();
      if (!workers.ok()) return names;
      for (const search::WorkerRow& worker : *workers) names.push_back(worker.info.name);
    }
    return names;
  };
}

std::string CompletionScript(const std::string& shell, const std::string& program) {
  std::string script;
  if (shell == "bash") script = kBash;
  if (shell == "zsh") script = kZsh;
  if (shell == "fish") script = kFish;
  VOXBIT_CHECK(!script.empty(), "no script for the shell " + shell);
  return boost::algorithm::replace_all_copy(script, "@PROGRAM@", Quoted(program));
}

}  // namespace voxbit::client
