#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "os/files.h"
#include "os/http_client.h"
#include "os/unique_fd.h"

namespace snug::net {
namespace {

using os::Fetch;
using std::chrono::seconds;

std::unique_ptr<HttpServer> StartOrDie(HttpServerOptions options, Handler handler) {
  auto server = HttpServer::Start(std::move(options), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status().ToString();
  return std::move(server).value();
}

std::string Url(const HttpServer& server, const std::string& target) {
  return fmt::format("http://127.0.0.1:{}{}", server.port(), target);
}

void Echo(Request&& request, const Responder& respond) {
  Response response;
  response.content_type = "text/plain";
  response.body = request.method + " " + request.path + " " + request.body;
  respond(std::move(response));
}

// What a client that speaks bytes gets back until the server closes.
std::string Raw(uint16_t port, const std::string& bytes) {
  os::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "no connection";
  if (::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return "no send";
  std::string answer;
  char block[4096];
  for (ssize_t n = 0; (n = ::recv(fd.get(), block, sizeof block, 0)) > 0;)
    answer.append(block, static_cast<size_t>(n));
  return answer;
}

TEST(HttpServerTest, AnswersAndKeepsTheConnection) {
  auto server = StartOrDie({}, Echo);
  for (int i = 0; i < 3; ++i) {
    auto answer = Fetch({.method = "POST", .url = Url(*server, "/a%20b?x=1"), .body = "hello"});
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "POST /a b hello");
  }
  std::string two =
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  std::string answer = Raw(server->port(), two);
  EXPECT_NE(answer.find("GET /1 "), std::string::npos);
  EXPECT_NE(answer.find("GET /2 "), std::string::npos);
}

TEST(HttpServerTest, BodiesArriveWhole) {
  auto server = StartOrDie({}, Echo);
  std::string large(3'000'000, '.');
  for (size_t i = 0; i < large.size(); i += 1000) large.replace(i, 8, fmt::format("{:08}", i));
  auto answer = Fetch({.method = "POST", .url = Url(*server, "/large"), .body = large});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->body, "POST /large " + large);
  // One after the other in what is received at once: by length, in chunks, without a body.
  std::string answers = Raw(server->port(),
                            "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
                            "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n"
                            "POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answers.find("POST /1 first"), std::string::npos) << answers;
  EXPECT_NE(answers.find("POST /2 second"), std::string::npos) << answers;
  EXPECT_TRUE(answers.ends_with("POST /3 ")) << answers;
}

TEST(HttpServerTest, ErrorsOfItsOwnReadAsTheApplicationsDo) {
  HttpServerOptions options;
  options.body_bytes_max = 100;
  options.failure = [](const Status& status) {
    Response response;
    response.body = fmt::format("{}: {}", CodeName(status.code()), status.text());
    return response;
  };
  auto server = StartOrDie(options, Echo);
  auto answer = Fetch({.method = "POST", .url = Url(*server, "/"), .body = std::string(101, 'x')});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->status, 413);
  EXPECT_EQ(answer->body, "RESOURCE_EXHAUSTED: the request's body is larger than the limit of 100 bytes");
}

TEST(HttpServerTest, RefusesWhatIsTooLargeBeforeReadingIt) {
  HttpServerOptions options;
  options.body_bytes_max = 100;
  auto server = StartOrDie(options, Echo);
  auto answer = Fetch({.method = "POST", .url = Url(*server, "/"), .body = std::string(101, 'x')});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->status, 413);
  EXPECT_EQ(answer->body, R"({"error":"the request's body is larger than the limit of 100 bytes"})");
  std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" +
                        std::string(128, 'x') + "\r\n0\r\n\r\n";
  EXPECT_EQ(Raw(server->port(), chunked).substr(0, 12), "HTTP/1.1 413");
  std::string headers = "GET / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n";
  EXPECT_EQ(Raw(server->port(), headers).substr(0, 12), "HTTP/1.1 431");
}

TEST(HttpServerTest, RefusesWhatIsNotHttp) {
  auto server = StartOrDie({}, Echo);
  EXPECT_EQ(Raw(server->port(), "nonsense\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  auto answer = Fetch({.url = Url(*server, "/%zz")});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 400);
}

TEST(HttpServerTest, HandlersMayAnswerLaterFromAnotherThread) {
  std::thread later;
  auto server = StartOrDie({}, [&later](Request&&, Responder respond) {
    later = std::thread([respond = std::move(respond)] {
      Response response;
      auto owner = std::make_shared<std::string>("tail");
      response.body = "head ";
      response.tail.emplace_back(*owner, owner);
      respond(std::move(response));
    });
  });
  auto answer = Fetch({.url = Url(*server, "/")});
  later.join();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->body, "head tail");
}

TEST(HttpServerTest, ConnectionsAreSpreadOverTheThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<Responder> waiting;  // until as many connections are open
  HttpServerOptions options;
  options.threads = 3;
  auto server = StartOrDie(options, [&](Request&&, Responder respond) {
    std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    waiting.push_back(std::move(respond));
    if (waiting.size() < 3) return;
    for (const Responder& each : waiting) each({});
  });
  std::vector<std::future<std::string>> answers;
  answers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    answers.push_back(std::async(std::launch::async, [&] {
      return Raw(server->port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }));
  }
  for (auto& answer : answers) EXPECT_NE(answer.get().find("200 OK"), std::string::npos);
  EXPECT_EQ(threads.size(), 3u);
}

TEST(HttpServerTest, ADroppedResponderIsAnError) {
  auto server = StartOrDie({}, [](Request&&, const Responder&) {});
  auto answer = Fetch({.url = Url(*server, "/")});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 500);
}

TEST(HttpServerTest, UploadsGoToAFile) {
  HttpServerOptions options;
  options.body_bytes_max = 10;
  options.upload_dir = testing::TempDir();
  options.upload = [](std::string_view method, std::string_view) { return method == "POST"; };
  auto server = StartOrDie(options, [](Request&& request, const Responder& respond) {
    Response response;
    response.body = std::to_string(os::ReadFile(request.body_file)->size());
    ::unlink(request.body_file.c_str());
    respond(std::move(response));
  });
  auto answer = Fetch({.method = "POST", .url = Url(*server, "/up"), .body = std::string(3 << 20, 'x')});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->body, std::to_string(3 << 20));
}

TEST(HttpServerTest, RefusesByTheHeadersBeforeABodyIsSent) {
  HttpServerOptions options;
  options.upload_dir = testing::TempDir();
  options.upload = [](std::string_view, std::string_view) { return true; };
  options.upload_bytes_max = 1000;
  options.admit = [](const Request& head) -> std::optional<Response> {
    if (head.Header("authorization") == "yes" && head.path == "/a b") return std::nullopt;
    return ErrorResponse(Error(Code::kUnauthenticated, "who are you?"));
  };
  auto server = StartOrDie(options, Echo);
  // The client sends headers only, and has its answer: nothing waits for the body.
  std::string announced = "POST /a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n";
  std::string refused = Raw(server->port(), announced + "\r\n");
  EXPECT_EQ(refused.substr(0, 12), "HTTP/1.1 401");
  EXPECT_NE(refused.find("Connection: close"), std::string::npos);
  EXPECT_NE(refused.find("who are you?"), std::string::npos);
  std::string expecting = Raw(server->port(), announced + "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(expecting.substr(0, 12), "HTTP/1.1 401") << "and is not asked to continue";
  std::string large = "POST /a%20b HTTP/1.1\r\nAuthorization: yes\r\nContent-Length: 1001\r\n\r\n";
  EXPECT_EQ(Raw(server->port(), large).substr(0, 12), "HTTP/1.1 413");
  auto admitted = Fetch({.method = "POST",
                         .url = Url(*server, "/a%20b"),
                         .headers = {{"Authorization", "yes"}},
                         .body = "hello"});
  ASSERT_TRUE(admitted.ok()) << admitted.status().ToString();
  EXPECT_EQ(admitted->status, 200);
}

TEST(HttpServerTest, DrainAnswersWhatIsUnderWayAndClosesTheIdle) {
  std::promise<Responder> arrived;
  auto server =
      StartOrDie({}, [&arrived](Request&&, Responder respond) { arrived.set_value(std::move(respond)); });
  auto client = std::async(std::launch::async, [&] { return Fetch({.url = Url(*server, "/")}); });
  Responder respond = arrived.get_future().get();
  auto drained = std::async(std::launch::async, [&] { return server->Drain(seconds(10)); });
  EXPECT_EQ(drained.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  Response response;
  response.body = "done";
  respond(std::move(response));
  respond = nullptr;
  auto answer = client.get();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->body, "done");
  EXPECT_EQ(answer->headers["connection"], "close");
  EXPECT_TRUE(drained.get());
}

TEST(HttpServerTest, WaitsForAFreeConnection) {
  HttpServerOptions options;
  options.connections_max = 1;
  auto server = StartOrDie(options, Echo);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(Raw(server->port(), "GET / HTTP/1.0\r\n\r\n").find("200"), std::string::npos);
  }
}

TEST(HttpServerTest, SaysWhereItCannotListen) {
  auto first = StartOrDie({}, Echo);
  HttpServerOptions options;
  options.port = first->port();
  auto second = HttpServer::Start(options, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace snug::net
