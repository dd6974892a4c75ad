// The control plane on a world in memory: the real registry, decisions, loop and deployer; fake processes and
// time.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "controller/reconciler.h"
#include "deploy/fake_outside.h"
#include "deploy/local_deployer.h"

namespace snug::controller {

class WorldClock : public Clock {
 public:
  explicit WorldClock(deploy::FakeOutside& world) : world_(world) {}
  TimePoint Now() const override { return world_.Now(); }
  double WallSeconds() const override { return 1.7e9 + Seconds(world_.Now().time_since_epoch()); }

 private:
  deploy::FakeOutside& world_;
};

class KeptTraffic : public Traffic {
 public:
  Status Publish(const routing::Snapshot& next) override {
    snapshot = next;
    ++publications;
    return {};
  }
  routing::Snapshot snapshot;
  int publications = 0;
};

class Platform {
 public:
  Platform() {
    root_ = ::testing::TempDir() + "platformXXXXXX";
    EXPECT_NE(::mkdtemp(root_.data()), nullptr);
    store = Store(root_ + "/store");
    options_.decide.policy = *placement::PolicyNamed("fifty-percent");
    Restart();
  }
  ~Platform() {
    Crash();
    std::filesystem::remove_all(root_);
  }

  // The controller dies; servers, files, registry and the front door's last snapshot stay.
  void Crash() {
    reconciler.reset();
    deployer.reset();
    registry.reset();
  }

  void Restart() {
    Crash();
    auto opened = registry::Registry::Open(
        {.path = root_ + "/registry.db", .now = [this] { return clock.WallSeconds(); }, .at_step = {}});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    registry = std::move(*opened);
    deploy::ServerOptions servers;
    servers.state_dir = "/s";
    servers.program = "/bin/snug-server";
    deployer = std::make_unique<deploy::LocalDeployer>(world, servers, false, nullptr);
    reconciler =
        std::make_unique<Reconciler>(*registry, *deployer, traffic, store, store_mutex, clock, options_);
  }

  void Deploy(const std::string& model, int64_t version, int copies = 1, double share = 0.1,
              int64_t bytes = 1) {
    Deploy({model, "default", share, copies, false, clock.WallSeconds()}, version, bytes);
  }

  void Deploy(const registry::ModelRow& model, int64_t version, int64_t bytes = 1) {
    registry::Deployment deployment;
    deployment.model = model;
    deployment.version = {model.name,
                          version,
                          "",
                          registry::VersionState::kLive,
                          "echo",
                          "",
                          "engine: echo\n",
                          "sha256:0",
                          bytes,
                          clock.WallSeconds()};
    Status status = registry->Deploy(deployment, "test");
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void Steps(int n, Duration tick = std::chrono::milliseconds(100)) {
    for (int i = 0; i < n; ++i) {
      deployer->StepAll();
      (void)reconciler->Pass();
      reconciler->SetApplied(reconciler->published());
      world.Tick(tick);
    }
  }

  State StateOf(const std::string& model) {
    auto tables = *registry->Load();
    const auto* row = tables.Model(model);
    return row == nullptr ? State::kRetired : MakeModelView(tables, reconciler->Know(), *row).state;
  }

  size_t Endpoints(const std::string& key) {
    auto it = traffic.snapshot.models.find(key);
    return it == traffic.snapshot.models.end() ? 0 : it->second.endpoints.size();
  }

  deploy::FakeOutside world;
  WorldClock clock{world};
  KeptTraffic traffic;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<deploy::LocalDeployer> deployer;
  std::unique_ptr<Reconciler> reconciler;
  std::string root_;
  Store store{""};
  std::mutex store_mutex;
  ReconcilerOptions options_;
};

}  // namespace snug::controller
