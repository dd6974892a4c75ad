#include "routing/resources.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "routing/cluster_templates.h"

namespace snug::routing {
namespace {

// ---- protobuf, written by hand: the classes of Endpoint would bring 17 more generated files for these five
// fields ----

void AppendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void AppendNumber(std::string& out, int field, uint64_t value) {
  AppendVarint(out, static_cast<uint64_t>(field) << 3);
  AppendVarint(out, value);
}

// A string or a message.
void AppendBytes(std::string& out, int field, std::string_view content) {
  AppendVarint(out, static_cast<uint64_t>(field) << 3 | 2);
  AppendVarint(out, content.size());
  out += content;
}

std::string Message(int field, std::string_view content) {
  std::string out;
  AppendBytes(out, field, content);
  return out;
}

// envoy.config.endpoint.v3.LbEndpoint {1: Endpoint {1: Address {1: SocketAddress {2: address, 3: port}}},
//                                      4: UInt32Value load_balancing_weight}
std::string LbEndpoint(std::string_view host, uint16_t port, uint32_t weight) {
  std::string socket = Message(2, host);
  AppendNumber(socket, 3, port);
  std::string weight_value;
  AppendNumber(weight_value, 1, weight);
  std::string out = Message(1, Message(1, Message(1, socket)));
  AppendBytes(out, 4, weight_value);
  return out;
}

// envoy.config.endpoint.v3.ClusterLoadAssignment {1: cluster_name, 2: LocalityLbEndpoints {2: LbEndpoint…}}
std::string Assignment(const std::string& cluster, const std::vector<Endpoint>& endpoints, bool grpc) {
  std::string locality;
  for (const Endpoint& e : endpoints) {
    AppendBytes(locality, 2, LbEndpoint(e.host, grpc ? e.grpc_port : e.rest_port, e.weight));
  }
  std::string out = Message(1, cluster);
  if (!endpoints.empty()) AppendBytes(out, 2, locality);
  return out;
}

// The template with {1: name} behind it, which parses as one message.
std::string Cluster(const std::string& name, bool grpc) {
  std::string out(grpc ? kGrpcClusterTemplate : kRestClusterTemplate);
  AppendBytes(out, 1, name);
  return out;
}

// FNV-1a: stable across machines and builds, which std::hash is not.
std::string ContentVersion(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

Resource MakeResource(std::string bytes) {
  std::string version = ContentVersion(bytes);
  return {std::move(bytes), std::move(version)};
}

// ---- checks
// ------------------------------------------------------------------------------------------------------

bool IsKeyByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == '@';
}

Status CheckKey(const std::string& key) {
  constexpr size_t kKeyBytesMax = 257;  // name, @, version: 128 each
  if (!key.empty() && key.size() <= kKeyBytesMax && std::all_of(key.begin(), key.end(), IsKeyByte)) return {};
  return InvalidArgument("front door: \"{}\" is not a key: expected a model's name, or NAME@VERSION", key);
}

bool IsIpAddress(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

Status CheckEndpoint(const std::string& key, const Endpoint& e) {
  if (!IsIpAddress(e.host)) {
    return InvalidArgument("front door: {}: \"{}\" is not an IP address", key, e.host);
  }
  if (e.grpc_port == 0 || e.rest_port == 0) {
    return InvalidArgument("front door: {}: the copy at {} has no gRPC or no REST port", key, e.host);
  }
  if (e.weight == 0 || e.weight > kEndpointWeightMax) {
    return InvalidArgument("front door: {}: weight {} of the copy at {}:{} is not in 1..{}", key, e.weight,
                           e.host, e.grpc_port, kEndpointWeightMax);
  }
  return {};
}

Status CheckTraffic(const std::string& key, const ModelTraffic& traffic) {
  if (traffic.endpoints.size() > kEndpointsPerKeyMax) {
    return Error(Code::kResourceExhausted, "front door: {} has {} copies; at most {} are carried", key,
                 traffic.endpoints.size(), kEndpointsPerKeyMax);
  }
  for (const Endpoint& e : traffic.endpoints) SNUG_RETURN_IF_ERROR(CheckEndpoint(key, e));
  return {};
}

// ---- differences
// --------------------------------------------------------------------------------------------------

void Remove(const std::string& key, Resources& resources, ResourceChanges& changes) {
  for (const char* prefix : {"g/", "r/"}) {
    std::string name = prefix + key;
    resources.clusters.erase(name);
    resources.endpoints.erase(name);
    changes.clusters.push_back(name);
    changes.endpoints.push_back(std::move(name));
  }
}

void Put(ResourceMap& map, const std::string& name, std::string bytes, std::vector<std::string>& changed) {
  Resource resource = MakeResource(std::move(bytes));
  auto [at, added] = map.try_emplace(name);
  if (!added && at->second == resource) return;
  at->second = std::move(resource);
  changed.push_back(name);
}

void Set(const std::string& key, const ModelTraffic& traffic, Resources& resources,
         ResourceChanges& changes) {
  std::vector<Endpoint> sorted = traffic.endpoints;
  std::sort(sorted.begin(), sorted.end());
  for (bool grpc : {true, false}) {
    std::string name = (grpc ? "g/" : "r/") + key;
    Put(resources.clusters, name, Cluster(name, grpc), changes.clusters);
    Put(resources.endpoints, name, Assignment(name, sorted, grpc), changes.endpoints);
  }
}

}  // namespace

std::string_view TypeUrl(ResourceType type) {
  return type == ResourceType::kCluster
             ? "type.googleapis.com/envoy.config.cluster.v3.Cluster"
             : "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
}

Status CheckSnapshot(const Snapshot& snapshot) {
  if (snapshot.models.size() > kKeysMax) {
    return Error(Code::kResourceExhausted, "front door: {} models and versions; at most {} are carried",
                 snapshot.models.size(), kKeysMax);
  }
  for (const auto& [key, traffic] : snapshot.models) {
    SNUG_RETURN_IF_ERROR(CheckKey(key));
    SNUG_RETURN_IF_ERROR(CheckTraffic(key, traffic));
  }
  return {};
}

ResourceChanges Update(const Snapshot& from, const Snapshot& to, Resources& resources) {
  ResourceChanges changes;
  auto old = from.models.begin();
  for (const auto& [key, traffic] : to.models) {
    for (; old != from.models.end() && old->first < key; ++old) Remove(old->first, resources, changes);
    bool same_key = old != from.models.end() && old->first == key;
    if (!same_key || !(old->second == traffic)) Set(key, traffic, resources, changes);
    if (same_key) ++old;
  }
  for (; old != from.models.end(); ++old) Remove(old->first, resources, changes);
  return changes;
}

}  // namespace snug::routing
