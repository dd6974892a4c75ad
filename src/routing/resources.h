// A snapshot as Envoy's resources: for each key a cluster and its endpoints, once for gRPC ("g/ocr@3") and
// once for REST
// ("r/ocr@3"). Names never change while a key lives, so that Envoy keeps its connections when copies come and
// go.
//
// Pure; values without locks.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "routing/snapshot.h"

namespace snug::routing {

inline constexpr size_t kKeysMax = 100'000;
inline constexpr size_t kEndpointsPerKeyMax = 1000;
inline constexpr uint32_t kEndpointWeightMax = 1 << 20;  // the sum over a key must fit 32 bits

enum class ResourceType { kCluster, kEndpoints };
inline constexpr ResourceType kResourceTypes[] = {ResourceType::kCluster, ResourceType::kEndpoints};

std::string_view TypeUrl(ResourceType type);

struct Resource {
  std::string bytes;    // the serialized protobuf message
  std::string version;  // a hash of the bytes: the same content has the same version after a restart, too

  bool operator==(const Resource&) const = default;
};
using ResourceMap = std::map<std::string, Resource, std::less<>>;

struct Resources {
  ResourceMap clusters, endpoints;

  const ResourceMap& Of(ResourceType type) const {
    return type == ResourceType::kCluster ? clusters : endpoints;
  }
};

// Names of resources that came, changed or went.
struct ResourceChanges {
  std::vector<std::string> clusters, endpoints;

  const std::vector<std::string>& Of(ResourceType type) const {
    return type == ResourceType::kCluster ? clusters : endpoints;
  }
};

// INVALID_ARGUMENT with the key and the endpoint when something in it cannot be: Envoy would refuse all of an
// update for one bad address. RESOURCE_EXHAUSTED over the limits above.
Status CheckSnapshot(const Snapshot& snapshot);

// Brings `resources`, which are those of `from`, to those of `to`; encodes only what differs.
ResourceChanges Update(const Snapshot& from, const Snapshot& to, Resources& resources);

}  // namespace snug::routing
