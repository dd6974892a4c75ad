// The inside of the program snug-engine: executes one model for a host that talks to it over sockets and
// shared memory.
#pragma once

namespace snug::engine {

// The descriptor that snug-engine finds its control socket at.
constexpr int kControlFd = 3;

// Serves the control socket until the host closes it; the model is unloaded then. Returns the exit status.
int RunEngineProcess(int control_socket);

}  // namespace snug::engine
