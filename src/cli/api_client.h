// Calls of the controller's REST API (api/openapi.yaml).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "cli/arguments.h"
#include "os/http_client.h"

namespace snug::cli {

// "a b" -> "a%20b": everything but letters, digits and -._~
std::string PercentEncode(std::string_view text);

// Where the controller and the front door are, as far as files and flags tell.
struct Addresses {
  std::string api;
  std::string front_door;   // empty: ask the controller
  bool supervised = false;  // the platform is up on this machine: a controller that is gone comes back
};
// UNAVAILABLE when the state directory was named and no platform runs in it.
Result<Addresses> FindAddresses(const Globals& globals);

// One command's conversation with the controller. Errors: the controller's own code and text for what it
// refused; UNAVAILABLE with what to do when it cannot be reached. Not thread-safe.
class ApiClient {
 public:
  // UNAVAILABLE as FindAddresses; NOT_FOUND, PERMISSION_DENIED for the token file.
  static Result<ApiClient> Create(const Globals& globals);

  // `target` begins with /api/v1. What may be repeated (all but uploads) is, while a platform that is up
  // restarts its controller.
  Result<nlohmann::json> Get(const std::string& target, Duration timeout = std::chrono::seconds(30)) const;
  Result<nlohmann::json> Send(const std::string& method, const std::string& target,
                              const nlohmann::json& body) const;
  Result<nlohmann::json> Upload(const std::string& target, const std::string& file) const;

  // "127.0.0.1:8090". UNAVAILABLE when it does not run yet.
  Result<std::string> FrontDoor() const;
  const Addresses& addresses() const { return addresses_; }

 private:
  explicit ApiClient(Globals globals) : globals_(std::move(globals)) {}
  Result<nlohmann::json> Call(os::HttpRequest request, const std::string& target, bool may_repeat) const;
  Result<os::HttpResponse> FetchPatiently(os::HttpRequest request, const std::string& target) const;
  Status NotReachable(const Status& status) const;

  Globals globals_;
  Addresses addresses_;
  std::string token_;
};

}  // namespace snug::cli
