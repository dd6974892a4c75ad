// The Envoy module of the front door, libsnugroute.so: finds the model that a request names
// (request_route.h), writes its cluster into a header that the one route reads, and mends the gRPC codes of
// Envoy's own answers.
//
// Envoy resolves every hook of an HTTP filter when it loads a module, used or not; the unused ones stand at
// the end.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "routing/envoy_abi.h"
#include "routing/request_route.h"

namespace snug::routing {
namespace {

using envoy::Buffer;
using envoy::Header;

// The route's cluster_header. Written for every request that is forwarded, so that a client's own value never
// counts.
constexpr std::string_view kClusterHeader = "x-snug-cluster";
// What the local-reply texts of the bootstrap name: `model "ocr"`.
constexpr std::string_view kTargetHeader = "x-snug-target";

Buffer ToBuffer(std::string_view text) {
  return {text.data(), text.size()};
}
Header ToHeader(std::string_view key, std::string_view value) {
  return {key.data(), key.size(), value.data(), value.size()};
}

// One request.
class Filter {
 public:
  explicit Filter(void* stream) : stream_(stream) {}

  int OnRequestHeaders(bool end);
  int OnRequestBody(bool end);
  int OnRequestTrailers();
  void OnLocalReply(std::string_view details) { grpc_code_ = grpc_ ? GrpcCodeOfLocalReply(details) : -1; }
  void OnResponseHeaders();

 private:
  enum class Phase {
    kPassing,    // nothing is left to do with the request
    kPeeking,    // the name is looked for in the body
    kAnswering,  // the front door answers once the request has ended
    kAnswered,   // what still comes of the request is thrown away
  };

  int Route(bool end);
  int Peek(bool end);
  void Forward(const ModelRef& model);
  void SendRefusal(const Refusal& refusal);
  void SendAnswer();
  std::vector<Buffer> Chunks() const;
  std::string_view Get(envoy::HeaderMap map, std::string_view key) const;
  void Set(envoy::HeaderMap map, std::string_view key, std::string_view value);

  void* stream_;
  bool grpc_ = false;
  Phase phase_ = Phase::kPassing;
  PathRoute route_;
  NamePeeker peeker_{MessageLayout::kNameVersion};
  int grpc_code_ = -1;
};

std::string_view Filter::Get(envoy::HeaderMap map, std::string_view key) const {
  Buffer value{nullptr, 0};
  bool found = envoy_dynamic_module_callback_http_get_header(stream_, map, ToBuffer(key), &value, 0, nullptr);
  return found && value.data != nullptr ? std::string_view(value.data, value.size) : std::string_view();
}

void Filter::Set(envoy::HeaderMap map, std::string_view key, std::string_view value) {
  envoy_dynamic_module_callback_http_set_header(stream_, map, ToBuffer(key), ToBuffer(value));
}

int Filter::OnRequestHeaders(bool end) {
  grpc_ = Get(envoy::kRequestHeaders, "content-type").starts_with("application/grpc");
  route_ = RoutePath(Get(envoy::kRequestHeaders, ":path"), grpc_);
  switch (route_.kind) {
    case PathRoute::Kind::kModel:
      Forward(route_.model);
      return envoy::kHeadersContinue;
    case PathRoute::Kind::kRefuse:
      SendRefusal(route_.refusal);
      return envoy::kHeadersStopIteration;
    case PathRoute::Kind::kAnswer:
      phase_ = Phase::kAnswering;
      break;
    case PathRoute::Kind::kPeek:
      phase_ = Phase::kPeeking;
      peeker_ = NamePeeker(route_.layout);
      break;
  }
  if (end) Route(true);
  return envoy::kHeadersStopIteration;
}

int Filter::OnRequestBody(bool end) {
  return phase_ == Phase::kPassing ? envoy::kBodyContinue : Route(end);
}

int Filter::OnRequestTrailers() {
  if (phase_ == Phase::kPassing) return envoy::kTrailersContinue;
  Route(true);
  return phase_ == Phase::kPassing ? envoy::kTrailersContinue : envoy::kTrailersStopIteration;
}

// Body bytes have come, or the request has ended, and it is not yet decided.
int Filter::Route(bool end) {
  if (phase_ == Phase::kPeeking) return Peek(end);
  if (phase_ == Phase::kAnswering && end) SendAnswer();
  return envoy::kBodyStopNoBuffer;
}

int Filter::Peek(bool end) {
  std::vector<Buffer> chunks = Chunks();
  if (chunks.empty()) chunks.push_back({nullptr, 0});
  NamePeeker::State state = NamePeeker::State::kNeedMore;
  for (size_t i = 0; i < chunks.size() && state == NamePeeker::State::kNeedMore; ++i) {
    state = peeker_.Feed({chunks[i].data, chunks[i].size}, end && i + 1 == chunks.size());
  }
  switch (state) {
    case NamePeeker::State::kNeedMore:
      return envoy::kBodyStopAndWatermark;
    case NamePeeker::State::kRefused:
      SendRefusal(peeker_.refusal());
      return envoy::kBodyStopNoBuffer;
    case NamePeeker::State::kFound:
      break;
  }
  phase_ = Phase::kPassing;
  Forward(peeker_.model());
  return envoy::kBodyContinue;
}

std::vector<Buffer> Filter::Chunks() const {
  constexpr auto kBody = envoy::kReceivedRequestBody;
  std::vector<Buffer> chunks(envoy_dynamic_module_callback_http_get_body_chunks_size(stream_, kBody));
  if (!chunks.empty()) envoy_dynamic_module_callback_http_get_body_chunks(stream_, kBody, chunks.data());
  return chunks;
}

void Filter::Forward(const ModelRef& model) {
  Set(envoy::kRequestHeaders, kClusterHeader, ClusterName(grpc_, model));
  Set(envoy::kRequestHeaders, kTargetHeader, Describe(model));
  // The route was chosen before the header was there. (Clearing only the cluster does not read the header
  // again.)
  envoy_dynamic_module_callback_http_clear_route_cache(stream_);
}

// gRPC: Envoy makes a trailers-only answer of it. REST: the bootstrap's last mapper wraps the text in JSON.
void Filter::SendRefusal(const Refusal& refusal) {
  phase_ = Phase::kAnswered;
  std::string code = std::to_string(refusal.grpc_code);
  Header grpc_status = ToHeader("grpc-status", code);
  envoy_dynamic_module_callback_http_send_response(
      stream_, grpc_ ? 200 : static_cast<uint32_t>(refusal.http_status), &grpc_status, grpc_ ? 1 : 0,
      ToBuffer(refusal.text), ToBuffer("snug_refused"));
}

std::string GrpcFrame(std::string_view message) {
  std::string frame(5, '\0');  // uncompressed; local messages are shorter than 256 bytes
  frame[4] = static_cast<char>(message.size());
  return frame.append(message);
}

void Filter::SendAnswer() {
  phase_ = Phase::kAnswered;
  std::string body = grpc_ ? GrpcFrame(route_.answer) : route_.answer;
  std::array<Header, 2> headers{ToHeader(":status", "200"),
                                ToHeader("content-type", grpc_ ? "application/grpc" : "application/json")};
  envoy_dynamic_module_callback_http_send_response_headers(stream_, headers.data(), headers.size(), false);
  envoy_dynamic_module_callback_http_send_response_data(stream_, ToBuffer(body), !grpc_);
  if (!grpc_) return;
  Header status = ToHeader("grpc-status", "0");
  envoy_dynamic_module_callback_http_send_response_trailers(stream_, &status, 1);
}

void Filter::OnResponseHeaders() {
  if (grpc_code_ >= 0) Set(envoy::kResponseHeaders, "grpc-status", std::to_string(grpc_code_));
}

Filter* AsFilter(void* module_filter) {
  return static_cast<Filter*>(module_filter);
}

}  // namespace
}  // namespace snug::routing

using snug::routing::AsFilter;
using snug::routing::envoy::Buffer;
namespace envoy = snug::routing::envoy;

#define SNUG_HOOK extern "C" __attribute__((visibility("default")))

SNUG_HOOK const char* envoy_dynamic_module_on_program_init() {
  return envoy::kAbiVersion;
}

// The module has no configuration; Envoy takes a null pointer for a failure.
SNUG_HOOK const void* envoy_dynamic_module_on_http_filter_config_new(void*, Buffer, Buffer) {
  static const char kNoConfiguration = 0;
  return &kNoConfiguration;
}
SNUG_HOOK void envoy_dynamic_module_on_http_filter_config_destroy(const void*) {}

SNUG_HOOK void* envoy_dynamic_module_on_http_filter_new(const void*, void* stream) {
  return new snug::routing::Filter(stream);
}
SNUG_HOOK void envoy_dynamic_module_on_http_filter_destroy(void* filter) {
  delete AsFilter(filter);
}

SNUG_HOOK int envoy_dynamic_module_on_http_filter_request_headers(void*, void* filter, bool end) {
  return AsFilter(filter)->OnRequestHeaders(end);
}
SNUG_HOOK int envoy_dynamic_module_on_http_filter_request_body(void*, void* filter, bool end) {
  return AsFilter(filter)->OnRequestBody(end);
}
SNUG_HOOK int envoy_dynamic_module_on_http_filter_request_trailers(void*, void* filter) {
  return AsFilter(filter)->OnRequestTrailers();
}
SNUG_HOOK int envoy_dynamic_module_on_http_filter_local_reply(void*, void* filter, uint32_t, Buffer details,
                                                              bool) {
  AsFilter(filter)->OnLocalReply({details.data, details.data == nullptr ? 0 : details.size});
  return envoy::kLocalReplyContinue;
}
SNUG_HOOK int envoy_dynamic_module_on_http_filter_response_headers(void*, void* filter, bool) {
  AsFilter(filter)->OnResponseHeaders();
  return envoy::kHeadersContinue;
}
SNUG_HOOK int envoy_dynamic_module_on_http_filter_response_body(void*, void*, bool) {
  return envoy::kBodyContinue;
}
SNUG_HOOK int envoy_dynamic_module_on_http_filter_response_trailers(void*, void*) {
  return envoy::kTrailersContinue;
}
SNUG_HOOK void envoy_dynamic_module_on_http_filter_stream_complete(void*, void*) {}

// Per-route configuration: there is none, so that Envoy refuses a route that has one.
SNUG_HOOK const void* envoy_dynamic_module_on_http_filter_per_route_config_new(Buffer, Buffer) {
  return nullptr;
}
SNUG_HOOK void envoy_dynamic_module_on_http_filter_per_route_config_destroy(const void*) {}

// Hooks for what this module never starts: timers, callouts, streams, watermarks.
#define SNUG_UNUSED_HOOK(name) \
  SNUG_HOOK void envoy_dynamic_module_on_http_filter_##name() {}
SNUG_UNUSED_HOOK(scheduled)
SNUG_UNUSED_HOOK(http_callout_done)
SNUG_UNUSED_HOOK(http_stream_headers)
SNUG_UNUSED_HOOK(http_stream_data)
SNUG_UNUSED_HOOK(http_stream_trailers)
SNUG_UNUSED_HOOK(http_stream_complete)
SNUG_UNUSED_HOOK(http_stream_reset)
SNUG_UNUSED_HOOK(downstream_above_write_buffer_high_watermark)
SNUG_UNUSED_HOOK(downstream_below_write_buffer_low_watermark)
SNUG_UNUSED_HOOK(config_scheduled)
SNUG_UNUSED_HOOK(config_http_callout_done)
SNUG_UNUSED_HOOK(config_http_stream_headers)
SNUG_UNUSED_HOOK(config_http_stream_data)
SNUG_UNUSED_HOOK(config_http_stream_trailers)
SNUG_UNUSED_HOOK(config_http_stream_complete)
SNUG_UNUSED_HOOK(config_http_stream_reset)
