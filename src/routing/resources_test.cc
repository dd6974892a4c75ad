#include "routing/resources.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include <fstream>

namespace snug::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Snapshot OneModel(std::vector<Endpoint> endpoints) {
  Snapshot snapshot;
  snapshot.models["ocr"].endpoints = std::move(endpoints);
  return snapshot;
}

// Reads resources with Envoy's own descriptors.
std::string DebugText(ResourceType type, const Resource& resource) {
  namespace pb = google::protobuf;
  static pb::DescriptorPool* pool = [] {
    auto* out = new pb::DescriptorPool;
    std::ifstream file(SNUG_XDS_FDS, std::ios::binary);
    pb::FileDescriptorSet set;
    EXPECT_TRUE(set.ParseFromIstream(&file));
    for (const auto& descriptor : set.file()) out->BuildFile(descriptor);
    return out;
  }();
  static pb::DynamicMessageFactory factory(pool);
  std::string name(TypeUrl(type).substr(TypeUrl(type).find('/') + 1));
  std::unique_ptr<pb::Message> message(factory.GetPrototype(pool->FindMessageTypeByName(name))->New());
  EXPECT_TRUE(message->ParseFromString(resource.bytes));
  return message->ShortDebugString();
}

TEST(Resources, AreWhatEnvoyReads) {
  Resources resources;
  Update({}, OneModel({{"127.0.0.1", 8001, 8000, 90}, {"10.0.0.7", 300, 70, 10}}), resources);
  EXPECT_EQ(
      DebugText(ResourceType::kEndpoints, resources.endpoints.at("g/ocr")),
      "cluster_name: \"g/ocr\" endpoints { "
      "lb_endpoints { endpoint { address { socket_address { address: \"10.0.0.7\" port_value: 300 } } } "
      "load_balancing_weight { value: 10 } } "
      "lb_endpoints { endpoint { address { socket_address { address: \"127.0.0.1\" port_value: 8001 } } } "
      "load_balancing_weight { value: 90 } } }");
  EXPECT_THAT(DebugText(ResourceType::kEndpoints, resources.endpoints.at("r/ocr")),
              HasSubstr("address: \"127.0.0.1\" port_value: 8000"));
  std::string grpc = DebugText(ResourceType::kCluster, resources.clusters.at("g/ocr"));
  EXPECT_THAT(grpc, HasSubstr("name: \"g/ocr\""));
  EXPECT_THAT(grpc, HasSubstr("lb_policy: LEAST_REQUEST"));
  EXPECT_THAT(DebugText(ResourceType::kCluster, resources.clusters.at("r/ocr")),
              HasSubstr("name: \"r/ocr\""));
}

TEST(Resources, ADeployedModelWithoutCopiesHasAClusterWithoutEndpoints) {
  Resources resources;
  Update({}, OneModel({}), resources);
  EXPECT_EQ(DebugText(ResourceType::kEndpoints, resources.endpoints.at("g/ocr")), "cluster_name: \"g/ocr\"");
}

TEST(Resources, OnlyDifferencesAreNamed) {
  Resources resources;
  Snapshot first = OneModel({{"127.0.0.1", 8001, 8000, 1}});
  first.models["ocr@3"] = first.models["ocr"];
  EXPECT_THAT(Update({}, first, resources).clusters,
              UnorderedElementsAre("g/ocr", "r/ocr", "g/ocr@3", "r/ocr@3"));

  Snapshot grpc_moved = first;
  grpc_moved.models["ocr"].endpoints[0].grpc_port = 9001;
  ResourceChanges changes = Update(first, grpc_moved, resources);
  EXPECT_THAT(changes.clusters, IsEmpty());
  EXPECT_THAT(changes.endpoints, ElementsAre("g/ocr"));

  EXPECT_THAT(Update(grpc_moved, {}, resources).clusters,
              UnorderedElementsAre("g/ocr", "r/ocr", "g/ocr@3", "r/ocr@3"));
  EXPECT_THAT(resources.clusters, IsEmpty());
  EXPECT_THAT(resources.endpoints, IsEmpty());
}

TEST(Resources, TheOrderOfEndpointsDoesNotMatter) {
  Resources a, b;
  Endpoint one{"127.0.0.1", 1, 2, 1}, two{"127.0.0.1", 3, 4, 1};
  Update({}, OneModel({one, two}), a);
  Update({}, OneModel({two, one}), b);
  EXPECT_EQ(a.endpoints, b.endpoints);
}

TEST(CheckSnapshot, NamesWhatEnvoyWouldRefuse) {
  EXPECT_TRUE(CheckSnapshot(OneModel({{"::1", 1, 2, 1}})).ok());
  EXPECT_THAT(CheckSnapshot(OneModel({{"localhost", 1, 2, 1}})).text(),
              HasSubstr("\"localhost\" is not an IP"));
  EXPECT_THAT(CheckSnapshot(OneModel({{"127.0.0.1", 0, 2, 1}})).text(), HasSubstr("no gRPC or no REST port"));
  EXPECT_THAT(CheckSnapshot(OneModel({{"127.0.0.1", 1, 2, 0}})).text(), HasSubstr("weight 0"));
  EXPECT_EQ(
      CheckSnapshot(OneModel(std::vector<Endpoint>(kEndpointsPerKeyMax + 1, {"127.0.0.1", 1, 2, 1}))).code(),
      Code::kResourceExhausted);
  Snapshot bad_key;
  bad_key.models["a/b"];
  EXPECT_EQ(CheckSnapshot(bad_key).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace snug::routing
