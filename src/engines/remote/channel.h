// Unary gRPC calls over HTTP/2, by libcurl.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace snug::remote {

struct ChannelOptions {
  std::string host_port;  // "10.0.0.7:8500"
  bool tls = false;
  // PEM files; empty: the system's authorities, no certificate of ours.
  std::string ca_file, cert_file, key_file;
};

constexpr size_t kAnswerBytesMax = size_t{1} << 30;
constexpr int kConnectSecondsMax = 5;
constexpr int kTriesMax = 3;  // of a call that finds the server UNAVAILABLE
constexpr Duration kRetryDelay = std::chrono::milliseconds(50);  // doubling

// One connection, made by the first call and again when it is lost. One call at a time.
class Channel {
 public:
  explicit Channel(const ChannelOptions& options);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // The answer's message, valid until the next call. The server's own code and text; UNAVAILABLE when it
  // cannot be reached or the connection breaks, after kTriesMax tries; DEADLINE_EXCEEDED after `timeout` for
  // all of them.
  Result<std::string_view> Call(const std::string& method, const std::string& message, Duration timeout);

 private:
  Result<std::string_view> CallOnce(const std::string& method, const std::string& message, Duration timeout);
  Status StatusOfTransfer(CURLcode code, bool is_first);  // the first call of its connection
  Result<std::string_view> TakeMessage();
  static size_t WriteBody(char* data, size_t, size_t bytes, void* self);
  static size_t ReadHeader(char* data, size_t, size_t bytes, void* self);

  const ChannelOptions options_;
  CURL* curl_ = nullptr;
  // Whether the last call left a good connection. libcurl 7.88 begins HTTP/2 anew on a connection that it
  // uses again with "prior knowledge", so that is said for new connections only, and only we decide when to
  // make one.
  bool connected_ = false;
  std::string answer_;
  std::string grpc_status_;
  std::string grpc_message_;
  bool too_large_ = false;
  char detail_[CURL_ERROR_SIZE] = "";  // libcurl says there which certificate it is that it does not like
};

// "a%20b" → "a b", as gRPC's texts come. Pure.
std::string PercentDecode(std::string_view text);

}  // namespace snug::remote
