// A closed loop: `concurrency` callers, each with one request under way, and what they measured.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace snug::load {

struct Options {
  std::string target = "127.0.0.1:8080";  // HOST:PORT
  // gRPC: a full method, "/snug.v1.Prediction/Predict"; REST: a path for POST.
  std::string path;
  bool rest = false;
  std::string content_type = "application/octet-stream";     // REST
  std::vector<std::pair<std::string, std::string>> headers;  // REST, besides
  std::vector<std::string> bodies;                           // sent in turn; gRPC: serialized messages
  int concurrency = 1;
  int connections = 1;          // gRPC: shared by the callers; REST: one for each caller
  double warmup_seconds = 0.5;  // not counted
  double seconds = 5;
};

struct Report {
  uint64_t requests = 0;  // answered well within the measured time, whenever they were sent
  uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  double client_cpu_seconds = 0;
  std::vector<uint32_t> latencies_us;  // sorted
};

// Calls `at_begin` when the measured time begins and `at_end` when it ends, for what the caller measures
// besides.
Report RunGrpc(const Options& options, const std::function<void()>& at_begin,
               const std::function<void()>& at_end);
Report RunRest(const Options& options, const std::function<void()>& at_begin,
               const std::function<void()>& at_end);

// The value below which a share `p` (0..1) of the sorted values lies; 0 when there are none.
double Percentile(const std::vector<uint32_t>& sorted, double p);

// ---- for the two runs ----

// One caller's results; written by one thread at a time.
struct Tally {
  std::vector<uint32_t> latencies_us;
  uint64_t errors = 0;
  std::string first_error;
};

// When to count and when to stop.
struct Window {
  explicit Window(const Options& options);
  bool Over() const { return SystemClock().Now() >= end; }
  void Count(Tally& tally, TimePoint sent, const std::string& error) const;
  // Sleeps through the window, calling the hooks; returns the client's CPU seconds within it.
  double Watch(const std::function<void()>& at_begin, const std::function<void()>& at_end) const;

  TimePoint begin, end;
};

Report Join(const Window& window, std::vector<Tally> tallies);

}  // namespace snug::load
