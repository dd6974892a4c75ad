#include "engines/remote/channel.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <mutex>
#include <thread>

namespace snug::remote {
namespace {

constexpr size_t kPrefixBytes = 5;  // a flag and the length before each message
constexpr size_t kTextCharsMax = 900;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeList>;

Headers MakeHeaders(Duration timeout) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  curl_slist* list = nullptr;
  for (const std::string& line :
       {std::string("content-type: application/grpc"), std::string("te: trailers"),
        "grpc-timeout: " + std::to_string(std::clamp<int64_t>(ms, 1, 99999999)) + "m", std::string("expect:"),
        std::string("accept:")}) {
    list = curl_slist_append(list, line.c_str());
  }
  return Headers(list);
}

std::string WithPrefix(const std::string& message) {
  std::string framed(kPrefixBytes, '\0');
  const auto length = static_cast<uint32_t>(message.size());
  for (size_t i = 0; i < 4; ++i) framed[1 + i] = static_cast<char>(length >> (24 - 8 * i));
  framed += message;
  return framed;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string PercentDecode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

Channel::Channel(const ChannelOptions& options) : options_(options) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  curl_ = curl_easy_init();
  if (curl_ == nullptr) throw std::bad_alloc();
}

Channel::~Channel() {
  curl_easy_cleanup(curl_);
}

size_t Channel::WriteBody(char* data, size_t, size_t bytes, void* self) {
  auto* channel = static_cast<Channel*>(self);
  channel->too_large_ = channel->answer_.size() + bytes > kAnswerBytesMax;
  if (channel->too_large_) return 0;
  channel->answer_.append(data, bytes);
  return bytes;
}

// Headers and trailers alike, names in lower case as HTTP/2 has them.
size_t Channel::ReadHeader(char* data, size_t, size_t bytes, void* self) {
  auto* channel = static_cast<Channel*>(self);
  std::string_view line(data, bytes);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  for (auto [name, value] : {std::pair("grpc-status: ", &channel->grpc_status_),
                             std::pair("grpc-message: ", &channel->grpc_message_)}) {
    if (line.starts_with(name)) *value = line.substr(std::strlen(name), 3 * kTextCharsMax);
  }
  return bytes;
}

Status Channel::StatusOfTransfer(CURLcode code, bool is_first) {
  if (too_large_) {
    return Error(Code::kResourceExhausted, "the answer of {} exceeds the limit of {} bytes",
                 options_.host_port, kAnswerBytesMax);
  }
  long http = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &http);
  double connected = 0;
  curl_easy_getinfo(curl_, CURLINFO_PRETRANSFER_TIME, &connected);
  if (code == CURLE_OPERATION_TIMEDOUT && connected > 0) {
    return Error(Code::kDeadlineExceeded, "{} did not answer in time", options_.host_port);
  }
  if (code != CURLE_OK) {
    // Where libcurl's text says nothing of the likely reason.
    const char* hint = "";
    if (is_first && http == 0 && !options_.tls && connected > 0) {
      hint = "; is it a port for TLS (https:// before the host)?";
    } else if (code == CURLE_SSL_CONNECT_ERROR) {
      hint = "; does this port speak TLS? Without it, leave https:// out";
    } else if (is_first && http == 0 && options_.tls && options_.cert_file.empty() &&
               (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR)) {
      hint = "; does it ask for a certificate (cert_file)?";
    }
    return Unavailable("{}: {}{}", options_.host_port,
                       detail_[0] != '\0' ? detail_ : curl_easy_strerror(code), hint);
  }
  if (http == 200) return {};
  return Error(http >= 502 && http <= 504 ? Code::kUnavailable : Code::kUnknown,
               "{} answered HTTP status {}: is it a gRPC port?", options_.host_port, http);
}

Result<std::string_view> Channel::TakeMessage() {
  int code = -1;
  std::from_chars(grpc_status_.data(), grpc_status_.data() + grpc_status_.size(), code);
  if (code < 0 || code > static_cast<int>(Code::kUnauthenticated)) {
    return Unavailable("{} broke off the call", options_.host_port);
  }
  if (code != 0) {
    std::string text = PercentDecode(grpc_message_);
    return Status(static_cast<Code>(code), text.empty() ? "the remote server gave no reason" : text);
  }
  uint32_t length = 0;
  for (size_t i = 1; i < kPrefixBytes && i < answer_.size(); ++i) {
    length = length << 8 | static_cast<unsigned char>(answer_[i]);
  }
  if (answer_.size() < kPrefixBytes || answer_[0] != 0 || answer_.size() - kPrefixBytes != length) {
    return Internal("{} sent a message that is compressed, cut off or several", options_.host_port);
  }
  return std::string_view(answer_).substr(kPrefixBytes);
}

Result<std::string_view> Channel::CallOnce(const std::string& method, const std::string& framed,
                                           Duration timeout) {
  const Headers headers = MakeHeaders(timeout);
  const std::string url = (options_.tls ? "https://" : "http://") + options_.host_port + method;
  answer_.clear();
  grpc_status_.clear();
  grpc_message_.clear();
  too_large_ = false;
  detail_[0] = '\0';
  curl_easy_reset(curl_);  // keeps the connection
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, detail_);
  curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, options_.tls ? "https" : "http");
  curl_easy_setopt(curl_, CURLOPT_HTTP_VERSION,
                   options_.tls ? CURL_HTTP_VERSION_2TLS
                   : connected_ ? CURL_HTTP_VERSION_2_0
                                : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
  curl_easy_setopt(curl_, CURLOPT_FRESH_CONNECT, connected_ ? 0L : 1L);
  curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl_, CURLOPT_POST, 1L);
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(framed.size()));
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, framed.data());
  curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  curl_easy_setopt(curl_, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT, static_cast<long>(kConnectSecondsMax));
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS,
                   std::max(1L, static_cast<long>(
                                    std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count())));
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &WriteBody);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &ReadHeader);
  curl_easy_setopt(curl_, CURLOPT_HEADERDATA, this);
  if (!options_.ca_file.empty()) curl_easy_setopt(curl_, CURLOPT_CAINFO, options_.ca_file.c_str());
  if (!options_.cert_file.empty()) curl_easy_setopt(curl_, CURLOPT_SSLCERT, options_.cert_file.c_str());
  if (!options_.key_file.empty()) curl_easy_setopt(curl_, CURLOPT_SSLKEY, options_.key_file.c_str());
  CURLcode code = curl_easy_perform(curl_);
  const bool is_first = !connected_;
  connected_ = code == CURLE_OK && !grpc_status_.empty();
  // A server that has answered early may reset the stream: its status counts.
  if (code == CURLE_OK || grpc_status_.empty()) SNUG_RETURN_IF_ERROR(StatusOfTransfer(code, is_first));
  return TakeMessage();
}

Result<std::string_view> Channel::Call(const std::string& method, const std::string& message,
                                       Duration timeout) {
  const std::string framed = WithPrefix(message);
  const TimePoint until = SystemClock().Now() + timeout;
  Duration delay = kRetryDelay;
  for (int tried = 1;; ++tried, delay *= 2) {
    auto answer = CallOnce(method, framed, until - SystemClock().Now());
    if (answer.status().code() != Code::kUnavailable || tried == kTriesMax) return answer;
    if (SystemClock().Now() + delay >= until) return answer;
    std::this_thread::sleep_for(delay);
  }
}

}  // namespace snug::remote
