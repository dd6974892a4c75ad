// An HTTP/1.1 server on Boost.Beast: keep-alive, one write per answer, TCP_NODELAY, bounded bodies, graceful
// drain.
//
// Handlers run on the I/O threads and must not block: a handler that has work hands its Responder to another
// thread and returns. Large uploads go to a file instead of memory where the route asks for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace snug::net {

struct Request;
struct Response;

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                             // 0: the system chooses; see HttpServer::port()
  int threads = 1;                               // each with connections of its own
  uint64_t body_bytes_max = uint64_t{64} << 20;  // 413 as soon as Content-Length or the bytes exceed it
  uint64_t header_bytes_max = 16 << 10;          // 431
  int connections_max = 4096;                    // further connections wait in the kernel's queue
  Duration idle_timeout = std::chrono::seconds(120);
  // Where bodies of requests for which `upload` returns true are written: any size up to upload_bytes_max.
  std::string upload_dir;
  uint64_t upload_bytes_max = uint64_t{4} << 30;
  std::function<bool(std::string_view method, std::string_view target)> upload;
  // Looks at each request when its headers are there, on an I/O thread: an answer refuses it before a byte of
  // the body is received, and closes the connection. Must not block.
  std::function<std::optional<Response>(const Request& head)> admit;
  // How an error reads that no handler gets to see: a broken target, a body that is too large. The status of
  // the answer is the server's. Null: as ErrorResponse.
  std::function<Response(const Status& status)> failure;
};

struct Request {
  std::string method;
  std::string target;  // as sent, "/v2/models/x?y=1"
  std::string path;    // percent-decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;  // as sent
  std::string body;
  std::string body_file;  // set for uploads: the handler owns the file
  TimePoint arrival;

  // The first header of that name, case-insensitive; empty when absent.
  std::string_view Header(std::string_view name) const;
  std::string_view Query(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Sent after `body` without being copied into it: tensors where they lie. Kept alive until written.
  std::vector<std::pair<std::string_view, std::shared_ptr<void>>> tail;
};

// Sends the answer, once; callable from any thread. Dropped without a call: 500.
using Responder = std::function<void(Response)>;
using Handler = std::function<void(Request&&, Responder)>;

class HttpServer {
 public:
  // UNAVAILABLE with the address when it cannot listen.
  static Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, Handler handler);
  virtual ~HttpServer() = default;  // stops
  virtual uint16_t port() const = 0;
  // Stops accepting, answers what is under way (Connection: close), closes idle connections; then stops.
  // False when `limit` ran out first.
  virtual bool Drain(Duration limit) = 0;
};

// {"error": "text"} with the HTTP status of the code.
Response ErrorResponse(const Status& status);

}  // namespace snug::net
