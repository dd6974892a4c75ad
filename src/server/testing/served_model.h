// A manager with one READY model "m" of the fake engine (y and z copy x) and parser, over a repository of its
// own.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <string>

#include "os/files.h"
#include "server/core.h"
#include "serving/testing/fakes.h"

namespace snug::server {

class ServedModel : public testing::Test {
 protected:
  ServedModel() {
    std::string pattern = testing::TempDir() + "snug_server_XXXXXX";
    root_ = mkdtemp(pattern.data());
    EXPECT_TRUE(os::MakeDirs(root_ + "/m/1").ok());
    std::ofstream(root_ + "/m/model.yaml") << "parser: pair\nqueue_limit: 1\nclass_labels: {z: names.txt}\n";
    std::ofstream(root_ + "/m/names.txt") << "cat\ndog\n";
    serving::ManagerOptions options;
    options.root = root_;
    options.load_time = repository::LoadTime::kOnRequest;  // but for what is loaded by a call, as m is
    manager_ = std::make_unique<serving::ModelManager>(options, engines_, parsers_);
    core_ = std::make_unique<Core>(*manager_, "test", true);
    core_->loaded = true;
    std::promise<Status> outcome;
    manager_->Load("m", "", true, [&](Status status) { outcome.set_value(std::move(status)); });
    EXPECT_TRUE(outcome.get_future().get().ok());
  }
  ~ServedModel() override {
    control_.Release();
    manager_.reset();
    EXPECT_TRUE(os::RemoveTree(root_).ok());
  }

  // A further model, on standby.
  void AddLateModel(const std::string& name) {
    EXPECT_TRUE(os::MakeDirs(root_ + "/" + name + "/1").ok());
    std::promise<Status> outcome;
    manager_->LoadAll([&](Status status) { outcome.set_value(std::move(status)); });
    EXPECT_TRUE(outcome.get_future().get().ok());
  }

  std::string root_;
  serving::FakeControl control_;
  serving::FakeEngineHost engines_{control_};
  serving::FakeParserHost parsers_;
  std::unique_ptr<serving::ModelManager> manager_;
  std::unique_ptr<Core> core_;
};

}  // namespace snug::server
