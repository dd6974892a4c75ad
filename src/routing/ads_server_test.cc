#include "routing/ads_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "routing/resources.h"

namespace snug::routing {
namespace {

namespace discovery = ::envoy::service::discovery::v3;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Names = std::vector<std::string>;
using std::chrono::seconds;

Snapshot Models(const std::map<std::string, uint16_t>& ports) {
  Snapshot snapshot;
  for (const auto& [key, port] : ports) {
    snapshot.models[key].endpoints = {{"127.0.0.1", port, static_cast<uint16_t>(port + 1), 1}};
  }
  return snapshot;
}

// An Envoy's side of the stream.
class Client {
 public:
  explicit Client(uint16_t port)
      : stub_(discovery::AggregatedDiscoveryService::NewStub(
            grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + seconds(20));
    context_.set_wait_for_ready(true);
    stream_ = stub_->DeltaAggregatedResources(&context_);
  }
  ~Client() { context_.TryCancel(); }

  void Ask(ResourceType type, const Names& names) {
    auto request = Request(type);
    for (const auto& name : names) request.add_resource_names_subscribe(name);
    stream_->Write(request);
  }
  // Reads a response of the type and acknowledges or refuses it; the names in it, "-" before removed ones.
  Names Take(ResourceType type, bool refuse = false) {
    discovery::DeltaDiscoveryResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    EXPECT_EQ(response.type_url(), TypeUrl(type));
    auto answer = Request(type);
    answer.set_response_nonce(response.nonce());
    if (refuse) answer.mutable_error_detail()->set_message("no such field");
    stream_->Write(answer);
    Names names;
    for (const auto& resource : response.resources()) names.push_back(resource.name());
    for (const auto& name : response.removed_resources()) names.push_back("-" + name);
    return names;
  }
  grpc::Status Finish() {
    discovery::DeltaDiscoveryResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }
  discovery::DeltaDiscoveryRequest Request(ResourceType type) {
    discovery::DeltaDiscoveryRequest request;
    request.set_type_url(std::string(TypeUrl(type)));
    return request;
  }
  void Send(const discovery::DeltaDiscoveryRequest& request) { stream_->Write(request); }

 private:
  std::unique_ptr<discovery::AggregatedDiscoveryService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<discovery::DeltaDiscoveryRequest, discovery::DeltaDiscoveryResponse>>
      stream_;
};

class AdsServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    AdsOptions options;
    options.streams_max = 2;
    auto server = AdsServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
  }
  void AwaitStreams(int streams) {
    for (auto end = std::chrono::steady_clock::now() + seconds(10); server_->stats().streams != streams;) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::yield();
    }
  }
  void TakeAll(Client& client) {
    client.Ask(ResourceType::kCluster, {});
    Names clusters = client.Take(ResourceType::kCluster);
    client.Ask(ResourceType::kEndpoints, clusters);
    client.Take(ResourceType::kEndpoints);
  }

  std::unique_ptr<AdsServer> server_;
};

TEST_F(AdsServerTest, TellsEveryEnvoyWhatIsPublished) {
  ASSERT_TRUE(server_->Publish(Models({{"a", 1000}})).ok());
  Client one(server_->port()), two(server_->port());
  TakeAll(one);
  TakeAll(two);
  EXPECT_TRUE(server_->WaitApplied(seconds(10)));
  ASSERT_TRUE(server_->Publish(Models({{"a", 1002}})).ok());
  EXPECT_FALSE(server_->WaitApplied(Duration(0)));
  for (Client* client : {&one, &two}) {
    EXPECT_THAT(client->Take(ResourceType::kEndpoints), ElementsAre("g/a", "r/a"));
  }
  EXPECT_TRUE(server_->WaitApplied(seconds(10)));
}

TEST_F(AdsServerTest, KeepsSilentUntilTheFirstPublication) {
  Client client(server_->port());
  client.Ask(ResourceType::kCluster, {});
  AwaitStreams(1);
  EXPECT_FALSE(server_->WaitApplied(Duration(0)));
  EXPECT_EQ(server_->stats().responses, 0u);
  ASSERT_TRUE(server_->Publish({}).ok());
  EXPECT_THAT(client.Take(ResourceType::kCluster), IsEmpty());
}

TEST_F(AdsServerTest, CountsAndKeepsRefusals) {
  ASSERT_TRUE(server_->Publish(Models({{"a", 1000}})).ok());
  Client client(server_->port());
  client.Ask(ResourceType::kCluster, {});
  client.Take(ResourceType::kCluster, /*refuse=*/true);
  client.Ask(ResourceType::kEndpoints, {"g/a"});
  client.Take(ResourceType::kEndpoints);  // requests are read in order: the refusal has been
  EXPECT_EQ(server_->stats().refusals, 1u);
  EXPECT_EQ(server_->stats().last_refusal, "no such field");
  EXPECT_FALSE(server_->WaitApplied(Duration(0)));
}

TEST_F(AdsServerTest, BadSnapshotsLeaveEverythingAsItWas) {
  ASSERT_TRUE(server_->Publish(Models({{"a", 1000}})).ok());
  Snapshot bad = Models({{"b", 1000}});
  bad.models["b"].endpoints[0].host = "somewhere";
  EXPECT_EQ(server_->Publish(bad).code(), Code::kInvalidArgument);
  Client client(server_->port());
  client.Ask(ResourceType::kCluster, {});
  EXPECT_THAT(client.Take(ResourceType::kCluster), ElementsAre("g/a", "r/a"));
}

TEST_F(AdsServerTest, LimitsTheNumberOfEnvoys) {
  Client one(server_->port()), two(server_->port());
  AwaitStreams(2);
  Client three(server_->port());
  EXPECT_EQ(three.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(AdsServerTest, RefusesOtherTypes) {
  Client client(server_->port());
  auto request = client.Request(ResourceType::kCluster);
  request.set_type_url("type.googleapis.com/envoy.config.listener.v3.Listener");
  client.Send(request);
  EXPECT_EQ(client.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  AwaitStreams(0);
}

TEST_F(AdsServerTest, ChangesWhileAResponseIsUnderWayAreJoined) {
  ASSERT_TRUE(server_->Publish(Models({{"a", 1000}})).ok());
  Client client(server_->port());
  TakeAll(client);
  for (uint16_t i = 1; i <= 500; ++i) {
    ASSERT_TRUE(server_->Publish(Models({{"a", static_cast<uint16_t>(1000 + 2 * i)}})).ok());
  }
  std::atomic<bool> last = false;
  std::thread reader([&] {
    while (!last) client.Take(ResourceType::kEndpoints);
  });
  EXPECT_TRUE(server_->WaitApplied(seconds(10)));
  last = true;
  EXPECT_TRUE(server_->Publish(Models({{"a", 5000}})).ok());  // lets the reader's last Read return
  reader.join();
}

TEST_F(AdsServerTest, ThePortIsTakenOnce) {
  AdsOptions options;
  options.port = server_->port();
  auto second = AdsServer::Start(options);
  EXPECT_EQ(second.status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace snug::routing
