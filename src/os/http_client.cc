#include "os/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>
#include <mutex>

namespace snug::os {
namespace {

struct Receiver {
  HttpResponse response;
  uint64_t bytes_max = 0;
  bool too_large = false;
};

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* receiver = static_cast<Receiver*>(user);
  size_t bytes = size * count;
  if (receiver->response.body.size() + bytes > receiver->bytes_max) {
    receiver->too_large = true;
    return 0;
  }
  receiver->response.body.append(data, bytes);
  return bytes;
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  std::string line(data, size * count);
  size_t colon = line.find(':');
  if (colon == std::string::npos) return size * count;
  std::string name = line.substr(0, colon);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  size_t begin = line.find_first_not_of(" \t", colon + 1);
  size_t end = line.find_last_not_of("\r\n \t");
  std::string value = begin == std::string::npos || end < begin ? "" : line.substr(begin, end - begin + 1);
  static_cast<Receiver*>(user)->response.headers[name] = value;
  return size * count;
}

Status ToStatus(CURLcode code, const std::string& url, const char* detail) {
  std::string text = fmt::format("{}: {}", url, *detail != '\0' ? detail : curl_easy_strerror(code));
  if (code == CURLE_SSL_CONNECT_ERROR)
    text += " (does this port speak TLS? without it the address is http://…)";
  if (code == CURLE_OPERATION_TIMEDOUT) return Status(Code::kDeadlineExceeded, text);
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
    return Status(Code::kInvalidArgument, text);
  return Status(Code::kUnavailable, text);
}

// Connections are kept per thread: control traffic goes to few hosts, again and again.
CURL* ThreadHandle() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  thread_local std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                          curl_easy_cleanup);
  return handle.get();
}

using FileHandle = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Status SetBody(CURL* curl, const HttpRequest& request, FileHandle& file) {
  if (!request.body_file.empty()) {
    file.reset(std::fopen(request.body_file.c_str(), "rbe"));
    if (!file) return ErrnoError(errno, request.body_file);
    std::fseek(file.get(), 0, SEEK_END);
    auto size = static_cast<curl_off_t>(std::ftell(file.get()));
    std::rewind(file.get());
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, nullptr);  // libcurl's own: fread
    curl_easy_setopt(curl, CURLOPT_READDATA, file.get());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, size);
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  return {};
}

}  // namespace

Result<HttpResponse> Fetch(const HttpRequest& request) {
  CURL* curl = ThreadHandle();
  if (curl == nullptr) return Internal("libcurl could not be initialised");
  curl_easy_reset(curl);
  Receiver receiver;
  receiver.bytes_max = request.response_bytes_max;
  char detail[CURL_ERROR_SIZE] = "";
  FileHandle file(nullptr, std::fclose);
  SNUG_RETURN_IF_ERROR(SetBody(curl, request, file));
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, curl_slist_free_all);
  auto add_header = [&headers](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  add_header("Expect:");  // never wait for 100-continue
  for (const auto& [name, value] : request.headers) add_header(fmt::format("{}: {}", name, value));
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
  curl_easy_setopt(
      curl, CURLOPT_TIMEOUT_MS,
      static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout).count()));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receiver);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &receiver);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  CURLcode code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (receiver.too_large) {
    return Error(Code::kResourceExhausted, "{}: the answer is larger than {} bytes", request.url,
                 request.response_bytes_max);
  }
  if (code != CURLE_OK) return ToStatus(code, request.url, detail);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  receiver.response.status = static_cast<int>(status);
  return std::move(receiver.response);
}

}  // namespace snug::os
