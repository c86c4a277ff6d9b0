#include "storage/fsck.h"

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/join.hpp>
#include <iostream>
#include <string>

#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "server/maintenance.h"

namespace voxbit::server {
namespace {

constexpr int64_t kFsckNewsMs = 5'000;

Json ToJson(const storage::FsckReport& report) {
  Json faults = Json::array();
  for (const auto& fault : report.faults) {
    faults.push_back({{"sha256", fault.sha256},
                      {"fault", fault.is_missing ? "missing" : "damaged"},
                      {"needed_by", fault.needed_by}});
  }
  return {{"sound", report.is_sound()},          {"broken", report.broken},
          {"artifacts", report.artifacts},       {"bytes", report.bytes},
          {"faults", std::move(faults)},         {"unused", report.unused},
          {"unused_bytes", report.unused_bytes}, {"removed", report.removed}};
}

void Print(const storage::FsckReport& report) {
  for (const std::string& line : report.broken) std::cout << "broken: " << Printable(line) << "\n";
  for (const auto& fault : report.faults) {
    std::cout << (fault.is_missing ? "missing: " : "damaged: ") << fault.sha256;
    if (!fault.needed_by.empty()) {
      std::cout << ", needed by " << Printable(boost::algorithm::join(fault.needed_by, "; "));
    }
    std::cout << "\n";
  }
  std::cout << (report.is_sound() ? "sound" : "not sound") << ": " << report.artifacts
            << " artifacts (" << report.bytes << " bytes), " << report.unused << " unused ("
            << report.unused_bytes << " bytes), " << report.removed << " removed\n";
}

class FsckCommand final : public Maintenance {
 public:
  CLI::App& Declare(CLI::App& program) override {
    CLI::App& command = *program.add_subcommand(
        "fsck", "check a store or a backup: database, sequences, artifacts; also while it is used");
    command.add_option("--store", store_, "folder of the store or the backup")
        ->required()
        ->type_name("DIR");
    command.add_flag("--repair", repair_,
                     "remove damaged artifacts, and those that nothing has named for a day; no "
                     "server may run");
    command.add_option("-o,--output", output_, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    command.footer("Exit codes: 0 sound, 1 not sound, 2 wrong usage or no store.");
    return command;
  }

  Result<bool> Run() override {
    const SystemClock clock;
    const auto news = [&clock,
                       last_ms = clock.MonotonicMs()](const storage::FsckReport& report) mutable {
      const int64_t now_ms = clock.MonotonicMs();
      if (now_ms - last_ms < kFsckNewsMs) return;
      last_ms = now_ms;
      log::Info("reading artifacts", {{"read", report.artifacts}, {"bytes", report.bytes}});
    };
    VOXBIT_ASSIGN_OR_RETURN(const storage::FsckReport report,
                            storage::Fsck(store_, repair_, clock, news));
    if (output_ == "json") {
      std::cout << ToJson(report).dump(2) << "\n";
    } else {
      Print(report);
    }
    return report.is_sound();
  }

 private:
  std::string store_;
  bool repair_ = false;
  std::string output_ = "text";
};

}  // namespace

std::unique_ptr<Maintenance> MakeFsck() { return std::make_unique<FsckCommand>(); }

}  // namespace voxbit::server
