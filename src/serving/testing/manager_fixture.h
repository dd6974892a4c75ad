// A manager on a repository of its own, with fake engines and parsers.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "os/files.h"
#include "serving/model_manager.h"
#include "serving/testing/fakes.h"

namespace snug::serving {

// Waits for one outcome with a generous bound.
template <typename T>
T Get(std::future<T>& future) {
  EXPECT_EQ(future.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  return future.get();
}

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    std::string pattern = testing::TempDir() + "snug_serving_XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~ManagerTest() override {
    control_.Release();
    control_.HoldLoads(false);
    manager_.reset();
    EXPECT_EQ(control_.models(), 0) << "a model was not unloaded";
    EXPECT_TRUE(os::RemoveTree(root_).ok());
  }

  void AddVersion(const std::string& model, int version, const std::string& yaml = "") {
    ASSERT_TRUE(os::MakeDirs(root_ + "/" + model + "/" + std::to_string(version)).ok());
    if (!yaml.empty()) std::ofstream(root_ + "/" + model + "/model.yaml") << yaml;
  }

  ModelManager& manager() {
    if (!manager_) {
      ManagerOptions options;
      options.root = root_;
      options.clock = &clock_;
      options.measure_batching = false;
      options.read_warmup = [this](const std::string&) { return warmup_; };
      options.load_retries_max = load_retries_max_;
      options.load_backoff.delay_min = options.load_backoff.delay_max = Duration{0};
      options.load_time = load_time_;
      options.standby_after = standby_after_;
      manager_ = std::make_unique<ModelManager>(options, engines_, parsers_);
    }
    return *manager_;
  }

  Status Load(const std::string& model, const std::string& version = "") {
    return Wait(&ModelManager::Load, model, version);
  }
  Status Unload(const std::string& model, const std::string& version = "") {
    return Wait(&ModelManager::Unload, model, version);
  }
  template <typename Change>
  Status Wait(Change change, const std::string& model, const std::string& version) {
    std::promise<Status> outcome;
    auto future = outcome.get_future();
    (manager().*change)(model, version, true, [&](Status status) { outcome.set_value(std::move(status)); });
    return Get(future);
  }

  std::future<Result<InferResponse>> Infer(const std::string& model, TimePoint deadline = TimePoint::max(),
                                           CancelFlag cancelled = nullptr, const std::string& version = "") {
    InferRequest request;
    request.model = model;
    request.version = version;
    request.arrival = clock_.Now();
    request.deadline = deadline;
    request.cancelled = std::move(cancelled);
    request.inputs = {Floats("x", {1, 2}, {1, 2})};
    auto outcome = std::make_shared<std::promise<Result<InferResponse>>>();
    manager().Infer(std::move(request), [outcome](auto result) { outcome->set_value(std::move(result)); });
    return outcome->get_future();
  }

  std::future<Result<PredictResponse>> Predict(const std::string& model, std::string payload,
                                               TimePoint deadline = TimePoint::max()) {
    PredictRequest request;
    request.model = model;
    request.arrival = clock_.Now();
    request.deadline = deadline;
    auto owner = std::make_shared<std::string>(std::move(payload));
    request.payload = *owner;
    request.payload_owner = owner;
    auto outcome = std::make_shared<std::promise<Result<PredictResponse>>>();
    manager().Predict(std::move(request), [outcome](auto result) { outcome->set_value(std::move(result)); });
    return outcome->get_future();
  }

  VersionStatus StatusOf(const std::string& model, int64_t version) {
    for (const VersionStatus& status : manager().Index()) {
      if (status.name == model && status.version == version) return status;
    }
    return {};
  }

  std::string root_;
  int load_retries_max_ = 0;
  std::optional<repository::LoadTime> load_time_;
  Duration standby_after_{0};
  std::vector<WarmupRequest> warmup_;
  ManualClock clock_;
  FakeControl control_;
  FakeEngineHost engines_{control_};
  FakeParserHost parsers_;
  std::unique_ptr<ModelManager> manager_;
};

}  // namespace snug::serving
