// What one Envoy knows, and what to tell it next: the delta variant of Envoy's discovery protocol as a state
// machine without I/O. Clusters are told before endpoints, since Envoy asks for the endpoints of clusters it
// knows.
//
// Pure; not thread-safe (ads_server.cc holds its lock).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "routing/resources.h"

namespace snug::routing {

// A DeltaDiscoveryRequest: a subscription, an answer to a response (nonce), or both.
struct DeltaRequest {
  ResourceType type = ResourceType::kCluster;
  std::vector<std::string> subscribe, unsubscribe;
  std::map<std::string, std::string> initial_versions;  // what Envoy still has from an earlier connection
  std::string nonce;
  bool refused = false;  // a NACK: what the response with this nonce said was not taken
};

// A DeltaDiscoveryResponse. The resources are those of `names` as they are now.
struct DeltaResponse {
  ResourceType type = ResourceType::kCluster;
  std::vector<std::string> names;
  std::vector<std::string> removed;
  std::string nonce;
};

class DeltaSession {
 public:
  // `resources` is what there is now; null before anything has been published.
  void OnRequest(const DeltaRequest& request, const Resources* resources);
  // After each publication, with what it changed.
  void OnChange(const ResourceChanges& changes);
  // After the first publication: everything is new to those who have been waiting.
  void OnFirstPublication(const Resources& resources);

  // The next response, or nothing when there is nothing to say. The caller sends it.
  std::optional<DeltaResponse> Next(const Resources& resources);

  // Whether Envoy has taken all there is: nothing to say, every response acknowledged, and endpoints asked
  // for and told for every cluster.
  bool Settled(const Resources& resources) const;

  // Names that are remembered for this Envoy, for the server's bound.
  size_t NameCount() const;

 private:
  struct TypeState {
    bool asked = false;       // Envoy has sent a request for this type
    bool answer_due = false;  // the first request is answered even if there is nothing, so that Envoy goes on
    bool wildcard = false;
    bool refused = false;  // the last answer to a response was a NACK
    std::set<std::string> subscribed;
    std::map<std::string, std::string> told;  // name -> version that Envoy has, or is being told
    std::set<std::string> pending;            // names that may differ from what was told
    std::set<std::string> unacknowledged;     // nonces
  };

  void Subscribe(TypeState& state, const DeltaRequest& request);
  void MarkAll(TypeState& state, const ResourceMap& map);
  static bool Wants(const TypeState& state, const std::string& name);
  std::optional<DeltaResponse> NextOf(ResourceType type, const ResourceMap& map);
  TypeState& Of(ResourceType type) { return type == ResourceType::kCluster ? clusters_ : endpoints_; }

  TypeState clusters_, endpoints_;
  uint64_t nonces_ = 0;
};

}  // namespace snug::routing
