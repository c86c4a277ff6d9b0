// The shared recordings and real data, which a clone alone does not have.
#pragma once

#include <optional>
#include <string>

namespace voxbit::testing {

// The root of the source tree (VOXBIT_SOURCE_DIR, set by ctest; else the current folder).
std::string SourceDir();

// The path of `relative` (such as "data/semantickitti") below the shared folder: VOXBIT_SHARED, by
// default ../shared beside the source tree. Nothing when it does not exist: a test that needs it
// returns at once. With CI=true in the environment its absence fails the running test.
std::optional<std::string> SharedPath(const std::string& relative);

}  // namespace voxbit::testing
