// What the calling thread has cost.
#pragma once

#include "base/clock.h"

namespace snug::serving {

// CPU time that the thread has used.
Duration ThreadCpuTime();

}  // namespace snug::serving
