// A model in an engine process, as the host's callers see it.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/supervisor.h"

namespace snug::engine {

Result<std::unique_ptr<Model>> LoadInOwnProcess(ProcessOptions options);

}  // namespace snug::engine
