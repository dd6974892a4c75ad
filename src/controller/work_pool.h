// A few threads for requests that touch the disk, with a bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace snug::controller {

class WorkPool {
 public:
  WorkPool(int threads, size_t queue_max) : queue_max_(queue_max) {
    for (int i = 0; i < threads; ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { Work(stop); });
  }

  // False when the queue is full: the work is not taken.
  bool Add(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(work));
    condition_.notify_one();
    return true;
  }

 private:
  void Work(const std::stop_token& stop) {
    for (;;) {
      std::function<void()> work;
      {
        std::unique_lock lock(mutex_);
        if (!condition_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable_any condition_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::jthread> threads_;  // last: they use the others
};

}  // namespace snug::controller
