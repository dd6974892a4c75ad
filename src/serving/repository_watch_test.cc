#include "serving/repository_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "serving/testing/manager_fixture.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class WatchTest : public ManagerTest {
 protected:
  ~WatchTest() override {
    control_.Release();
    control_.HoldLoads(false);
    watch_.reset();
  }

  RepositoryWatch& watch() {
    if (!watch_) {
      WatchOptions options;
      options.settle = 2s;
      options.clock = &clock_;
      watch_ =
          std::make_unique<RepositoryWatch>(options, manager(), [this] { return repository::Scan(root_); });
    }
    return *watch_;
  }
  std::future<Status> BeginLook() {
    auto outcome = std::make_shared<std::promise<Status>>();
    watch().Look([outcome](Status status) { outcome->set_value(std::move(status)); });
    return outcome->get_future();
  }
  Status Look() {
    auto outcome = BeginLook();
    return Get(outcome);
  }
  // Time passes while nothing is written.
  Status LookWhenSettled() {
    Look().ok();
    clock_.Advance(2s);
    return Look();
  }
  // The fake engine holds no file; what is in it does not matter.
  void Write(const std::string& file) { std::ofstream(root_ + "/" + file, std::ios::app) << "more"; }
  std::vector<int64_t> Versions(const std::string& model) {
    auto described = manager().Describe(model, "");
    return described.ok() ? described->versions : std::vector<int64_t>{};
  }

  std::unique_ptr<RepositoryWatch> watch_;
};

TEST_F(WatchTest, AVersionBeingWrittenIsLoadedOnceItStaysTheSame) {
  AddVersion("m", 1);
  for (int i = 0; i < 5; ++i) {
    Write("m/1/weights");
    clock_.Advance(1min);
    EXPECT_TRUE(Look().ok());
    EXPECT_TRUE(manager().Index().empty()) << "it has grown since the last look";
  }
  clock_.Advance(2s);
  EXPECT_TRUE(Look().ok());
  EXPECT_THAT(Versions("m"), ElementsAre(1));
  EXPECT_EQ(control_.loads(), 1);
}

TEST_F(WatchTest, VersionsComeAndGo) {
  AddVersion("m", 1, "versions: {latest: 2}\n");
  Write("m/1/weights");
  ASSERT_TRUE(LookWhenSettled().ok());
  AddVersion("m", 2);
  AddVersion("m", 3);
  Write("m/2/weights");
  Write("m/3/weights");
  ASSERT_TRUE(LookWhenSettled().ok());
  EXPECT_THAT(Versions("m"), ElementsAre(2, 3));
  EXPECT_TRUE(control_.WaitForModels(2));
  std::filesystem::remove_all(root_ + "/m");
  ASSERT_TRUE(Look().ok());
  EXPECT_TRUE(control_.WaitForModels(0));
}

TEST_F(WatchTest, ChangedFilesAreLoadedAnewAndUnchangedOnesAreNot) {
  AddVersion("m", 1, "threads: 1\n");
  Write("m/1/weights");
  ASSERT_TRUE(LookWhenSettled().ok());
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_EQ(control_.loads(), 1);
  Write("m/1/weights");
  EXPECT_TRUE(Look().ok());
  EXPECT_EQ(control_.loads(), 1) << "not yet settled";
  EXPECT_THAT(Versions("m"), ElementsAre(1)) << "and serving meanwhile";
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_EQ(control_.loads(), 2);
  AddVersion("m", 1, "threads: 2\n");
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_EQ(control_.loads(), 3) << "model.yaml counts";
  AddVersion("m", 1, "threads: 2\nlabels: {stable: 1}\n");
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_EQ(control_.loads(), 3) << "labels need no load";
  EXPECT_EQ(manager().Describe("m", "stable")->version, 1);
}

TEST_F(WatchTest, ABrokenModelYamlLeavesWhatServes) {
  AddVersion("m", 1, "threads: 1\n");
  Write("m/1/weights");
  ASSERT_TRUE(LookWhenSettled().ok());
  AddVersion("m", 1, "thread: 1\n");
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_THAT(Versions("m"), ElementsAre(1));
}

TEST_F(WatchTest, AFailedVersionIsTriedAgainWhenItsFilesChange) {
  AddVersion("m", 1);
  Write("m/1/weights");
  control_.FailLoads(InvalidArgument("bad file"), 1);
  EXPECT_EQ(LookWhenSettled().code(), Code::kInvalidArgument);
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_EQ(StatusOf("m", 1).state, State::kUnavailable);
  Write("m/1/weights");
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
}

TEST_F(WatchTest, ALookAtABusyModelIsTakenAfterwards) {
  AddVersion("m", 1);
  Write("m/1/weights");
  Look().ok();
  clock_.Advance(2s);
  control_.HoldLoads(true);
  auto first = BeginLook();
  ASSERT_TRUE(control_.WaitForLoads(1));
  std::filesystem::remove_all(root_ + "/m/1");
  AddVersion("m", 2);
  Write("m/2/weights");
  auto second = BeginLook();
  clock_.Advance(2s);
  control_.HoldLoads(false);
  EXPECT_TRUE(Get(second).ok());
  EXPECT_TRUE(LookWhenSettled().ok());
  EXPECT_THAT(Versions("m"), ElementsAre(2));
}

}  // namespace
}  // namespace snug::serving
