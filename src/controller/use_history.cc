#include "controller/use_history.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace snug::controller {

void UseHistory::Load(std::span<const registry::UseRow> rows) {
  for (const auto& row : rows)
    groups_[row.group].buckets[row.start] = {row.cpu_seconds, row.wall_seconds, false};
}

void UseHistory::Observe(const std::string& group_id, int64_t pid, double cpu_seconds, double now) {
  Group& group = groups_[group_id];
  double wall = now - group.last_time;
  bool same = group.pid == pid && cpu_seconds >= group.last_cpu;
  double cpu = same ? cpu_seconds - group.last_cpu : cpu_seconds;
  bool usable = group.last_time > 0 && wall > 0 && wall <= kUseGapSecondsMax;
  group.pid = pid;
  group.last_cpu = cpu_seconds;
  group.last_time = now;
  if (!usable) return;
  auto start = static_cast<int64_t>(std::floor(now / kUseBucketSeconds)) * kUseBucketSeconds;
  Bucket& bucket = group.buckets[start];
  bucket.cpu_seconds += cpu;
  bucket.wall_seconds += wall;
  bucket.changed = true;
  group.buckets.erase(group.buckets.begin(), group.buckets.lower_bound(start - kUseWindowSeconds));
}

void UseHistory::Forget(const std::string& group) {
  groups_.erase(group);
}

double UseHistory::Ratio(const std::string& group, double cores) const {
  auto it = groups_.find(group);
  if (it == groups_.end() || cores <= 0) return 0;
  double cpu = 0, wall = 0;
  for (const auto& [start, bucket] : it->second.buckets) {
    cpu += bucket.cpu_seconds;
    wall += bucket.wall_seconds;
  }
  return wall > 0 ? cpu / wall / cores : 0;
}

double UseHistory::Seconds(const std::string& group) const {
  auto it = groups_.find(group);
  if (it == groups_.end()) return 0;
  double wall = 0;
  for (const auto& [start, bucket] : it->second.buckets) wall += bucket.wall_seconds;
  return wall;
}

std::vector<registry::UseRow> UseHistory::TakeChanged() {
  std::vector<registry::UseRow> rows;
  for (auto& [id, group] : groups_) {
    for (auto& [start, bucket] : group.buckets) {
      if (!std::exchange(bucket.changed, false)) continue;
      rows.push_back({id, start, bucket.cpu_seconds, bucket.wall_seconds});
    }
  }
  return rows;
}

}  // namespace snug::controller
