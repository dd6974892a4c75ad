#include "serving/slow_requests.h"

#include <algorithm>
#include <utility>

namespace snug::serving {
namespace {

bool Slower(const SlowRequest& a, const SlowRequest& b) {
  return a.total > b.total;
}

}  // namespace

void SlowRequests::Offer(SlowRequest request, TimePoint now) {
  std::lock_guard lock(mutex_);
  Turn(now);
  if (current_.size() == kept_max_) {
    if (!Slower(request, current_.front())) return;
    std::pop_heap(current_.begin(), current_.end(), Slower);
    current_.pop_back();
  }
  current_.push_back(std::move(request));
  std::push_heap(current_.begin(), current_.end(), Slower);
  if (current_.size() == kept_max_) floor_ns_ = current_.front().total.count();
}

std::vector<SlowRequest> SlowRequests::Slowest(TimePoint now) {
  std::vector<SlowRequest> all;
  {
    std::lock_guard lock(mutex_);
    Turn(now);
    all = current_;
    all.insert(all.end(), before_.begin(), before_.end());
  }
  std::sort(all.begin(), all.end(), Slower);
  if (all.size() > kept_max_) all.resize(kept_max_);
  return all;
}

void SlowRequests::Turn(TimePoint now) {
  const int64_t now_ns = now.time_since_epoch().count();
  const int64_t next = next_half_ns_;
  if (now_ns < next) return;
  const bool long_ago = next == INT64_MIN || now_ns - next >= half_.count();
  before_ = long_ago ? std::vector<SlowRequest>() : std::move(current_);
  current_.clear();
  floor_ns_ = -1;
  next_half_ns_ = now_ns + half_.count();
}

}  // namespace snug::serving
