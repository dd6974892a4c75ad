#include "server/tracer.h"

#include <gmock/gmock.h>

#include "os/files.h"
#include "repository/test_dir.h"
#include "server/rest_settings.h"

namespace snug::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TracerTest : public testing::Test {
 protected:
  std::shared_ptr<RequestTrace> Begin(const std::string& model = "m") {
    head_ = {};
    head_.model = model;
    head_.arrival = clock_.Now();
    return tracer_.Begin(head_, "7", "rest", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  }
  Status Set(const std::string& model, const TraceValues& changes) {
    return tracer_.settings().Update(model, changes);
  }
  repository::TestDir dir_;
  ManualClock clock_;
  Tracer tracer_{dir_ / "trace", clock_};
  serving::RequestHead head_;
};

TEST_F(TracerTest, ALineTellsARequestsTimes) {
  EXPECT_EQ(Begin(), nullptr);
  ASSERT_TRUE(Set("", {{"trace_level", {"TIMESTAMPS"}}, {"trace_rate", {"1"}}}).ok());
  clock_.Advance(std::chrono::nanoseconds(10));
  auto trace = Begin();
  ASSERT_NE(trace, nullptr);
  ASSERT_NE(head_.times, nullptr);
  clock_.Advance(std::chrono::nanoseconds(20));
  head_.times->queued = clock_.Now();
  trace->End(Error(Code::kNotFound, "x"), clock_.Now() + std::chrono::nanoseconds(5));
  const std::string line = *os::ReadFile(dir_ / "trace");
  EXPECT_THAT(line, HasSubstr(R"({"id":"7","model_name":"m","model_version":"","protocol":"rest",)"
                              R"("status":"NOT_FOUND","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",)"
                              R"("parent_id":"00f067aa0ba902b7","timestamps":[{"name":"REQUEST_START",)"));
  EXPECT_THAT(line, HasSubstr("QUEUE_START"));
  EXPECT_THAT(line, Not(HasSubstr("COMPUTE_START")));
  EXPECT_EQ(line.back(), '\n');
}

TEST_F(TracerTest, RateCountAndFiles) {
  ASSERT_TRUE(Set("", {{"trace_level", {"TIMESTAMPS"}},
                       {"trace_rate", {"3"}},
                       {"trace_count", {"3"}},
                       {"log_frequency", {"2"}}})
                  .ok());
  int traced = 0;
  for (int i = 0; i < 30; ++i) {
    auto trace = Begin();
    if (trace) trace->End({}, clock_.Now());
    traced += trace != nullptr;
    EXPECT_EQ(trace != nullptr, i % 3 == 0 && i < 9) << i;
  }
  EXPECT_EQ(traced, 3);
  EXPECT_THAT(tracer_.settings().Get("")["trace_count"], ElementsAre("0"));
  const std::string first = *os::ReadFile(dir_ / "trace.0"), second = *os::ReadFile(dir_ / "trace.1");
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 2);
  EXPECT_EQ(std::count(second.begin(), second.end(), '\n'), 1);
}

TEST_F(TracerTest, AModelHasSettingsOfItsOwnUntilTheyAreTakenBack) {
  ASSERT_TRUE(Set("", {{"trace_rate", {"1"}}}).ok());
  ASSERT_TRUE(Set("m", {{"trace_level", {"TIMESTAMPS"}}}).ok());
  EXPECT_NE(Begin("m"), nullptr);
  EXPECT_EQ(Begin("n"), nullptr);
  EXPECT_THAT(tracer_.settings().Get("m")["trace_level"], ElementsAre("TIMESTAMPS"));
  EXPECT_THAT(tracer_.settings().Get("n")["trace_level"], ElementsAre("OFF"));
  ASSERT_TRUE(Set("m", {{"trace_level", {}}}).ok());
  EXPECT_EQ(Begin("m"), nullptr);
}

TEST_F(TracerTest, BadSettingsChangeNothing) {
  const TraceValues before = tracer_.settings().Get("");
  for (const TraceValues& bad :
       {TraceValues{{"trace_level", {"TENSORS"}}}, TraceValues{{"trace_level", {"ALL"}}},
        TraceValues{{"trace_rate", {"0"}}}, TraceValues{{"trace_rate", {"1", "2"}}},
        TraceValues{{"trace_count", {"-2"}}}, TraceValues{{"log_frequency", {"x"}}},
        TraceValues{{"trace_file", {"/etc/passwd"}}},
        TraceValues{{"log_frequency", {"1"}}, {"zoom", {"1"}}}}) {
    EXPECT_EQ(Set("", bad).code(), Code::kInvalidArgument);
    EXPECT_EQ(tracer_.settings().Get(""), before);
  }
  TraceSettings none;
  EXPECT_THAT(none.Update("", {{"trace_level", {"TIMESTAMPS"}}}).text(), HasSubstr("--trace-file"));
  EXPECT_TRUE(none.Update("", {}).ok());
}

TEST(TraceValuesJson, AllForms) {
  auto values = ParseTraceValues(
      R"({"trace_level":["TIMESTAMPS"],"trace_rate":"5","trace_count":7,"log_frequency":null})");
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(*values, (TraceValues{{"log_frequency", {}},
                                  {"trace_count", {"7"}},
                                  {"trace_level", {"TIMESTAMPS"}},
                                  {"trace_rate", {"5"}}}));
  for (const char* bad :
       {"[]", R"({"trace_rate":true})", R"({"trace_level":["1","2","3","4","5","6","7","8","9"]})"})
    EXPECT_FALSE(ParseTraceValues(bad).ok()) << bad;
}

TEST(TraceParent, W3cForm) {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(ParseTraceParent(good).trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(ParseTraceParent("01" + good.substr(2) + "-more").parent_id, "00f067aa0ba902b7");
  for (const std::string& bad :
       {std::string(), good.substr(1), "ff" + good.substr(2), good + "-more",
        "00-" + std::string(32, '0') + good.substr(35), good.substr(0, 36) + std::string(16, '0') + "-01",
        good.substr(0, 53) + "zz", std::string(60, '-')})
    EXPECT_EQ(ParseTraceParent(bad).trace_id, "") << bad;
}

}  // namespace
}  // namespace snug::server
