// CPU time of this process, for programs that measure.
#pragma once

#include <sys/resource.h>
#include <sys/time.h>

namespace snug::bench {

// User and system time of all threads so far.
inline double OwnCpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace snug::bench
