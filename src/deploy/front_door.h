// Keeps the front door's process (Envoy) running: the command and its configuration are given, what they mean
// is routing's affair. A process that was started with another configuration is replaced.
//
// Step is called by one thread; the rest is thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "deploy/deployer.h"
#include "deploy/process_keeper.h"

namespace snug::deploy {

struct FrontDoorOptions {
  std::string state_dir;
  std::vector<std::string> argv;  // holds "--config-path" config_file
  std::map<std::string, std::string> environment;
  std::string config_file;
  std::string config;      // the file's content
  std::string admin_file;  // the process writes "127.0.0.1:PORT" there
};

inline constexpr Duration kFrontDoorDrain =
    std::chrono::milliseconds(500);                                   // from closing the listener to SIGTERM
inline constexpr Duration kFrontDoorGrace = std::chrono::seconds(3);  // from SIGTERM to SIGKILL

class FrontDoor {
 public:
  FrontDoor(Outside& outside, FrontDoorOptions options);

  void Adopt(std::span<const FoundProcess> found);
  // One round of keeping it running, or stopped after Stop(). Returns how long to wait before the next.
  Duration Step();
  void Stop();
  bool gone() const;
  ObservedProcess Observe() const;
  std::string log_file() const;

 private:
  Duration Run();
  Duration Halt();
  bool IsLive();
  bool FindAdmin();
  bool Ask(const char* method, const char* path, std::string* body);
  void Publish(ProcessState state, std::string reason);

  Outside& outside_;
  FrontDoorOptions options_;
  ProcessKeeper keeper_;
  std::optional<os::ProcessId> probed_;
  std::string admin_;
  TimePoint last_probe_{}, last_good_{};
  std::optional<TimePoint> draining_since_;
  bool ready_ = false;
  bool configured_ = false;  // the configuration was written

  mutable std::mutex mutex_;
  bool stop_ = false, gone_ = false;
  ObservedProcess observed_;
};

}  // namespace snug::deploy
