// A small network of every supernet of this build, and input that it reads: what conformance tests
// run over.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "supernet/models/supernet.h"

namespace voxbit::testing {

struct NetCase {
  std::string name;  // of letters and digits
  Json config;       // a space of several candidates; nothing random in training
  int64_t in_channels = 4;
  int64_t num_classes = 5;
  bool labels_clouds = false;  // and not points
};

// At least one for every kind that is registered (network_test.cc checks it).
const std::vector<NetCase>& SmallNets();

std::shared_ptr<supernet::Supernet> MakeNet(const NetCase& net_case, uint64_t seed = 1);

// The smallest, the largest and `num` random candidates, the same ones every time.
std::vector<search::Candidate> SomeCandidates(const supernet::Supernet& net, int num);

// Random input of the form that `spec` reads: three clouds, or two scans, of `num` points each.
supernet::NetInput MakeInput(const search::SupernetSpec& spec, int64_t in_channels, uint64_t seed,
                             int64_t num = 60);
inline int64_t NumPoints(const supernet::NetInput& input) {
  return input.clouds.defined() ? input.clouds.size(0) * input.clouds.size(1)
                                : input.points.coords.size(0);
}

}  // namespace voxbit::testing
