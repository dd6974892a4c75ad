// A thread that ticks while requests wait whose deadline may pass, and sleeps otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace snug::serving {

// How late the answer to an expired request may be.
constexpr std::chrono::milliseconds kSweepInterval{5};

class Sweeper {
 public:
  // `sweep` says whether to tick again.
  explicit Sweeper(std::function<bool()> sweep) : sweep_(std::move(sweep)), thread_([this] { Run(); }) {}
  ~Sweeper() { Stop(); }

  // Ticks begin. Thread-safe and cheap when they have begun already.
  void Wake();
  void Stop();

 private:
  void Run();

  const std::function<bool()> sweep_;
  std::atomic<bool> awake_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace snug::serving
