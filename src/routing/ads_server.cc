#include "routing/ads_server.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <list>
#include <mutex>

#include "base/log.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "routing/delta_session.h"

namespace snug::routing {
namespace {

namespace discovery = ::envoy::service::discovery::v3;
using discovery::DeltaDiscoveryRequest;
using discovery::DeltaDiscoveryResponse;

constexpr int kRequestBytesMax = 64 << 20;        // a reconnecting Envoy lists the versions of all it has
constexpr size_t kNamesPerStreamMax = 1'000'000;  // 4 for each key: two protocols, subscribed and told
constexpr size_t kRefusalTextMax = 500;
constexpr int kPingIntervalMsMin = 10'000;  // Envoy pings an idle stream each 30 s

class Stream;

class Server final : public AdsServer, public discovery::AggregatedDiscoveryService::CallbackService {
 public:
  explicit Server(int streams_max) : streams_max_(streams_max) {}
  ~Server() override;

  Status Listen(const AdsOptions& options);
  Status Publish(const Snapshot& snapshot) override;
  bool WaitApplied(Duration limit) override;
  uint16_t port() const override { return port_; }
  AdsStats stats() const override;

  grpc::ServerBidiReactor<DeltaDiscoveryRequest, DeltaDiscoveryResponse>* DeltaAggregatedResources(
      grpc::CallbackServerContext* context) override;

 private:
  friend class Stream;

  const Resources* published() const { return is_published_ ? &resources_ : nullptr; }
  void CountRefusal(const DeltaDiscoveryRequest& request);

  const int streams_max_;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;  // guards what follows and the state of all streams
  std::condition_variable settled_;
  bool is_published_ = false;
  Snapshot snapshot_;
  Resources resources_;
  std::list<Stream*> streams_;
  AdsStats stats_;
  std::unique_ptr<grpc::Server> server_;
};

// One Envoy's stream. At most one response is under way; what changes meanwhile goes, joined, into the next
// one.
class Stream final : public grpc::ServerBidiReactor<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
 public:
  Stream(Server* server, std::string peer) : server_(server), peer_(std::move(peer)) {}

  void Begin() { StartRead(&request_); }
  DeltaSession& session() { return session_; }
  void MaybeWrite();  // with the server's lock

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  grpc::Status Take();  // with the server's lock
  void FinishWhenIdle(grpc::Status status);
  void Fill(const DeltaResponse& response, const ResourceMap& map);

  Server* server_;
  std::string peer_;
  DeltaSession session_;
  DeltaDiscoveryRequest request_;
  DeltaDiscoveryResponse response_;
  bool writing_ = false;
  bool finishing_ = false;
  grpc::Status final_status_;
};

// For streams over the limit.
class RefusedStream final : public grpc::ServerBidiReactor<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
 public:
  explicit RefusedStream(const std::string& text) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, text));
  }
  void OnDone() override { delete this; }
};

// ---- Stream
// --------------------------------------------------------------------------------------------------------

bool TypeFromUrl(const std::string& url, ResourceType& type) {
  for (ResourceType known : kResourceTypes) {
    if (url != TypeUrl(known)) continue;
    type = known;
    return true;
  }
  return false;
}

DeltaRequest ToDeltaRequest(ResourceType type, const DeltaDiscoveryRequest& request) {
  DeltaRequest out;
  out.type = type;
  out.subscribe.assign(request.resource_names_subscribe().begin(), request.resource_names_subscribe().end());
  out.unsubscribe.assign(request.resource_names_unsubscribe().begin(),
                         request.resource_names_unsubscribe().end());
  out.initial_versions.insert(request.initial_resource_versions().begin(),
                              request.initial_resource_versions().end());
  out.nonce = request.response_nonce();
  out.refused = request.has_error_detail();
  return out;
}

grpc::Status Stream::Take() {
  ResourceType type{};
  // Envoy asks for other types (runtime, listeners) only when its bootstrap says so; ours does not.
  if (!TypeFromUrl(request_.type_url(), type)) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            fmt::format("{} is not served: expected clusters or endpoints", request_.type_url())};
  }
  if (request_.has_error_detail()) server_->CountRefusal(request_);
  session_.OnRequest(ToDeltaRequest(type, request_), server_->published());
  if (session_.NameCount() > kNamesPerStreamMax) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many names are subscribed to"};
  }
  return grpc::Status::OK;
}

void Stream::OnReadDone(bool ok) {
  grpc::Status status;
  {
    std::lock_guard lock(server_->mutex_);
    if (ok && !finishing_) {
      status = Take();
      if (status.ok()) MaybeWrite();
    }
    server_->settled_.notify_all();
  }
  if (ok && status.ok()) {
    request_.Clear();
    StartRead(&request_);
  } else {
    FinishWhenIdle(status);
  }
}

void Stream::OnWriteDone(bool ok) {
  std::unique_lock lock(server_->mutex_);
  writing_ = false;
  if (finishing_) {
    lock.unlock();
    Finish(final_status_);
    return;
  }
  if (ok) MaybeWrite();  // a failed write is followed by a failed read, which finishes the stream
}

void Stream::FinishWhenIdle(grpc::Status status) {
  std::unique_lock lock(server_->mutex_);
  if (finishing_) return;
  finishing_ = true;
  final_status_ = std::move(status);
  if (writing_) return;
  lock.unlock();
  Finish(final_status_);
}

void Stream::MaybeWrite() {
  if (writing_ || finishing_ || server_->published() == nullptr) return;
  auto next = session_.Next(server_->resources_);
  if (!next) return;
  Fill(*next, server_->resources_.Of(next->type));
  ++server_->stats_.responses;
  server_->stats_.resources += next->names.size();
  writing_ = true;
  StartWrite(&response_);
}

void Stream::Fill(const DeltaResponse& response, const ResourceMap& map) {
  response_.Clear();
  response_.set_type_url(std::string(TypeUrl(response.type)));
  response_.set_nonce(response.nonce);
  for (const std::string& name : response.names) {
    const Resource& resource = map.find(name)->second;
    auto* out = response_.add_resources();
    out->set_name(name);
    out->set_version(resource.version);
    out->mutable_resource()->set_type_url(std::string(TypeUrl(response.type)));
    out->mutable_resource()->set_value(resource.bytes);
  }
  for (const std::string& name : response.removed) response_.add_removed_resources(name);
}

void Stream::OnDone() {
  {
    std::lock_guard lock(server_->mutex_);
    server_->streams_.remove(this);
    server_->settled_.notify_all();
  }
  log::Info("front door disconnected", {{"peer", peer_}});
  delete this;
}

// ---- Server
// --------------------------------------------------------------------------------------------------------

Server::~Server() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

Status Server::Listen(const AdsOptions& options) {
  const bool is_v6 = options.address.find(':') != std::string::npos;
  const std::string target =
      fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), options.address, options.port);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(target, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(kRequestBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMsMin);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0)
    return Unavailable("front door: cannot listen for Envoy on {}", target);
  port_ = static_cast<uint16_t>(port);
  return {};
}

grpc::ServerBidiReactor<DeltaDiscoveryRequest, DeltaDiscoveryResponse>* Server::DeltaAggregatedResources(
    grpc::CallbackServerContext* context) {
  std::unique_lock lock(mutex_);
  if (static_cast<int>(streams_.size()) >= streams_max_) {
    lock.unlock();
    return new RefusedStream(fmt::format("{} Envoys are connected, the most that are served", streams_max_));
  }
  auto* stream = new Stream(this, context->peer());
  streams_.push_back(stream);
  lock.unlock();
  log::Info("front door connected", {{"peer", context->peer()}});
  stream->Begin();
  return stream;
}

Status Server::Publish(const Snapshot& snapshot) {
  SNUG_RETURN_IF_ERROR(CheckSnapshot(snapshot));
  std::lock_guard lock(mutex_);
  ResourceChanges changes = Update(snapshot_, snapshot, resources_);
  const bool first = !is_published_;
  if (!first && changes.clusters.empty() && changes.endpoints.empty()) return {};
  snapshot_ = snapshot;
  is_published_ = true;
  ++stats_.publications;
  for (Stream* stream : streams_) {
    first ? stream->session().OnFirstPublication(resources_) : stream->session().OnChange(changes);
    stream->MaybeWrite();
  }
  return {};
}

bool Server::WaitApplied(Duration limit) {
  std::unique_lock lock(mutex_);
  return settled_.wait_for(lock, limit, [this] {
    if (!is_published_ || streams_.empty()) return false;
    for (Stream* stream : streams_) {
      if (!stream->session().Settled(resources_)) return false;
    }
    return true;
  });
}

void Server::CountRefusal(const DeltaDiscoveryRequest& request) {
  ++stats_.refusals;
  stats_.last_refusal = request.error_detail().message().substr(0, kRefusalTextMax);
  log::Error("Envoy refused an update", {{"type", request.type_url()}, {"text", stats_.last_refusal}});
}

AdsStats Server::stats() const {
  std::lock_guard lock(mutex_);
  AdsStats stats = stats_;
  stats.streams = static_cast<int>(streams_.size());
  return stats;
}

}  // namespace

Result<std::unique_ptr<AdsServer>> AdsServer::Start(const AdsOptions& options) {
  auto server = std::make_unique<Server>(options.streams_max);
  SNUG_RETURN_IF_ERROR(server->Listen(options));
  return std::unique_ptr<AdsServer>(std::move(server));
}

}  // namespace snug::routing
