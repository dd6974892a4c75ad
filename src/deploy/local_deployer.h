// The deployer of one machine: a snug-server process for each desired server, started, watched, adopted after
// our own restart, and stopped when no longer wanted.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "deploy/deployer.h"
#include "deploy/looper.h"
#include "deploy/outside.h"
#include "deploy/server_agent.h"

namespace snug::deploy {

inline constexpr size_t kServersMax = 256;  // each has a thread here

class LocalDeployer final : public Deployer {
 public:
  // Adopts all servers of this state directory that run already. `on_change` is called (on any thread,
  // without locks held) when an observation changed that traffic depends on. Without `threads` nothing moves
  // but by StepAll().
  LocalDeployer(Outside& outside, ServerOptions options, bool threads, std::function<void()> on_change);
  ~LocalDeployer() override;

  ObservedState Observe() override;
  void Apply(const DesiredState& desired) override;

  // One step of every server, on the caller's thread; only without threads.
  void StepAll();

  // Stops all servers but keeps their directories: the next start finds the same desired state. False when
  // some still run after `limit`.
  bool StopAll(Duration limit);

 private:
  struct Server {
    Server(Outside& outside, const ServerOptions& options, const std::string& id)
        : agent(outside, options, id) {}
    ServerAgent agent;
    uint64_t changes_seen = 0;
    std::unique_ptr<Looper> looper;  // last: stops before the agent goes
  };

  std::vector<std::string> KnownIds(const std::vector<FoundProcess>& found);
  std::shared_ptr<Server> Add(const std::string& id);
  Duration StepOne(Server& server);
  std::vector<std::shared_ptr<Server>> All() const;

  Outside& outside_;
  ServerOptions options_;
  bool threads_;
  std::function<void()> on_change_;
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::map<std::string, std::shared_ptr<Server>> servers_;
};

}  // namespace snug::deploy
