// The controller's end of Envoy's Aggregated Discovery Service (delta variant, gRPC): tells every connected
// Envoy what the last published snapshot says, and only what changed.
//
// Until the first Publish it answers nobody: an Envoy that kept serving while the controller was away would
// else take an empty world for the truth and drop every model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "routing/snapshot.h"

namespace snug::routing {

struct AdsOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;     // 0: the system chooses
  int streams_max = 64;  // Envoys; further ones get RESOURCE_EXHAUSTED
};

struct AdsStats {
  int streams = 0;            // connected Envoys
  uint64_t publications = 0;  // Publish calls that changed something
  uint64_t responses = 0;     // sent to Envoys
  uint64_t resources = 0;     // clusters and endpoint lists in them
  uint64_t refusals = 0;      // NACKs: Envoy did not take an update (a bug of ours; logged)
  std::string last_refusal;   // Envoy's text
};

// Thread-safe.
class AdsServer {
 public:
  // UNAVAILABLE with the address when it cannot listen.
  static Result<std::unique_ptr<AdsServer>> Start(const AdsOptions& options);
  virtual ~AdsServer() = default;  // ends the streams; Envoys go on with what they have and reconnect

  // Makes `snapshot` the truth. Returns before Envoys have taken it; the work is that of the differences.
  // INVALID_ARGUMENT or RESOURCE_EXHAUSTED (see CheckSnapshot) leave everything as it was.
  virtual Status Publish(const Snapshot& snapshot) = 0;

  // Waits until every connected Envoy, and at least one, has taken what is published. False when `limit` is
  // over.
  virtual bool WaitApplied(Duration limit) = 0;

  virtual uint16_t port() const = 0;
  virtual AdsStats stats() const = 0;
};

}  // namespace snug::routing
