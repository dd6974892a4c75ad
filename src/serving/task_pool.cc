#include "serving/task_pool.h"

#include <utility>

namespace snug::serving {

void TaskPool::Post(std::function<void()> task) {
  Add(std::move(task), false);
}

void TaskPool::PostFirst(std::function<void()> task) {
  Add(std::move(task), true);
}

void TaskPool::Add(std::function<void()> task, bool first) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    tasks_.insert(first ? tasks_.begin() : tasks_.end(), std::move(task));
    if (tasks_.size() > idle_ && threads_.size() < threads_max_)
      threads_.emplace_back([this] { around_([this] { Work(); }); });
  }
  ready_.notify_one();
}

void TaskPool::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    ready_.wait(lock, [&] { return stopped_ || !tasks_.empty(); });
    --idle_;
    if (stopped_) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes before the lock is taken again
    lock.lock();
  }
}

void TaskPool::Stop() {
  std::vector<std::thread> threads;
  std::deque<std::function<void()>> dropped;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    dropped.swap(tasks_);
  }
  ready_.notify_all();
  for (auto& thread : threads) thread.join();
}

}  // namespace snug::serving
