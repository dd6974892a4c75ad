// Which file of a version's directory is the model: TorchScript, or a package that was compiled ahead of
// time.
#pragma once

#include <string>

namespace snug::torch_engine {

bool HasModelFile(const std::string& directory);
// model.pt, else the only *.pt, *.pt2, *.jit or *.ts. Throws kit::Failure(INVALID_ARGUMENT).
std::string FindModelFile(const std::string& directory);
bool IsPackage(const std::string& file);  // .pt2

}  // namespace snug::torch_engine
