#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {

Result<LimitsConfig> ReadLimits(const Origin& origin, const YAML::Node& node) {
  LimitsConfig limits;
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, "limits", node,
                 {NumberField(origin, "limits", "requests_per_second", kRequestsPerSecondMin,
                              kRequestsPerSecondMax, limits.requests_per_second),
                  IntField(origin, "limits", "burst", kBurstMax, limits.burst),
                  IntField(origin, "limits", "concurrent", kConcurrentMax, limits.concurrent)}));
  if (limits.burst == 0 || limits.requests_per_second > 0) return limits;
  return origin.At(node.Mark(), "limits: burst has no meaning without requests_per_second");
}

Result<CacheConfig> ReadCache(const Origin& origin, const YAML::Node& node) {
  CacheConfig cache;
  cache.on = true;
  bool truth = false;
  if (node.IsScalar() && YAML::convert<bool>::decode(node, truth)) {
    cache.on = truth;
    return cache;
  }
  if (!node.IsMap())
    return origin.At(node.Mark(), "cache: expected on, off or a map, got {}", Describe(node));
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, "cache", node,
                 {IntField(origin, "cache", "mib_max", kCacheMibMax, cache.mib_max),
                  IntField(origin, "cache", "entries_max", kCacheEntriesMax, cache.entries_max),
                  IntField(origin, "cache", "ttl_s", kCacheTtlSecondsMax, cache.ttl_s)}));
  return cache;
}

}  // namespace snug::repository
