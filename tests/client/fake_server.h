// A server that says what a test tells it to, over real loopback gRPC, and remembers what it was
// asked. Set it up before a command runs and look at it afterwards.
#pragma once

#include <grpcpp/server.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/app.h"
#include "common/clock.h"
#include "search/domain/trial.h"
#include "voxbit/v1/artifact_service.grpc.pb.h"
#include "voxbit/v1/study_service.grpc.pb.h"
#include "voxbit/v1/trial_service.grpc.pb.h"
#include "voxbit/v1/worker_service.grpc.pb.h"

namespace voxbit::client {

struct FakeServer {
  FakeServer();
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string address;

  // Answers.
  std::vector<v1::Study> studies;
  std::vector<search::Trial> trials;
  std::vector<int64_t> front;  // numbers of `trials`
  std::vector<v1::Worker> workers;
  bool echoes_config = false;  // CreateStudy answers with the configuration that it gets
  std::string layers_json;
  std::string architecture_json;
  std::map<std::string, std::string> artifacts;         // SHA-256 -> bytes
  std::map<std::string, std::string> export_artifacts;  // of every export
  v1::TaskState export_end = v1::TASK_STATE_DONE;
  std::string export_message;
  int export_polls = 1;       // how often GetExport says LEASED before the end
  int64_t page_size = 2;      // of ListTrials and ListStudies
  int break_reads_after = 0;  // chunks after which the first read of each artifact breaks off
  // What GetStudy says at its n-th call (from 0); unset: `studies`.
  std::function<grpc::Status(int call, v1::Study& study)> on_get_study;
  // Statuses that the next calls of any kind end with.
  std::vector<grpc::Status> failures;
  std::string failure_reason;

  // What was asked.
  std::vector<v1::CreateStudyRequest> created;
  std::vector<v1::CloneStudyRequest> cloned;
  std::vector<std::string> changes;  // "pause NAME" ...
  std::vector<v1::ListTrialsRequest> trial_lists;
  std::vector<v1::GetFrontRequest> fronts;
  std::vector<v1::CreateExportRequest> exports;
  std::vector<std::string> drained;
  std::vector<int64_t> read_offsets;
  int get_study_calls = 0;

 private:
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
};

struct RunOutcome {
  ExitCode code = kExitDone;
  std::string out;
  std::string err;
};

struct RunSettings {
  Terminal terminal;
  std::map<std::string, std::string> environment;
  std::string input;
  std::stop_token stop;
  int64_t clock_step_ms = 0;  // by which the clock advances whenever it is read
};

// One command line, `--server ADDRESS` put in front where there is an address.
RunOutcome RunLine(const std::string& address, std::vector<std::string> arguments,
                   const RunSettings& settings = {});

v1::Study MakeStudy(const std::string& name, v1::StudyState state);
// A succeeded trial with miou, latency_ms[local] and macs.
search::Trial MakeTrial(int64_t number, double miou, double latency_ms);

}  // namespace voxbit::client
