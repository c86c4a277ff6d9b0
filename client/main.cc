// search-client: talks to a search-server for people and scripts.
#include <cstdlib>
#include <iostream>

#include "client/app.h"
#include "common/shutdown.h"

int main(int argc, char** argv) {
  const voxbit::ShutdownSignals signals;
  // gRPC reports refused connections on standard error by itself; the client says it better. A
  // value that the user has set wins.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  const voxbit::client::Environment environment = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  const voxbit::SystemClock clock;
  const voxbit::client::Surroundings surroundings{
      std::cin,    std::cout, std::cerr,      voxbit::client::DetectTerminal(environment),
      environment, clock,     signals.token()};
  return voxbit::client::RunClient({argv + 1, argv + argc}, surroundings);
}
