#include "engines/torch/model_file.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "engines/kit/kit.h"

namespace snug::torch_engine {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Candidates(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".pt" || extension == ".jit" || extension == ".ts")
      found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

bool HasModelFile(const std::string& directory) {
  return !Candidates(directory).empty();
}

std::string FindModelFile(const std::string& directory) {
  const std::string preferred = (fs::path(directory) / "model.pt").string();
  if (fs::exists(preferred)) return preferred;
  const std::vector<std::string> found = Candidates(directory);
  if (found.size() == 1) return found[0];
  throw kit::Failure(
      SNUG_INVALID_ARGUMENT,
      directory + (found.empty() ? " holds no TorchScript file: expected model.pt (or one .pt, .jit or .ts)"
                                 : " holds several TorchScript files: call one of them model.pt"));
}

}  // namespace snug::torch_engine
