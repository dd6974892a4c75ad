#include "engines/torch/model_file.h"

#include "engines/kit/kit.h"

namespace snug::torch_engine {

bool HasModelFile(const std::string& directory) {
  return !kit::FilesWith(directory, {".pt", ".jit", ".ts"}).empty();
}

std::string FindModelFile(const std::string& directory) {
  return kit::OneFile(directory, {".pt", ".jit", ".ts"}, "model.pt");
}

}  // namespace snug::torch_engine
