// What both protocols share: the models, and how the server itself is doing.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "net/http_server.h"
#include "server/shared_memory.h"
#include "server/tracer.h"
#include "serving/model_manager.h"

namespace snug::server {

inline constexpr const char* kServerName = "snug";
inline constexpr const char* kServerVersion = SNUG_VERSION;
// Of KServe v2, by Triton's names.
inline constexpr const char* kExtensions[] = {"model_repository",
                                              "model_repository(unload_dependents)",
                                              "schedule_policy",
                                              "model_configuration",
                                              "classification",
                                              "sequence",
                                              "system_shared_memory",
                                              "binary_tensor_data",
                                              "parameters",
                                              "statistics",
                                              "trace",
                                              "logging"};
// Longest parameters.timeout that is honoured; more is no limit at all.
constexpr int64_t kTimeoutUsMax = int64_t{86'400} * 1'000'000;

// Thread-safe.
struct Core {
  serving::ModelManager& models;
  std::string server_id;
  bool explicit_control = false;     // models are loaded and unloaded by calls
  std::atomic<bool> loaded = false;  // the models of the start are READY, UNAVAILABLE or on standby
  std::atomic<bool> draining = false;
  // TensorFlow Serving's ReloadConfig: a serialised ModelServerConfig. Empty: models come from a repository.
  std::function<void(std::string, serving::ModelManager::Done)> reload_config = {};
  std::string server_name = kServerName;  // in the server's metadata
  SharedRegions shared_memory = SharedRegions();
  std::unique_ptr<Tracer> tracer = std::make_unique<Tracer>();

  bool Ready() const { return loaded && !draining; }
};

// FAILED_PRECONDITION unless models are loaded by calls.
Status CheckControl(const Core& core);
// The repository index: what is loaded, and the models that may be (version 0) where that is done by calls.
std::vector<serving::VersionStatus> RepositoryIndex(const Core& core, bool only_ready);

// Changes what is traced of a model (empty: of all without settings of their own) and says what holds then.
// NOT_FOUND: no such model; else as TraceSettings::Update.
Result<TraceValues> ChangeTracing(Core& core, const std::string& model, const TraceValues& changes);

// The request's deadline when its parameter "timeout" (microseconds, 0: none) is counted from its arrival.
TimePoint WithTimeout(TimePoint deadline, TimePoint arrival, int64_t timeout_us);
// The parameter `priority`: 1 is the highest; none, 0 and less than that: the model's default.
int PriorityOf(int64_t parameter);

// A REST answer of the error; where the client may come again (429), Retry-After says when.
net::Response ErrorAnswer(const Status& status);

// KServe's platform of a model: "snug_openvino".
std::string PlatformName(const serving::ModelDescription& model);

// The server's own metrics and the models'.
std::string MetricsPage(const Core& core);

}  // namespace snug::server
