// The closed loop over gRPC: any unary method, bodies being serialized messages.
#pragma once

#include "load/closed_loop.h"

namespace snug::load {

Report RunGrpc(const Options& options, const Hooks& hooks);

}  // namespace snug::load
