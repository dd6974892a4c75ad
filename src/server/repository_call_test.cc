#include "server/repository_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::server {
namespace {

using testing::HasSubstr;

TEST(RepositoryCall, AllThatACallMaySay) {
  auto call = ParseRepositoryCall(
      R"({"ready":true,"parameters":{"version":3,"wait":false,"config":"{}","file:1/model.onnx":"YWJj",)"
      R"("unload_dependents":true}})");
  ASSERT_TRUE(call.ok()) << call.status().ToString();
  EXPECT_EQ(call->version, "3");
  EXPECT_FALSE(call->wait);
  EXPECT_TRUE(call->only_ready);
  EXPECT_EQ(call->config, "{}");
  EXPECT_EQ(call->files, (repository::InlineFiles{{"1/model.onnx", "abc"}}));
  EXPECT_TRUE(ParseRepositoryCall("").ok());
  EXPECT_TRUE(ParseRepositoryCall(" \n").ok());
  EXPECT_FALSE(ParseRepositoryCall(std::string_view("\0", 1)).ok());
}

TEST(RepositoryCall, Errors) {
  struct {
    const char* body;
    const char* text;
  } cases[] = {{R"({"parameters":{"x":1}})", "unknown parameter \"x\""},
               {R"({"parameters":{"config":1}})", "expected"},
               {R"({"parameters":{"file:1/x":"a!"}})", "base64"},
               {"[]", "expected a JSON object"}};
  for (const auto& c : cases) EXPECT_THAT(ParseRepositoryCall(c.body).status().text(), HasSubstr(c.text));
}

}  // namespace
}  // namespace snug::server
