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

Result<Json> NoAgentSettings(const SearchSettings& settings, const std::string& pointer) {
  if (settings.agent.empty()) return Json::object();
  return FieldError(pointer + "/agent/" + settings.agent.begin().key(),
                    "unknown key; " + settings.algorithm + " has no settings of its own");
}

}  // namespace voxbit::search
