// The public traces' formats (docs/simulate.md): openb's nodes and pods, and rates over time as in ServeGen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "placement/nodes.h"

namespace snug::simulate {

inline constexpr size_t kNodesMax = 1'000'000;
inline constexpr size_t kPodsMax = 5'000'000;
inline constexpr size_t kClientsMax = 100'000;
inline constexpr size_t kWindowsMax = 100'000;
inline constexpr size_t kSeriesCellsMax = 50'000'000;  // clients x windows

// Columns sn, cpu_milli, memory_mib, gpu and, if there, model, gpu_memory_mib (of each card).
Result<std::vector<placement::NodeSpec>> ParseNodes(std::string_view csv);
// Columns cpu_milli, memory_mib, num_gpu, gpu_milli and, if there, gpu_spec ("T4|P100"), gpu_memory_mib (of
// each card).
Result<std::vector<placement::PodSpec>> ParsePods(std::string_view csv);

// Requests per second and the coefficient of variation of the times between them, per client and window.
struct Series {
  struct Window {
    float rate_per_s = 0;
    float interarrival_cv = 0;
  };
  std::vector<std::string> clients;          // sorted by name
  std::vector<std::vector<Window>> windows;  // [client][window]; absent windows are 0
  double window_s = 600;
  size_t window_count = 0;
};

// Columns client, window_start_s, rate_per_s, interarrival_cv. The window's length is the smallest step
// between two starts; every start is a multiple of it, counted from the earliest.
Result<Series> ParseSeries(std::string_view csv);

// The nodes so many times over, for fleets larger than the list: "n-1", "n-1~2", "n-1~3", …
Result<std::vector<placement::NodeSpec>> Repeated(const std::vector<placement::NodeSpec>& nodes,
                                                  size_t times);

Result<std::vector<placement::NodeSpec>> ReadNodes(const std::string& path);
Result<std::vector<placement::PodSpec>> ReadPods(const std::string& path);
Result<Series> ReadSeries(const std::string& path);

}  // namespace snug::simulate
