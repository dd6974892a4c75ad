// Payloads: parsed, executed, formatted, and on which threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/testing/manager_fixture.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST_F(ManagerTest, PredictParsesExecutesAndFormats) {
  AddVersion("m", 1, "parser: pair\n");
  ASSERT_TRUE(Load("m").ok());
  auto good = Predict("m", "3 4");
  auto answer = Get(good);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->payload, "3 4");
  EXPECT_EQ(answer->content_type, "text/plain");
  auto bad = Predict("m", "three");
  EXPECT_THAT(Get(bad).status().ToString(), HasSubstr("INVALID_ARGUMENT: expected two numbers"));
  AddVersion("n", 1);
  ASSERT_TRUE(Load("n").ok());
  auto none = Predict("n", "3 4");
  EXPECT_EQ(Get(none).status().code(), Code::kFailedPrecondition);
}

TEST_F(ManagerTest, PredictIsExecutedOnItsParseThreadWhereTheEngineAllowsAndAnInstanceIsFree) {
  AddVersion("tied", 1, "parser: pair\n");
  ASSERT_TRUE(Load("tied").ok());
  engines_.info.only_computes = true;
  AddVersion("m", 1, "parser: pair\n");
  ASSERT_TRUE(Load("m").ok());
  auto predict_on = [&](const std::string& model) {
    PredictRequest request;
    request.model = model;
    request.payload = "3 4";
    std::promise<std::thread::id> answered_by;
    manager().Predict(std::move(request), [&](auto answer) {
      EXPECT_TRUE(answer.ok());
      answered_by.set_value(std::this_thread::get_id());
    });
    return answered_by.get_future().get() == control_.executed_by();
  };
  EXPECT_FALSE(predict_on("tied"));
  bool here = false;  // the instance's thread may be held up in letting go of it after the warm-up
  for (int i = 0; i < 100'000 && !here; ++i) here = predict_on("m");
  EXPECT_TRUE(here);
  control_.Hold();
  auto first = Predict("m", "1 2");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto second = Predict("m", "5 6");  // finds the instance taken: waits for its thread
  control_.Release();
  EXPECT_TRUE(Get(first).ok());
  EXPECT_EQ(Get(second)->payload, "5 6");
}

TEST_F(ManagerTest, PredictIsParsedWhileAnotherExecutes) {
  AddVersion("m", 1, "parser: pair\nqueue_limit: 4\n");
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  std::vector<std::future<Result<PredictResponse>>> futures;
  futures.push_back(Predict("m", "5 6", clock_.Now() + 1s));
  ASSERT_TRUE(
      control_.WaitForRunning(1));  // of two that are parsed at a time the second may be executed first
  for (int i = 1; i < 4; ++i) futures.push_back(Predict("m", "5 6", clock_.Now() + 1s));
  clock_.Advance(2s);
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(Get(futures[static_cast<size_t>(i)]).status().code(), Code::kDeadlineExceeded);
  control_.Release();
  EXPECT_TRUE(Get(futures[0]).ok());
}

}  // namespace
}  // namespace snug::serving
