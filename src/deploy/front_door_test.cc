#include "deploy/front_door.h"

#include <gtest/gtest.h>

#include "deploy/fake_outside.h"

namespace snug::deploy {
namespace {

FrontDoorOptions Options(const std::string& config) {
  return {.state_dir = "DIR",
          .argv = {"/bin/envoy", "--config-path", "DIR/envoy/bootstrap.yaml"},
          .environment = {},
          .config_file = "DIR/envoy/bootstrap.yaml",
          .config = config,
          .admin_file = "DIR/envoy/admin"};
}

// Every front door of this world says LIVE at once.
class LiveOutside : public FakeOutside {
 public:
  Result<std::string> ReadFile(const std::string& path) override {
    if (path == "DIR/envoy/admin") return std::string("127.0.0.1:9901");
    return FakeOutside::ReadFile(path);
  }
  Result<os::HttpResponse> Http(const os::HttpRequest&) override {
    return os::HttpResponse{200, {}, "LIVE\n"};
  }
};

TEST(FrontDoorTest, AProcessThatIsBeingReplacedIsNotReady) {
  LiveOutside outside;
  FrontDoor before(outside, Options("old port"));
  before.Step();
  ASSERT_EQ(before.Observe().state, ProcessState::kReady);
  int64_t old_pid = before.Observe().pid;
  outside.At(old_pid).stubborn = true;

  FrontDoor after(outside, Options("new port"));
  after.Adopt(*outside.Processes());
  for (int i = 0; i < 20; ++i) {
    after.Step();
    outside.Tick();
    EXPECT_EQ(after.Observe().state, ProcessState::kStarting) << "the old one goes on";
    EXPECT_EQ(after.Observe().reason, "a front door of another configuration is being replaced");
  }
  outside.Kill(old_pid);
  after.Step();
  EXPECT_EQ(after.Observe().state, ProcessState::kReady);
  EXPECT_NE(after.Observe().pid, old_pid);
}

TEST(FrontDoorTest, AnAdoptedProcessOfAnotherConfigurationIsReplacedByOneThatReadsTheNewOne) {
  FakeOutside outside;
  FrontDoor before(outside, Options("old port"));
  before.Step();
  ASSERT_EQ(outside.files().at("DIR/envoy/bootstrap.yaml"), "old port");
  int64_t old_pid = before.Observe().pid;

  FrontDoor after(outside, Options("new port"));
  after.Adopt(*outside.Processes());
  for (int i = 0; i < 100 && outside.spawns() < 2; ++i) {
    after.Step();
    outside.Tick();
  }
  EXPECT_EQ(outside.spawns(), 2);
  EXPECT_NE(after.Observe().pid, old_pid);
  EXPECT_EQ(outside.files().at("DIR/envoy/bootstrap.yaml"), "new port");
}

}  // namespace
}  // namespace snug::deploy
