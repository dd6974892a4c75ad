#include "routing/delta_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Names = std::vector<std::string>;

// Snapshots in, and an Envoy that does as it is told.
class DeltaSessionTest : public ::testing::Test {
 protected:
  void Publish(const Snapshot& snapshot) {
    ResourceChanges changes = Update(snapshot_, snapshot, resources_);
    snapshot_ = snapshot;
    session_.OnChange(changes);
  }
  static Snapshot Models(const std::map<std::string, uint16_t>& ports) {
    Snapshot snapshot;
    for (const auto& [key, port] : ports) {
      snapshot.models[key].endpoints = {{"127.0.0.1", port, static_cast<uint16_t>(port + 1), 1}};
    }
    return snapshot;
  }
  void Ask(ResourceType type, Names subscribe, std::map<std::string, std::string> initial = {}) {
    session_.OnRequest({type, std::move(subscribe), {}, std::move(initial), "", false}, &resources_);
  }
  void Acknowledge(const DeltaResponse& response, bool refused = false) {
    session_.OnRequest({response.type, {}, {}, {}, response.nonce, refused}, &resources_);
  }
  // Takes everything, asks for the endpoints of new clusters, and returns what was said, "C+g/a" or "E-r/b".
  Names Converse() {
    Names said;
    while (auto response = session_.Next(resources_)) {
      const char* type = response->type == ResourceType::kCluster ? "C" : "E";
      for (const auto& name : response->names) said.push_back(std::string(type) + "+" + name);
      for (const auto& name : response->removed) said.push_back(std::string(type) + "-" + name);
      Acknowledge(*response);
      if (response->type == ResourceType::kCluster && !response->names.empty()) {
        Ask(ResourceType::kEndpoints, response->names);
      }
    }
    return said;
  }

  Snapshot snapshot_;
  Resources resources_;
  DeltaSession session_;
};

TEST_F(DeltaSessionTest, TellsClustersThenEndpoints) {
  Publish(Models({{"a", 1000}}));
  Ask(ResourceType::kCluster, {});
  EXPECT_FALSE(session_.Settled(resources_));
  EXPECT_THAT(Converse(), ElementsAre("C+g/a", "C+r/a", "E+g/a", "E+r/a"));
  EXPECT_TRUE(session_.Settled(resources_));
  EXPECT_THAT(Converse(), IsEmpty());
}

TEST_F(DeltaSessionTest, TellsOnlyWhatChanged) {
  Publish(Models({{"a", 1000}, {"b", 2000}}));
  Ask(ResourceType::kCluster, {"*"});
  Converse();
  Publish(Models({{"a", 1000}, {"b", 2002}}));
  EXPECT_THAT(Converse(), ElementsAre("E+g/b", "E+r/b"));
  Publish(Models({{"b", 2002}, {"c", 3000}}));
  EXPECT_THAT(Converse(),
              ElementsAre("C+g/c", "C+r/c", "C-g/a", "C-r/a", "E+g/c", "E+r/c", "E-g/a", "E-r/a"));
  Publish(snapshot_);
  EXPECT_THAT(Converse(), IsEmpty());
}

TEST_F(DeltaSessionTest, AnEmptyWorldIsAnsweredOnce) {
  Ask(ResourceType::kCluster, {});
  auto response = session_.Next(resources_);
  ASSERT_TRUE(response.has_value());  // Envoy opens its listener when it has an answer
  EXPECT_THAT(response->names, IsEmpty());
  EXPECT_FALSE(session_.Next(resources_).has_value());
}

TEST_F(DeltaSessionTest, AReconnectingEnvoyHearsTheDifferencesOnly) {
  Publish(Models({{"a", 1000}, {"b", 2000}}));
  std::map<std::string, std::string> clusters, endpoints;
  for (const auto& [name, resource] : resources_.clusters) clusters[name] = resource.version;
  for (const auto& [name, resource] : resources_.endpoints) endpoints[name] = resource.version;
  Ask(ResourceType::kCluster, {}, clusters);
  Ask(ResourceType::kEndpoints, {"g/a", "g/b", "r/a", "r/b"}, endpoints);
  EXPECT_THAT(Converse(), IsEmpty());
  EXPECT_TRUE(session_.Settled(resources_));

  session_ = DeltaSession();
  Publish(Models({{"b", 2002}}));
  Ask(ResourceType::kCluster, {}, clusters);
  Ask(ResourceType::kEndpoints, {"g/a", "g/b", "r/a", "r/b"}, endpoints);
  EXPECT_THAT(Converse(), ElementsAre("C-g/a", "C-r/a", "E+g/b", "E+r/b", "E-g/a", "E-r/a"));
}

TEST_F(DeltaSessionTest, WhoAskedBeforeTheFirstPublicationIsToldAllThen) {
  session_.OnRequest({ResourceType::kCluster, {}, {}, {{"g/old", "1"}}, "", false}, nullptr);
  snapshot_ = Models({{"a", 1000}});
  Update({}, snapshot_, resources_);
  session_.OnFirstPublication(resources_);
  EXPECT_THAT(Converse(), ElementsAre("C+g/a", "C+r/a", "C-g/old", "E+g/a", "E+r/a"));
}

TEST_F(DeltaSessionTest, ANameAskedForAgainIsToldAgain) {
  Publish(Models({{"a", 1000}}));
  Ask(ResourceType::kCluster, {});
  Converse();
  session_.OnRequest({ResourceType::kEndpoints, {}, {"g/a"}, {}, "", false}, &resources_);
  EXPECT_THAT(Converse(), IsEmpty());
  Ask(ResourceType::kEndpoints, {"g/a"});
  EXPECT_THAT(Converse(), ElementsAre("E+g/a"));
  Ask(ResourceType::kEndpoints, {"g/never"});
  EXPECT_THAT(Converse(), ElementsAre("E-g/never"));
}

TEST_F(DeltaSessionTest, IsNotSettledWhileAnswersAreOutstandingOrRefused) {
  Publish(Models({{"a", 1000}}));
  Ask(ResourceType::kCluster, {});
  Converse();
  Publish(Models({{"a", 1002}}));
  auto response = session_.Next(resources_);
  ASSERT_TRUE(response.has_value());
  EXPECT_FALSE(session_.Settled(resources_));
  Acknowledge(*response, /*refused=*/true);
  EXPECT_FALSE(session_.Settled(resources_));
  EXPECT_FALSE(session_.Next(resources_).has_value());  // not again and again
  Publish(Models({{"a", 1004}}));
  Converse();
  EXPECT_TRUE(session_.Settled(resources_));
}

}  // namespace
}  // namespace snug::routing
