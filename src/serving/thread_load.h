// How busy the calling thread is.
#pragma once

#include "base/clock.h"

namespace snug::serving {

// Whether the thread has slept since it last asked. One that has not has more work waiting than it gets done.
bool ThreadHasSlept();
// CPU time that the thread has used.
Duration ThreadCpuTime();

}  // namespace snug::serving
