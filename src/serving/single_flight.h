// Requests that are the same as one which is being executed wait for its answer instead of being executed
// too.
//
// The first of a kind leads: it is executed, and those that come while it is join it. A leader takes joiners
// only from Open on, when it is certain to be answered, and gives them back in End.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "serving/request.h"
#include "serving/response_cache.h"

namespace snug::serving {

// Thread-safe.
template <typename Request, typename Response>
class SingleFlight {
 public:
  struct Joined {
    Request request;
    Callback<Response> done;
    TimePoint since;
  };
  enum class Role {
    kLeads,
    kJoined,  // request and callback are taken
    kAlone,   // another one leads and takes nobody
  };
  struct Entered {
    Role role = Role::kAlone;
    uint64_t flight = 0;  // of who leads
  };

  // At most so many wait together, whomever they joined.
  explicit SingleFlight(size_t joined_max) : joined_max_(joined_max) {}

  Entered Enter(const CacheKey& key, Request& request, Callback<Response>& done, TimePoint now) {
    std::lock_guard lock(mutex_);
    auto [found, leads] = flights_.try_emplace(key);
    Flight& flight = found->second;
    if (leads) {
      flight.number = ++last_;
      return {Role::kLeads, flight.number};
    }
    if (!flight.open || joined_ == joined_max_) return {};
    flight.joined.push_back({std::move(request), std::move(done), now});
    ++joined_;
    return {Role::kJoined, flight.number};
  }

  // No effect on a flight that has ended.
  void Open(const CacheKey& key, uint64_t flight) {
    std::lock_guard lock(mutex_);
    auto found = flights_.find(key);
    if (found != flights_.end() && found->second.number == flight) found->second.open = true;
  }

  // Those that joined, in their order. Once for each leader.
  std::vector<Joined> End(const CacheKey& key) {
    std::lock_guard lock(mutex_);
    auto node = flights_.extract(key);
    if (node.empty()) return {};
    joined_ -= node.mapped().joined.size();
    return std::move(node.mapped().joined);
  }

  // Those whose deadline has passed or whose client gave up.
  std::vector<Joined> TakeUnwanted(TimePoint now) {
    auto is_wanted = [now](const Joined& one) {
      const CancelFlag& cancelled = one.request.cancelled;
      return now < one.request.deadline && !(cancelled && cancelled->load(std::memory_order_relaxed));
    };
    std::vector<Joined> taken;
    std::lock_guard lock(mutex_);
    for (auto& [key, flight] : flights_) {
      auto keep = std::stable_partition(flight.joined.begin(), flight.joined.end(), is_wanted);
      std::move(keep, flight.joined.end(), std::back_inserter(taken));
      flight.joined.erase(keep, flight.joined.end());
    }
    joined_ -= taken.size();
    return taken;
  }

  size_t joined() const {
    std::lock_guard lock(mutex_);
    return joined_;
  }

 private:
  struct Flight {
    uint64_t number = 0;
    bool open = false;
    std::vector<Joined> joined;
  };

  const size_t joined_max_;
  mutable std::mutex mutex_;
  std::unordered_map<CacheKey, Flight, CacheKeyHash> flights_;
  uint64_t last_ = 0;
  size_t joined_ = 0;
};

}  // namespace snug::serving
