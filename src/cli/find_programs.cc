#include "cli/find_programs.h"

#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <vector>

#include "os/files.h"

namespace snug::cli {
namespace {

namespace fs = std::filesystem;

bool IsProgram(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

// Envoy's wheel in build/venv/runtime below `root`.
std::vector<fs::path> InVirtualEnvironment(const fs::path& root) {
  std::vector<fs::path> found;
  fs::path lib = root / "build/venv/runtime/lib";
  auto names = os::ListDir(lib.string());
  if (!names.ok()) return found;
  for (const auto& name : *names) {
    if (name.starts_with("python3")) found.push_back(lib / name / "site-packages/envoy/_bin/envoy");
  }
  return found;
}

std::vector<fs::path> EnvoyCandidates(const fs::path& program_dir, const std::string& path_variable) {
  fs::path prefix = program_dir.parent_path();
  std::vector<fs::path> all{program_dir / "envoy", prefix / "lib/snug/envoy"};
  auto libs = os::ListDir((prefix / "lib").string());
  for (const auto& name : libs.ok() ? *libs : std::vector<std::string>()) {
    all.push_back(prefix / "lib" / name / "snug/envoy");  // lib/x86_64-linux-gnu
  }
  for (fs::path dir = program_dir; dir != dir.root_path(); dir = dir.parent_path()) {
    for (auto& path : InVirtualEnvironment(dir)) all.push_back(std::move(path));
  }
  std::istringstream path_dirs(path_variable);
  for (std::string dir; std::getline(path_dirs, dir, ':');) {
    if (!dir.empty()) all.push_back(fs::path(dir) / "envoy");
  }
  return all;
}

}  // namespace

Result<std::string> FindSister(const std::string& name, const std::string& self_path) {
  fs::path path = fs::path(self_path).parent_path() / name;
  if (IsProgram(path)) return path.string();
  return NotFound("{} is not there: it is built and installed together with snug (run `make build`)",
                  path.string());
}

Result<std::string> FindEnvoy(const std::string& given, const std::string& self_path,
                              const std::string& path_variable) {
  if (!given.empty()) {
    if (IsProgram(given)) return given;
    return NotFound("{} (from --envoy or SNUG_ENVOY) is not an executable file", given);
  }
  for (const auto& path : EnvoyCandidates(fs::path(self_path).parent_path(), path_variable)) {
    if (IsProgram(path)) return path.string();
  }
  return NotFound(
      "Envoy, the front door's program, was not found beside snug, in a build's Python environment or in "
      "PATH: make "
      "one with tools/setup/venvs.sh runtime, or name it with --envoy PATH");
}

}  // namespace snug::cli
