// Which file of a version's directory is the TorchScript model.
#pragma once

#include <string>

namespace snug::torch_engine {

bool HasModelFile(const std::string& directory);
// model.pt, else the only *.pt, *.jit or *.ts. Throws kit::Failure(INVALID_ARGUMENT).
std::string FindModelFile(const std::string& directory);

}  // namespace snug::torch_engine
