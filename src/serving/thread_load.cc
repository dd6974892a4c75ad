#include "serving/thread_load.h"

#include <sys/resource.h>
#include <time.h>

#include <utility>

namespace snug::serving {

bool ThreadHasSlept() {
  static thread_local long seen = -1;
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return std::exchange(seen, usage.ru_nvcsw) != usage.ru_nvcsw;
}

Duration ThreadCpuTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + Duration(used.tv_nsec);
}

}  // namespace snug::serving
