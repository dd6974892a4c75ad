// What a deployer is asked for and what it reports. The controller decides over these values; a deployer
// (local processes here, Kubernetes later) makes them true.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace snug::deploy {

// A model version that a server shall hold.
struct DesiredCopy {
  std::string model;
  int64_t version = 0;
  std::string store_dir;    // absolute: the version's files
  std::string config_yaml;  // the model.yaml to put beside them

  bool operator==(const DesiredCopy&) const = default;
};

struct DesiredServer {
  std::string id;  // "g1-0"
  double cores = 1;
  std::vector<DesiredCopy> copies;  // at most one version of a model

  bool operator==(const DesiredServer&) const = default;
};

// All servers there shall be; whatever else runs in this deployer's name is stopped and removed.
struct DesiredState {
  std::vector<DesiredServer> servers;
};

enum class ProcessState { kStopped, kStarting, kReady, kUnreachable, kBackoff, kStopping };
enum class CopyState { kPending, kLoading, kReady, kFailed, kUnloading };

std::string_view Name(ProcessState state);  // "READY"
std::string_view Name(CopyState state);

struct ObservedCopy {
  std::string model;
  int64_t version = 0;
  CopyState state = CopyState::kPending;
  std::string reason;  // why it is not ready
  uint64_t memory_bytes = 0;
  std::string description;  // the engine in one line

  bool operator==(const ObservedCopy&) const = default;
};

struct ObservedProcess {
  ProcessState state = ProcessState::kStopped;
  std::string reason;  // why it is not ready
  int64_t pid = 0;
  int restarts = 0;  // since the deployer was made
};

struct ObservedServer {
  ObservedProcess process;
  std::string host;  // an IP address
  uint16_t grpc_port = 0;
  uint16_t rest_port = 0;
  double cpu_seconds = 0;  // of this process and its children; begins at 0 with each start
  uint64_t memory_bytes = 0;
  std::string log_file;
  std::vector<ObservedCopy> copies;  // what it holds or shall hold; sorted by model, version

  const ObservedCopy* Copy(std::string_view model, int64_t version) const;
};

struct ObservedState {
  // False until every server that was found running at the start has been asked once (or has had its time):
  // before that, absence means nothing.
  bool complete = false;
  std::map<std::string, ObservedServer> servers;
  std::vector<std::string> warnings;
};

// Thread-safe.
class Deployer {
 public:
  virtual ~Deployer() = default;
  // The newest that is known, at once: never waits for a process or the network.
  virtual ObservedState Observe() = 0;
  // Takes the wish and returns at once; idempotent. What cannot be done yet is tried again until it is done
  // or no longer wanted.
  virtual void Apply(const DesiredState& desired) = 0;
};

}  // namespace snug::deploy
