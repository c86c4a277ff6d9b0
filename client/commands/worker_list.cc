#include <CLI/CLI.hpp>

#include "client/commands/command.h"
#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

class WorkerList final : public Command {
 public:
  void Declare(CLI::App& /*app*/) override {}
  bool HasColumns() const override { return true; }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const std::vector<search::WorkerRow> workers,
                            session.api().ListWorkers());
    Json json = Json::array();
    for (const search::WorkerRow& worker : workers) json.push_back(ToJson(worker));
    VOXBIT_ASSIGN_OR_RETURN(const Table table,
                            session.Choose(WorkerTable(workers, session.NowMs())));
    session.Print(table, json);
    if (workers.empty()) {
      session.Note("no worker; start one with: search-worker --server " + session.api().server());
    }
    return OkStatus();
  }
};

}  // namespace

std::unique_ptr<Command> MakeWorkerList() { return std::make_unique<WorkerList>(); }

}  // namespace voxbit::client
