// The whole controller in one process: registry, store, deployer, front door, ADS server, reconcile loop,
// REST API.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "controller/api.h"
#include "controller/decide.h"
#include "deploy/outside.h"

namespace snug::controller {

struct ControllerOptions {
  std::string state_dir;
  std::string address = "127.0.0.1";  // of the API; any other needs token_file
  uint16_t port = 8080;               // 0: the system chooses
  std::string token_file;
  std::string front_door_address = "127.0.0.1";
  uint16_t front_door_port = 8090;  // 0: a free one, kept over restarts
  std::string server_program;
  std::string envoy_program;  // empty: no front door, only the servers' own ports
  std::string plugins_dir;    // empty: the programs' own default
  int threads = 0;            // of each server; 0: its group's cores
  int drain_seconds = 10;     // that a server may take to end what is under way
  bool cgroups = true;
  DecideOptions decide;
  Duration drain_delay = std::chrono::seconds(1);
  UploadLimits upload_limits;
  uint64_t upload_bytes_max = uint64_t{4} << 30;  // of the tar as sent
};

class Controller {
 public:
  // Opens the state, adopts what runs, starts the loop and listens. DIR/controller.json is written after the
  // first complete round. FAILED_PRECONDITION: another controller runs on this state; INVALID_ARGUMENT:
  // options that cannot be. `outside` must outlive the controller.
  static Result<std::unique_ptr<Controller>> Start(const ControllerOptions& options,
                                                   deploy::Outside& outside);
  virtual ~Controller() = default;

  virtual uint16_t port() const = 0;
  virtual std::string front_door() const = 0;  // "127.0.0.1:8090", empty without one
  // Ends the API and the loop. With `stop_children` also, in this order, the front door and the servers, each
  // with its time to end what is under way; else they go on and the next controller adopts them.
  virtual void Stop(bool stop_children) = 0;
};

// What stands for a card on a machine of so many cores: half of them, but at least two (or all there are) and
// at most 8.
double DefaultGroupCores(double machine_cores);

}  // namespace snug::controller
