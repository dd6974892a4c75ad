#include "server/core.h"

#include <algorithm>

#include "os/process.h"
#include "serving/model_limits.h"

namespace snug::server {

Status CheckControl(const Core& core) {
  if (core.explicit_control) return {};
  return FailedPrecondition(
      "explicit model load / unload is not allowed if polling is enabled, or the repository is loaded at "
      "start as here; start the server with --control explicit to load and unload by calls");
}

std::vector<serving::VersionStatus> RepositoryIndex(const Core& core, bool only_ready) {
  auto index = core.models.Index();
  if (only_ready) {
    std::erase_if(index, [](const auto& status) {
      return status.state != serving::State::kReady && status.state != serving::State::kStandby;
    });
  } else if (core.explicit_control) {
    for (std::string& name : core.models.NotLoaded()) {
      serving::VersionStatus& status = index.emplace_back();
      status.name = std::move(name);
      status.reason = "not loaded";
    }
  }
  return index;
}

Result<TraceValues> ChangeTracing(Core& core, const std::string& model, const TraceValues& changes) {
  if (!model.empty()) {
    Status here = core.models.Ready(model, "");
    if (here.code() == Code::kNotFound) return here;
  }
  SNUG_RETURN_IF_ERROR(core.tracer->settings().Update(model, changes));
  return core.tracer->settings().Get(model);
}

TimePoint WithTimeout(TimePoint deadline, TimePoint arrival, int64_t timeout_us) {
  if (timeout_us <= 0 || timeout_us > kTimeoutUsMax) return deadline;
  return std::min(deadline, arrival + std::chrono::microseconds(timeout_us));
}

int PriorityOf(int64_t parameter) {
  constexpr int64_t kLowest = 1000;  // beyond all that a model has
  return static_cast<int>(std::clamp<int64_t>(parameter, 0, kLowest));
}

net::Response ErrorAnswer(const Status& status) {
  net::Response answer = net::ErrorResponse(status);
  if (status.code() == Code::kResourceExhausted)
    answer.headers.emplace_back("Retry-After", std::to_string(serving::RetryAfterSeconds(status)));
  return answer;
}

std::string PlatformName(const serving::ModelDescription& model) {
  return "snug_" + model.config.engine;
}

std::string MetricsPage(const Core& core) {
  MetricsText text;
  text.Family("snug_server_info", "gauge", "1, with what this server is.");
  text.Sample(MetricLabels({{"version", kServerVersion}, {"server", core.server_id}}), 1);
  text.Family("snug_server_ready", "gauge", "1 while the server takes requests.");
  text.Sample("", core.Ready() ? 1 : 0);
  if (auto self = os::Identify(getpid()); self.ok()) {
    if (auto usage = os::Usage(*self); usage.ok()) {
      text.Family("process_cpu_seconds_total", "counter", "User and system CPU time of the server process.");
      text.Sample("", usage->cpu_seconds);
      text.Family("process_resident_memory_bytes", "gauge", "Resident memory of the server process.");
      text.Sample("", static_cast<double>(usage->memory_bytes));
      text.Family("process_threads", "gauge", "Threads of the server process.");
      text.Sample("", usage->threads);
    }
  }
  core.models.WriteMetrics(text);
  return text.Take();
}

}  // namespace snug::server
