// How much CPU each group used, over up to 24 hours, in buckets of five minutes: 58.com's "measured use".
// Pure: time comes as an argument.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "registry/rows.h"

namespace snug::controller {

inline constexpr int64_t kUseBucketSeconds = 300;
inline constexpr int64_t kUseWindowSeconds = int64_t{24} * 3600;
// A gap longer than this (the controller was away) is not counted as idle time.
inline constexpr double kUseGapSecondsMax = 30;

class UseHistory {
 public:
  void Load(std::span<const registry::UseRow> rows);

  // A reading of a server's CPU counter, which begins at 0 with each process. `now` in seconds since 1970.
  void Observe(const std::string& group, int64_t pid, double cpu_seconds, double now);
  void Forget(const std::string& group);

  // Mean CPU-seconds per second and core over the window, 0 without history.
  double Ratio(const std::string& group, double cores) const;
  // How much time the history holds.
  double Seconds(const std::string& group) const;

  // The buckets that changed since the last call.
  std::vector<registry::UseRow> TakeChanged();

 private:
  struct Bucket {
    double cpu_seconds = 0, wall_seconds = 0;
    bool changed = false;
  };
  struct Group {
    std::map<int64_t, Bucket> buckets;  // by start
    int64_t pid = 0;
    double last_cpu = 0, last_time = 0;
  };
  std::map<std::string, Group> groups_;
};

}  // namespace snug::controller
