// The REST API: requests to registry changes and views to answers. Work that touches the disk runs on a few
// threads of its own, never on the HTTP server's.
//
// Thread-safe.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "controller/api_json.h"
#include "controller/deploy_request.h"
#include "controller/reconciler.h"
#include "controller/store.h"
#include "controller/tokens.h"
#include "controller/work_pool.h"
#include "net/http_server.h"
#include "registry/registry.h"

namespace snug::controller {

inline constexpr int kWaitersMax = 1024;
inline constexpr int64_t kWaitReadyMsMax = 600'000;
inline constexpr int kLogLinesMax = 10'000;

struct ApiOptions {
  Tokens tokens;
  UploadLimits upload_limits;
  std::string plugins_dir;  // where engines and parsers are looked for; empty: not checked
  // The parts of the status that others know.
  std::function<StatusView()> status;
  std::function<void()> wake;  // something changed: the loop shall look
};

class Api {
 public:
  Api(registry::Registry& registry, Reconciler& reconciler, Store& store, std::mutex& store_mutex,
      const Clock& clock, ApiOptions options);
  ~Api();  // answers the waiters with what there is

  // Before a request's body is received: the answer to callers without a token that is known.
  std::optional<net::Response> Admit(const net::Request& head) const;
  void Handle(net::Request&& request, net::Responder respond);
  // After each round of the loop: answers those whose model is ready or whose time is over.
  void CheckWaiters();
  // How every error reads.
  static net::Response ErrorAnswer(const Status& status);
  // Whether a request's body is an upload, to be written to a file.
  static bool IsUpload(std::string_view method, std::string_view target);

 private:
  struct Waiter {
    std::string model;
    int64_t version = 0;  // 0: the model's own state
    TimePoint deadline;
    net::Responder respond;
  };
  using Reply = Result<std::string>;

  void Work(net::Request& request, const std::string& who, net::Responder& respond,
            const std::function<void()>& clean_up);
  net::Response Route(net::Request& request, const std::string& who, net::Responder& respond, bool* taken);
  net::Response OnModel(net::Request& request, const std::string& who, const std::string& name,
                        const std::string& part, net::Responder& respond, bool* taken);
  Reply GetModel(const std::string& name);
  Reply ListModels();
  bool WaitReady(const net::Request& request, const std::string& name, net::Responder& respond,
                 Status* error);
  Reply DeleteModel(const std::string& name, const std::string& who);
  Reply Deploy(const net::Request& request, const std::string& name, const std::string& who);
  Result<int64_t> PutVersion(const Upload& upload, const DeployRequest& wish, const net::Request& request,
                             const std::string& name, const std::string& who,
                             std::vector<std::string>* warnings);
  Reply Scale(const std::string& name, const std::string& body, const std::string& who);
  Reply GetRoute(const std::string& name);
  Reply PutRoute(const std::string& name, const std::string& body, const std::string& who);
  Reply Logs(const std::string& name, const net::Request& request);
  Reply StatusReply();
  std::string Metrics();
  bool Answered(const Waiter& waiter, const registry::Tables& tables, const Knowledge& knowledge, bool last);

  registry::Registry& registry_;
  Reconciler& reconciler_;
  Store& store_;
  std::mutex& store_mutex_;
  const Clock& clock_;
  ApiOptions options_;
  std::mutex waiters_mutex_;
  std::list<Waiter> waiters_;
  WorkPool pool_;  // last: its threads use the others
};

}  // namespace snug::controller
