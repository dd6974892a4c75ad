// How busy the calling thread is.
#pragma once

namespace snug::serving {

// Whether the thread has slept since it last asked. One that has not has more work waiting than it gets done.
bool ThreadHasSlept();

}  // namespace snug::serving
