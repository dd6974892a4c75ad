// Owns one snug-server: its process, its model directory, and which versions it holds. Stepped by one thread;
// wishes and observations cross from and to others under a lock.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "deploy/deployer.h"
#include "deploy/process_keeper.h"
#include "deploy/wire.h"

namespace snug::deploy {

struct ServerOptions {
  std::string state_dir;    // absolute
  std::string program;      // snug-server
  std::string plugins_dir;  // empty: the program's own default
  std::string address = "127.0.0.1";
  int threads = 0;  // of each server; 0: its group's cores, rounded up
  int drain_seconds = 10;
  bool cgroups = true;  // try to make them
};

inline constexpr Duration kServerStartMax = std::chrono::seconds(60);  // until its ready file is there
inline constexpr Duration kProbeTimeout = std::chrono::seconds(2);
inline constexpr Duration kProbePeriod = std::chrono::milliseconds(500);  // when nothing is under way
inline constexpr Duration kSilenceMax = std::chrono::seconds(10);  // then its copies leave the front door
inline constexpr Duration kHungAfter = std::chrono::seconds(60);   // then it is killed
inline constexpr Duration kAdoptionMax =
    std::chrono::seconds(5);  // for the first answer of an adopted server
inline constexpr Duration kUsagePeriod = std::chrono::seconds(2);
inline constexpr Duration kLoadRetryFirst = std::chrono::seconds(1);
inline constexpr Duration kLoadRetryMax = std::chrono::seconds(60);
inline constexpr Duration kUnloadRetry = std::chrono::seconds(5);
inline constexpr Duration kStepMin = std::chrono::milliseconds(10);
inline constexpr Duration kStepMax = std::chrono::milliseconds(200);

class ServerAgent {
 public:
  enum class Goal { kRun, kStop, kRemove };  // kRemove: stop, then delete its directory

  ServerAgent(Outside& outside, const ServerOptions& options, std::string id);

  void Adopt(std::span<const FoundProcess> found);
  void SetGoal(Goal goal, DesiredServer desired);

  // One round. Returns how long to wait before the next.
  Duration Step();

  ObservedServer Observe() const;
  // It has answered since it was adopted, does not run, or has had its time.
  bool known() const;
  bool gone() const;  // kStop or kRemove is done
  std::string warning() const;
  // Counts up when something changed that traffic or people care about.
  uint64_t changes() const;

 private:
  using Key = std::pair<std::string, int64_t>;
  struct Attempt {  // at loading one version into the present process
    bool requested = false;
    TimePoint next{};
    Backoff backoff{{kLoadRetryFirst, kLoadRetryMax, Duration::max()}};
    std::string reason;
  };

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string ModelDir(const std::string& model) const { return Path("models/" + model); }
  Command MakeCommand(const DesiredServer& desired);
  void Run(const DesiredServer& desired);
  void Halt(Goal goal);
  void EnterCgroup(double cores);
  void LeaveCgroup();
  void ForgetProcess();
  bool FindPorts();
  bool Probe();
  void Manage(const DesiredServer& desired);
  ObservedCopy ManageCopy(const DesiredCopy& copy);
  ObservedCopy LoadAgain(const DesiredCopy& copy, ObservedCopy seen);
  void UnloadOthers(const std::set<Key>& wanted, std::vector<ObservedCopy>* copies);
  void RemoveLeftovers(const std::set<std::string>& models);
  Status Prepare(const DesiredCopy& copy);
  Status Ask(const std::string& model, int64_t version, const char* verb);
  const IndexEntry* Find(const std::string& model, int64_t version) const;
  void MeasureUse();
  void Publish(ProcessState state, std::string reason);

  Outside& outside_;
  ServerOptions options_;
  std::string id_, directory_;
  ProcessKeeper keeper_;
  std::string cgroup_;
  bool cgroup_tried_ = false;

  // Of the present process.
  std::optional<os::ProcessId> probed_;
  std::optional<ReadyFile> ports_;
  std::optional<std::vector<IndexEntry>> index_;
  TimePoint last_probe_{}, last_good_{}, last_usage_{};
  bool refused_ = false;  // the last probe found nobody listening
  std::map<Key, Attempt> attempts_;
  // The index that was known when a load of the model was asked for last: until a newer one comes, nobody
  // knows what the server holds of it.
  std::map<std::string, uint64_t> asked_at_;
  std::map<Key, TimePoint> unloads_;
  std::vector<ObservedCopy> copies_;
  bool settled_ = false;
  TimePoint unsettled_since_{};
  uint64_t index_serial_ = 0;
  TreeUsage usage_;

  mutable std::mutex mutex_;
  Goal goal_ = Goal::kRun;
  DesiredServer desired_;
  bool has_goal_ = false;
  ObservedServer observed_;
  bool known_ = false, gone_ = false;
  std::string warning_;
  uint64_t changes_ = 0;
};

}  // namespace snug::deploy
