// A few threads for slow background work: loading, unloading. Threads start when first needed.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace snug::serving {

// Thread-safe.
class TaskPool {
 public:
  // What a thread does, in something that lasts as long: `around` calls `work` once.
  using Around = std::function<void(const std::function<void()>& work)>;

  explicit TaskPool(
      size_t threads_max, Around around = [](const auto& work) { work(); })
      : threads_max_(threads_max), around_(std::move(around)) {}
  ~TaskPool() { Stop(); }

  // FIFO. Dropped after Stop.
  void Post(std::function<void()> task);
  // Before all that have not begun.
  void PostFirst(std::function<void()> task);
  // Waits for the tasks that run; those that have not begun are dropped.
  void Stop();

 private:
  void Add(std::function<void()> task, bool first);
  void Work();

  const size_t threads_max_;
  const Around around_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopped_ = false;
};

}  // namespace snug::serving
