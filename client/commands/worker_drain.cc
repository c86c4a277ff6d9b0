#include <CLI/CLI.hpp>

#include "client/commands/command.h"
#include "client/view/study_view.h"

namespace voxbit::client {
namespace {

class WorkerDrain final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("worker", name_, "name of the worker")->required()->option_text("WORKER");
  }

  Status Run(Session& session) override {
    VOXBIT_ASSIGN_OR_RETURN(const search::WorkerRow worker, session.api().DrainWorker(name_));
    if (session.options().output == OutputFormat::kTable) {
      session.Note(worker.info.name + " is " + worker.state +
                       (worker.task_label.empty() ? "" : ", busy with " + worker.task_label),
                   {{"worker", worker.info.name}, {"state", worker.state}});
    } else {
      session.Print(WorkerTable({worker}, session.NowMs()), ToJson(worker));
    }
    return OkStatus();
  }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Command> MakeWorkerDrain() { return std::make_unique<WorkerDrain>(); }

}  // namespace voxbit::client
