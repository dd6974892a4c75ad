#include "routing/delta_session.h"

#include <algorithm>

namespace snug::routing {

bool DeltaSession::Wants(const TypeState& state, const std::string& name) {
  return state.wildcard || state.subscribed.contains(name);
}

void DeltaSession::MarkAll(TypeState& state, const ResourceMap& map) {
  if (state.wildcard) {
    for (const auto& [name, resource] : map) state.pending.insert(name);
  }
  state.pending.insert(state.subscribed.begin(), state.subscribed.end());
  for (const auto& [name, version] : state.told) state.pending.insert(name);
}

void DeltaSession::Subscribe(TypeState& state, const DeltaRequest& request) {
  const bool first = !state.asked;
  state.asked = true;
  // A first request for clusters without names asks for all of them.
  if (first && request.type == ResourceType::kCluster && request.subscribe.empty()) state.wildcard = true;
  for (const auto& [name, version] : request.initial_versions) {
    state.told[name] = version;
    state.pending.insert(name);
  }
  for (const std::string& name : request.subscribe) {
    if (name == "*") {
      state.wildcard = true;
      continue;
    }
    // A name that is asked for again is told again, unless Envoy says that it still has it.
    if (!request.initial_versions.contains(name)) state.told.erase(name);
    state.subscribed.insert(name);
    state.pending.insert(name);
  }
  for (const std::string& name : request.unsubscribe) {
    if (name == "*") state.wildcard = false;
    state.subscribed.erase(name);
    state.told.erase(name);
    state.pending.erase(name);
  }
  if (first) state.answer_due = request.initial_versions.empty() && state.wildcard;
}

void DeltaSession::OnRequest(const DeltaRequest& request, const Resources* resources) {
  TypeState& state = Of(request.type);
  if (!request.nonce.empty()) {
    state.unacknowledged.erase(request.nonce);
    state.refused = request.refused;
  }
  const bool was_wildcard = state.wildcard;
  Subscribe(state, request);
  if (state.wildcard && !was_wildcard && resources != nullptr) MarkAll(state, resources->Of(request.type));
}

void DeltaSession::OnChange(const ResourceChanges& changes) {
  for (ResourceType type : kResourceTypes) {
    TypeState& state = Of(type);
    for (const std::string& name : changes.Of(type)) {
      if (Wants(state, name) || state.told.contains(name)) state.pending.insert(name);
    }
  }
}

void DeltaSession::OnFirstPublication(const Resources& resources) {
  for (ResourceType type : kResourceTypes) MarkAll(Of(type), resources.Of(type));
}

std::optional<DeltaResponse> DeltaSession::NextOf(ResourceType type, const ResourceMap& map) {
  TypeState& state = Of(type);
  DeltaResponse response{type, {}, {}, ""};
  for (const std::string& name : state.pending) {
    auto resource = map.find(name);
    auto told = state.told.find(name);
    if (resource == map.end() || !Wants(state, name)) {
      if (told == state.told.end() && !state.subscribed.contains(name)) continue;
      response.removed.push_back(name);
      if (told != state.told.end()) state.told.erase(told);
    } else if (told == state.told.end() || told->second != resource->second.version) {
      response.names.push_back(name);
      state.told[name] = resource->second.version;
    }
  }
  state.pending.clear();
  if (response.names.empty() && response.removed.empty() && !state.answer_due) return std::nullopt;
  state.answer_due = false;
  response.nonce = std::to_string(++nonces_);
  state.unacknowledged.insert(response.nonce);
  return response;
}

std::optional<DeltaResponse> DeltaSession::Next(const Resources& resources) {
  for (ResourceType type : kResourceTypes) {
    if (auto response = NextOf(type, resources.Of(type))) return response;
  }
  return std::nullopt;
}

bool DeltaSession::Settled(const Resources& resources) const {
  for (const TypeState* state : {&clusters_, &endpoints_}) {
    if (!state->pending.empty() || !state->unacknowledged.empty() || state->refused || state->answer_due)
      return false;
  }
  if (!clusters_.asked) return false;
  return std::all_of(clusters_.told.begin(), clusters_.told.end(), [&](const auto& cluster) {
    return !resources.endpoints.contains(cluster.first) || endpoints_.told.contains(cluster.first);
  });
}

size_t DeltaSession::NameCount() const {
  size_t count = 0;
  for (const TypeState* state : {&clusters_, &endpoints_})
    count += state->subscribed.size() + state->told.size();
  return count;
}

}  // namespace snug::routing
