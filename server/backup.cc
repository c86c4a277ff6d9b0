#include "storage/backup.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <utility>

#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "server/maintenance.h"

namespace voxbit::server {
namespace {

constexpr int64_t kNewsMs = 5'000;

// Says now and then how far it is.
storage::OnCopied News(const Clock& clock) {
  return [&clock, last_ms = clock.MonotonicMs()](const storage::CopyReport& report) mutable {
    const int64_t now_ms = clock.MonotonicMs();
    if (now_ms - last_ms < kNewsMs) return;
    last_ms = now_ms;
    log::Info("copying artifacts", {{"copied", report.files_copied},
                                    {"bytes", report.bytes_copied},
                                    {"there", report.files_kept}});
  };
}

class CopyCommand : public Maintenance {
 protected:
  void DeclareOutput(CLI::App& command) {
    command.add_option("-o,--output", output_, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
  }

  Result<bool> Tell(const std::string& what, const storage::CopyReport& report) const {
    if (output_ == "json") {
      std::cout << Json({{"studies", report.studies},
                         {"trials", report.trials},
                         {"files_copied", report.files_copied},
                         {"bytes_copied", report.bytes_copied},
                         {"files_kept", report.files_kept},
                         {"damaged", report.damaged}})
                       .dump(2)
                << "\n";
    } else {
      std::cout << Printable(what) << ": " << report.studies << " studies, " << report.trials
                << " trials; artifacts: " << report.files_copied << " copied ("
                << report.bytes_copied << " bytes), " << report.files_kept << " there already\n";
    }
    for (const std::string& sha256 : report.damaged) {
      log::Error("a damaged artifact was not copied", {{"sha256", sha256}});
    }
    return report.damaged.empty();
  }

 private:
  std::string output_ = "text";
};

class Backup final : public CopyCommand {
 public:
  CLI::App& Declare(CLI::App& program) override {
    CLI::App& command = *program.add_subcommand(
        "backup",
        "copy a store, also while its server runs; a later backup into the same folder copies "
        "only new artifacts");
    command.add_option("folder", to_, "folder of the backup")->required()->option_text("DIR");
    command.add_option("--store", store_, "folder of the store")->required()->type_name("DIR");
    DeclareOutput(command);
    return command;
  }

  Result<bool> Run() override {
    const SystemClock clock;
    VOXBIT_ASSIGN_OR_RETURN(const auto report, storage::BackUp(store_, to_, clock, News(clock)));
    return Tell("backup of " + store_ + " in " + to_, report);
  }

 private:
  std::string to_;
  std::string store_;
};

class Restore final : public CopyCommand {
 public:
  CLI::App& Declare(CLI::App& program) override {
    CLI::App& command =
        *program.add_subcommand("restore", "make a store of a backup, in a folder that has none");
    command.add_option("folder", from_, "folder of the backup")->required()->option_text("DIR");
    command.add_option("--store", store_, "folder of the new store")->required()->type_name("DIR");
    DeclareOutput(command);
    return command;
  }

  Result<bool> Run() override {
    const SystemClock clock;
    VOXBIT_ASSIGN_OR_RETURN(const auto report, storage::Restore(from_, store_, News(clock)));
    return Tell("store " + store_ + " from " + from_, report);
  }

 private:
  std::string from_;
  std::string store_;
};

}  // namespace

std::unique_ptr<Maintenance> MakeBackup() { return std::make_unique<Backup>(); }
std::unique_ptr<Maintenance> MakeRestore() { return std::make_unique<Restore>(); }

}  // namespace voxbit::server
