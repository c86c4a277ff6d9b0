#include <CLI/CLI.hpp>
#include <filesystem>
#include <system_error>

#include "client/commands/command.h"
#include "client/completion.h"

namespace voxbit::client {
namespace {

class Completion final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("shell", shell_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->option_text("SHELL");
    app.footer(
        "bash: source <(search-client completion bash), in ~/.bashrc to keep it.\n"
        "zsh: source <(search-client completion zsh), behind compinit in ~/.zshrc.\n"
        "fish: search-client completion fish >~/.config/fish/completions/search-client.fish\n"
        "Names of studies and workers are asked of the server, if it answers at once.");
  }

  bool NeedsServer() const override { return false; }

  Status Run(Session& session) override {
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    session.surroundings().out << CompletionScript(shell_, error ? "search-client" : self.string());
    return OkStatus();
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> MakeCompletion() { return std::make_unique<Completion>(); }

}  // namespace voxbit::client
