// Traces of single requests: when each arrived, was queued, was executed and was answered, as lines of JSON
// in a file, with the client's W3C trace context so that they can be put together with other services'
// traces.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "os/unique_fd.h"
#include "server/trace_settings.h"
#include "serving/request.h"

namespace snug::server {

// Written by one process; further traces are dropped, and the log says so once.
constexpr uint64_t kTraceBytesMax = uint64_t{1} << 30;

// A client's traceparent header, "00-<trace id>-<parent id>-<flags>"; both ids empty when it is none.
struct TraceContext {
  std::string trace_id, parent_id;
};
TraceContext ParseTraceParent(std::string_view header);
// The header, or nothing when it has not a traceparent's length: for who keeps it unread.
std::string TraceParentOf(std::string_view header);

class Tracer;

// A request that is traced. End it once.
class RequestTrace {
 public:
  void End(const Status& status, TimePoint answered);

 private:
  friend class Tracer;
  Tracer* tracer_ = nullptr;
  TraceSettings::Sampled sampled_;
  const char* protocol_ = "";
  std::string id_, model_, version_;
  TraceContext context_;
  TimePoint arrival_;
  std::shared_ptr<serving::RequestTimes> times_;
};

// Thread-safe.
class Tracer {
 public:
  // `file`: see TraceSettings.
  explicit Tracer(std::string file = "", const Clock& clock = SystemClock());

  TraceSettings& settings() { return settings_; }
  // Null when the request is not to be traced; else `head` will be told its times.
  std::shared_ptr<RequestTrace> Begin(serving::RequestHead& head, const std::string& id, const char* protocol,
                                      std::string_view traceparent);

 private:
  friend class RequestTrace;
  std::string Line(const RequestTrace& trace, const Status& status, TimePoint answered) const;
  void Write(const std::string& line, int64_t log_frequency);
  Status OpenFile(const std::string& path);

  TraceSettings settings_;
  const Clock& clock_;
  std::mutex mutex_;
  os::UniqueFd fd_;
  std::string open_path_;
  uint64_t traces_ = 0;  // since log_frequency changed
  int64_t frequency_ = 0;
  uint64_t bytes_ = 0;
  bool complained_ = false;
};

}  // namespace snug::server
