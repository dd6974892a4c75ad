// What the front door should do, as a value: the controller makes one after each change and publishes it.
//
// Keys are "ocr" (requests that name only the model, split over versions by the route's weights) and "ocr@3"
// or "ocr@stable" (requests that name a version or a label). A key that is absent answers NOT_FOUND; a key
// without endpoints answers UNAVAILABLE: deployed, but no copy is ready.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace snug::routing {

// A ready copy of a model: where a snug-server listens. Only warmed-up copies belong here; one that is to
// stop is left out first and stopped once it has drained.
struct Endpoint {
  std::string host;  // an IP address, not a name
  uint16_t grpc_port = 0;
  uint16_t rest_port = 0;
  uint32_t weight = 1;  // share of the traffic relative to the key's other endpoints, 1 .. 2^20

  auto operator<=>(const Endpoint&) const = default;
};

struct ModelTraffic {
  std::vector<Endpoint> endpoints;  // in any order; the resources come out sorted

  bool operator==(const ModelTraffic&) const = default;
};

struct Snapshot {
  std::map<std::string, ModelTraffic> models;

  bool operator==(const Snapshot&) const = default;
};

}  // namespace snug::routing
