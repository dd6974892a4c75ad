// A model server's stand-in for the front door's tests and measurements: answers every gRPC method and REST
// path with its own name, late or UNAVAILABLE when told so.
//
//   front-door-upstream NAME [GRPC_PORT]     prints {"grpc_port":…,"rest_port":…}
//   POST /mode?delay_ms=200&unavailable=1    changes its behaviour; GET /counts says how often it was asked
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace snug {
namespace {

struct Mode {
  std::string name;
  std::atomic<int> delay_ms{0};
  std::atomic<bool> unavailable{false};
  std::atomic<uint64_t> grpc_count{0}, rest_count{0};
};

std::string Field(char number, std::string_view content) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(content.size()) +
         std::string(content);
}

// Field 1 is the model's name in ModelInferResponse and PredictResponse, so that clients read who answered
// there.
std::string Reply(const std::string& method, const std::string& name) {
  if (method.ends_with("/ModelReady")) return "\x08\x01";
  if (method.ends_with("/ModelStreamInfer")) return Field(2, Field(1, name));
  return Field(1, name);
}

class Call final : public grpc::ServerGenericBidiReactor {
 public:
  Call(Mode& mode, grpc::GenericCallbackServerContext* context) : mode_(mode) {
    grpc::Slice slice(Reply(context->method(), mode.name));
    reply_ = grpc::ByteBuffer(&slice, 1);
    if (mode.unavailable) {
      Finish({grpc::StatusCode::UNAVAILABLE, "draining"});
    } else {
      StartRead(&request_);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    ++mode_.grpc_count;
    if (mode_.delay_ms == 0) return StartWrite(&reply_);
    alarm_.Set(std::chrono::system_clock::now() + std::chrono::milliseconds(mode_.delay_ms),
               [this](bool) { StartWrite(&reply_); });
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  Mode& mode_;
  grpc::ByteBuffer request_, reply_;
  grpc::Alarm alarm_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Mode& mode) : mode_(mode) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Call(mode_, context);
  }

 private:
  Mode& mode_;
};

int ToInt(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void OnRest(Mode& mode, net::Request&& request, const net::Responder& respond) {
  if (request.path == "/mode") {
    mode.delay_ms = ToInt(request.Query("delay_ms"));
    mode.unavailable = ToInt(request.Query("unavailable")) != 0;
    return respond({});
  }
  net::Response response;
  if (request.path == "/counts") {
    response.body = nlohmann::json{{"grpc", mode.grpc_count.load()}, {"rest", mode.rest_count.load()}}.dump();
    return respond(std::move(response));
  }
  if (mode.unavailable) return respond(net::ErrorResponse(Unavailable("draining")));
  ++mode.rest_count;
  response.body = nlohmann::json{{"answered_by", mode.name},
                                 {"bytes", request.body.size()},
                                 {"path", request.path},
                                 {"saw_cluster_header", !request.Header("x-snug-cluster").empty()}}
                      .dump();
  respond(std::move(response));
}

int Main(int argc, char** argv) {
  constexpr int kMessageBytesMax = 128 << 20;
  Mode mode;
  mode.name = argc > 1 ? argv[1] : "upstream";
  net::HttpServerOptions options;
  options.body_bytes_max = kMessageBytesMax;
  auto rest = net::HttpServer::Start(options, [&mode](net::Request&& request, net::Responder respond) {
    OnRest(mode, std::move(request), respond);
  });
  if (!rest.ok()) return 1;

  Service service(mode);
  int grpc_port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::string(argc > 2 ? argv[2] : "0"),
                           grpc::InsecureServerCredentials(), &grpc_port);
  builder.RegisterCallbackGenericService(&service);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("{\"grpc_port\":%d,\"rest_port\":%d}\n", grpc_port, (*rest)->port());
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace snug

int main(int argc, char** argv) {
  return snug::Main(argc, argv);
}
