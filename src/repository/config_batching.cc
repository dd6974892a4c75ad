#include <algorithm>
#include <optional>

#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

Result<PriorityConfig> ReadPriority(const Origin& origin, const YAML::Node& node) {
  PriorityConfig priority;
  constexpr std::string_view kPath = "batching.priorities";
  auto on_timeout = [&](const YAML::Node& n) -> Status {
    const std::string text = n.IsScalar() ? n.Scalar() : "";
    priority.delay_on_timeout = text == "delay";
    if (text == "delay" || text == "reject") return {};
    return origin.At(n.Mark(), "{}: on_timeout: expected reject or delay, got {}", kPath, Describe(n));
  };
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, kPath, node,
                 {IntField(origin, kPath, "queue_limit", kQueueLimitMax, priority.queue_limit),
                  IntField(origin, kPath, "timeout_ms", kPriorityTimeoutMsMax, priority.timeout_ms),
                  {"on_timeout", on_timeout}}));
  return priority;
}

Result<std::vector<PriorityConfig>> ReadPriorities(const Origin& origin, const YAML::Node& node) {
  std::vector<PriorityConfig> priorities;
  if (!node.IsSequence() || node.size() == 0 || node.size() > kPrioritiesMax) {
    return origin.At(node.Mark(),
                     "batching.priorities: expected a list of 1 to {} maps, the highest first, got {}",
                     kPrioritiesMax, Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(priorities.emplace_back(), ReadPriority(origin, item));
  }
  return priorities;
}

// `on` and `off` are text here, though YAML 1.1 takes them for truth values.
std::optional<BatchingConfig::Mode> BatchingMode(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  const std::string& text = node.Scalar();
  if (text == "auto") return BatchingConfig::Mode::kAuto;
  if (text == "on" || text == "true") return BatchingConfig::Mode::kOn;
  if (text == "off" || text == "false") return BatchingConfig::Mode::kOff;
  return std::nullopt;
}

Status CheckBatching(const Origin& origin, const YAML::Node& node, const BatchingConfig& batching) {
  if (!batching.sizes.empty() && batching.rows_max != 0 && batching.rows_max != batching.sizes.back()) {
    return origin.At(node.Mark(), "batching: rows_max {} is not the last of sizes, {}: leave one of them out",
                     batching.rows_max, batching.sizes.back());
  }
  const int priorities = std::max(1, static_cast<int>(batching.priorities.size()));
  if (batching.default_priority <= priorities) return {};
  return origin.At(node.Mark(), "batching: default_priority {}: there are {} priorities",
                   batching.default_priority, priorities);
}

}  // namespace

Result<BatchingConfig> ReadBatching(const Origin& origin, const YAML::Node& node) {
  BatchingConfig batching;
  if (auto mode = BatchingMode(node)) {
    batching.mode = *mode;
    return batching;
  }
  if (!node.IsMap()) {
    return origin.At(node.Mark(), "batching: expected auto, on, off or a map, got {}", Describe(node));
  }
  batching.mode = BatchingConfig::Mode::kOn;  // who sets its numbers wants it
  auto mode = [&](const YAML::Node& n) -> Status {
    auto read = BatchingMode(n);
    if (read) batching.mode = *read;
    return read ? Status()
                : origin.At(n.Mark(), "batching.mode: expected auto, on or off, got {}", Describe(n));
  };
  SNUG_RETURN_IF_ERROR(ReadFields(
      origin, "batching", node,
      {{"mode", mode},
       IntField(origin, "batching", "rows_max", kBatchRowsMax, batching.rows_max),
       {"sizes",
        [&](const YAML::Node& n) {
          return Store(ReadAscending(origin, "batching.sizes", n, kBatchSizesMax, kBatchRowsMax),
                       batching.sizes);
        }},
       IntField(origin, "batching", "delay_us_max", kBatchDelayUsMax, batching.delay_us_max),
       {"priorities",
        [&](const YAML::Node& n) { return Store(ReadPriorities(origin, n), batching.priorities); }},
       IntField(origin, "batching", "default_priority", static_cast<int>(kPrioritiesMax),
                batching.default_priority),
       {"padding", [&](const YAML::Node& n) { return Store(ReadPadding(origin, n), batching.padding); }}}));
  SNUG_RETURN_IF_ERROR(CheckBatching(origin, node, batching));
  return batching;
}

}  // namespace snug::repository
