#include "server/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <vector>

#include "base/log.h"
#include "server/grpc_call.h"
#include "server/grpc_events.h"
#include "server/grpc_methods.h"
#include "server/grpc_stream.h"

namespace snug::server {

TimePoint GrpcDeadline(const grpc::ServerContext& context, TimePoint now) {
  const gpr_timespec raw = context.raw_deadline();
  if (gpr_time_cmp(raw, gpr_inf_future(raw.clock_type)) == 0) return TimePoint::max();
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return TimePoint::max();
  return now + std::chrono::duration_cast<Duration>(left);
}

std::string_view GrpcMetadata(const grpc::ServerContext& context, const char* name) {
  const auto& all = context.client_metadata();
  auto found = all.find(name);
  return found == all.end() ? std::string_view()
                            : std::string_view(found->second.data(), found->second.size());
}

grpc::Status ToGrpc(const Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(static_cast<int>(status.code())), status.text());
}

namespace {

// Calls to methods that there are not, awaited at a time.
constexpr int kUnknownSlots = 2;
constexpr const char* kStreamMethod = "/inference.GRPCInferenceService/ModelStreamInfer";

// Registers methods by name for raw bytes: what protoc's WithRawMethod_ templates do, as a table.
class RawService : public grpc::Service {
 public:
  explicit RawService(std::span<const GrpcMethod> methods) {
    for (size_t i = 0; i < methods.size(); ++i) {
      AddMethod(new grpc::internal::RpcServiceMethod(methods[i].name, grpc::internal::RpcMethod::NORMAL_RPC,
                                                     nullptr));
      MarkMethodRaw(static_cast<int>(i));
    }
    stream_ = static_cast<int>(methods.size());
    AddMethod(new grpc::internal::RpcServiceMethod(kStreamMethod, grpc::internal::RpcMethod::BIDI_STREAMING,
                                                   nullptr));
    MarkMethodRaw(stream_);
  }
  int stream() const { return stream_; }
  using grpc::Service::RequestAsyncBidiStreaming;
  using grpc::Service::RequestAsyncUnary;

 private:
  int stream_ = 0;
};

// Set on the threads that take events.
thread_local bool serves_events = false;

struct Queue {
  std::unique_ptr<grpc::ServerCompletionQueue> events;
  std::thread thread;
};

// Awaits one call of a method, then stands in for itself with another one. It goes when both its answer was
// sent and gRPC has told that the call is over.
class RawCall : public GrpcCall {
 public:
  struct Method {
    RawService& service;
    int index;
    const GrpcMethod& method;
    Core& core;
    const std::atomic<bool>& closing;
    uint64_t send_here_bytes_max;   // GrpcOptions'
    std::atomic<int>& handed_over;  // answers on their way to the queues' threads
  };

  static void Await(const Method& method, grpc::ServerCompletionQueue* queue) {
    auto* call = new RawCall(method, queue);
    call->context_.AsyncNotifyWhenDone(&call->over_);
    method.service.RequestAsyncUnary(method.index, &call->context_, &call->request_, &call->writer_, queue,
                                     queue, &call->arrived_);
  }

  void Finish(const grpc::ByteBuffer& answer) override {
    if (serves_events || answer.Length() <= method_.send_here_bytes_max) return Send(answer);
    deferred_ = std::make_unique<Deferred>();
    deferred_->answer = answer;
    method_.handed_over.fetch_add(1);
    deferred_->alarm.Set(queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), &handed_over_);
  }
  std::string_view Metadata(const char* name) const override { return GrpcMetadata(context_, name); }
  void Fail(const Status& status) override { writer_.FinishWithError(ToGrpc(status), &sent_); }

 private:
  template <void (RawCall::*Handle)(bool)>
  class Tag : public GrpcEvent {
   public:
    explicit Tag(RawCall& call) : call_(call) {}
    void Happened(bool ok) override { (call_.*Handle)(ok); }

   private:
    RawCall& call_;
  };

  // An answer on its way to the queue's thread.
  struct Deferred {
    grpc::ByteBuffer answer;
    grpc::Alarm alarm;
  };

  RawCall(const Method& method, grpc::ServerCompletionQueue* queue) : method_(method), queue_(queue) {}

  void Send(const grpc::ByteBuffer& answer) { writer_.Finish(answer, grpc::Status::OK, &sent_); }
  void HandedOver(bool) {
    Send(deferred_->answer);
    if (method_.handed_over.fetch_sub(1) == 1) method_.handed_over.notify_all();
  }
  void Arrived(bool ok) {
    if (!ok) {  // shutting down; the other events never come
      delete this;
      return;
    }
    if (!method_.closing.load(std::memory_order_relaxed)) Await(method_, queue_);
    arrival_ = SystemClock().Now();
    deadline_ = GrpcDeadline(context_, arrival_);
    cancelled_ = std::make_shared<std::atomic<bool>>(false);
    method_.method.handle(method_.core, *this);
  }
  void Over(bool) {
    if (context_.IsCancelled()) cancelled_->store(true, std::memory_order_relaxed);
    Release();
  }
  void Sent(bool) { Release(); }
  void Release() {
    if (left_.fetch_sub(1) == 1) delete this;
  }

  const Method& method_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
  Tag<&RawCall::Arrived> arrived_{*this};
  Tag<&RawCall::Over> over_{*this};
  Tag<&RawCall::Sent> sent_{*this};
  Tag<&RawCall::HandedOver> handed_over_{*this};
  std::unique_ptr<Deferred> deferred_;
  std::atomic<int> left_{2};
};

// A call of a method that there is not: answered with what there is.
class UnknownCall : public GrpcEvent {
 public:
  static void Await(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue* queue) {
    auto* call = new UnknownCall(service, queue);
    service.RequestCall(&call->context_, &call->stream_, queue, queue, call);
  }

  void Happened(bool ok) override {
    if (!ok || answered_) {
      delete this;
      return;
    }
    Await(service_, queue_);
    answered_ = true;
    std::string known = kStreamMethod;
    for (const GrpcMethod& method : GrpcMethods()) known += std::string(", ") + method.name;
    stream_.Finish(ToGrpc(Error(Code::kUnimplemented, "{} is not implemented here; known methods: {}",
                                context_.method(), known)),
                   this);
  }

 private:
  UnknownCall(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue) {}

  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  bool answered_ = false;
};

int Milliseconds(Duration d) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

void SetLimits(grpc::ServerBuilder& builder, const GrpcOptions& options) {
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<uint64_t>(options.message_bytes_max, INT32_MAX)));
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT,
                             0);  // a second server on the port is an error, not a share
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_max);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  if (options.connection_age_max > Duration{0}) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.connection_age_max));
  }
  for (const auto& [name, value] : options.channel_arguments) {
    int number = 0;
    auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && rest == value.data() + value.size())
      builder.AddChannelArgument(name, number);
    else
      builder.AddChannelArgument(name, value);
  }
  if (options.memory_bytes_max > 0) {
    builder.SetResourceQuota(grpc::ResourceQuota("snug-server").Resize(options.memory_bytes_max));
  }
}

class AsyncServer : public GrpcServer {
 public:
  AsyncServer(const GrpcOptions& options, Core& core)
      : options_(options), service_(GrpcMethods()), streams_(core) {
    const auto methods = GrpcMethods();
    for (size_t i = 0; i < methods.size(); ++i) {
      methods_.push_back({service_, static_cast<int>(i), methods[i], core, closing_,
                          options.send_here_bytes_max, handed_over_});
    }
  }
  ~AsyncServer() override { Drain(Duration{0}); }

  Status Listen() {
    grpc::ServerBuilder builder;
    int port = 0;
    const std::string address = fmt::format("{}:{}", options_.address, options_.port);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    if (!options_.socket_path.empty())
      builder.AddListeningPort("unix:" + options_.socket_path, grpc::InsecureServerCredentials());
    SetLimits(builder, options_);
    builder.RegisterService(&service_);
    builder.RegisterAsyncGenericService(&unknown_);
    queues_.resize(static_cast<size_t>(options_.threads));
    for (Queue& queue : queues_) queue.events = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (!server_ || port == 0)
      return Unavailable("cannot listen for gRPC on {}: is the port taken?", address);
    port_ = static_cast<uint16_t>(port);
    for (Queue& queue : queues_) {
      AwaitCalls(queue.events.get());
      queue.thread = std::thread([events = queue.events.get()] { Serve(events); });
    }
    return {};
  }

  uint16_t port() const override { return port_; }

  bool Drain(Duration limit) override {
    if (closing_.exchange(true)) return true;
    const auto begun = std::chrono::steady_clock::now();
    streams_.Drain();
    if (server_)
      server_->Shutdown(std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::microseconds>(limit));
    const bool in_time = std::chrono::steady_clock::now() - begun < limit;
    for (int left; (left = handed_over_.load()) > 0;) handed_over_.wait(left);
    for (Queue& queue : queues_) {
      queue.events->Shutdown();
      if (queue.thread.joinable()) queue.thread.join();
      DropEvents(*queue.events);
    }
    return in_time;
  }

 private:
  // Before the queue's thread starts, so that a server which ends at once asks for nothing of a closed queue.
  void AwaitCalls(grpc::ServerCompletionQueue* queue) {
    for (const auto& method : methods_) {
      for (int i = 0; i < method.method.slots; ++i) RawCall::Await(method, queue);
    }
    for (int i = 0; i < kUnknownSlots; ++i) UnknownCall::Await(unknown_, queue);
    streams_.Await([this, queue](auto* context, auto* stream, void* tag) {
      service_.RequestAsyncBidiStreaming(service_.stream(), context, stream, queue, queue, tag);
    });
  }
  static void Serve(grpc::ServerCompletionQueue* queue) {
    serves_events = true;
    void* tag = nullptr;
    bool ok = false;
    while (queue->Next(&tag, &ok)) static_cast<GrpcEvent*>(tag)->Happened(ok);
  }
  // Where no thread was started: gRPC wants its queues empty.
  static void DropEvents(grpc::ServerCompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
  }

  const GrpcOptions options_;
  RawService service_;
  grpc::AsyncGenericService unknown_;
  Streams streams_;
  std::vector<RawCall::Method> methods_;
  std::vector<Queue> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<bool> closing_{false};
  std::atomic<int> handed_over_{0};
  uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcOptions& options, Core& core) {
  // Debian builds Abseil with its search for deadlocks, which looks at a graph of all locks on each lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  auto server = std::make_unique<AsyncServer>(options, core);
  SNUG_RETURN_IF_ERROR(server->Listen());
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace snug::server
