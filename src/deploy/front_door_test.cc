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
