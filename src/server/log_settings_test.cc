#include "server/log_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace snug::server {
namespace {

using testing::HasSubstr;

class LogSettingsTest : public testing::Test {
 protected:
  ~LogSettingsTest() override { log::Change({}); }
};

TEST_F(LogSettingsTest, ChangesWhatIsLogged) {
  auto changes = ParseLogValues(R"({"log_info":false,"log_verbose_level":2,"log_format":"ISO8601"})");
  ASSERT_TRUE(changes.ok());
  ASSERT_TRUE(ChangeLog(*changes).ok());
  EXPECT_EQ(log::CurrentSettings(), (log::Settings{true, false, true, true, log::Format::kIsoText}));
  EXPECT_EQ(LogValuesJson(CurrentLogValues()),
            R"({"log_error":true,"log_file":"","log_format":"ISO8601","log_info":false,)"
            R"("log_verbose_level":1,"log_warning":true})");
  EXPECT_TRUE(ChangeLog(*ParseLogValues("")).ok());
  EXPECT_FALSE(log::CurrentSettings().info);
}

TEST_F(LogSettingsTest, AllOrNothing) {
  struct {
    const char* body;
    const char* text;
  } cases[] = {{R"({"log_error":false,"log_volume":1})", "unknown log setting"},
               {R"({"log_error":1})", "true or false"},
               {R"({"log_error":false,"log_file":"/etc/passwd"})", "stderr"},
               {R"({"log_error":false,"log_format":"xml"})", "\"default\""},
               {R"({"log_error":false,"log_verbose_level":true})", "whole number"}};
  for (const auto& c : cases) {
    auto changes = ParseLogValues(c.body);
    ASSERT_TRUE(changes.ok()) << c.body;
    EXPECT_THAT(ChangeLog(*changes).text(), HasSubstr(c.text));
    EXPECT_EQ(log::CurrentSettings(), log::Settings());
  }
  for (const char* bad : {"[]", R"({"log_info":null})", R"({"log_verbose_level":-1})", R"({"log_info":1.5})"})
    EXPECT_EQ(ParseLogValues(bad).status().code(), Code::kInvalidArgument) << bad;
}

}  // namespace
}  // namespace snug::server
