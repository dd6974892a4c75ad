#include "serving/thread_load.h"

#include <sys/resource.h>

#include <utility>

namespace snug::serving {

bool ThreadHasSlept() {
  static thread_local long seen = -1;
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return std::exchange(seen, usage.ru_nvcsw) != usage.ru_nvcsw;
}

}  // namespace snug::serving
