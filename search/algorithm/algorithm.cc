#include "search/algorithm/algorithm.h"

#include "common/config.h"
#include "search/bits/bit_dimensions.h"

namespace voxbit::search {

Result<Json> ResolveAgent(const AlgorithmRegistry& registry, const SearchSettings& settings,
                          const SearchSpace& space, const std::string& pointer) {
  const Result<AlgorithmKind> kind = registry.Find(settings.algorithm);
  if (!kind.ok()) return FieldError(pointer + "/algorithm", kind.status().message());
  if (!settings.architecture.empty()) {
    const auto kept = ArchitectureNamed(space, settings.architecture);
    if (!kept.ok()) return FieldError(pointer + "/architecture", kept.status().message());
  }
  if (kind->check == nullptr) return NoAgentSettings(settings, pointer);
  return kind->check(settings, space, pointer);
}

std::string WhyFewerInFlight(Pace pace, const SearchSettings& settings) {
  const std::string size = std::to_string(settings.MaxInFlight());
  switch (pace) {
    case Pace::kSteady:
      return "";
    case Pace::kGenerations:
      if (settings.in_flight > 0) return "";
      return "a generation of " + size + " is complete before the next begins";
    case Pace::kRounds:
      return "a round of " + size + " is complete before the next begins";
    case Pace::kOwnPlan:
      return "the algorithm proposes a few candidates by a plan of its own";
  }
  return "";
}

Result<Json> NoAgentSettings(const SearchSettings& settings, const std::string& pointer) {
  if (settings.agent.empty()) return Json::object();
  return FieldError(pointer + "/agent/" + settings.agent.begin().key(),
                    "unknown key; " + settings.algorithm + " has no settings of its own");
}

}  // namespace voxbit::search
