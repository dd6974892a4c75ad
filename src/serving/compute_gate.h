// Where executions wait for a CPU thread while models together have more of them than the process may keep
// busy: the acting side of ComputeShares.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "serving/compute_shares.h"

namespace snug::serving {

// Thread-safe. Outlives its members.
class ComputeGate {
 public:
  // `threads`: of the CPU budget. `lend_max`: see ComputeShares.
  ComputeGate(int threads, int lend_max, const Clock& clock)
      : threads_(threads), shares_(threads, lend_max), clock_(clock) {}

  class Member;

  // An execution, from when it may begin to its end. Empty: it may not.
  class Pass {
   public:
    Pass() = default;
    // Of nobody: it may begin, and is not counted.
    static Pass Free() { return Pass(nullptr); }
    Pass(Pass&& other) noexcept { *this = std::move(other); }
    Pass& operator=(Pass&& other) noexcept;
    ~Pass() { End(); }
    explicit operator bool() const { return begun_; }
    bool counted() const { return member_ != nullptr; }
    void End();
    // Ends it; blocks until the next execution of the same member may begin.
    void Renew();

   private:
    friend class ComputeGate;
    explicit Pass(Member* member) : member_(member), begun_(true) {}

    Member* member_ = nullptr;
    bool begun_ = false;
    TimePoint since_;
  };

  // A model version with its executions. Outlives their passes.
  class Member {
   public:
    // `instances` may execute at a time, each with up to `threads` threads.
    Member(ComputeGate& gate, double weight, int instances, int threads);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // Blocks until the execution may begin; `on_wait` is called before that, when it has to.
    Pass Enter(const std::function<void()>& on_wait) { return gate_.Enter(*this, on_wait); }
    // Empty: it would have to wait.
    Pass TryEnter() { return gate_.TryEnter(*this); }

   private:
    friend class ComputeGate;
    ComputeGate& gate_;
    const int wanted_, threads_;
    const ComputeShares::Member number_;
  };

 private:
  struct Waiter {
    std::condition_variable turn;
    bool begun = false;
  };

  // All members' executions together fit the threads: nobody need wait or be counted.
  bool AllFit() const { return wanted_.load(std::memory_order_relaxed) <= threads_; }
  Pass Enter(Member& member, const std::function<void()>& on_wait);
  Pass TryEnter(Member& member);
  void Renew(Pass& pass);
  Pass Begun(Member& member) const;
  void Call(const std::vector<ComputeShares::Ticket>& begun);
  void Leave(Member& member, Duration took);

  const int threads_;
  std::atomic<int> wanted_{0};
  std::mutex mutex_;
  ComputeShares shares_;
  std::unordered_map<ComputeShares::Ticket, Waiter*> waiting_;
  ComputeShares::Ticket tickets_ = 0;
  const Clock& clock_;
};

}  // namespace snug::serving
