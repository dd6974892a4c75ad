#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace snug::log {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { Change({}); }
  static std::string Written(Level level) {
    testing::internal::CaptureStderr();
    Write(level, "something happened", {{"what", "a b"}});
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, EachLevelIsASwitch) {
  Settings settings;
  settings.info = false;
  settings.debug = true;
  Change(settings);
  EXPECT_EQ(CurrentSettings(), settings);
  EXPECT_THAT(Written(Level::kDebug), HasSubstr("something happened what=\"a b\""));
  EXPECT_THAT(Written(Level::kInfo), IsEmpty());
  EXPECT_THAT(Written(Level::kError), HasSubstr("something"));
  settings.error = settings.debug = false;
  Change(settings);
  EXPECT_THAT(Written(Level::kError), IsEmpty());
  EXPECT_THAT(Written(Level::kDebug), IsEmpty());
}

TEST_F(LogTest, FormatsChangeWhileRunning) {
  Init("tester", Level::kWarning, Format::kJson);
  EXPECT_EQ(CurrentSettings(), (Settings{false, false, true, true, Format::kJson}));
  EXPECT_THAT(Written(Level::kWarning), HasSubstr("\"program\":\"tester\""));
  Change({false, true, true, true, Format::kIsoText});
  EXPECT_THAT(Written(Level::kInfo), MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:.+-]+ I tester.*\n"));
  Change({});
  EXPECT_THAT(Written(Level::kInfo), MatchesRegex("[0-9:.]+ I tester.*\n"));
}

}  // namespace
}  // namespace snug::log
