#include "server/tracer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "server/json_writer.h"

namespace snug::server {
namespace {

constexpr size_t kTraceIdChars = 32, kParentIdChars = 16;

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text) {
  return IsHex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

TraceContext ParseTraceParent(std::string_view header) {
  constexpr size_t kParent = 3 + kTraceIdChars + 1;
  constexpr size_t kFlags = kParent + kParentIdChars + 1;
  const bool formed =
      header.size() >= kFlags + 2 && header[2] == '-' && header[kParent - 1] == '-' &&
      header[kFlags - 1] == '-' && IsHex(header.substr(0, 2)) && !header.starts_with("ff") &&
      (header.size() == kFlags + 2 || (!header.starts_with("00") && header[kFlags + 2] == '-'));
  if (!formed) return {};
  const std::string_view trace = header.substr(3, kTraceIdChars);
  const std::string_view parent = header.substr(kParent, kParentIdChars);
  if (!IsId(trace) || !IsId(parent) || !IsHex(header.substr(kFlags, 2))) return {};
  return {std::string(trace), std::string(parent)};
}

std::string TraceParentOf(std::string_view header) {
  constexpr size_t kTraceParentChars = 55;
  return header.size() == kTraceParentChars ? std::string(header) : std::string();
}

void RequestTrace::End(const Status& status, TimePoint answered) {
  tracer_->Write(tracer_->Line(*this, status, answered), sampled_.log_frequency);
}

Tracer::Tracer(std::string file, const Clock& clock) : settings_(std::move(file)), clock_(clock) {}

std::shared_ptr<RequestTrace> Tracer::Begin(serving::RequestHead& head, const std::string& id,
                                            const char* protocol, std::string_view traceparent) {
  auto sampled = settings_.Sample(head.model);
  if (!sampled) return nullptr;
  auto trace = std::make_shared<RequestTrace>();
  trace->tracer_ = this;
  trace->sampled_ = *sampled;
  trace->protocol_ = protocol;
  trace->id_ = id;
  trace->model_ = head.model;
  trace->version_ = head.version;
  trace->context_ = ParseTraceParent(traceparent);
  trace->arrival_ = head.arrival;
  trace->times_ = head.times = std::make_shared<serving::RequestTimes>();
  return trace;
}

std::string Tracer::Line(const RequestTrace& trace, const Status& status, TimePoint answered) const {
  JsonWriter json;
  json.BeginObject().Key("id").Value(trace.id_).Key("model_name").Value(trace.model_);
  json.Key("model_version").Value(trace.version_).Key("protocol").Value(trace.protocol_);
  json.Key("status").Value(CodeName(status.code()));
  if (!trace.context_.trace_id.empty()) {
    json.Key("trace_id").Value(trace.context_.trace_id);
    json.Key("parent_id").Value(trace.context_.parent_id);
  }
  // Read once, so that the differences are those of the monotonic clock.
  const auto since_1970 =
      Duration(static_cast<int64_t>(clock_.WallSeconds() * 1e9)) - clock_.Now().time_since_epoch();
  json.Key("timestamps").BeginArray();
  auto stamp = [&](const char* name, TimePoint at) {
    if (at == TimePoint()) return;  // it was answered before
    json.BeginObject().Key("name").Value(name);
    json.Key("ns").Value((at.time_since_epoch() + since_1970).count()).EndObject();
  };
  stamp("REQUEST_START", trace.arrival_);
  stamp("QUEUE_START", trace.times_->queued);
  stamp("COMPUTE_START", trace.times_->started);
  stamp("COMPUTE_END", trace.times_->executed);
  stamp("REQUEST_END", answered);
  json.EndArray().EndObject();
  return json.Take() + "\n";
}

Status Tracer::OpenFile(const std::string& path) {
  if (fd_.valid() && open_path_ == path) return {};
  fd_ = os::UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  open_path_ = path;
  return fd_.valid() ? Status() : ErrnoError(errno, path);
}

void Tracer::Write(const std::string& line, int64_t log_frequency) {
  std::lock_guard lock(mutex_);
  if (std::exchange(frequency_, log_frequency) != log_frequency) traces_ = 0;
  std::string path = settings_.file();
  if (log_frequency > 0) path += "." + std::to_string(traces_ / static_cast<uint64_t>(log_frequency));
  ++traces_;
  Status status = bytes_ + line.size() > kTraceBytesMax
                      ? Error(Code::kResourceExhausted, "{} bytes of traces were written", kTraceBytesMax)
                      : OpenFile(path);
  if (status.ok() && ::write(fd_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    status = ErrnoError(errno, path);
  if (status.ok()) {
    bytes_ += line.size();
  } else if (!std::exchange(complained_, true)) {
    log::Warning("traces are lost", {{"reason", status.ToString()}});
  }
}

}  // namespace snug::server
