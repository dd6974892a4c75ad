// A closed loop: `concurrency` callers, each with one request under way, and what they measured.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace snug::load {

struct Options {
  std::string target = "127.0.0.1:8080";  // HOST:PORT
  // gRPC: a full method, "/snug.v1.Prediction/Predict"; REST: a path for POST.
  std::string path;
  std::string content_type = "application/octet-stream";     // REST; empty: none is sent
  std::vector<std::pair<std::string, std::string>> headers;  // REST, besides
  std::vector<std::string> bodies;                           // sent in turn; gRPC: serialized messages
  int concurrency = 1;
  int connections = 1;          // gRPC: shared by the callers; REST: one for each caller
  double warmup_seconds = 0.5;  // not counted
  double seconds = 5;
  uint64_t requests = 0;  // if not 0: so many, all counted, however long they take
  bool record = false;    // with `requests`: keep what came of each; REST
};

// What came of one request.
struct Record {
  uint32_t latency_us = 0;
  std::string answer;
};

struct Report {
  uint64_t requests = 0;  // answered well within the measured time, whenever they were sent
  uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  double client_cpu_seconds = 0;
  std::vector<uint32_t> latencies_us;  // sorted
  std::vector<Record> records;         // in the order of the requests
};

// Called when the measured time begins and when it ends, for what the caller measures besides.
struct Hooks {
  std::function<void()> at_begin = [] {};
  std::function<void()> at_end = [] {};
};

// POST over HTTP/1.1, each caller on a thread and a connection of its own. Blocks until all answers have
// come.
Report RunRest(const Options& options, const Hooks& hooks);

// The value below which a share `p` (0..1) of the sorted values lies; 0 when there are none.
double Percentile(const std::vector<uint32_t>& sorted, double p);

// ---- for those who send: RunRest, and snug-load's gRPC ----

// One caller's results; written by one thread at a time.
struct Tally {
  std::vector<uint32_t> latencies_us;
  uint64_t errors = 0;
  std::string first_error;
};

// Which requests are sent, and which of them count.
class Window {
 public:
  explicit Window(const Options& options);
  // The number of the next request, from 0; none when no more are sent. Thread-safe.
  std::optional<uint64_t> Next();
  // An answer to request `number`; `error` is empty when it was a good one. Thread-safe for different
  // tallies.
  void Count(Tally& tally, uint64_t number, TimePoint sent, const std::string& error,
             std::string answer = {});
  // Runs the callers through the window, calling the hooks: `start` sends their first requests, `join` waits
  // for their last answers.
  void Run(const Hooks& hooks, const std::function<void()>& start, const std::function<void()>& join);
  Report Join(std::vector<Tally> tallies);

 private:
  bool counts_requests() const { return requests_ != 0; }
  void Begin(const Hooks& hooks);
  void End(const Hooks& hooks);

  const uint64_t requests_;
  TimePoint begin_, end_;  // known beforehand where time decides
  std::atomic<uint64_t> next_ = 0;
  double client_cpu_ = 0;
  std::vector<Record> records_;
};

}  // namespace snug::load
