// golden_check DIR...: runs every recorded case under the given folders, one line per case. Exit
// code 0 when all agree, 1 when one does not or is of no known family, 2 for wrong usage.
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/golden/golden_case.h"

namespace voxbit::golden {

#define VOXBIT_GOLDEN_FAMILY(name, runner) \
  bool runner(const Case& recorded, Comparison& comparison);
#include "tests/golden/families.def"
#undef VOXBIT_GOLDEN_FAMILY

namespace {

namespace fs = std::filesystem;

struct Family {
  std::string name;
  FamilyRunner run;
};

std::vector<Family> Families() {
  return {
#define VOXBIT_GOLDEN_FAMILY(name, runner) {name, &(runner)},
#include "tests/golden/families.def"
#undef VOXBIT_GOLDEN_FAMILY
  };
}

// Adds all *.safetensors below `root` (or `root` itself), sorted, to `paths`. Returns what is
// wrong: a folder without recordings proves nothing.
std::string FindCases(const std::string& root, std::vector<std::string>* paths) {
  std::error_code error;
  if (fs::is_regular_file(root, error)) {
    paths->push_back(root);
    return "";
  }
  if (!fs::is_directory(root, error)) return "no such folder";
  std::vector<std::string> found;
  fs::recursive_directory_iterator it(root, fs::directory_options::follow_directory_symlink, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().extension() == ".safetensors") found.push_back(it->path().string());
  }
  if (error) return error.message();
  if (found.empty()) return "no recordings in it";
  std::sort(found.begin(), found.end());
  paths->insert(paths->end(), found.begin(), found.end());
  return "";
}

void Print(const std::string& path, const std::string& detail, bool ok) {
  std::printf("%-60s %s  %s\n", path.c_str(), detail.c_str(), ok ? "ok" : "FAIL");
  std::fflush(stdout);
}

bool RunCase(const std::string& path, const std::vector<Family>& families) {
  Result<exporter::Safetensors> file = exporter::Safetensors::Read(path);
  if (!file.ok()) {
    Print(path, file.status().message(), false);
    return false;
  }
  const fs::path at(path);
  const Case recorded{path, at.parent_path().string(), at.stem().string(), std::move(*file)};
  for (const Family& family : families) {
    Comparison comparison(recorded);
    try {
      if (!family.run(recorded, comparison)) continue;
    } catch (const c10::Error& error) {
      comparison.Fail(error.what_without_backtrace());
    } catch (const std::exception& error) {
      comparison.Fail(error.what());
    }
    if (comparison.ok()) comparison.CheckComplete();
    std::string detail = comparison.Summary();
    if (!comparison.ok()) detail += "  [" + comparison.failure() + "]";
    Print(path, detail, comparison.ok());
    return comparison.ok();
  }
  Print(path, "unknown case: no family of recordings here has these tensors", false);
  return false;
}

int Main(const std::vector<std::string>& roots) {
  if (roots.empty() || roots[0].rfind('-', 0) == 0) {
    std::printf(
        "usage: golden_check DIR...\n"
        "Compares this program with the recordings (*.safetensors) below each folder.\n");
    return !roots.empty() && roots[0] == "--help" ? 0 : 2;
  }
  at::set_num_threads(1);
  std::vector<std::string> paths;
  bool ok = true;
  for (const std::string& root : roots) {
    if (const std::string wrong = FindCases(root, &paths); !wrong.empty()) {
      Print(root, wrong, false);
      ok = false;
    }
  }
  const std::vector<Family> families = Families();
  size_t failed = 0;
  for (const std::string& path : paths) failed += RunCase(path, families) ? 0 : 1;
  std::printf("%zu cases, %zu failed\n", paths.size(), failed);
  return ok && failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace voxbit::golden

int main(int argc, char** argv) {
  return voxbit::golden::Main(std::vector<std::string>(argv + 1, argv + argc));
}
