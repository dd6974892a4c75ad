// Starts processes that die with this process, whichever thread asks.
#pragma once

#include "base/status.h"
#include "os/process.h"

namespace snug::python {

// os::Spawn with die_with_parent. Linux takes the thread that forked for the parent, so all are forked by one
// thread that lives as long as the process. Thread-safe.
Result<os::ProcessId> SpawnForLife(const os::SpawnOptions& options);

}  // namespace snug::python
