#include "engines/python/spawner.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace snug::python {
namespace {

class Spawner {
 public:
  Spawner() {
    std::thread([this] { Run(); }).detach();
  }

  Result<os::ProcessId> Spawn(const os::SpawnOptions& options) {
    std::packaged_task<Result<os::ProcessId>()> task([&options] { return os::Spawn(options); });
    auto done = task.get_future();
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
    return done.get();
  }

 private:
  [[noreturn]] void Run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::packaged_task<Result<os::ProcessId>()>> tasks_;
};

}  // namespace

Result<os::ProcessId> SpawnForLife(const os::SpawnOptions& options) {
  static auto* spawner = new Spawner;  // never destroyed: its thread never ends
  os::SpawnOptions mine = options;
  mine.die_with_parent = true;
  return spawner->Spawn(mine);
}

}  // namespace snug::python
