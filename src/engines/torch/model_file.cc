#include "engines/torch/model_file.h"

#include "engines/kit/kit.h"

namespace snug::torch_engine {

bool HasModelFile(const std::string& directory) {
  return !kit::FilesWith(directory, {".pt", ".pt2", ".jit", ".ts"}).empty();
}

std::string FindModelFile(const std::string& directory) {
  return kit::OneFile(directory, {".pt", ".pt2", ".jit", ".ts"}, "model.pt");
}

bool IsPackage(const std::string& file) {
  return file.ends_with(".pt2");
}

}  // namespace snug::torch_engine
