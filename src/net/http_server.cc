#include "net/http_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "base/log.h"
#include "net/target.h"

namespace snug::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using ErrorCode = beast::error_code;
using Executor = asio::io_context::executor_type;
using Stream = beast::basic_stream<tcp, Executor>;
using Socket = Stream::socket_type;

// After an answer that ends a connection early (413), what the client still sends is read and dropped up to
// these bounds: closing at once would reset the connection before the client has read the answer.
constexpr auto kLingerLimit = std::chrono::seconds(2);
constexpr size_t kLingerBytesMax = size_t{16} << 20;

// Read at a time: of a body whose length is known, and of one that goes through Beast's parser.
constexpr size_t kBodyReadBytes = size_t{256} << 10;
constexpr size_t kParsedReadBytes = size_t{64} << 10;

class Session;

// One thread's connections. A loop for each thread costs a request neither a lock nor a wake-up of another
// thread, as one loop that all threads share does.
struct Loop {
  asio::io_context io{1};
  // A request in a handler's hands is no work to asio: without the guard the thread would leave during a
  // drain.
  asio::executor_work_guard<Executor> work = asio::make_work_guard(io);
  size_t sessions = 0;  // guarded by Shared::mutex
};

// What the sessions share. Outlives them.
struct Shared {
  HttpServerOptions options;
  Handler handler;
  std::deque<Loop> loops;  // at least one; the first accepts
  std::atomic<bool> draining{false};
  std::atomic<bool> stopped{false};  // nobody runs the loops any more
  std::atomic<uint64_t> uploads{0};

  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_set<Session*> sessions;
  std::function<void()> accept_again;  // set while the acceptor waits for a free connection
};

std::string_view Reason(int status) {
  if (status == 499) return "Client Closed Request";
  auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return {reason.data(), reason.size()};
}

std::string HeadText(const Response& response, bool keep_alive, size_t length) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, Reason(response.status));
  if (!response.content_type.empty()) head += fmt::format("Content-Type: {}\r\n", response.content_type);
  for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
  head += fmt::format("Content-Length: {}\r\n", length);
  head += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  return head;
}

// One connection. All its work runs on the thread of its loop.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // `loop` counts it already.
  Session(std::shared_ptr<Shared> shared, Socket&& socket, Loop& loop)
      : shared_(std::move(shared)), loop_(loop), stream_(std::move(socket)) {
    ErrorCode ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
    std::lock_guard lock(shared_->mutex);
    shared_->sessions.insert(this);
  }

  ~Session() {
    std::function<void()> accept_again;
    {
      std::lock_guard lock(shared_->mutex);
      shared_->sessions.erase(this);
      --loop_.sessions;
      accept_again = std::exchange(shared_->accept_again, nullptr);
      shared_->changed.notify_all();
    }
    if (accept_again) accept_again();
  }

  void Start() {
    asio::dispatch(loop_.io, [self = shared_from_this()] { self->ReadHead(); });
  }

  // Closes the connection unless a request is under way.
  void CloseIfIdle() {
    asio::post(loop_.io, [self = shared_from_this()] {
      if (self->idle_) self->stream_.close();
    });
  }

  // Whatever is under way.
  void Close() {
    asio::post(loop_.io, [self = shared_from_this()] { self->stream_.close(); });
  }

  // Any thread.
  void Send(Response response) {
    if (shared_->stopped) return;
    asio::dispatch(loop_.io, [self = shared_from_this(), response = std::move(response)]() mutable {
      self->Write(std::move(response));
    });
  }

 private:
  using HeadParser = http::request_parser<http::empty_body>;
  using BodyParser = http::request_parser<http::string_body>;
  using FileParser = http::request_parser<http::file_body>;

  void ReadHead() {
    if (shared_->draining) return stream_.close();
    head_.emplace();
    head_->header_limit(static_cast<uint32_t>(shared_->options.header_bytes_max));
    head_->body_limit(
        std::numeric_limits<uint64_t>::max());  // checked in OnHead, against the limit that this request has
    idle_ = true;
    stream_.expires_after(shared_->options.idle_timeout);
    http::async_read_header(stream_, buffer_, *head_, [self = shared_from_this()](ErrorCode error, size_t) {
      self->idle_ = false;
      self->OnHead(error);
    });
  }

  void OnHead(ErrorCode error) {
    if (error == http::error::header_limit) {
      return Refuse(431, fmt::format("the request's headers are larger than {} bytes",
                                     shared_->options.header_bytes_max));
    }
    if (error && error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return Refuse(400, fmt::format("not an HTTP/1.1 request: {}", error.message()));
    }
    if (error) return stream_.close();
    TakeHead();
    if (Status status = ParseTarget(request_); !status.ok()) return WriteLast(Failure(status));
    if (const auto& admit = shared_->options.admit) {
      if (auto refusal = admit(request_)) return WriteLast(std::move(*refusal));
    }
    const auto& upload = shared_->options.upload;
    is_upload_ = upload && upload(request_.method, request_.target);
    uint64_t limit = is_upload_ ? shared_->options.upload_bytes_max : shared_->options.body_bytes_max;
    if (auto length = head_->content_length(); length && *length > limit) return RefuseBody(limit);
    bool expects = beast::iequals(head_->get()[http::field::expect], "100-continue");
    if (!expects) return ReadBody(limit);
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this(), limit](ErrorCode write_error, size_t) {
                        if (!write_error) self->ReadBody(limit);
                      });
  }

  void ReadBody(uint64_t limit) {
    stream_.expires_after(shared_->options.idle_timeout);
    if (is_upload_) return ReadFileBody(limit);
    const auto length = head_->content_length();
    length ? ReadSizedBody(*length) : ReadParsedBody(limit);
  }

  // Straight into the string that the handler gets: Beast's parser takes what its buffer holds at a time,
  // which after a head is 512 bytes.
  void ReadSizedBody(uint64_t length) {
    const auto here = static_cast<size_t>(std::min<uint64_t>(buffer_.size(), length));
    request_.body.reserve(length);
    request_.body.assign(static_cast<const char*>(buffer_.data().data()), here);
    buffer_.consume(here);
    ReadMoreOfBody(here, length);
  }

  // The memory of a body that was announced is taken as it comes.
  void ReadMoreOfBody(size_t received, uint64_t length) {
    std::string& body = request_.body;
    if (received == length) return Dispatch();
    body.resize(static_cast<size_t>(std::min<uint64_t>(length, received + kBodyReadBytes)));
    stream_.async_read_some(asio::buffer(body.data() + received, body.size() - received),
                            [self = shared_from_this(), received, length](ErrorCode error, size_t bytes) {
                              if (error) return self->BodyFailed(error);
                              self->ReadMoreOfBody(received + bytes, length);
                            });
  }

  // None, or in chunks.
  void ReadParsedBody(uint64_t limit) {
    auto parser = std::make_shared<BodyParser>(std::move(*head_));
    parser->body_limit(limit);
    if (parser->chunked()) buffer_.reserve(kParsedReadBytes);
    http::async_read(stream_, buffer_, *parser,
                     [self = shared_from_this(), parser, limit](ErrorCode error, size_t) {
                       if (error == http::error::body_limit) return self->RefuseBody(limit);
                       if (error) return self->BodyFailed(error);
                       self->request_.body = std::move(parser->get().body());
                       self->Dispatch();
                     });
  }

  void ReadFileBody(uint64_t limit) {
    auto parser = std::make_shared<FileParser>(std::move(*head_));
    parser->body_limit(limit);
    std::string path =
        fmt::format("{}/upload.{}.{}", shared_->options.upload_dir, ::getpid(), ++shared_->uploads);
    ErrorCode error;
    parser->get().body().open(path.c_str(), beast::file_mode::write, error);
    if (error) return Refuse(500, fmt::format("cannot store the upload: {}", error.message()));
    buffer_.reserve(kParsedReadBytes);
    http::async_read(stream_, buffer_, *parser,
                     [self = shared_from_this(), parser, limit, path](ErrorCode read_error, size_t) {
                       parser->get().body().close();
                       if (read_error) ::unlink(path.c_str());
                       if (read_error == http::error::body_limit) return self->RefuseBody(limit);
                       if (read_error) return self->BodyFailed(read_error);
                       self->request_.body_file = path;
                       self->Dispatch();
                     });
  }

  void TakeHead() {
    const auto& message = head_->get();
    keep_alive_ = message.keep_alive();
    request_ = {};
    auto method = message.method_string();
    auto target = message.target();
    request_.method.assign(method.data(), method.size());
    request_.target.assign(target.data(), target.size());
    head_only_ = message.method() == http::verb::head;
    for (const auto& field : message) {
      auto name = field.name_string();
      auto value = field.value();
      request_.headers.emplace_back(std::string(name.data(), name.size()),
                                    std::string(value.data(), value.size()));
    }
  }

  // Calls the handler; a Responder that is dropped unused answers 500.
  struct Pending {
    explicit Pending(std::shared_ptr<Session> s) : session(std::move(s)) {}
    ~Pending() {
      if (!sent.exchange(true)) session->Send(session->Failure(Internal("the handler gave no answer")));
    }
    std::shared_ptr<Session> session;
    std::atomic<bool> sent{false};
  };

  void Dispatch() {
    stream_.expires_never();
    request_.arrival = SystemClock().Now();
    auto pending = std::make_shared<Pending>(shared_from_this());
    shared_->handler(std::move(request_), [pending](Response response) {
      if (!pending->sent.exchange(true)) pending->session->Send(std::move(response));
    });
  }

  void Write(Response response) {
    if (shared_->draining) keep_alive_ = false;
    struct Outgoing {
      Response response;
      std::string head;
      std::vector<asio::const_buffer> buffers;
    };
    auto out = std::make_shared<Outgoing>();
    out->response = std::move(response);
    size_t length = out->response.body.size();
    for (const auto& [part, owner] : out->response.tail) length += part.size();
    out->head = HeadText(out->response, keep_alive_, length);
    out->buffers.emplace_back(asio::buffer(out->head));
    if (!head_only_) {
      out->buffers.emplace_back(asio::buffer(out->response.body));
      for (const auto& [part, owner] : out->response.tail)
        out->buffers.emplace_back(part.data(), part.size());
    }
    stream_.expires_after(shared_->options.idle_timeout);
    asio::async_write(stream_, out->buffers, [self = shared_from_this(), out](ErrorCode error, size_t) {
      if (error) return self->stream_.close();
      self->keep_alive_ ? self->ReadHead() : self->Linger();
    });
  }

  Response Failure(const Status& status) const {
    return shared_->options.failure ? shared_->options.failure(status) : ErrorResponse(status);
  }

  void Refuse(int status, const std::string& text) {
    const Code code = status >= 500   ? Code::kInternal
                      : status == 400 ? Code::kInvalidArgument
                                      : Code::kResourceExhausted;  // 413, 431
    Response response = Failure(Status(code, text));
    response.status = status;
    WriteLast(std::move(response));
  }

  // Of a request whose body was not read to its end: nothing after it could be understood.
  void WriteLast(Response response) {
    keep_alive_ = false;
    Write(std::move(response));
  }

  void RefuseBody(uint64_t limit) {
    Refuse(413, fmt::format("the request's body is larger than the limit of {} bytes", limit));
  }

  void BodyFailed(ErrorCode error) {
    bool client_gone = error == asio::error::eof || error == asio::error::connection_reset ||
                       error == http::error::partial_message || error == beast::error::timeout;
    if (client_gone) return stream_.close();
    Refuse(400, fmt::format("the request's body cannot be read: {}", error.message()));
  }

  // Says that nothing more will be sent, then reads what the client still sends, within bounds.
  void Linger() {
    ErrorCode ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLingerLimit);
    lingered_ = 0;
    ReadAndDrop();
  }

  void ReadAndDrop() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(1 << 16),
                            [self = shared_from_this()](ErrorCode error, size_t bytes) {
                              self->lingered_ += bytes;
                              if (error || self->lingered_ > kLingerBytesMax) return self->stream_.close();
                              self->ReadAndDrop();
                            });
  }

  std::shared_ptr<Shared> shared_;
  Loop& loop_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<HeadParser> head_;
  Request request_;    // being received
  bool idle_ = false;  // waiting for a request, nothing of it read
  bool is_upload_ = false;
  bool keep_alive_ = true;
  bool head_only_ = false;  // HEAD
  size_t lingered_ = 0;
};

class BeastServer : public HttpServer {
 public:
  BeastServer(std::shared_ptr<Shared> shared, tcp::acceptor acceptor)
      : shared_(std::move(shared)), acceptor_(std::move(acceptor)), port_(acceptor_.local_endpoint().port()) {
    Accept();
    for (Loop& loop : shared_->loops) threads_.emplace_back([&loop] { loop.io.run(); });
  }

  ~BeastServer() override {
    shared_->draining = true;
    CloseAcceptor();
    for (const auto& session : Sessions()) session->Close();
    // Everything that waits is ended, not left behind: sessions and the io_context hold each other.
    for (Loop& loop : shared_->loops) loop.work.reset();
    for (auto& thread : threads_) thread.join();
    shared_->stopped = true;
    for (Loop& loop : shared_->loops) {
      loop.io.restart();
      loop.io.poll();
    }
    std::lock_guard lock(shared_->mutex);
    shared_->accept_again = nullptr;  // a handler may still hold a session
  }

  uint16_t port() const override { return port_; }

  bool Drain(Duration limit) override {
    shared_->draining = true;
    CloseAcceptor();
    for (const auto& session : Sessions()) session->CloseIfIdle();
    std::unique_lock lock(shared_->mutex);
    return shared_->changed.wait_for(lock, limit, [this] { return shared_->sessions.empty(); });
  }

 private:
  void CloseAcceptor() {
    asio::post(Acceptors(), [this] {
      ErrorCode ignored;
      acceptor_.close(ignored);
    });
  }

  // Those alive, held: the last reference must not go while the mutex is locked, the destructor takes it.
  std::vector<std::shared_ptr<Session>> Sessions() {
    std::vector<std::shared_ptr<Session>> alive;
    std::lock_guard lock(shared_->mutex);
    shared_->accept_again = nullptr;
    for (Session* session : shared_->sessions) {
      if (auto held = session->weak_from_this().lock()) alive.push_back(std::move(held));
    }
    return alive;
  }

  asio::io_context& Acceptors() { return shared_->loops.front().io; }

  // The loop with the fewest connections, which counts one more from now on.
  Loop& TakeLoop() {
    std::lock_guard lock(shared_->mutex);
    Loop& loop = *std::min_element(shared_->loops.begin(), shared_->loops.end(),
                                   [](const Loop& a, const Loop& b) { return a.sessions < b.sessions; });
    ++loop.sessions;
    return loop;
  }

  void Accept() {
    Loop& loop = TakeLoop();
    acceptor_.async_accept(loop.io, [this, &loop](ErrorCode error, Socket socket) {
      if (!error && !shared_->draining) {
        std::make_shared<Session>(shared_, std::move(socket), loop)->Start();
        return AcceptWhenFree();
      }
      {
        std::lock_guard lock(shared_->mutex);
        --loop.sessions;
      }
      if (!shared_->draining && error != asio::error::operation_aborted) AcceptLater(error);
    });
  }

  // Out of descriptors or the like: try again shortly instead of spinning.
  void AcceptLater(ErrorCode error) {
    log::Warning("cannot accept a connection", {{"error", error.message()}});
    auto timer = std::make_shared<asio::steady_timer>(Acceptors(), std::chrono::milliseconds(50));
    timer->async_wait([this, timer](ErrorCode timer_error) {
      if (!timer_error && !shared_->draining) Accept();
    });
  }

  void AcceptWhenFree() {
    {
      std::lock_guard lock(shared_->mutex);
      if (shared_->sessions.size() >= static_cast<size_t>(shared_->options.connections_max)) {
        shared_->accept_again = [this] { asio::post(Acceptors(), [this] { Accept(); }); };
        return;
      }
    }
    Accept();
  }

  std::shared_ptr<Shared> shared_;
  tcp::acceptor acceptor_;
  uint16_t port_;
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options, Handler handler) {
  auto shared = std::make_shared<Shared>();
  shared->options = std::move(options);
  shared->handler = std::move(handler);
  std::string where = fmt::format("{}:{}", shared->options.address, shared->options.port);
  try {
    tcp::endpoint endpoint(asio::ip::make_address(shared->options.address), shared->options.port);
    for (int i = 0; i < std::max(1, shared->options.threads); ++i) shared->loops.emplace_back();
    tcp::acceptor acceptor(shared->loops.front().io);
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen(1024);
    return std::unique_ptr<HttpServer>(std::make_unique<BeastServer>(shared, std::move(acceptor)));
  } catch (const std::exception& error) {
    return Unavailable("cannot listen on {}: {}", where, error.what());
  }
}

}  // namespace snug::net
