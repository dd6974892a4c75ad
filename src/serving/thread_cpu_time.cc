#include "serving/thread_cpu_time.h"

#include <time.h>

namespace snug::serving {

Duration ThreadCpuTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + Duration(used.tv_nsec);
}

}  // namespace snug::serving
