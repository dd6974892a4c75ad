#include "simulate/traces.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "simulate/csv.h"
#include "simulate/gzip.h"

namespace snug::simulate {
namespace {

using placement::NodeSpec;
using placement::PodSpec;

constexpr int64_t kMilliMax = 1'000'000'000;
constexpr int64_t kMemoryMibMax = 1'000'000'000;
constexpr int64_t kSecondsMax = 10'000'000'000;
constexpr double kRateMax = 1e7;
constexpr double kCvMax = 1e6;

std::vector<std::string> SplitModels(std::string_view spec) {
  std::vector<std::string> models;
  while (!spec.empty()) {
    size_t bar = spec.find('|');
    if (bar != 0) models.emplace_back(spec.substr(0, bar));
    spec.remove_prefix(bar == std::string_view::npos ? spec.size() : bar + 1);
  }
  return models;
}

// An absent or empty field: not limited, nothing asked for.
Result<int32_t> CardMemory(std::string_view field, size_t line) {
  if (field.empty()) return 0;
  SNUG_ASSIGN_OR_RETURN(int64_t mib, IntField(field, "gpu_memory_mib", line, 0, kMemoryMibMax));
  return static_cast<int32_t>(mib);
}

Result<PodSpec> ParsePod(const std::vector<std::string_view>& fields, size_t line) {
  PodSpec pod;
  SNUG_ASSIGN_OR_RETURN(pod.cpu_milli, IntField(fields[0], "cpu_milli", line, 0, kMilliMax));
  SNUG_ASSIGN_OR_RETURN(pod.memory_mib, IntField(fields[1], "memory_mib", line, 0, kMemoryMibMax));
  SNUG_ASSIGN_OR_RETURN(int64_t cards, IntField(fields[2], "num_gpu", line, 0, placement::kCardsPerNodeMax));
  SNUG_ASSIGN_OR_RETURN(int64_t milli, IntField(fields[3], "gpu_milli", line, 0, placement::kCardMilli));
  bool whole = milli == placement::kCardMilli;
  if ((cards > 1 && !whole) || (cards == 1 && milli == 0)) {
    return InvalidArgument(
        "line {}: {} cards with {} milli each; one card may be shared (1-1000), several are whole", line,
        cards, milli);
  }
  pod.cards = static_cast<int>(cards);
  pod.card_milli = cards == 0 ? 0 : static_cast<int>(milli);
  pod.card_models = SplitModels(fields[4]);
  SNUG_ASSIGN_OR_RETURN(pod.card_memory_mib, CardMemory(fields[5], line));
  return pod;
}

struct Cell {
  int64_t start_s;
  Series::Window window;
};

Result<Cell> ParseCell(const std::vector<std::string_view>& fields, size_t line) {
  SNUG_ASSIGN_OR_RETURN(int64_t start, IntField(fields[1], "window_start_s", line, 0, kSecondsMax));
  SNUG_ASSIGN_OR_RETURN(double rate, RealField(fields[2], "rate_per_s", line, 0, kRateMax));
  SNUG_ASSIGN_OR_RETURN(double cv, RealField(fields[3], "interarrival_cv", line, 0, kCvMax));
  return Cell{start, {static_cast<float>(rate), static_cast<float>(cv)}};
}

Status Arrange(const std::map<std::string, std::vector<Cell>, std::less<>>& cells,
               std::vector<int64_t> starts, Series& series) {
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  if (starts.empty()) return InvalidArgument("the series has no rows");
  int64_t step = starts.size() < 2 ? 600 : kSecondsMax;
  for (size_t i = 1; i < starts.size(); ++i) step = std::min(step, starts[i] - starts[i - 1]);
  auto count = static_cast<size_t>((starts.back() - starts.front()) / step + 1);
  if (count > kWindowsMax || count * cells.size() > kSeriesCellsMax) {
    return Error(Code::kResourceExhausted,
                 "{} clients x {} windows of {} s; at most {} windows and {} in all", cells.size(), count,
                 step, kWindowsMax, kSeriesCellsMax);
  }
  for (int64_t start : starts) {
    if ((start - starts.front()) % step == 0) continue;
    return InvalidArgument("window_start_s {} is not a multiple of {} s after {}", start, step,
                           starts.front());
  }
  series.window_s = static_cast<double>(step);
  series.window_count = count;
  for (const auto& [client, rows] : cells) {
    series.clients.push_back(client);
    auto& windows = series.windows.emplace_back(count);
    std::set<int64_t> seen;
    for (const Cell& cell : rows) {
      if (!seen.insert(cell.start_s).second)
        return InvalidArgument("client {} has two rows for window_start_s {}", client, cell.start_s);
      windows[static_cast<size_t>((cell.start_s - starts.front()) / step)] = cell.window;
    }
  }
  return {};
}

template <typename T>
Result<T> ReadWith(const std::string& path, Result<T> (*parse)(std::string_view)) {
  SNUG_ASSIGN_OR_RETURN(std::string text, ReadMaybeGzip(path));
  Result<T> parsed = parse(text);
  if (parsed.ok()) return parsed;
  return parsed.status().Annotate(path);
}

}  // namespace

Result<std::vector<NodeSpec>> ParseNodes(std::string_view csv) {
  SNUG_ASSIGN_OR_RETURN(CsvReader reader, CsvReader::Open(csv, {"sn", "cpu_milli", "memory_mib", "gpu",
                                                                "?model", "?gpu_memory_mib"}));
  std::vector<NodeSpec> nodes;
  std::vector<std::string_view> fields;
  for (;;) {
    SNUG_ASSIGN_OR_RETURN(bool more, reader.Next(fields));
    if (!more) return nodes;
    if (nodes.size() == kNodesMax) return InvalidArgument("more than {} nodes", kNodesMax);
    NodeSpec node;
    node.id = fields[0];
    SNUG_ASSIGN_OR_RETURN(node.cpu_milli, IntField(fields[1], "cpu_milli", reader.line(), 0, kMilliMax));
    SNUG_ASSIGN_OR_RETURN(node.memory_mib,
                          IntField(fields[2], "memory_mib", reader.line(), 0, kMemoryMibMax));
    SNUG_ASSIGN_OR_RETURN(int64_t cards,
                          IntField(fields[3], "gpu", reader.line(), 0, placement::kCardsPerNodeMax));
    node.cards = static_cast<int>(cards);
    node.card_model = fields[4];
    SNUG_ASSIGN_OR_RETURN(node.card_memory_mib, CardMemory(fields[5], reader.line()));
    nodes.push_back(std::move(node));
  }
}

Result<std::vector<PodSpec>> ParsePods(std::string_view csv) {
  SNUG_ASSIGN_OR_RETURN(CsvReader reader,
                        CsvReader::Open(csv, {"cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "?gpu_spec",
                                              "?gpu_memory_mib"}));
  std::vector<PodSpec> pods;
  std::vector<std::string_view> fields;
  for (;;) {
    SNUG_ASSIGN_OR_RETURN(bool more, reader.Next(fields));
    if (!more) return pods;
    if (pods.size() == kPodsMax) return InvalidArgument("more than {} pods", kPodsMax);
    SNUG_ASSIGN_OR_RETURN(PodSpec pod, ParsePod(fields, reader.line()));
    pods.push_back(std::move(pod));
  }
}

Result<Series> ParseSeries(std::string_view csv) {
  SNUG_ASSIGN_OR_RETURN(CsvReader reader,
                        CsvReader::Open(csv, {"client", "window_start_s", "rate_per_s", "interarrival_cv"}));
  std::map<std::string, std::vector<Cell>, std::less<>> cells;
  std::vector<int64_t> starts;
  std::vector<std::string_view> fields;
  for (;;) {
    SNUG_ASSIGN_OR_RETURN(bool more, reader.Next(fields));
    if (!more) break;
    SNUG_ASSIGN_OR_RETURN(Cell cell, ParseCell(fields, reader.line()));
    auto client = cells.find(fields[0]);
    if (client == cells.end()) client = cells.try_emplace(std::string(fields[0])).first;
    if (cells.size() > kClientsMax) return InvalidArgument("more than {} clients", kClientsMax);
    client->second.push_back(cell);
    starts.push_back(cell.start_s);
  }
  Series series;
  SNUG_RETURN_IF_ERROR(Arrange(cells, std::move(starts), series));
  return series;
}

Result<std::vector<NodeSpec>> Repeated(const std::vector<NodeSpec>& nodes, size_t times) {
  if (times < 1 || times > kNodesMax || nodes.size() * times > kNodesMax) {
    return InvalidArgument("{} nodes {} times; at least once, and at most {} in all", nodes.size(), times,
                           kNodesMax);
  }
  std::vector<NodeSpec> all = nodes;
  for (size_t time = 2; time <= times; ++time) {
    for (const NodeSpec& node : nodes) {
      all.push_back(node);
      all.back().id += fmt::format("~{}", time);
    }
  }
  return all;
}

Result<std::vector<NodeSpec>> ReadNodes(const std::string& path) {
  return ReadWith(path, ParseNodes);
}
Result<std::vector<PodSpec>> ReadPods(const std::string& path) {
  return ReadWith(path, ParsePods);
}
Result<Series> ReadSeries(const std::string& path) {
  return ReadWith(path, ParseSeries);
}

}  // namespace snug::simulate
